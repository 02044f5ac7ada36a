"""Tenants, and who plays which role in them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, func, select, update
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
    """An organisation; the wall that row-level security guards.

    Others may have the same name: that one is taken would tell of a tenant to those outside. From
    `closing_at` on nobody gets in, and tasks/closing.py removes it.
    """

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(128))
    closing_at: Mapped[datetime | None]


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
    """All tenants of a user but those that close.

    Crosses the wall, through the function `memberships_of`.
    """
    table = func.memberships_of(user_id).table_valued("tenant_id", "tenant", "role")
    return [
        Belonging(row.tenant_id, row.tenant, Role(row.role))
        for row in session.execute(select(table))
    ]


def pick(among: list[Belonging], wanted: str) -> Belonging:
    """The one of that name or id.

    Raises RedtenError `tenant_not_found`, and `ambiguous_tenant` where several have the name: who
    was invited into a namesake must not land there by mistake.
    """
    found = [one for one in among if wanted in (one.tenant, str(one.tenant_id))]
    if not found:
        raise RedtenError("tenant_not_found", f"you belong to no tenant {wanted}")
    if len(found) > 1:
        ids = " or ".join(str(one.tenant_id) for one in found)
        raise RedtenError(
            "ambiguous_tenant", f"you belong to several tenants {wanted}: name it by its id, {ids}"
        )
    return found[0]


def find_tenant(session: Session, tenant: str) -> Tenant:
    """A tenant by its id or name, as the owner of the tables.

    Raises RedtenError `tenant_not_found`, and `ambiguous_tenant` for a name that several have.
    """
    named = Tenant.id == int(tenant) if tenant.isdecimal() else Tenant.name == tenant
    found = list(session.scalars(select(Tenant).where(named)))
    if not found:
        raise RedtenError("tenant_not_found", f"there is no tenant {tenant}")
    if len(found) > 1:
        ids = ", ".join(str(one.id) for one in found)
        raise RedtenError("ambiguous_tenant", f"several tenants are called {tenant}: {ids}")
    return found[0]


def join(session: Session, tenant_id: int, user_id: int, role: Role) -> None:
    """Makes the user a member with that role, or changes the role."""
    row = insert(Membership).values(tenant_id=tenant_id, user_id=user_id, role=role)
    session.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "user_id"], set_={"role": role, "updated_at": func.now()}
        )
    )


def add_tenant(session: Session, user_id: int, name: str, most: int) -> int:
    """The id of a new tenant, owned by the user, who may own so many.

    Crosses the wall, through the function `create_tenant`. Raises RedtenError `tenant_exists` for
    a name of another of theirs, and `too_many_tenants`.
    """
    # One after the other, or many at once would all find room.
    session.execute(select(User.id).where(User.id == user_id).with_for_update())
    theirs = belongings(session, user_id)
    if name in [one.tenant for one in theirs]:
        raise RedtenError("tenant_exists", f"you belong to a tenant {name} already")
    if sum(one.role is Role.OWNER for one in theirs) >= most:
        raise RedtenError("too_many_tenants", f"you own {most} tenants already: that is the most")
    return int(session.scalars(select(func.create_tenant(name, user_id))).one())


def rename_tenant(session: Session, tenant_id: int, name: str) -> None:
    """What its members call it from now on."""
    renamed = update(Tenant).where(Tenant.id == tenant_id)
    session.execute(renamed.values(name=name, updated_at=func.now()))


def set_default(session: Session, user_id: int, tenant_id: int) -> None:
    """The tenant that the user acts in when none is named."""
    chosen = update(User).where(User.id == user_id)
    session.execute(chosen.values(default_tenant_id=tenant_id, updated_at=func.now()))


def leave_default(session: Session, tenant_id: int, *user_ids: int) -> None:
    """Of those users, who had it as their default tenant get the first other one of theirs."""
    other = select(func.memberships_of(User.id).table_valued("tenant_id").c.tenant_id).limit(1)
    moved = update(User).where(User.id.in_(user_ids), User.default_tenant_id == tenant_id)
    first = func.coalesce(other.scalar_subquery(), DEFAULT_TENANT_ID)
    session.execute(
        moved.values(default_tenant_id=first), execution_options={"synchronize_session": False}
    )
