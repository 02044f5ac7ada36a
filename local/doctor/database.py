"""The database: who redten is in it, what keeps tenants apart, what has piled up."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url, pool, text

from local.doctor.finding import Finding, bad, doubtful, good
from models.migrate import alembic_config
from models.password import verify
from models.session import APP_ROLE, driver_url
from settings import settings

LEAST_POSTGRES, LEAST_PGVECTOR = 160_000, (0, 8, 2)
SKEW_S, FATAL_SKEW_S = 2.0, 15.0
# Those that deployments are made with, and that are tried first.
WEAK = ("admin", "password", "redten", "123321", "changeme", "secret", "12345678", "postgres")

AS_WHOM = """
select session_user, rolsuper, rolbypassrls,
       pg_has_role(session_user, :app, 'member'),
       (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relowner = r.oid)
from pg_roles r where rolname = session_user
"""
OF_APP = "select rolsuper, rolbypassrls, rolcanlogin from pg_roles where rolname = :app"
UNGUARDED = """
select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
where a.attname = 'tenant_id' and c.relkind in ('r', 'p') and not c.relispartition
  and c.relnamespace = 'public'::regnamespace and not a.attisdropped
  and (not c.relrowsecurity or not exists (select from pg_policy where polrelid = c.oid))
order by c.relname
"""
GUARDED = """
select count(*) from pg_class c where c.relrowsecurity and c.relnamespace = 'public'::regnamespace
"""
LOOSE = """
select count(*) from loose_blobs
where since < now() - make_interval(secs => cast(:after as double precision))
"""
FAILED = """
select coalesce(sum(n), 0) from (
    select count(*) n from jobs where state = 4 union all
    select count(*) from documents where state = 4 union all
    select count(*) from reviews where state = 4 union all
    select count(*) from sources where state = 4 union all
    select count(*) from embeddings where state = 4) failed
"""
ADMINS = "select email, password from users where role = 'admin' and state = 0"

Look = Callable[[Connection], Iterator[Finding]]


class Database(NamedTuple):
    """How one gets in: as the application does, and as the owner of the tables."""

    url: str
    owner_url: str


def named() -> Database | None:
    """What the environment names; None if it names no database."""
    if settings.database_url is None:
        return None
    url = settings.database_url.get_secret_value()
    owner = settings.database_admin_url
    return Database(url, owner.get_secret_value() if owner else url)


def looked_at(url: str, *looks: Look) -> Iterator[Finding]:
    """What those looks find, on one connection."""
    engine = create_engine(
        driver_url(url), poolclass=pool.NullPool, connect_args={"connect_timeout": 5}
    )
    with engine.connect() as connection:
        for look in looks:
            yield from look(connection)
            connection.rollback()


def database() -> Iterator[Finding]:
    """As the application sees it."""
    if found := named():
        yield from looked_at(found.url, versions, roles, encryption, clock)


def tables() -> Iterator[Finding]:
    """As their owner sees them."""
    if found := named():
        yield from looked_at(found.owner_url, migrations, walls, administrators, backlog)


def versions(connection: Connection) -> Iterator[Finding]:
    """Old ones have holes that let tenants see each other's vectors."""
    number, told = connection.execute(
        text("select current_setting('server_version_num')::int, current_setting('server_version')")
    ).one()
    if number < LEAST_POSTGRES:
        yield bad("versions", f"Postgres {told}", "move to Postgres 16 or later")
    else:
        yield good("versions", f"Postgres {told}")
    vector = connection.scalar(text("select extversion from pg_extension where extname = 'vector'"))
    if vector is None:
        yield bad("versions", "no pgvector", "install it, then run `redten migrate`")
    elif tuple(int(part) for part in vector.split(".")) < LEAST_PGVECTOR:
        advice = "move to 0.8.2 or later (CVE-2026-3172), then ALTER EXTENSION vector UPDATE"
        yield bad("versions", f"pgvector {vector}", advice)
    else:
        yield good("versions", f"pgvector {vector}")


