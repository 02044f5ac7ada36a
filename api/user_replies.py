"""What goes out about accounts."""

from typing import Any, Literal

from api.replies import Out, Stamp
from models.user import User


class UserFoundOut(Out):
    """An account as others see it."""

    user_id: int
    email: str
    state: int
    verified: int
    role: str
    msg: str = ""


class UsersFoundOut(Out):
    """Accounts, newest first."""

    users: list[UserFoundOut]
    msg: str = "success"


class OneTimePasswordOut(Out):
    """A one-time password, told this once; with nothing in it if it goes by mail.

    `user_id` is its own id: so has the contract it, and so has `otp_id`.
    """

    user_id: int = -1
    otp_id: int = -1
    token: str = ""
    exp_date: Stamp | Literal[""] = ""
    msg: str = "success"


class PasswordChangedOut(Out):
    """Whose password is another now."""

    user_id: int
    otp_id: int
    msg: str = "success"


class VerifiedOut(UserFoundOut):
    """Whose email is verified now; nobody's where emails are not verified at all."""

    user_id: int = -1
    email: str = ""
    state: int = -1
    verified: int = -1
    role: str = ""


class DoneOut(Out):
    """That it is done."""

    msg: str = "success"


def shown(user: User, **more: Any) -> dict[str, Any]:
    """An account, as `UserOut` and its like have it."""
    return {
        "id": user.id,
        "user_id": user.id,
        "email": user.email,
        "state": user.state,
        "verified": user.verified,
        "role": user.role,
        "created_at": user.created_at,
        "updated_at": user.updated_at or "",
        **more,
    }
