"""A mail server that keeps what it is given."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tests.conftest import LAYOUT
from tests.integration.up_process import free_port

LOGIN = LoginPassword(b"redten", b"p@ss/word")


class Mails:
    """What came, and who it was for."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 kept"

    @property
    def messages(self) -> list[EmailMessage]:
        parsed = [message_from_bytes(one.content, policy=SMTPUTF8) for one in self.envelopes]
        return [one for one in parsed if isinstance(one, EmailMessage)]


def _authenticate(
    _s: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any
) -> AuthResult:
    return AuthResult(success=given == LOGIN)


@contextmanager
def mail_server(*, tls: str = "") -> Iterator[tuple[Mails, int]]:
    """The mails and the port; `tls` is `starttls`, which it insists on, `smtps`, or nothing."""
    mails, port = Mails(), free_port()
    trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trusted.load_cert_chain(LAYOUT.cert, LAYOUT.key)
    options: dict[str, Any] = {}
    if tls == "starttls":
        options = {"tls_context": trusted, "require_starttls": True}
        options |= {"authenticator": _authenticate, "auth_required": True}
    if tls == "smtps":  # aiosmtpd counts only STARTTLS as encrypted, and asks for no password
        options = {"ssl_context": trusted}
    controller = Controller(mails, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield mails, port
    finally:
        controller.stop()
