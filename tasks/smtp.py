"""Mail on its way out: to the server that the settings name, or else into the log."""

import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTPUTF8
from urllib.parse import SplitResult, unquote, urlsplit

from celery import Task

from settings import settings

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}

# What may have passed by the next try.
MAIL_AWAY = (smtplib.SMTPException, OSError)
FIRST_PAUSE_S, TRIES = 15.0, 4


def compose(email: str, subject: str, text: str) -> EmailMessage:
    """A message to one address. Raises ValueError where a header would hold a line break."""
    message = EmailMessage(policy=SMTPUTF8)
    message["From"] = settings.mail_from or "redten@localhost"
    message["To"] = email
    message["Subject"] = subject
    # It was asked for by a program: no out-of-office replies (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def public_url() -> str:
    """Where links in mail lead."""
    return (settings.public_url or f"https://localhost:{settings.port}").rstrip("/")


def send(task: Task, message: EmailMessage, email: str, about: str) -> None:
    """As `deliver`, for a task, which is done again later if the server is away."""
    try:
        deliver(message, email)
    except MAIL_AWAY as error:
        log.warning("%s: mail is not sent: %s", about, error)
        raise task.retry(countdown=FIRST_PAUSE_S * 4**task.request.retries, exc=error) from error


def deliver(message: EmailMessage, email: str) -> None:
    """Sends the message to that address alone; without a server it is one line of the log.

    Raises one of MAIL_AWAY if the server cannot be reached, trusted, or persuaded.
    """
    if settings.smtp_url is None:
        text = " ".join(message.get_content().split())
        log.info("mail to %s, since REDTEN_SMTP_URL is not set: %s", email, text)
        return
    url = urlsplit(settings.smtp_url.get_secret_value())
    with _connected(url) as server:
        if url.scheme == "smtp":
            # Raises if the server offers none: somebody in between may have taken it away.
            server.starttls(context=ssl.create_default_context())
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message, to_addrs=[email])


def _connected(url: SplitResult) -> smtplib.SMTP:
    host, port = url.hostname or "", url.port or PORTS[url.scheme]
    if url.scheme == "smtps":
        trusted = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=trusted)
    return smtplib.SMTP(host, port, timeout=TIMEOUT_S)
