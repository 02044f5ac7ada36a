"""Accounts at the server: one's own, and for an administrator of the deployment everybody's."""

from dataclasses import dataclass

from pydantic import AliasChoices, BaseModel, Field

from client.account import Account
from client.records import CONFIG, read

ACTIVE = 0


class Person(BaseModel):
    """An account; `state` is 0 while it is active, `verified` 1 once its email is."""

    model_config = CONFIG

    id: int = Field(validation_alias=AliasChoices("user_id", "id"))
    email: str
    state: int
    verified: int
    role: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """What can be done about them."""

    account: Account

    def show(self) -> Person:
        """One's own."""
        return read(Person, self.account.call("GET", f"/user/{self.account.user().id}"))

    def search(self, email: str) -> list[Person]:
        """Those whose email contains that: all, one's tenant's, or only oneself, by one's role."""
        body = {"user_id": self.account.user().id, "email": email}
        found = self.account.call("POST", "/user/search", json=body)
        return [read(Person, one) for one in found.get("users") or []]

    def change(self, user_id: int | None = None, **changes: str | int) -> Person:
        """Another `email` or `password`; administrators also `state`, `verified`, `role`.

        Of oneself without an id. A new password ends the other tokens, a new email all.
        """
        mine = self.account.user().id
        body = {"user_id": user_id or mine, **changes}
        changed = read(Person, self.account.call("PUT", "/user", json=body))
        if changed.id == mine:
            password = changes.get("password")
            self.account.go_on_with(changed.email, str(password) if password else None)
        return changed

    def deactivate(self, person: Person) -> None:
        """Closes the account at once; the email stays taken."""
        body = {"user_id": person.id, "email": person.email}
        self.account.call("DELETE", "/user", json=body)

    def log_out(self) -> None:
        """Ends all one's tokens, wherever they are."""
        self.account.call("POST", "/logout/all")
        self.account.go_on_with()

    def forgot_password(self) -> str:
        """Has a one-time password mailed; gives what the server says, the same for every email."""
        return str(self.account.call_by_email("/user/password/reset", {}).get("msg"))

    def mail_link(self) -> str:
        """Has the link to verify the email mailed again, as `forgot_password`."""
        return str(self.account.call_by_email("/user/verify", {}).get("msg"))

    def set_forgotten(self, one_time_password: str, password: str) -> None:
        """Sets a new password without the old one; all tokens end."""
        body = {"token": one_time_password, "password": password}
        self.account.call_by_email("/user/password/change", body)
        self.account.go_on_with(password=password)
