"""Tenants, and who plays which role in them."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, Dated, Numbered, Owned
from models.errors import RedtenError
from models.user import User

DEFAULT_TENANT_ID = 1  # made by the first migration


class Role(StrEnum):
    """What a member may do: everything; review all answers; ask; deliver results."""

    OWNER = "owner"
    EXPERT = "expert"
    MEMBER = "member"
    AGENT = "agent"


class Tenant(Numbered, Dated, Base):
    """An organisation; the wall that row-level security guards."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(128), unique=True)


class Membership(Owned, Dated, Base):
    """A user's one role in one tenant."""

    __tablename__ = "memberships"

    tenant_id: Mapped[int] = mapped_column(
        ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(String(16))


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf something is read or written."""

    user_id: int
    email: str
    tenant_id: int
    role: Role

    @property
    def reviews_all(self) -> bool:
        """Experts and owners see every answer of their tenant."""
        return self.role in (Role.OWNER, Role.EXPERT)


@dataclass(frozen=True, slots=True)
class Belonging:
    """A tenant that a user belongs to, and as what."""

    tenant_id: int
    tenant: str
    role: Role


def belongings(session: Session, user_id: int) -> list[Belonging]:
    """All tenants of a user. Crosses the wall, through the function `memberships_of`."""
    table = func.memberships_of(user_id).table_valued("tenant_id", "tenant", "role")
    return [
        Belonging(row.tenant_id, row.tenant, Role(row.role))
        for row in session.execute(select(table))
    ]


def join(session: Session, tenant_id: int, user_id: int, role: Role) -> None:
    """Makes the user a member with that role, or changes the role."""
    row = insert(Membership).values(tenant_id=tenant_id, user_id=user_id, role=role)
    session.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "user_id"], set_={"role": role, "updated_at": func.now()}
        )
    )


def members(session: Session) -> list[tuple[User, Role]]:
    """Everybody in the session's tenant."""
    rows = session.execute(
        select(User, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .order_by(User.id)
    )
    return [(user, Role(role)) for user, role in rows]


def set_role(session: Session, tenant_id: int, email: str, role: Role) -> User:
    """Changes the role of a member; the last owner stays one."""
    # Two owners who demote each other at once come one after the other.
    session.execute(
        select(Membership.user_id).where(Membership.role == Role.OWNER).with_for_update()
    )
    by_email = {user.email: (user, held) for user, held in members(session)}
    if email not in by_email:
        raise RedtenError("member_not_found", f"nobody with the email {email} is in this tenant")
    user, held = by_email[email]
    owners = sum(other is Role.OWNER for _, other in by_email.values())
    if held is Role.OWNER and role is not Role.OWNER and owners == 1:
        raise RedtenError("last_owner", f"{email} is the last owner: make another one first")
    join(session, tenant_id, user.id, role)
    return user
