"""Invitations: a secret with which whoever has the account of an email joins a tenant."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ForeignKey, String, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.sql.elements import ColumnElement

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.secret import digest
from models.tenant import Belonging, Caller, Membership, Role, Tenant, belongings, join
from models.user import User
from settings import settings

TOKEN_BYTES = 32
DAY = timedelta(days=1)


class Invitation(Numbered, Owned, Dated, Base):
    """What is known of an invitation; its secrets are not kept, neither the one that its maker was
    told nor the one that was mailed.
    """

    __tablename__ = "invitations"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(String(320))
    role: Mapped[str] = mapped_column(String(16))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    mailed_sha256: Mapped[str | None] = mapped_column(String(64), unique=True)
    invited_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    accepted_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]

    @property
    def status(self) -> str:
        """Where it stands, in a word."""
        if self.accepted_at:
            return "accepted"
        if self.withdrawn_at:
            return "withdrawn"
        return "expired" if self.expires_at <= datetime.now(UTC) else "pending"


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation, the tenant's name, and the secret, which nobody can tell again."""

    invitation: Invitation
    tenant: str
    token: str


def invite(session: Session, caller: Caller, email: str, role: Role) -> Invited:
    """A new invitation, in place of one that the email has already.

    Raises RedtenError `already_member`, and `too_many_invitations` for too many in a day: each is
    a mail to somebody who did not ask for it.
    """
    tenant = session.get_one(Tenant, caller.tenant_id, with_for_update={"key_share": True})
    if _is_member(session, tenant.id, email):
        raise RedtenError(
            "already_member", f"{email} is a member: `redten users role` gives a role"
        )
    if _made_today(session, tenant.id) >= settings.invitations_per_day:
        most = f"{settings.invitations_per_day} invitations in a day are the most"
        raise RedtenError("too_many_invitations", f"{most}: go on tomorrow")
    withdraw_invitations(session, tenant.id, email)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    made = Invitation(
        tenant_id=tenant.id,
        email=email,
        role=role,
        token_sha256=digest(token),
        invited_by=caller.user_id,
        expires_at=datetime.now(UTC) + DAY * settings.invitation_days,
    )
    session.add(made)
    session.flush()
    session.refresh(made)
    return Invited(made, tenant.name, token)


def mailed_token(session: Session, tenant_id: int, id: int) -> tuple[str, Invitation] | None:
    """A secret of its own for the mail about a pending invitation; None if it is void meanwhile."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    this = (Invitation.id == id, Invitation.tenant_id == tenant_id)
    pending = update(Invitation).where(*this, *_pending())
    found = session.scalar(pending.values(mailed_sha256=digest(token)).returning(Invitation))
    return (token, found) if found else None


def invitations(session: Session, caller: Caller) -> list[Invitation]:
    """The tenant's, newest first, whatever became of them."""
    of_tenant = select(Invitation).where(Invitation.tenant_id == caller.tenant_id)
    return list(session.scalars(of_tenant.order_by(Invitation.id.desc())))


def withdraw_invitation(session: Session, caller: Caller, id: int) -> Invitation:
    """Makes one void; again is no error. Raises RedtenError `invitation_not_found`.

    Who has accepted it stays a member.
    """
    this = (Invitation.id == id, Invitation.tenant_id == caller.tenant_id)
    found: Invitation | None = session.scalar(select(Invitation).where(*this).with_for_update())
    if found is None:
        raise RedtenError("invitation_not_found", f"there is no invitation {id}")
    found.withdrawn_at = found.withdrawn_at or datetime.now(UTC)
    session.flush()
    session.refresh(found)
    return found


def withdraw_invitations(session: Session, tenant_id: int, email: str | None = None) -> None:
    """Makes void what the tenant's invitations to that email, or to anybody, still let in."""
    which: list[ColumnElement[bool]] = [Invitation.tenant_id == tenant_id]
    if email is not None:
        which.append(func.lower(Invitation.email) == func.lower(email))
    void = update(Invitation).where(*which, Invitation.withdrawn_at.is_(None))
    session.execute(void.values(withdrawn_at=func.now()))


def withdraw_made_by(session: Session, tenant_id: int, user_id: int) -> None:
    """Makes void what that member has offered and nobody has accepted: they know the secrets."""
    theirs = (Invitation.tenant_id == tenant_id, Invitation.invited_by == user_id)
    void = update(Invitation).where(*theirs, *_pending())
    session.execute(void.values(withdrawn_at=func.now()))


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invitation offers, seen from outside of its tenant."""

    id: int
    tenant_id: int
    tenant: str
    email: str
    role: Role


def find_offer(session: Session, token: str, email: str) -> Offer:
    """The invitation with that secret, if it is for that email and not void.

    Crosses the wall, through the function `invitation_of`. Raises RedtenError
    `invitation_not_found`, the same for one that does not exist and one that is somebody else's.
    """
    columns = ("id", "tenant_id", "tenant", "email", "role")
    table = func.invitation_of(digest(token)).table_valued(*columns)
    row = session.execute(select(table)).mappings().one_or_none()
    if row is None or row["email"].lower() != email.lower():
        raise _no_offer()
    return Offer(**{**row, "role": Role(row["role"])})


def accept(session: Session, offer: Offer, user: User) -> Belonging:
    """Makes the user a member, in a session of the offer's tenant; twice is no error.

    Who is a member already keeps the role. Raises RedtenError `invitation_not_found` if it has
    become void meanwhile, or if they have accepted it once and were removed.
    """
    taken = update(Invitation).where(Invitation.id == offer.id, *_pending())
    accepted = taken.values(accepted_at=func.now(), accepted_by=user.id)
    fresh = session.scalar(accepted.returning(Invitation.id))
    if fresh and not _is_member(session, offer.tenant_id, user.email):
        join(session, offer.tenant_id, user.id, offer.role)
    for one in belongings(session, user.id):
        if one.tenant_id == offer.tenant_id:
            return one
    raise _no_offer()


def _pending() -> tuple[ColumnElement[bool], ...]:
    return (
        Invitation.accepted_at.is_(None),
        Invitation.withdrawn_at.is_(None),
        Invitation.expires_at > func.now(),
    )


def _is_member(session: Session, tenant_id: int, email: str) -> bool:
    found = select(Membership.user_id).join(User, User.id == Membership.user_id)
    same = func.lower(User.email) == func.lower(email)
    return session.scalar(found.where(Membership.tenant_id == tenant_id, same)) is not None


def _made_today(session: Session, tenant_id: int) -> int:
    lately = (Invitation.tenant_id == tenant_id, Invitation.created_at > func.now() - DAY)
    return session.scalar(select(func.count()).where(*lately)) or 0


def _no_offer() -> RedtenError:
    return RedtenError(
        "invitation_not_found",
        "there is no such invitation for your account: it may have expired or been withdrawn",
    )
