"""Mail: written by a worker, sent through a server that is trusted, or shown in the log."""

import logging
import os
import re
import smtplib
import ssl

import pytest
from celery.exceptions import Retry
from pydantic import SecretStr

from settings import settings
from tasks import broker, smtp
from tasks.mail import mail_one_time_password, mail_verification
from tests.conftest import LAYOUT
from tests.integration.door import log_in, send, sign_up
from tests.integration.processes import session_value, until, workers
from tests.integration.smtp_server import mail_server
from tests.integration.test_verification import switch
from tests.integration.up_process import free_port

MEMBER = "member@example.org"
ENCRYPTED = [("starttls", "smtp://redten:p%40ss%2Fword@"), ("smtps", "smtps://")]


def use_server(monkeypatch, url):
    changed = settings.model_copy(
        update={"smtp_url": SecretStr(url), "mail_from": "Redten <redten@example.org>"}
    )
    monkeypatch.setattr("tasks.smtp.settings", changed)


def mail(to=MEMBER):
    smtp.deliver(smtp.compose(to, "A subject", "A text"), to)


@pytest.fixture
def trusting(monkeypatch):
    """A machine that trusts the tests' own authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(LAYOUT.ca))


@pytest.mark.parametrize(("tls", "start"), ENCRYPTED)
def test_mail_goes_encrypted_to_one_address(trusting, monkeypatch, tls, start):
    with mail_server(tls=tls) as (mails, port):
        use_server(monkeypatch, f"{start}localhost:{port}")
        mail()
    [envelope], [message] = mails.envelopes, mails.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("redten@example.org", [MEMBER])
    assert (message["To"], message["Subject"]) == (MEMBER, "A subject")


@pytest.mark.parametrize(("tls", "start"), ENCRYPTED)
def test_a_server_that_nobody_vouches_for_gets_no_mail(monkeypatch, tls, start):
    with mail_server(tls=tls) as (mails, port):
        use_server(monkeypatch, f"{start}localhost:{port}")
        with pytest.raises(ssl.SSLCertVerificationError):
            mail()
    assert mails.envelopes == []


def test_a_server_without_encryption_gets_mail_only_if_the_setting_says_so(monkeypatch):
    with mail_server() as (mails, port):
        use_server(monkeypatch, f"smtp://localhost:{port}")
        with pytest.raises(smtplib.SMTPNotSupportedError):
            mail()
        assert mails.envelopes == []
        use_server(monkeypatch, f"smtp+plain://localhost:{port}")
        mail()
    assert len(mails.envelopes) == 1


def test_an_address_that_would_be_another_header_is_none(monkeypatch):
    with pytest.raises(ValueError, match="may not contain"):
        smtp.compose("a@example.org\r\nBcc: b@example.org", "A subject", "A text")


def test_without_a_server_the_log_shows_the_mail_on_one_line(http, headers, caplog):
    caplog.set_level(logging.INFO, "tasks.smtp")

    mail_one_time_password(MEMBER)

    [line] = [record.getMessage() for record in caplog.records if record.name == "tasks.smtp"]
    assert "\n" not in line
    [token] = re.findall(r"\b[0-9a-f]{64}\b", line)
    used = {"email": MEMBER, "token": token, "password": "another"}
    assert send(http, "POST", "/user/password/change", used).status_code == 200


def test_nobody_is_written_to_without_need(http, headers, caplog):
    caplog.set_level(logging.INFO, "tasks.smtp")
    mail_one_time_password("nobody@example.org")
    mail_verification("nobody@example.org")
    mail_verification(MEMBER)  # verified already
    assert [record for record in caplog.records if record.name == "tasks.smtp"] == []


def test_mail_that_a_server_does_not_take_is_tried_again_later_and_later(
    http, headers, monkeypatch
):
    use_server(monkeypatch, f"smtp+plain://localhost:{free_port()}")
    pauses = []
    for tries in range(3):
        mail_one_time_password.push_request(
            called_directly=False, retries=tries, args=(MEMBER,), kwargs={}
        )
        with pytest.raises(Retry) as again:
            mail_one_time_password.run(MEMBER)
        mail_one_time_password.pop_request()
        pauses.append(again.value.when)
    assert pauses == [15, 60, 240]
    assert broker.connection().llen("ingest") == 3


@pytest.fixture(scope="module")
def mailing(services):
    """The mails that a worker sends through a server of its own."""
    with mail_server() as (mails, port), pytest.MonkeyPatch.context() as environment:
        environment.setitem(os.environ, "REDTEN_SMTP_URL", f"smtp+plain://127.0.0.1:{port}")
        environment.setitem(os.environ, "REDTEN_MAIL_FROM", "redten@example.org")
        environment.setitem(os.environ, "REDTEN_PUBLIC_URL", "https://redten.example.org/v1/dev")
        with workers(pipeline="", inference="", sweep=""):
            yield mails


@pytest.fixture
def mails(mailing, http):
    """The same, none having come yet."""
    mailing.envelopes.clear()
    return mailing


def test_a_forgotten_password_is_set_anew_by_mail(mails, http, headers):
    for email in ("nobody@example.org", MEMBER):
        send(http, "POST", "/user/password/reset", {"email": email})

    [message] = until(lambda: mails.messages)

    assert message["To"] == MEMBER
    [token] = re.findall(r"\b[0-9a-f]{64}\b", message.get_content())
    used = {"email": MEMBER, "token": token, "password": "another"}
    assert send(http, "POST", "/user/password/change", used).status_code == 200
    assert log_in(http, password="another").status_code == 201


def test_a_new_account_is_verified_by_mail(mails, http, monkeypatch):
    switch(monkeypatch, email_verification=True)
    sign_up(http, "new@example.org")

    [message] = until(lambda: mails.messages)

    [link] = re.findall(
        r"https://redten\.example\.org/v1/dev(/user/verify\S+)", message.get_content()
    )
    assert http.get(link).status_code == 200
    assert session_value("select verified from users where email = 'new@example.org'") == 1
