"""`redten doctor`: looks a deployment over, and says what to do."""

import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from local.errors import local_errors
from settings import settings


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=settings.data_dir,
    show_default=True,
    help="The `redten up` that is meant, unless DATABASE_URL names a database.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@local_errors
def doctor(data_dir: Path, as_json: bool) -> None:
    """Look a deployment over: secrets, versions, walls, TLS, disks, workers; say what to do.

    Ends with 1 if anything does not work or is not safe. It looks at what the environment names,
    as the API and the workers are told it; without DATABASE_URL at a `redten up` that runs.
    """
    if settings.database_url is None and settings.redis_url is None:
        _look_from_within(data_dir, as_json)
    # Before it is imported, which it would tell of.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from local.doctor.finding import Status
    from local.doctor.run import findings

    found = list(findings())
    failed = any(one.status is Status.FAILURE for one in found)
    if as_json:
        told = {"ok": not failed, "findings": [asdict(one) for one in found]}
        click.echo(json.dumps(told, indent=2))
    else:
        for one in found:
            click.echo(f"{one.status:<8} {one.check}: {one.said}")
            if one.advice:
                click.echo(f"         -> {one.advice}")
    sys.exit(failed)


def _look_from_within(data_dir: Path, as_json: bool) -> None:
    """Begins again, told what the programs of that `redten up` were told."""
    from local.doctor.told import told_to_api

    told = told_to_api(data_dir)
    command = [sys.executable, "-m", "cli", "doctor", *(["--json"] if as_json else [])]
    os.execve(command[0], command, told)  # noqa: S606 - a list, no shell
