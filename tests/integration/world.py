"""Tenants with people, and rows of every kind that each bear a mark of their tenant's alone.

A `mark` is in what rows say and is never sent. A `label` is what things are called by, names and
emails: it may be sent, and then come back.
"""

import secrets
from dataclasses import dataclass

from hypothesis import strategies as st
from sqlalchemy.orm import Session

from models.collection import Visibility
from models.session import session_scope
from models.tenant import Caller, Role, join
from models.user import User
from tests.integration.places import Place
from tests.integration.processes import session_value
from tests.integration.rows import hold, let_in, shelve


@dataclass(frozen=True)
class Plan:
    """What a tenant is to have: collections with their owners, and who has rows of the rest."""

    collections: list[tuple[Role, Visibility]]
    holders: list[Role]
    guest: bool


def plans() -> st.SearchStrategy[list[Plan]]:
    """Two to four tenants; each has a collection that is not public, or there was nothing to see.

    Examples begin with what comes first here.
    """
    roles = st.sampled_from([Role.EXPERT, Role.MEMBER, Role.OWNER, Role.AGENT])
    hidden = st.sampled_from([Visibility.TENANT, Visibility.PRIVATE])
    shown = st.sampled_from([Visibility.PUBLIC, Visibility.PRIVATE, Visibility.TENANT])
    collections = st.tuples(st.tuples(roles, hidden), st.tuples(roles, shown)).map(list)
    holders = st.lists(roles, min_size=1, max_size=2, unique=True)
    guests = st.sampled_from([True, False])
    return st.lists(st.builds(Plan, collections, holders, guests), min_size=2, max_size=4)


def build(plan: list[Plan]) -> list[Place]:
    """Makes all of them; people of the first tenant may be guests in others."""
    _number_apart()
    world = [_place(number) for number in range(len(plan))]
    for place, wanted in zip(world, plan, strict=True):
        _settle(place, world[0] if wanted.guest and place is not world[0] else None)
        for number, (role, visibility) in enumerate(wanted.collections):
            shelve(place, place.people[role], visibility, number)
        for role in wanted.holders:
            with session_scope(place.id) as session:
                hold(session, place, place.people[role])
    return world


def _number_apart() -> None:
    """Ids that are large, so that no other number is taken for one, and each of one kind only."""
    session_value(
        "select max(setval(pg_get_serial_sequence(table_name, 'id'),"
        " 10000019 + 1000000 * row_number)) from (select table_name::text, row_number() over ()"
        " from information_schema.columns where table_schema = 'public' and column_name = 'id'"
        " and is_identity = 'YES' and table_name <> 'models') numbered"
    )


def _place(number: int) -> Place:
    label = f"label{number}x{secrets.token_hex(4)}"
    entered = "insert into tenants (name) values (%(name)s) returning id"
    id = session_value(entered, name=f"tenant {label}")
    place = Place(id, f"mark{number}x{secrets.token_hex(4)}", label)
    place.ids["tenant"] = [place.id, place.name]
    return place


def _settle(place: Place, guests_from: Place | None) -> None:
    """A person of each role, with a service key; and one who belongs elsewhere as well."""
    for role in Role:
        with session_scope(place.id) as session:
            user = User(
                email=f"{role}@{place.label}.example.org",
                password="-",
                verified=1,
                default_tenant_id=place.id,
            )
            session.add(user)
            session.flush()
            _enter(session, place, str(role), user, role)
            place.ids["user"].append(user.id)
            place.ids["email"].append(user.email)
    with session_scope(place.id) as session:
        let_in(session, place, user)
        if guests_from is not None:
            user = session.get_one(User, guests_from.people[Role.EXPERT].user_id)
            _enter(session, place, "guest", user, Role.EXPERT)
    for who in place.people:
        if who not in place.tokens:
            place.sign_in(who)


def _enter(session: Session, place: Place, kind: str, user: User, role: Role) -> None:
    join(session, place.id, user.id, role)
    place.people[kind] = Caller(user.id, user.email, place.id, role)
