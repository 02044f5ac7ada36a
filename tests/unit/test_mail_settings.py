"""What the settings say of mail."""

import pytest
from pydantic import ValidationError

from settings import Settings

FROM = "redten@example.org"


@pytest.fixture
def options(monkeypatch):
    def read(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return Settings()

    return read


@pytest.mark.parametrize(
    ("variables", "verifies", "requires"),
    [
        ({}, False, False),
        ({"REDTEN_SMTP_URL": "smtp://mail.example.org"}, True, False),
        ({"USER_EMAIL_VERIFICATION_ENABLED": "1"}, True, False),
        (
            {
                "REDTEN_SMTP_URL": "smtps://u:p@mail.example.org:465",
                "USER_EMAIL_VERIFICATION_ENABLED": "0",
                "USER_EMAIL_VERIFICATION_REQUIRED": "1",
            },
            False,
            False,
        ),
        (
            {"USER_EMAIL_VERIFICATION_ENABLED": "1", "USER_EMAIL_VERIFICATION_REQUIRED": "1"},
            True,
            True,
        ),
    ],
)
def test_emails_are_verified_if_mail_can_be_sent_or_it_is_said_so(
    options, variables, verifies, requires
):
    read = options(REDTEN_MAIL_FROM=FROM, **variables)
    assert (read.verifies_email, read.requires_verified_email) == (verifies, requires)


@pytest.mark.parametrize("url", ["mail.example.org", "http://mail.example.org", "smtp://"])
def test_a_mail_server_that_cannot_be_spoken_to_is_refused(options, url):
    with pytest.raises(ValidationError, match="is not like smtp://"):
        options(REDTEN_MAIL_FROM=FROM, REDTEN_SMTP_URL=url)


def test_mail_must_come_from_somebody(options):
    with pytest.raises(ValidationError, match="needs REDTEN_MAIL_FROM"):
        options(REDTEN_SMTP_URL="smtp://mail.example.org")