def roles(connection: Connection) -> Iterator[Finding]:
    """Row-level security does not hold for superusers, nor for who owns the tables."""
    app = {"app": APP_ROLE}
    login, is_super, bypasses, steps_down, owned = connection.execute(text(AS_WHOM), app).one()
    wrong = {
        "is a superuser": is_super,
        "passes by row-level security": bypasses,
        "owns tables": owned and not is_super,
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            advice = f"DATABASE_URL should name a plain login that is a member of {APP_ROLE}"
            yield bad("roles", f"{login} {what}", f"{advice}; DATABASE_ADMIN_URL the owner")
    if not steps_down:
        yield bad("roles", f"{login} is no member of {APP_ROLE}", f"GRANT {APP_ROLE} TO {login}")
    plain = connection.execute(text(OF_APP), app).one_or_none()
    if plain is None:
        yield bad("roles", f"there is no role {APP_ROLE}", f"CREATE ROLE {APP_ROLE} NOLOGIN")
    elif any(plain[:2]):
        advice = f"ALTER ROLE {APP_ROLE} NOSUPERUSER NOBYPASSRLS"
        yield bad("roles", f"{APP_ROLE} passes by row-level security", advice)
    else:
        yield good("roles", f"{login} steps down to {APP_ROLE}")


def encryption(connection: Connection) -> Iterator[Finding]:
    """What goes to another machine is encrypted, and that machine is the right one."""
    url = make_url(driver_url(settings.database_url.get_secret_value()))  # type: ignore[union-attr]
    host = str(url.host or url.query.get("host") or "")
    mode = str(url.query.get("sslmode", "prefer"))
    if host in ("", "localhost", "127.0.0.1", "::1") or host.startswith("/"):
        yield good("database encryption", "on this machine")
        return
    used = connection.scalar(text("select ssl from pg_stat_ssl where pid = pg_backend_pid()"))
    advice = "add ?sslmode=verify-full&sslrootcert=FILE to DATABASE_URL and DATABASE_ADMIN_URL"
    if not used:
        yield bad("database encryption", f"{host} is spoken to without TLS", advice)
    elif mode != "verify-full":
        yield doubtful("database encryption", f"TLS to {host}, whoever that is ({mode})", advice)
    else:
        yield good("database encryption", f"TLS to {host}, which was verified")


def clock(connection: Connection) -> Iterator[Finding]:
    """Leases and expiry are counted by Postgres' clock, tokens by this machine's."""
    began = time.time()
    there = float(connection.scalar(text("select extract(epoch from clock_timestamp())")) or 0)
    yield of_skew("Postgres", there - (began + time.time()) / 2)


def of_skew(whose: str, skew_s: float) -> Finding:
    """What to say of a clock that is so far from this machine's."""
    said = f"{whose}: {skew_s:+.1f} s from this machine's"
    if abs(skew_s) > FATAL_SKEW_S:
        return bad("clocks", said, "have both machines keep time by NTP")
    if abs(skew_s) > SKEW_S:
        return doubtful("clocks", said, "have both machines keep time by NTP")
    return good("clocks", said)


def migrations(connection: Connection) -> Iterator[Finding]:
    """The schema is the one that this version of redten was written for."""
    head = ScriptDirectory.from_config(alembic_config("postgresql://")).get_current_head()
    there = None
    if connection.scalar(text("select to_regclass('alembic_version')")):
        there = connection.scalar(text("select version_num from alembic_version"))
    if there != head:
        yield bad("migrations", f"the schema is {there or 'empty'}, not {head}", "redten migrate")
    else:
        yield good("migrations", f"the schema is {head}")


def walls(connection: Connection) -> Iterator[Finding]:
    """Row-level security is on wherever a row has a tenant."""
    open_ones = list(connection.scalars(text(UNGUARDED)))
    for table in open_ones:
        said = f"{table} has rows of tenants and no policy"
        yield bad("walls", said, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; redten migrate")
    if not open_ones:
        yield good("walls", f"{connection.scalar(text(GUARDED))} tables are guarded")


def administrators(connection: Connection) -> Iterator[Finding]:
    """None has a password that everybody tries."""
    admins = connection.execute(text(ADMINS)).all()
    for email, hashed in admins:
        if any(verify(hashed, guess) for guess in (*WEAK, email, email.partition("@")[0])):
            said = f"the password of {email} is one that everybody tries"
            yield bad("administrators", said, "set another: `redten account set-password`")
    yield good("administrators", f"{len(admins)} looked at")


def backlog(connection: Connection) -> Iterator[Finding]:
    """What should have been cleared away, or looked at by somebody."""
    loose = connection.scalar(text(LOOSE), {"after": 2 * settings.loose_after_s}) or 0
    if loose:
        advice = "see the log of the ingest worker, which removes them"
        yield doubtful("backlog", f"{loose} files that nothing refers to were not removed", advice)
    failed = connection.scalar(text(FAILED)) or 0
    if failed:
        advice = "`redten jobs --failed` shows why, and tries them again"
        yield doubtful("backlog", f"{failed} pieces of work have failed", advice)
    if not loose and not failed:
        yield good("backlog", "nothing has failed, and no file is left over")
