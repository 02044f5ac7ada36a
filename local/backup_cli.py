"""`redten backup` and `redten restore`: a deployment whole, kept by the operator."""

import logging
from pathlib import Path

import click

from local.errors import local_errors
from settings import settings


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="FOLDER|FILE.tar")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=settings.data_dir,
    show_default=True,
    help="The `redten up` that is meant, unless DATABASE_URL names a database.",
)
@local_errors
def backup(target: Path, data_dir: Path) -> None:
    """Back up database, files and keys as of one moment, while everything goes on.

    It holds secrets: certificates, keys, password hashes. Weights are not in it, only their names
    and hashes.
    """
    from local.backup import back_up

    told = back_up(data_dir, target)
    for place in told["missing"]:
        click.echo(f"was gone before: {place}", err=True)
    click.echo(f"backed up to {target}: {sum(told['rows'].values())} rows, {told['blobs']} files")


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="FOLDER|FILE.tar")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="A new data directory for `redten up`.  [default: REDTEN_DATA_DIR]",
)
@local_errors
def restore(source: Path, data_dir: Path | None) -> None:
    """Make a new data directory of a backup, or fill the database of DATABASE_URL.

    Work that was not over goes on.
    """
    # Before it is imported, which it would tell of.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from local.restore import restore_database, restore_deployment

    if settings.database_url is not None or settings.database_admin_url is not None:
        restore_database(source, data_dir)
        click.echo(f"restored {source}")
        return
    where = data_dir or settings.data_dir
    restore_deployment(source, where)
    click.echo(f"restored {source}: start it with `redten up --data-dir {where}`")
