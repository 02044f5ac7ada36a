"""What a new deployment needs before its first question: an administrator and a collection."""

from models.collection import Visibility, add_collection
from models.errors import RedtenError
from models.password import hash_password
from models.session import session_scope
from models.tenant import DEFAULT_TENANT_ID, Caller, Role, join
from models.user import User, add_user, find_user

COLLECTION = "embed-security"  # the published client asks it unless told otherwise


def seed(email: str, password: str) -> None:
    """Makes the administrator and the public collection where they are missing."""
    with session_scope(DEFAULT_TENANT_ID) as session:
        user = find_user(session, email) or add_user(
            session, email, hash_password(password), DEFAULT_TENANT_ID, role="admin"
        )
        if user is None:
            raise RedtenError("admin_inactive", f"the account {email} exists, but is not active")
        join(session, DEFAULT_TENANT_ID, user.id, Role.OWNER)
    _make_collection(user)


def _make_collection(owner: User) -> None:
    caller = Caller(owner.id, owner.email, DEFAULT_TENANT_ID, Role.OWNER)
    try:
        with session_scope(DEFAULT_TENANT_ID) as session:
            add_collection(session, caller, COLLECTION, Visibility.PUBLIC)
    except RedtenError as error:
        if error.code != "collection_exists":
            raise
