"""What comes in about accounts. What may be missing there, the views refuse in their own words."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from api.schemas import In, LoginIn, Number

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
# One address, and nothing that a mail server could take for two.
ONE_ADDRESS = r"^[^\s@<>(),:;\"\\\[\]]+@[^\s@<>(),:;\"\\\[\]]+$"
SHORTEST_PASSWORD = 4

EmailText = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=320, pattern=PRINTABLE)
]


def _address(value: str) -> str:
    if not re.fullmatch(ONE_ADDRESS, value):
        raise ValueError("is no email address")
    return value


Email = Annotated[EmailText, AfterValidator(_address)]
Password = Annotated[str, StringConstraints(max_length=1024)]


class SignUpIn(LoginIn):
    """A new account; the secret of an `invitation` lets it in where sign-up is off."""

    invitation: Annotated[str, StringConstraints(max_length=128)] | None = None


class UserChangeIn(In):
    """What is to change; null leaves things as they are.

    State, role and whether the email is verified are for administrators of the deployment.
    """

    user_id: Number
    email: EmailText | None = None
    password: Password | None = None
    state: Literal[0, 1] | None = None
    verified: Literal[0, 1] | None = None
    role: Literal["user", "admin"] | None = None


class UserGoneIn(In):
    """The account, named twice."""

    user_id: Number
    email: EmailText


class UserSearchIn(In):
    """Part of an email."""

    user_id: Number
    email: EmailText


class ResetIn(In):
    """For which account; who has forgotten the password leaves out the `user_id`, and the token."""

    user_id: Number | None = None
    email: EmailText | None = None


class NewPasswordIn(ResetIn):
    """A new password by a one-time password; without a token `user_id` may be left out."""

    token: Annotated[str, StringConstraints(max_length=1024)] | None = None
    password: Password | None = None


class AgainIn(In):
    """To which email."""

    email: EmailText


class LinkIn(In):
    """What a link in a mail carries: the account, and a token."""

    u: str | None = Field(None, description="The account's id.")
    t: str | None = Field(None, description="32 characters, used once.")
