"""Every operation, as every kind of caller, with ids of other tenants and ids of nothing."""

import gzip
import json
import re
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.integration.calls import Call, Operation, Slot
from tests.integration.digests import digests_beside
from tests.integration.kinds import KEPT
from tests.integration.places import Place
from tests.integration.processes import session_value, until

NOBODY = "nobody"
OTHERS_TRY = 0.4
# Of replies to two requests that were both let through these may differ.
VOLATILE = {
    "answer_id",
    "attempt",
    "created",
    "created_at",
    "data_id",
    "derived_session_id",
    "exp_date",
    "expires_at",
    "hint",
    "id",
    "job_id",
    "key",
    "otp_id",
    "seconds",
    "session_id",
    "sloc",
    "token",
    "updated_at",
    "user_id",
}
UNDER_WAY = """
select (select count(*) from jobs where data ->> 'said' is null and state in (1, 2))
     + (select count(*) from reviews where state in (1, 2))
"""


@dataclass
class Found:
    """How many requests were tried, and what is wrong with their replies."""

    cases: int = 0
    leaks: list[str] = field(default_factory=list)

    def note(self, who: str, call: Call, what: str) -> None:
        """One more thing that is wrong."""
        told = f"{call.query or ''} {call.body or ''}"
        self.leaks.append(f"{who}: {call.method} {call.path} {told}: {what:.500}")


