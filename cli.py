"""The `redten` command: a group that imports a subcommand's module only when it is called."""

import importlib
import logging

import click

COMMANDS = {
    "up": "local.cli:up",
    "demo": "local.demo:demo",
    "migrate": "local.cli:migrate",
    "doctor": "local.doctor_cli:doctor",
    "weights": "local.weights_cli:weights",
    "models": "local.models_cli:models",
    "worker": "local.cli:worker",
    "backup": "local.backup_cli:backup",
    "restore": "local.backup_cli:restore",
    "ask": "client.cli:ask",
    "jobs": "client.jobs_cli:jobs",
    "cancel": "client.cli:cancel",
    "result": "client.cli:result",
    "review": "client.cli:review",
    "search": "client.cli:search",
    "account": "client.account_cli:account",
    "users": "client.admin:users",
    "tenants": "client.tenants_cli:tenants",
    "quotas": "local.quotas_cli:quotas",
    "keys": "client.keys_cli:keys",
    "collections": "client.admin:collections",
    "documents": "client.admin:documents",
    "data": "client.data_cli:data",
    "ingest": "ingest.cli:ingest",
    "sources": "client.sources_cli:sources",
    "retrieve": "client.retrieval_cli:retrieve",
    "embed": "client.embed_cli:embed",
    "export": "client.export_cli:export",
}


class LazyGroup(click.Group):
    """A click group whose commands are named by import path."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="redten")
def main() -> None:
    """Ask LLMs about your own documents, and let experts make the answers better."""
    # Here, where click says in a word that Ctrl-C has ended it: reading them takes its time.
    from settings import settings

    logging.basicConfig(level=settings.log.upper(), format="%(levelname)s %(name)s %(message)s")


if __name__ == "__main__":
    main()
