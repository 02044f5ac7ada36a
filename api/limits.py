"""How often one may fail at an account's doors: by account, and by address.

Only failures count, since published clients log in at every question. Who fails too often has to
wait, and three rules together keep others from having to wait with them:

- of an account at one address, always;
- of an account at all addresses, so that many of them find out no more than one;
- of all accounts at an address, so that nobody tries a password at one after the other.

The last two are not for an account at an address from which it was opened lately. There its own
mistakes count and nothing else: nobody is locked out by who fails elsewhere on purpose, or by a
colleague behind the same address. That an account does not exist is no secret that is being
guessed, and published clients ask for one before they make it: that counts ten times less.
"""

import hashlib
import ipaddress
import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, after_this_request, g, request
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter, RateLimitExceeded
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.errors import body_of
from settings import settings
from tasks import broker

log = logging.getLogger(__name__)

View = Callable[..., Any]

OPENED = "redten:opened:"
OPENED_FOR_S = 30 * 24 * 3600
TIMES_UNKNOWN = 10


def _account() -> str:
    """Whose door the request names, if any; only by what the view itself goes by."""
    if request.endpoint == "verification.verify":
        user_id = request.args.get("u")
        return f"user {user_id}" if user_id else ""
    if request.endpoint == "invitations.accept_invitation":
        return ""  # there the token says whose account it is
    body = request.get_json(force=True, silent=True)
    email = body.get("email") if isinstance(body, dict) else None
    # Letter by letter, as Postgres folds them to find the account: of "İ" alone Python makes two.
    return "".join(one.lower()[0] for one in email.strip()) if isinstance(email, str) else ""


def _address() -> str:
    """Where the request comes from. With IPv6 everybody has as many addresses as they like."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "127.0.0.1")
    except ValueError:
        # A proxy may say `unknown`, or name the port as well.
        return str(request.remote_addr)
    if address.version == 6 and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _key(kind: str, *parts: str) -> str:
    # What people have typed is as long as they like, and should not be read in Redis.
    return f"{kind}:{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:32]}"


def _pair() -> str:
    return _key("pair", g.account, _address())


def _failed(response: Response) -> bool:
    # 202 says neither that it worked nor that it did not.
    refused = 400 <= response.status_code < 500 and response.status_code != 429
    return refused or response.status_code == 202


def _is_unknown(response: Response) -> bool:
    return response.is_json and response.get_json().get("code") == "no_such_user"


def _was_opened() -> bool:
    return bool(g.was_opened)


def _rate(times: int = 1) -> str:
    return f"{settings.failed_tries * times} per {settings.failed_tries_s} seconds"


def _storage() -> dict[str, Any]:
    if settings.redis_url is None:
        return {"storage_uri": "memory://"}
    once = Retry(NoBackoff(), 0)
    waits = {"socket_timeout": broker.TIMEOUT_S, "socket_connect_timeout": broker.TIMEOUT_S}
    uri = settings.redis_url.get_secret_value()
    return {"storage_uri": uri, "storage_options": {**waits, "retry": once}}


# While Redis is away each process counts for itself; `swallow_errors` is for when it goes between
# the question and the count.
limiter = Limiter(
    key_func=_address,
    strategy="moving-window",
    in_memory_fallback_enabled=True,
    swallow_errors=True,
    key_prefix="redten",
    enabled=settings.failed_tries > 0,
    **_storage(),
)
# Requests that come at once are asked before the first of them counts: as many as there are threads
# may get through.
RULES = (
    limiter.limit(_rate(), key_func=_pair, deduct_when=_failed, exempt_when=lambda: not g.account),
    limiter.limit(
        _rate(),
        key_func=lambda: _key("account", g.account),
        deduct_when=_failed,
        exempt_when=lambda: not g.account or _was_opened(),
    ),
    limiter.limit(
        _rate(),
        key_func=lambda: _key("address", _address()),
        deduct_when=lambda response: _failed(response) and not _is_unknown(response),
        exempt_when=_was_opened,
    ),
    limiter.limit(
        _rate(TIMES_UNKNOWN),
        key_func=lambda: _key("unknown", _address()),
        deduct_when=_is_unknown,
        exempt_when=_was_opened,
    ),
)


def tries(view: View) -> View:
    """The view refuses with 429 `too_many_tries` who has failed there too often.

    To be put directly below the route.
    """
    limited = view
    for rule in RULES:
        limited = rule(limited)

    @wraps(limited)
    def tried(*args: Any, **kwargs: Any) -> Any:
        # Here: the extension takes every exception in a rule for a failure of its storage.
        g.account = _account()
        g.was_opened = bool(g.account) and _opened_lately()
        after_this_request(_note_opened)
        return limited(*args, **kwargs)

    return tried


def _opened_lately() -> bool:
    try:
        return bool(broker.connection().exists(OPENED + _pair()))
    except broker.BrokerError:
        return False


def _note_opened(response: Response) -> Response:
    if g.account and response.status_code in (200, 201):
        try:
            broker.connection().set(OPENED + _pair(), 1, ex=OPENED_FOR_S)
        except broker.BrokerError as error:
            log.warning("where an account was opened is not remembered: %s", error)
    return response


def _too_many(_error: RateLimitExceeded) -> ResponseReturnValue:
    wait_s = _wait_s()
    said = f"too many failures from here or for this account: try again in {wait_s} s"
    return body_of("too_many_tries", said), 429, {"Retry-After": str(wait_s)}


def _wait_s() -> int:
    found = limiter.current_limit
    try:
        left = found.reset_at - time.time() if found else settings.failed_tries_s
    except broker.BrokerError:
        left = settings.failed_tries_s
    # The clock of Redis may be a little ahead.
    return min(settings.failed_tries_s, max(1, round(left)))


def register(app: Flask) -> None:
    """Puts the rules into effect."""
    limiter.init_app(app)
    app.register_error_handler(RateLimitExceeded, _too_many)
