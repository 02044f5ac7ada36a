"""A user's service keys, in the tenant that they act for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr

from client.records import CONFIG, read


class Key(BaseModel):
    """A service key; `hint` is how its secret begins."""

    model_config = CONFIG

    id: int
    name: str
    hint: str
    scopes: list[str] = []
    user_id: int | None = None
    created_at: str | None = None
    expires_at: str | None = None
    revoked_at: str | None = None
    last_used_at: str | None = None


class NewKey(Key):
    """A key that was just made; nobody will tell the secret again."""

    key: SecretStr


@dataclass(frozen=True, slots=True)
class Keys:
    """What can be done about them; `call` is `Account.call`."""

    call: Callable[..., dict[str, Any]]

    def create(
        self, name: str, expires_in_days: int | None = None, scopes: Sequence[str] = ()
    ) -> NewKey:
        """A new key; good until it is revoked if it does not expire, for all without scopes."""
        body: dict[str, Any] = {"name": name, "expires_in_days": expires_in_days}
        if scopes:
            body["scopes"] = list(scopes)
        return read(NewKey, self.call("POST", "/keys", json=body))

    def list(self) -> list[Key]:
        """One's own keys, for an owner of the tenant everybody's; revoked and expired ones too."""
        return [read(Key, one) for one in self.call("GET", "/keys").get("keys") or []]

    def revoke(self, key_id: int) -> Key:
        """Ends a key at once."""
        return read(Key, self.call("DELETE", f"/keys/{key_id}"))
