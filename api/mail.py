"""Asks a worker to write to users; nobody waits for the mail."""

from models.invitation import Invitation
from models.user import User
from settings import settings
from tasks import chains

# Who has waited for a mail for so long has asked for another.
WANTED_S = 3600.0


def mail_link(user: User) -> None:
    """A link to verify the account's email, unless it needs none."""
    if settings.verifies_email and not user.verified:
        ask_for_link(user.email)


def ask_for_link(email: str) -> None:
    """A link to whoever has that email, if their account waits for one."""
    chains.send_once(chains.step("mail.mail_verification", email), WANTED_S)


def ask_for_one_time_password(email: str) -> None:
    """A one-time password to whoever has that email, if there is an account."""
    chains.send_once(chains.step("mail.mail_one_time_password", email), WANTED_S)


def mail_invitation(made: Invitation) -> bool:
    """An invitation to whom it is for; whether it is on its way. Without a server it is told."""
    if settings.smtp_url is None:
        return False
    mail = chains.step("invite.mail_invitation", made.tenant_id, made.id)
    return chains.send_once(mail, WANTED_S)
