"""The private authority and what it signs, judged by OpenSSL at its strictest."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography import x509

from local import tls
from local.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = Layout(tmp_path / "data")
    made.make()
    return made


def shake_hands(layout: Layout, name: str) -> None:
    """A TLS handshake in memory; raises SSLError if a strict client refuses the server."""
    trusting = ssl.create_default_context(cafile=str(layout.ca))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(layout.cert, layout.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_strict_client_accepts_the_local_names(layout: Layout, name: str) -> None:
    tls.prepare(layout, "127.0.0.1")

    shake_hands(layout, name)


def test_a_server_on_all_addresses_goes_by_the_name_of_its_machine(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "shelf")
    monkeypatch.setattr("socket.getfqdn", lambda: "shelf.example.org")

    tls.prepare(layout, "0.0.0.0")  # noqa: S104 - nothing listens

    for name in ("localhost", "shelf", "shelf.example.org"):
        shake_hands(layout, name)


def test_another_name_is_refused(layout: Layout) -> None:
    tls.prepare(layout, "127.0.0.1")

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(layout, "example.com")


def test_a_second_start_changes_nothing(layout: Layout) -> None:
    tls.prepare(layout, "127.0.0.1")
    files = [layout.ca, layout.cert, layout.key, layout.private_key, layout.public_key]
    before = [file.read_bytes() for file in files]

    tls.prepare(layout, "127.0.0.1")

    assert [file.read_bytes() for file in files] == before


def test_another_address_gets_a_new_certificate_of_the_same_authority(layout: Layout) -> None:
    tls.prepare(layout, "127.0.0.1")
    authority = layout.ca.read_bytes()

    tls.prepare(layout, "192.0.2.7")

    assert layout.ca.read_bytes() == authority
    shake_hands(layout, "192.0.2.7")


def test_a_certificate_about_to_expire_is_renewed(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tls, "SERVER_DAYS", tls.RENEW_DAYS - 1)
        tls.prepare(layout, "127.0.0.1")

    tls.prepare(layout, "127.0.0.1")

    renewed = x509.load_pem_x509_certificate(layout.cert.read_bytes())
    assert renewed.not_valid_after_utc > datetime.now(UTC) + timedelta(days=tls.RENEW_DAYS)


def test_a_half_written_pair_is_made_again(layout: Layout) -> None:
    tls.prepare(layout, "127.0.0.1")
    layout.key.write_bytes(layout.private_key.read_bytes())

    tls.prepare(layout, "127.0.0.1")

    shake_hands(layout, "localhost")


def test_the_token_keys_sign_and_check_es256(layout: Layout) -> None:
    tls.prepare(layout, "127.0.0.1")

    token = jwt.encode({"sub": "someone"}, layout.private_key.read_bytes(), algorithm="ES256")

    claims = jwt.decode(token, layout.public_key.read_bytes(), algorithms=["ES256"])
    assert claims == {"sub": "someone"}
    assert layout.private_key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_lost_public_key_is_written_again(layout: Layout) -> None:
    tls.prepare(layout, "127.0.0.1")
    public = layout.public_key.read_bytes()
    layout.public_key.unlink()

    tls.prepare(layout, "127.0.0.1")

    assert layout.public_key.read_bytes() == public