class Prober:
    """Asks the API for one tenant's people about the others' rows."""

    def __init__(
        self, http: FlaskClient, world: list[Place], place: Place, chance: Random | None = None
    ) -> None:
        """With `chance` only owners try everything, and of all ids and names of a kind one."""
        self.http, self.world, self.place, self.chance = http, world, place, chance
        self.found = Found()
        self._known = [one.email for one in place.people.values()]

    def try_everything(self, operations: list[Operation]) -> Found:
        """All operations by all callers; at the end those that remove or end what is their own."""
        for who in (*self.place.people, NOBODY):
            before = digests_beside(self.place, self.world)
            for operation in operations:
                self._try(who, operation)
            self._compare(who, before)
        before = digests_beside(self.place, self.world)
        for who in reversed(self.place.people):
            for operation in operations:
                if operation.ends:
                    if who != "key":
                        self.place.sign_in(who)
                    self._send(who, operation.call(self.place, who))
        self._compare("all who end what is theirs", before)
        return self.found

    def _compare(self, who: str, before: dict[str, str]) -> None:
        until(lambda: session_value(UNDER_WAY) == 0, 120)
        after = digests_beside(self.place, self.world)
        changed = [name for name in before | after if before.get(name) != after.get(name)]
        if changed:
            self.found.leaks.append(f"{who} of {self.place.name} has changed {changed} of others")

    def _try(self, who: str, operation: Operation) -> None:
        if not operation.ends:
            reply = self._send(who, operation.call(self.place, who))
            self._check_filled(who, operation, reply)
        for slot in operation.slots if self._tries(who, operation) else ():
            if not operation.ends:
                self._send(
                    who, operation.call(self.place, who, slot, self.place.all(slot.kind)[-1])
                )
            self._try_others(who, operation, slot)
        if who == "owner" and not operation.ends:
            self._try_tenants(operation, who)

    def _tries(self, who: str, operation: Operation) -> bool:
        """Whether the caller sends ids. Who is nobody is refused before anything is looked for."""
        if who == NOBODY:
            return operation.open
        return who == "owner" or self.chance is None or self.chance.random() < OTHERS_TRY

    def _check_filled(self, who: str, operation: Operation, reply: TestResponse) -> None:
        """An owner's request that is refused for its form would prove nothing."""
        if who == "owner" and reply.status_code == 400 and "invalid_request" in reply.text:
            raise AssertionError(f"calls.py cannot fill {operation.name}: {reply.text}")

    def _try_others(self, who: str, operation: Operation, slot: Slot) -> None:
        replies: dict[type, tuple[int, Any]] = {}
        for value in self._others_values(who, slot):
            nothing = _nothing(value)
            if type(value) not in replies:
                call = operation.call(self.place, who, slot, nothing)
                replies[type(value)] = _told(self._send(who, call), call)
            call = operation.call(self.place, who, slot, value)
            told = _told(self._send(who, call), call)
            if told != replies[type(value)]:
                differs = f"{told}, and for {nothing} {replies[type(value)]}"
                self.found.note(who, call, f"an id of another tenant is told from none: {differs}")
        if slot.kind == "collection":
            # What anybody may read is told, and yet not to be changed.
            public = [ref for one in self._others(who) for ref in one.ids["public"]]
            for ref in self._chosen(public):
                self._send(who, operation.call(self.place, who, slot, ref))

    def _others_values(self, who: str, slot: Slot) -> list[int | str]:
        """The ids and the names that others have of that kind."""
        own = {*self._known, *self.place.user_ids}
        found = [value for other in self._others(who) for value in other.all(slot.kind)]
        return self._chosen([value for value in found if value not in own])

    def _chosen(self, found: list[int | str]) -> list[int | str]:
        """All of them, or one by chance."""
        return found if self.chance is None or not found else [self.chance.choice(found)]

    def _others(self, who: str) -> list[Place]:
        """The tenants that the caller does not belong to, besides the one acted for."""
        caller = self.place.people.get(who)
        mine = {one.id for one in self.world if caller and caller.user_id in one.user_ids}
        return [one for one in self.world if one is not self.place and one.id not in mine]

    def _try_tenants(self, operation: Operation, who: str) -> None:
        """To act for a tenant that one does not belong to is to act for none."""
        replies = set()
        call = operation.call(self.place, who)
        for other in self._others(who):
            for name in (other.id, other.name, _nothing(other.id), _nothing(other.name)):
                named = replace(call, acting_for=str(name), sent=str(name))
                replies.add(str(_told(self._send(who, named), named)))
        if len(replies) > 1 and not operation.open:
            self.found.note(who, call, f"tenants are told from none: {replies}")

    def _send(self, who: str, call: Call) -> TestResponse:
        headers = {} if who == NOBODY else {"Bearer": self.place.tokens[who]}
        if acting_for := call.acting_for or (self.place.name if who == "guest" else ""):
            headers["X-Redten-Tenant"] = acting_for
        reply = call.by(self.http, headers)
        self.found.cases += 1
        if reply.status_code >= 500 and reply.status_code != 503:
            self.found.note(who, call, f"{reply.status_code} {reply.text}")
        if seen := self._marks_in(who, reply, call):
            self.found.note(who, call, f"shows {seen}")
        return reply

    def _marks_in(self, who: str, reply: TestResponse, call: Call) -> list[str]:
        text = f"{reply.headers} {_read(reply)}"
        marks = [one.mark for one in self.world if one is not self.place and one.mark in text]
        own = [one.name for one in self.world if one not in self._others(who)]
        kept = [name for kind in KEPT.get(call.path, ()) for name in self._names(kind)]
        for known in (call.sent, call.acting_for, *self._known, *own, *kept):
            text = text.replace(known, "") if known else text
        return marks + [one.label for one in self._others(who) if one.label in text]

    def _names(self, kind: str) -> list[str]:
        return [name for one in self.world for name in one.ids[kind] if isinstance(name, str)]


def _read(reply: TestResponse) -> str:
    """The body, unpacked if it is an archive."""
    body = reply.get_data()
    packed = body.startswith(b"\x1f\x8b")
    return (gzip.decompress(body) if packed else body).decode("utf-8", "replace")


def _nothing(value: int | str) -> int | str:
    """What never was, of the same kind."""
    if isinstance(value, int):
        return 987_654_321
    return "never@example.org" if "@" in value else "never was"


def _told(reply: TestResponse, call: Call) -> tuple[int, Any]:
    """What a reply says beside the very id that was asked for."""
    text = re.sub(rf"(?<!\w){re.escape(call.sent)}(?!\w)", "0", reply.text)
    let_through = reply.is_json and reply.status_code < 300
    return reply.status_code, _steady(json.loads(text)) if let_through else text


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _steady(one) for name, one in value.items() if name not in VOLATILE}
    return [_steady(one) for one in value] if isinstance(value, list) else value
