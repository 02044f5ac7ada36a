"""What the doctor says of certificates, files, clocks and who may come in."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from local import tls
from local.doctor import broker, door, files
from local.doctor.database import of_skew
from local.doctor.finding import Finding, Status
from local.layout import Layout
from settings import Settings, settings


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Settings of a deployment in a folder of its own, changed as a test wants."""
    layout = Layout(tmp_path)
    layout.make()
    tls.prepare(layout, "127.0.0.1")
    base = {
        "data_dir": tmp_path,
        "tls_cert": layout.cert,
        "tls_key": layout.key,
        "token_private_key": layout.private_key,
        "token_public_key": layout.public_key,
    }

    def tell(**changed: object) -> Settings:
        made = settings.model_copy(update=base | changed)
        for module in (door, files, broker):
            monkeypatch.setattr(module, "settings", made)
        return made

    tell()
    return tell


def worst(found: list[Finding]) -> Status:
    return max((one.status for one in found), key=list(Status).index)


def test_a_deployment_that_redten_made_is_in_order(told):
    checks = (files.private_files, files.token_keys, door.certificate, door.sign_up, door.mail)

    assert [worst(list(check())) for check in checks] == [Status.OK] * len(checks)


def test_a_secret_that_others_can_read_is_a_failure_that_says_how_to_mend_it(told):
    told().token_private_key.chmod(0o644)

    [finding] = [one for one in files.private_files() if one.status is Status.FAILURE]

    assert finding.advice.startswith("chmod 600 ")
    assert finding.advice.endswith("private-key-pkcs8.pem")


def test_a_key_of_another_certificate_is_a_failure(told, tmp_path):
    other = Layout(tmp_path / "other")
    other.make()
    tls.prepare(other, "127.0.0.1")
    told(tls_key=other.key)

    assert worst(list(door.certificate())) is Status.FAILURE


def test_a_certificate_must_bear_the_name_that_clients_use(told):
    told(host="docs.example.org")

    [finding] = [one for one in door.certificate() if one.status is Status.FAILURE]

    assert "not docs.example.org" in finding.said


@pytest.mark.parametrize(
    ("days", "status"), [(-1, Status.FAILURE), (10, Status.WARNING), (90, Status.OK)]
)
def test_a_certificate_is_renewed_in_time(told, tmp_path, days, status):
    path = tmp_path / "aged.pem"
    path.write_bytes(aged(Layout(tmp_path), days))
    told(tls_cert=path)

    assert worst(list(door.certificate())) is status


def aged(layout: Layout, days: int) -> bytes:
    """A certificate for the key that there is, good for so many days from now."""
    key = serialization.load_pem_private_key(layout.key.read_bytes(), None)
    name, now = x509.Name([]), datetime.now(UTC)
    bears = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(bears, critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_strangers_may_not_sign_up_where_they_come_by_unless_they_verify_an_email(told):
    told(host="192.0.2.7")
    assert worst(list(door.sign_up())) is Status.WARNING
    told(host="192.0.2.7", signup_enabled=False)
    assert worst(list(door.sign_up())) is Status.OK
    told(host="192.0.2.7", email_verification=True, email_verification_required=True)
    assert worst(list(door.sign_up())) is Status.OK


def test_who_must_verify_an_email_has_to_be_sent_one(told):
    told(email_verification_required=True)

    assert worst(list(door.mail())) is Status.FAILURE


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("redis://:x@127.0.0.1:6379/0", Status.OK),
        ("redis://:x@redis.example.org:6379/0", Status.FAILURE),
        ("rediss://:x@redis.example.org:6379/0", Status.OK),
        ("rediss://:x@redis.example.org:6379/0?ssl_cert_reqs=none", Status.FAILURE),
    ],
)
def test_a_broker_on_another_machine_is_spoken_to_over_tls(told, url, status):
    told(redis_url=Settings(REDIS_URL=url).redis_url)

    assert worst(list(broker.encryption())) is status


def test_s3_is_spoken_to_over_tls(told):
    told(blobs="s3://bucket/prefix", s3_endpoint="http://s3.example.org")

    assert worst(list(files.file_store())) is Status.FAILURE


@pytest.mark.parametrize(
    ("seconds", "status"), [(0.1, Status.OK), (-5.0, Status.WARNING), (60.0, Status.FAILURE)]
)
def test_clocks_may_not_differ_much(seconds, status):
    assert of_skew("Postgres", seconds).status is status
