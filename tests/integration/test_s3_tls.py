"""An S3 server with a certificate of one's own: AWS_CA_BUNDLE names who is believed."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local import tls
from local.layout import Layout
from settings import settings
from tasks import s3_blobs
from tasks.blobs import BlobsAway
from tests.integration.s3_server import CREDENTIALS, s3_server
from tests.integration.tls_proxy import tls_before


def authority(folder: Path) -> Layout:
    """A folder with an authority, and a certificate of it."""
    made = Layout(folder)
    made.make()
    tls.prepare(made, "127.0.0.1")
    return made


@pytest.fixture
def ca(tmp_path, monkeypatch) -> Iterator[Path]:
    """Whose certificate the S3 server of the settings has."""
    layout = authority(tmp_path / "s3")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as server, tls_before(urlsplit(server.endpoint).port, layout) as port:
        server.make("bucket")
        told = settings.model_copy(update={"s3_endpoint": f"https://127.0.0.1:{port}"})
        monkeypatch.setattr(s3_blobs, "settings", told)
        yield layout.ca


def test_who_trusts_its_authority_stores_and_reads(ca, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(ca))
    store = s3_blobs.S3Blobs("bucket", "prefix/")

    store.put_stream("a", [b"text"])

    with store.open("a") as file:
        assert file.read() == b"text"


def test_another_authority_is_not_believed(ca, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority(tmp_path / "other").ca))

    with pytest.raises(BlobsAway, match="CERTIFICATE_VERIFY_FAILED"):
        s3_blobs.S3Blobs("bucket", "prefix/").put_stream("a", [b"text"])
