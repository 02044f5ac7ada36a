"""The tenants that a user belongs to: made, renamed, filled with people, taken along, deleted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import BaseModel, SecretStr

from client.account import Account
from client.paths import quoted
from client.quotas import Quota
from client.records import CONFIG, Member, read

# Before the first byte of an export the server reads all rows of the tenant.
EXPORT_S = 900.0


class Tenant(BaseModel):
    """A tenant and one's role in it; in the `default` one the user acts when none is named."""

    model_config = CONFIG

    id: int
    name: str
    role: str
    default: bool = False


class Invitation(BaseModel):
    """An invitation: pending, accepted, withdrawn or expired."""

    model_config = CONFIG

    id: int
    email: str
    role: str
    status: str | None = None
    invited_by: int | None = None
    created_at: str | None = None
    expires_at: str | None = None


class NewInvitation(Invitation):
    """An invitation that was just made; nobody will tell the token again."""

    token: SecretStr
    mailed: bool = False


@dataclass(frozen=True, slots=True)
class Tenants:
    """What can be done about them; most is about the tenant that the client acts for."""

    account: Account

    def create(self, name: str) -> Tenant:
        """A new tenant, one's own."""
        return read(Tenant, self.account.call("POST", "/tenants", json={"name": name}))

    def quota(self) -> Quota:
        """How much the tenant uses of what it may have."""
        return read(Quota, self.account.call("GET", "/quota"))

    def use(self, tenant: str) -> Tenant:
        """Act in that tenant, by name or id, whenever none is named."""
        body = {"tenant": tenant}
        return read(Tenant, self.account.call("PUT", "/tenants/default", json=body))

    def rename(self, name: str) -> Tenant:
        """What it is called from now on; for owners."""
        return read(Tenant, self.account.call("PATCH", "/tenant", json={"name": name}))

    def invite(self, email: str, role: str = "member") -> NewInvitation:
        """Ask somebody in by email, for owners; an earlier invitation of theirs is void."""
        body = {"email": email, "role": role}
        return read(NewInvitation, self.account.call("POST", "/invitations", json=body))

    def invitations(self) -> list[Invitation]:
        """All there were, newest first."""
        found = self.account.call("GET", "/invitations").get("invitations") or []
        return [read(Invitation, one) for one in found]

    def withdraw(self, invitation_id: int) -> Invitation:
        """Make an invitation void at once."""
        return read(Invitation, self.account.call("DELETE", f"/invitations/{invitation_id}"))

    def accept(self, token: str) -> Tenant:
        """Join the tenant that has invited the user's email; twice is no error.

        An account that is made for it may be one that could not be made without.
        """
        self.account.invitation = token
        return read(Tenant, self.account.call("POST", "/invitations/accept", json={"token": token}))

    def set_role(self, email: str, role: str) -> Member:
        """Make a member owner, expert, member or agent; for owners."""
        call = self.account.call
        return read(Member, call("PUT", f"/members/{quoted(email)}", json={"role": role}))

    def remove_member(self, email: str) -> Member:
        """Take a member out; their collections pass to the caller."""
        return read(Member, self.account.call("DELETE", f"/members/{quoted(email)}"))

    def leave(self) -> Member:
        """Go oneself; one's collections pass to an owner."""
        return self.remove_member(self.account.user().email)

    def hand_over(self, email: str) -> Member:
        """Make a member an owner in one's place; one stays as an expert."""
        return read(Member, self.account.call("POST", "/tenant/hand-over", json={"email": email}))

    def export(self, file: BinaryIO, on_bytes: Callable[[int], object] | None = None) -> None:
        """Writes all that the tenant has to `file`, as `client.archive.check` can check it.

        `on_bytes` is told of each piece how many bytes it has.
        """
        for piece in self.account.pieces("/tenant/export", EXPORT_S):
            file.write(piece)
            if on_bytes:
                on_bytes(len(piece))

    def delete(self, name: str) -> Tenant:
        """Delete the tenant with all that is in it, for good; `name` must be its name."""
        return read(Tenant, self.account.call("DELETE", "/tenant", params={"name": name}))

    def list(self) -> list[Tenant]:
        """All that one belongs to."""
        found = self.account.call("GET", "/tenants").get("tenants") or []
        return [read(Tenant, one) for one in found]
