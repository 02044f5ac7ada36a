"""The commands that run redten on a machine: up, migrate, worker."""

import os
from pathlib import Path

import click

from local.errors import LocalError, local_errors
from settings import settings


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=settings.data_dir,
    show_default=True,
    help="Everything that is kept between two starts.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=settings.port,
    show_default=True,
    help="Port of the API.",
)
@click.option("--quiet", is_flag=True, help="No logs on the terminal; they are in DIR/logs.")
@click.option("--parent", type=int, hidden=True, help="End with the process of this number.")
@local_errors
def up(data_dir: Path, port: int, quiet: bool, parent: int | None) -> None:
    """Start everything on this machine; Ctrl-C stops it."""
    from local.layout import Layout
    from local.processes import end_with_parent
    from local.up import up as run

    if parent is not None:
        end_with_parent(parent)
    run(Layout(data_dir), port, quiet=quiet)


@click.command()
@click.option(
    "--admin-env",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with AI_EMAIL and AI_PASSWORD of the administrator to make if missing.",
)
@local_errors
def migrate(admin_env: Path | None) -> None:
    """Bring the database of DATABASE_ADMIN_URL (or DATABASE_URL) up to date."""
    from local.credentials import required

    url = settings.database_admin_url or settings.database_url
    if url is None:
        raise LocalError("DATABASE_URL is not set; `redten up` migrates its own database")
    # Before anything is changed.
    admin = required(admin_env, "AI_EMAIL", "AI_PASSWORD") if admin_env else None
    from local.migration import migrate as run

    run(url.get_secret_value(), admin)


@click.command()
@click.argument("queues", nargs=-1, required=True)
@local_errors
def worker(queues: tuple[str, ...]) -> None:
    """Run one worker for QUEUES: pipeline, inference, ingest, sweep.

    One process takes all the queues named, so they have to share a kind of pool: pipeline and
    inference do; ingest and sweep each need a worker of their own.
    """
    from local.environment import anywhere
    from local.workers import INSTALLATION, require_services, worker_command

    command, environment = worker_command(queues), anywhere()
    require_services(queues)
    # Celery looks for modules where it runs first, and would take somebody's `tasks` for ours.
    os.chdir(INSTALLATION)
    os.execve(command[0], command, environment)  # noqa: S606 - a list, no shell
