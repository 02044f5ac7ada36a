"""The commands about accounts."""

import click

from client.accounts import ACTIVE, Person
from client.client import Client
from client.command import Failure, emit, json_option, printable, tell, with_client
from client.show import table

HEADERS = ("ID", "EMAIL", "ACTIVE", "VERIFIED", "ROLE")
new_password = click.option(
    "--password",
    prompt="New password",
    hide_input=True,
    confirmation_prompt=True,
    help="Asked for unless it is given; others on this machine may see what is given here.",
)


@click.group()
def account() -> None:
    """Your account: the one of AI_EMAIL."""


@account.command("show")
@json_option
@with_client
def show(client: Client, as_json: bool) -> None:
    """Show the account."""
    person = client.accounts.show()
    tell(person, table(HEADERS, [_row(person)]), as_json)


@account.command("find")
@click.argument("email")
@json_option
@with_client
def find(client: Client, email: str, as_json: bool) -> None:
    """Find accounts by a part of their email: an owner the tenant's, an administrator all."""
    found = client.accounts.search(email)
    tell(found, table(HEADERS, map(_row, found)), as_json)


@account.command("set-email")
@click.argument("email")
@json_option
@with_client
def set_email(client: Client, email: str, as_json: bool) -> None:
    """Give the account another email; all its tokens end."""
    person = client.accounts.change(email=email)
    tell(person, f"the account is {person.email} now: set AI_EMAIL to it", as_json)


@account.command("set-password")
@click.option("--one-time", is_flag=True, help="By a one-time password that was mailed to you.")
@new_password
@with_client
def set_password(client: Client, one_time: bool, password: str) -> None:
    """Set a new password; all other tokens of the account end."""
    if one_time:
        mailed = click.prompt("One-time password", hide_input=True, err=True)
        client.accounts.set_forgotten(mailed.strip(), password)
    else:
        client.accounts.change(password=password)
    emit("the password is changed: set AI_PASSWORD to it")


@account.command("reset")
@with_client
def reset(client: Client) -> None:
    """Have a one-time password mailed, if you have forgotten yours."""
    emit(client.accounts.forgot_password())
    emit("set a new password with it: redten account set-password --one-time")


@account.command("verify")
@with_client
def verify(client: Client) -> None:
    """Have the link that verifies the email mailed again."""
    emit(client.accounts.mail_link())


@account.command("logout")
@with_client
def logout(client: Client) -> None:
    """End all tokens of the account, wherever they are; service keys stay."""
    client.accounts.log_out()
    emit("all tokens have ended")


@account.command("deactivate")
@click.argument("email", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_client
def deactivate(client: Client, email: str | None, yes: bool) -> None:
    """Close the account; for an administrator of the deployment, the one of that EMAIL."""
    person = _named(client, email) if email else client.accounts.show()
    if not yes:
        asked = f"Close the account {person.email}? Nobody can log in with it any more"
        click.confirm(printable(asked), abort=True, err=True)
    client.accounts.deactivate(person)
    emit(f"the account {person.email} is closed")


def _named(client: Client, email: str) -> Person:
    for person in client.accounts.search(email):
        if person.email.lower() == email.lower():
            return person
    raise Failure(f"there is no account {email}")


def _row(person: Person) -> tuple[object, ...]:
    active = "yes" if person.state == ACTIVE else "no"
    return (person.id, person.email, active, "yes" if person.verified else "no", person.role)
