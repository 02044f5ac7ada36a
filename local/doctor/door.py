"""The door: its certificate, who may come in, and whether it answers."""

import ipaddress
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from local.credentials import read_exports
from local.doctor.finding import Finding, bad, doubtful, good
from local.layout import Layout
from local.readiness import EVERYWHERE, Readiness
from settings import settings

SOON = timedelta(days=30)
TIMEOUT_S = 10.0


def certificate() -> Iterator[Finding]:
    """It is still good, for the name that clients use, and goes with its key."""
    if settings.tls_cert is None or settings.tls_key is None:
        advice = "set API_TLS_CERT and API_TLS_KEY, unless a proxy before the API has TLS"
        yield doubtful("certificate", "the API has none", advice)
        return
    try:
        held = x509.load_pem_x509_certificate(settings.tls_cert.read_bytes())
        key = serialization.load_pem_private_key(settings.tls_key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        advice = "API_TLS_CERT and API_TLS_KEY must be PEM files without a password"
        yield bad("certificate", f"it cannot be read: {error}", advice)
        return
    if key.public_key() != held.public_key():
        yield bad("certificate", "it does not go with its key", "set both from one pair")
    yield _of_time(held)
    yield _of_names(held)


def _of_time(held: x509.Certificate) -> Finding:
    left = held.not_valid_after_utc - datetime.now(UTC)
    said = f"good until {held.not_valid_after_utc:%Y-%m-%d}"
    if left < timedelta(0):
        return bad("certificate", f"not {said} any more", "renew it and restart the API")
    if left < SOON:
        return doubtful("certificate", said, "renew it; `redten up` renews its own at a start")
    return good("certificate", said)


def _of_names(held: x509.Certificate) -> Finding:
    """The first names it bears; a host that it does not bear is refused by every client."""
    try:
        names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return bad("certificate", "it bears no subjectAltName", "have one made that does")
    borne = names.get_values_for_type(x509.DNSName)
    borne += [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    host = EVERYWHERE.get(settings.host, settings.host)
    if host not in borne and host != "127.0.0.1":
        said = f"it bears {', '.join(borne)}, and not {host}"
        return bad("certificate", said, "have one made for the name that clients use")
    return good("certificate", f"it bears {', '.join(borne)}")


def sign_up() -> Iterator[Finding]:
    """Strangers are kept out where strangers come by."""
    if not settings.signup_enabled:
        yield good("sign-up", "closed")
    elif _is_loopback():
        yield good("sign-up", f"open, on {settings.host} alone")
    elif settings.requires_verified_email:
        yield good("sign-up", "open to who has verified their email")
    else:
        said = f"anybody who reaches {settings.host} may make an account"
        advice = "REDTEN_SIGNUP=0, or USER_EMAIL_VERIFICATION_REQUIRED=1 with REDTEN_SMTP_URL"
        yield doubtful("sign-up", said, advice)


def _is_loopback() -> bool:
    try:
        return ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        return settings.host == "localhost"


def mail() -> Iterator[Finding]:
    """Who must verify an email has to get one."""
    if settings.smtp_url is not None:
        yield good("mail", f"from {settings.mail_from}")
    elif settings.email_verification_required:
        said = "emails must be verified, and none are sent"
        yield bad("mail", said, "set REDTEN_SMTP_URL and REDTEN_MAIL_FROM")
    elif _is_loopback():
        yield good("mail", "none is sent: the log of the ingest worker shows it")
    else:
        said = "none is sent: nobody who forgot a password can set a new one"
        yield doubtful("mail", said, "set REDTEN_SMTP_URL and REDTEN_MAIL_FROM")


def readiness() -> Iterator[Finding]:
    """A question could be answered now: database, broker, a worker for every queue."""
    if settings.tls_cert is None:
        return
    missing = Readiness(settings.host, settings.port, _authority()).missing()
    if missing:
        yield bad("readiness", f"missing: {', '.join(missing)}", "start it, or see its log")
    else:
        yield good("readiness", "a question could be answered now")


def _authority() -> Path:
    """Whom to trust for the API's certificate: `redten up` has an authority of its own."""
    ours = Layout(settings.data_dir).ca
    return Path(settings.ai_api_ca) if settings.ai_api_ca else ours


def headers() -> Iterator[Finding]:
    """Published clients send headers with underscores, which gunicorn drops unless told."""
    admin = Layout(settings.data_dir).admin_env
    if settings.tls_cert is None or not admin.exists():
        return
    known = read_exports(admin)
    login = {"email": known["AI_EMAIL"], "password": known["AI_PASSWORD"]}
    status, told = _post("/login", {}, login)
    if status != 201:
        yield doubtful("headers", f"the administrator cannot log in: {told.get('message')}", "")
        return
    token = {settings.token_header: str(told["token"])}
    # Refused for this header before anything is stored, or without it for one that is missing.
    _, told = _post("/user/data", token | {"user_id": "0"}, None)
    _post("/logout", token, None)
    if told.get("code") == "bad_user_id":
        yield good("headers", "those with underscores arrive")
    else:
        advice = "run gunicorn with -c python:local.gunicorn_conf, and let proxies pass them on"
        yield bad("headers", "those with underscores do not arrive", advice)


def _post(path: str, headers: dict[str, str], body: object) -> tuple[int, dict[str, object]]:
    host = EVERYWHERE.get(settings.host, settings.host)
    url = f"https://{f'[{host}]' if ':' in host else host}:{settings.port}{path}"
    context = ssl.create_default_context(cafile=str(_authority()))
    if settings.ai_api_cert:
        context.load_cert_chain(settings.ai_api_cert, settings.ai_api_key)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    data = json.dumps(body).encode() if body is not None else b"-"
    asked = urllib.request.Request(url, data, headers, method="POST")
    try:
        with opener.open(asked, timeout=TIMEOUT_S) as reply:
            return reply.status, dict(json.load(reply))
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, dict(json.load(refused))
