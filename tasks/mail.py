"""What users are written: one-time passwords, and links that verify their email."""

from collections.abc import Callable

from celery import Task
from sqlalchemy.orm import Session

from models.one_time_password import add_one_time_password
from models.session import session_scope
from models.user import User, find_user
from models.verification import add_verification
from settings import settings
from tasks.app import app
from tasks.smtp import TRIES, compose, public_url, send

RESET_TEXT = """\
A new password was asked for, for the redten account {email}.

If that was you, set it within {minutes} minutes with

    redten account set-password --one-time

and this one-time password:

    {token}

If it was not, do nothing: your password stays as it is.
"""
LINK_TEXT = """\
Somebody, you it seems, has given {email} as the email of a redten account.

Open this link to say that it is yours:

    {url}/user/verify?u={id}&t={token}

If it was not you, do nothing.
"""


# Secrets are made here, not by who asks: none travels through the broker, and a request takes as
# long for an email that has no account.
@app.task(bind=True, max_retries=TRIES - 1)
def mail_one_time_password(self: Task, email: str) -> None:
    """Mails a one-time password to the active account with that email, if there is one."""
    _mail(self, email, "A new password for redten", _one_time_password)


@app.task(bind=True, max_retries=TRIES - 1)
def mail_verification(self: Task, email: str) -> None:
    """Mails a link to the active account with that email, if it waits to be verified."""
    _mail(self, email, "Is this your email?", _verification)


def _mail(
    task: Task, email: str, subject: str, text: Callable[[Session, User], str | None]
) -> None:
    """Writes to the account; each try has a secret of its own, and the earlier ones stay good."""
    with session_scope() as session:
        user = find_user(session, email)
        said = text(session, user) if user else None
    if user is None or said is None:
        return
    send(task, compose(user.email, subject, said), user.email, f"user {user.id}")


def _one_time_password(session: Session, user: User) -> str:
    _, token = add_one_time_password(session, user)
    minutes = settings.otp_expiry_s // 60
    return RESET_TEXT.format(email=user.email, token=token, minutes=minutes)


def _verification(session: Session, user: User) -> str | None:
    if user.verified:
        return None
    token = add_verification(session, user)
    return LINK_TEXT.format(email=user.email, url=public_url(), id=user.id, token=token)
