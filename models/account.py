"""What changes an account, and what must end with it."""

from sqlalchemy import delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from models.errors import RedtenError
from models.one_time_password import OneTimePassword
from models.secret import in_seconds
from models.tenant import Caller, Membership, Role
from models.user import ACTIVE, INACTIVE, Token, User, replace_password, revoke_tokens
from models.verification import Verification
from settings import settings

SECRETS: tuple[type[OneTimePassword | Verification], ...] = (OneTimePassword, Verification)
MOST_FOUND = 100
# So long after its end it is said of a secret that it has expired, and not that there is none.
REMEMBERED_S = 86_400.0


def locked_users(session: Session, *ids: int) -> dict[int, User]:
    """Those accounts by id, active or not, as far as they exist.

    Whoever else changes them waits until this transaction ends.
    """
    # In one order, so that two who change each other do not wait for each other.
    found = select(User).where(User.id.in_(ids)).order_by(User.id).with_for_update(key_share=True)
    users = session.scalars(found.execution_options(populate_existing=True))
    return {user.id: user for user in users}


def change_password(
    session: Session, user_id: int, password: str, but_jti: str | None = None
) -> None:
    """Stores a new hash; ends all tokens but that one, and the other ways to set a password."""
    replace_password(session, user_id, password)
    revoke_tokens(session, user_id, but_jti)
    unused = OneTimePassword.consumed_at.is_(None)
    session.execute(delete(OneTimePassword).where(OneTimePassword.user_id == user_id, unused))


def change_email(session: Session, user: User, email: str) -> None:
    """Ends all tokens, links and one-time passwords; RedtenError `email_taken` if it is."""
    user.email, user.verified = email, 0 if settings.verifies_email else 1
    try:
        session.flush()
    except IntegrityError as error:
        said = f"User email is already in use: {email}"
        raise RedtenError("email_taken", said) from error
    _end_secrets(session, user.id)


def change_rights(
    session: Session,
    user: User,
    *,
    state: int | None = None,
    verified: int | None = None,
    role: str | None = None,
) -> None:
    """What only an administrator of the deployment may change; None leaves it. As `deactivate`."""
    user.role = role or user.role
    user.verified = user.verified if verified is None else verified
    if state == INACTIVE:
        deactivate(session, user)
    elif state == ACTIVE:
        user.state = ACTIVE
    session.flush()


def deactivate(session: Session, user: User) -> None:
    """Ends the account; its email stays taken, and what it made stays.

    Raises RedtenError `last_owner` if a tenant would have no owner left.
    """
    table = func.sole_ownerships(user.id).table_valued("tenant_id", "tenant")
    if alone := session.execute(select(table)).first():
        raise RedtenError(
            "last_owner",
            f"{user.email} is the last owner of {alone.tenant}: make another member owner of it"
            " first (`redten users role EMAIL owner`), or delete it",
        )
    user.state = INACTIVE
    session.flush()
    _end_secrets(session, user.id)
    # Of all tenants, over the walls: an account that is opened again begins without keys.
    session.execute(select(func.end_keys_of(user.id)))


def _end_secrets(session: Session, user_id: int) -> None:
    revoke_tokens(session, user_id)
    for kind in SECRETS:
        session.execute(delete(kind).where(kind.user_id == user_id))


def users_like(session: Session, caller: Caller, email: str) -> list[User]:
    """Accounts whose email contains that, in whichever case, newest first, at most 100.

    An administrator of the deployment finds all, an owner the members of the session's tenant,
    anybody else only themself.
    """
    found = select(User).where(
        User.email.icontains(email, autoescape=True), _within_reach(session, caller)
    )
    return list(session.scalars(found.order_by(User.id.desc()).limit(MOST_FOUND)))


def _within_reach(session: Session, caller: Caller) -> ColumnElement[bool]:
    themself = User.id == caller.user_id
    if session.get_one(User, caller.user_id).is_admin:
        return User.id.is_not(None)
    if caller.role is Role.OWNER:
        here = select(Membership.user_id).where(Membership.tenant_id == caller.tenant_id)
        return or_(themself, User.id.in_(here))
    return themself


def remove_expired(session: Session) -> int:
    """Forgets tokens, one-time passwords and links that expired long ago; gives their number."""
    gone = 0
    for kind in (Token, *SECRETS):
        expired = delete(kind).where(kind.expires_at < in_seconds(-REMEMBERED_S))
        gone += len(session.scalars(expired.returning(kind.id)).all())
    return gone
