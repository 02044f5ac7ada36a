"""Who is invited to a tenant is written a mail with a secret of its own."""

from celery import Task

from models.invitation import Invitation, mailed_token
from models.session import session_scope
from models.tenant import Tenant
from tasks.app import app
from tasks.smtp import TRIES, compose, public_url, send

TEXT = """\
You are invited to the tenant "{tenant}" at {url}, as {role}, by one of its owners.

Log in with an account of this email, {email}, or make one, and accept with

    redten tenants accept {token}

until {day}. If you do not want to, do nothing.
"""


# The secret is made here, not by who invites: none travels through the broker.
@app.task(bind=True, max_retries=TRIES - 1)
def mail_invitation(self: Task, tenant_id: int, id: int) -> None:
    """Mails a pending invitation; a later try makes the secret of an earlier one void."""
    with session_scope(tenant_id) as session:
        found = mailed_token(session, tenant_id, id)
        tenant = session.get(Tenant, tenant_id)
    if found is None or tenant is None:
        return
    token, invitation = found
    message = compose(invitation.email, "An invitation to redten", _text(tenant, invitation, token))
    send(self, message, invitation.email, f"invitation {id}")


def _text(tenant: Tenant, invitation: Invitation, token: str) -> str:
    return TEXT.format(
        tenant=tenant.name,
        url=public_url(),
        role=invitation.role,
        email=invitation.email,
        token=token,
        day=invitation.expires_at.date(),
    )
