"""A tenant of the tests' world, the people in it, and the ids of what it has."""

from collections import defaultdict
from dataclasses import dataclass, field

from api import tokens
from models.session import session_scope
from models.tenant import Caller
from models.user import User


@dataclass
class Place:
    """A tenant of the world; `ids` are its rows' ids and names by kind, `people` have tokens."""

    id: int
    mark: str
    label: str
    people: dict[str, Caller] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[str, list[int | str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def name(self) -> str:
        return f"tenant {self.label}"

    def own(self, who: str, kind: str) -> int | str:
        """An id or a name of the caller's, or else of the tenant's."""
        if kind in ("user", "email") and who in self.people:
            return getattr(self.people[who], "user_id" if kind == "user" else "email")
        if kind == "tenant_name":
            return self.name
        return self.all(kind)[0]

    def all(self, kind: str) -> list[int | str]:
        """Every id and name of that kind that the tenant has."""
        kind = "collection" if kind == "served" else kind
        assert self.ids[kind], f"tests/integration/rows.py makes no {kind}"
        return self.ids[kind]

    def sign_in(self, who: str) -> None:
        """A new token, as the old one may have been ended."""
        with session_scope(self.id) as session:
            user = session.get_one(User, self.people[who].user_id)
            self.tokens[who] = tokens.issue(session, user)

    @property
    def user_ids(self) -> list[int]:
        return [one.user_id for one in self.people.values()]
