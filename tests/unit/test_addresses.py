"""Which addresses may be read, by which tenant, and how they are kept."""

from typing import Any

import pytest

from models import addresses
from models.addresses import checked_address, web_refusal
from models.errors import RedtenError

ALLOWED: dict[str, Any] = {
    "source_dirs": ("/srv/docs", "/srv/tenants/{tenant}"),
    "s3_sources": ("s3://papers/public/", "s3://own/{tenant}", "s3://whole"),
    "web_sources": ("docs.example.org", "wiki.example.org:8080", "[fc00::1]:81"),
}


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = addresses.settings.model_copy(update=ALLOWED)
    monkeypatch.setattr(addresses, "settings", changed)


def refusal(address: str) -> str:
    with pytest.raises(RedtenError) as refused:
        checked_address(address, 7)
    return refused.value.code


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("/srv/docs", "/srv/docs"),
        (" /srv/docs/a/../b/ ", "/srv/docs/b"),
        ("file:///srv/docs/caf%C3%A9", "/srv/docs/café"),
        ("file://localhost/srv/docs", "/srv/docs"),
        ("/srv/tenants/7/x", "/srv/tenants/7/x"),
        ("s3://papers/public", "s3://papers/public"),
        ("s3://papers/public/2024/", "s3://papers/public/2024"),
        ("s3://own/7", "s3://own/7"),
        ("s3://whole", "s3://whole"),
        ("s3://whole/any/where", "s3://whole/any/where"),
        ("https://Docs.Example.org/A?b=C#d", "https://docs.example.org/A?b=C"),
        ("http://docs.example.org/feed", "http://docs.example.org/feed"),
        ("https://wiki.example.org:8080/", "https://wiki.example.org:8080/"),
        ("http://[fc00::1]:81/x", "http://[fc00::1]:81/x"),
    ],
)
def test_an_address_within_what_is_allowed_is_kept_in_one_spelling(address, kept):
    assert checked_address(address, 7) == kept


@pytest.mark.parametrize(
    "address",
    [
        "/srv",
        "/srv/docs-of-others",
        "/srv/docs/../../etc",
        "/srv/tenants/8",
        "/srv/tenants/{tenant}",
        "s3://papers",
        "s3://papers/public-not",
        "s3://own/77",
        "s3://other/public",
        "https://example.org/",
        "https://docs.example.org:8443/",
        "https://wiki.example.org/",
        "https://docs.example.org.evil.example.com/",
    ],
)
def test_an_address_outside_of_it_is_refused(address):
    assert refusal(address) == "address_not_allowed"


@pytest.mark.parametrize(
    "address",
    [
        "docs",
        "ftp://docs.example.org/",
        "file://other.example.org/srv/docs",
        "file:srv/docs",
        "s3://",
        "s3://papers/public/../private",
        "https://",
        "https://user:secret@docs.example.org/",
        "https://docs.example.org:port/",
        "/srv/docs/\0",
        "/srv/docs/" + "x" * 1024,
    ],
)
def test_what_cannot_be_an_address_is_refused(address):
    assert refusal(address) == "bad_address"


def test_any_host_means_the_usual_port_encrypted(monkeypatch):
    any_host = addresses.settings.model_copy(update={"web_sources": ("1",)})
    monkeypatch.setattr(addresses, "settings", any_host)
    assert web_refusal("https", "example.com", 443) is None
    assert web_refusal("http", "example.com", 80)
    assert web_refusal("https", "example.com", 8443)
    assert web_refusal("http", "example.com", 443)


def test_nothing_is_allowed_until_a_setting_names_it(monkeypatch):
    nothing = {"source_dirs": (), "s3_sources": (), "web_sources": ()}
    monkeypatch.setattr(addresses, "settings", addresses.settings.model_copy(update=nothing))
    for address in ("/", "/srv/docs", "s3://papers", "https://example.org/"):
        assert refusal(address) == "address_not_allowed"
