"""Whose requests these are: logging in when first needed, the token kept in memory only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from client.connection import ANSWER_S, Connection
from client.errors import ClientError
from client.records import User, read


@dataclass
class Account:
    """A user of the server at the other end; `on_sign_up` hears of an account that was made.

    An `invitation` lets a new account in where sign-up is off.
    """

    connection: Connection
    email: str | None
    password: SecretStr | None
    name: str | None = None
    on_sign_up: Callable[[User], None] | None = None
    invitation: str | None = None
    _user: User | None = field(default=None, repr=False)

    def user(self) -> User:
        """Who acts; logs in on first use."""
        return self._user or self.login()

    def login(self) -> User:
        """Log in; an account that is not there yet is made first. A wrong password is an error."""
        try:
            self._user = self._login()
        except ClientError as exc:
            if f"user does not exist with email={self.email}" not in str(exc):
                raise
            made = self.sign_up()
            if self.on_sign_up:
                self.on_sign_up(made)
            self._user = self._login()
        return self._user

    def sign_up(self) -> User:
        """Make the account; an email that has one already is an error."""
        body = self._credentials() | {"username": self.name or self.email}
        if self.invitation:
            body |= {"invitation": self.invitation}
        return read(User, self.connection.call("POST", "/user", json=body))

    def go_on_with(self, email: str | None = None, password: str | None = None) -> None:
        """Log in anew when next needed, with another email or password if they have changed."""
        self.email = email or self.email
        self.password = SecretStr(password) if password else self.password
        self._user = None

    def call_by_email(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        """A POST with the email and without logging in, for who cannot."""
        if not self.email:
            raise ClientError("whose account? set AI_EMAIL", code="no_credentials")
        return self.connection.call("POST", path, json=body | {"email": self.email})

    def call(self, method: str, path: str, **sending: Any) -> dict[str, Any]:
        """`Connection.call` with the user's token."""
        token = self.user().token.get_secret_value()
        return self.connection.call(method, path, token=token, **sending)

    def lines(self, path: str, headers: dict[str, str]) -> Iterator[bytes]:
        """`Connection.lines` with the user's token."""
        return self.connection.lines(path, self.user().token.get_secret_value(), headers)

    def pieces(self, path: str, silence_s: float = ANSWER_S) -> Iterator[bytes]:
        """`Connection.pieces` with the user's token."""
        return self.connection.pieces(path, self.user().token.get_secret_value(), silence_s)

    def _login(self) -> User:
        return read(User, self.connection.call("POST", "/login", json=self._credentials()))

    def _credentials(self) -> dict[str, str | None]:
        if not self.email or not self.password:
            raise ClientError(
                "who asks? set AI_EMAIL and AI_PASSWORD; a new email makes a new account",
                code="no_credentials",
            )
        return {"email": self.email, "password": self.password.get_secret_value()}
