"""Brings the schema up to date, as the owner of the tables."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from models.session import driver_url


def alembic_config(url: str) -> Config:
    """Alembic, told where the migrations lie and whom to connect as."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = driver_url(url)
    return config


def upgrade(url: str) -> None:
    """Migrates to the newest schema; harmless to repeat, and safe when two start at once."""
    command.upgrade(alembic_config(url), "head")
