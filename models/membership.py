"""Members of a tenant: listed, given a role, removed, and an owner's place handed over."""

from typing import Any

from sqlalchemy import Text, cast, delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from models.collection import Collection
from models.embedding import Embedding
from models.errors import RedtenError
from models.invitation import withdraw_invitations, withdraw_made_by
from models.service_key import ServiceKey
from models.source import Source
from models.tenant import Caller, Membership, Role, join, leave_default
from models.user import ACTIVE, User
from models.user_data import UserData

# What a member who goes leaves to an owner, by the column that says whose it is.
LEFT_BEHIND: dict[type[Any], str] = {
    Collection: "owner_id",
    Source: "owner_id",
    UserData: "user_id",
    Embedding: "user_id",
}
LONGEST_KEPT_NAME = 91  # a blank and a UUID fit behind it


def members(session: Session, tenant_id: int) -> list[tuple[User, Role]]:
    """Everybody in the tenant."""
    rows = session.execute(
        select(User, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.tenant_id == tenant_id)
        .order_by(User.id)
    )
    return [(user, Role(role)) for user, role in rows]


def set_role(session: Session, caller: Caller, email: str, role: Role) -> User:
    """Changes the role of a member, for an owner; the last owner stays one.

    Raises RedtenError `member_not_found`, `last_owner`, and `forbidden` if the caller is none any
    more.
    """
    tenant_id = caller.tenant_id
    if role is Role.OWNER:
        _keep_open(session, tenant_id, email)
    owners = _lock_owners(session, tenant_id)
    _check_owner(caller, owners)
    user, _ = _member(session, tenant_id, email)
    if role is not Role.OWNER:
        _check_not_last(user, owners)
        withdraw_made_by(session, tenant_id, user.id)
    join(session, tenant_id, user.id, role)
    return user


def remove_member(session: Session, caller: Caller, email: str) -> tuple[User, Role]:
    """Takes somebody, or the caller themself, out of the tenant; gives the role that they had.

    At once their keys for it are revoked and invitations to them are void. Their collections,
    private ones too, their sources and files pass to the caller, or from who leaves to the owner of
    longest standing. Questions that are on their way go on. Errors of `set_role` and `hand_over`.
    """
    tenant_id = caller.tenant_id
    owners = _lock_owners(session, tenant_id)
    user, role = _member(session, tenant_id, email)
    if user.id != caller.user_id:
        _check_owner(caller, owners)
    _check_not_last(user, owners)
    session.execute(
        delete(Membership).where(Membership.tenant_id == tenant_id, Membership.user_id == user.id)
    )
    revoke_keys(session, tenant_id, ServiceKey.user_id == user.id)
    withdraw_invitations(session, tenant_id, user.email)
    withdraw_made_by(session, tenant_id, user.id)
    others = [id for id in (caller.user_id, *owners) if id != user.id]
    _pass_on(session, tenant_id, user.id, others[0] if others else user.id)
    leave_default(session, tenant_id, user.id)
    return user, role


def hand_over(session: Session, caller: Caller, email: str) -> User:
    """Makes a member an owner and the caller, who was one, an expert.

    Raises RedtenError `member_not_found`, and `forbidden` if the caller is no owner any more.
    """
    _keep_open(session, caller.tenant_id, email)
    owners = _lock_owners(session, caller.tenant_id)
    _check_owner(caller, owners)
    user, _ = _member(session, caller.tenant_id, email)
    if user.id != caller.user_id:
        join(session, caller.tenant_id, user.id, Role.OWNER)
        join(session, caller.tenant_id, caller.user_id, Role.EXPERT)
    return user


def revoke_keys(session: Session, tenant_id: int, *which: Any) -> None:
    """Ends service keys of the tenant at once."""
    valid = (ServiceKey.tenant_id == tenant_id, ServiceKey.revoked_at.is_(None))
    session.execute(update(ServiceKey).where(*valid, *which).values(revoked_at=func.now()))


def _keep_open(session: Session, tenant_id: int, email: str) -> None:
    """Who is to own the tenant closes their account before this or after it, not meanwhile."""
    user, _ = _member(session, tenant_id, email)
    # Before the memberships are locked: a closing account takes them in this order as well.
    session.refresh(user, with_for_update={"key_share": True})
    if user.state != ACTIVE:
        raise RedtenError("member_not_found", f"the account of {email} is closed")


def _lock_owners(session: Session, tenant_id: int) -> list[int]:
    """Ids of owners with an open account, of longest standing first.

    Two who demote or remove each other at once come one after the other.
    """
    owner = (Membership.tenant_id == tenant_id, Membership.role == Role.OWNER)
    lock = select(Membership.user_id).where(*owner).order_by(Membership.user_id)
    session.execute(lock.with_for_update())
    active = select(Membership.user_id).join(User, User.id == Membership.user_id)
    found = active.where(*owner, User.state == ACTIVE).order_by(Membership.created_at, User.id)
    return list(session.scalars(found))


def _member(session: Session, tenant_id: int, email: str) -> tuple[User, Role]:
    for user, role in members(session, tenant_id):
        if user.email.lower() == email.lower():
            return user, role
    raise RedtenError("member_not_found", f"nobody with the email {email} is in this tenant")


def _check_owner(caller: Caller, owners: list[int]) -> None:
    """Again, under the lock: another owner may have been quicker."""
    if caller.user_id not in owners:
        raise RedtenError("forbidden", "only an owner of the tenant may do that")


def _check_not_last(user: User, owners: list[int]) -> None:
    if owners == [user.id]:
        raise RedtenError("last_owner", f"{user.email} is the last owner: make another one first")


def _pass_on(session: Session, tenant_id: int, user_id: int, heir_id: int) -> None:
    theirs = aliased(Collection)
    taken = exists().where(
        theirs.tenant_id == tenant_id,
        theirs.owner_id == heir_id,
        theirs.name == Collection.name,
    )
    # Nobody has two collections of one name, nor can have taken one with a UUID beforehand.
    apart = cast(func.gen_random_uuid(), Text)
    told_apart = func.left(Collection.name, LONGEST_KEPT_NAME) + " " + apart
    left = (Collection.tenant_id == tenant_id, Collection.owner_id == user_id)
    quietly = {"synchronize_session": False}
    session.execute(
        update(Collection).where(*left, taken).values(name=told_apart), execution_options=quietly
    )
    for record, column in LEFT_BEHIND.items():
        of_them = (record.tenant_id == tenant_id, getattr(record, column) == user_id)
        session.execute(
            update(record).where(*of_them).values({column: heir_id}), execution_options=quietly
        )
