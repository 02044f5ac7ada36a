"""A private authority, the server's certificate, and the key that signs tokens."""

import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.layout import Layout, write_private

AUTHORITY_DAYS = 3650
SERVER_DAYS = 820  # Apple refuses server certificates of more than 825 days.
RENEW_DAYS = 30
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

# A certificate and its private key.
Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def prepare(layout: Layout, host: str) -> None:
    """Makes what is missing or about to expire; clients keep trusting the same authority."""
    authority = _authority(layout.ca, layout.tls / "ca-key.pem")
    names = _names(host)
    present = _load(layout.cert, layout.key)
    if present is None or not _serves(present[0], authority[0], names):
        _store(_server(authority, names), layout.cert, layout.key)
    _token_keys(layout)


def _authority(cert: Path, key: Path) -> Pair:
    present = _load(cert, key)
    if present is not None and not _expires_soon(present[0]):
        return present
    made = _make_authority()
    _store(made, cert, key)
    return made


def _names(host: str) -> list[x509.GeneralName]:
    """The names the server goes by: the local ones and those of what it listens on."""
    everywhere = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on
    heard = (socket.gethostname(), socket.getfqdn()) if host in everywhere else (host,)
    return [_general_name(name) for name in dict.fromkeys((*LOCAL_NAMES, *heard))]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _load(cert: Path, key: Path) -> Pair | None:
    """A pair from disk; None if one half is missing or they do not match."""
    if not (cert.exists() and key.exists()):
        return None
    certificate = x509.load_pem_x509_certificate(cert.read_bytes())
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return None
    return (certificate, private) if private.public_key() == certificate.public_key() else None


def _expires_soon(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=RENEW_DAYS)


def _serves(
    certificate: x509.Certificate, authority: x509.Certificate, names: list[x509.GeneralName]
) -> bool:
    """Whether this certificate still does for these names under this authority."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, InvalidSignature):
        return False
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names) <= set(held) and not _expires_soon(certificate)


def _make_authority() -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name("redten private authority")
    builder = (
        _builder(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(_key_id(key), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _server(authority: Pair, names: list[x509.GeneralName]) -> Pair:
    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    by_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    serves = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = (
        _builder(_common_name("localhost"), issuer.subject, key.public_key(), SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(serves, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_key_id(key), critical=False)
        # Python 3.13 refuses a certificate that does not name its issuer's key.
        .add_extension(by_issuer, critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # An hour back: clocks of two machines differ.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _store(pair: Pair, cert: Path, key: Path) -> None:
    write_private(key, _private_pem(pair[1]))
    write_private(cert, pair[0].public_bytes(serialization.Encoding.PEM))


def _token_keys(layout: Layout) -> None:
    """The ES256 pair; the public half is written again if it alone is missing."""
    if not layout.private_key.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        write_private(layout.private_key, _private_pem(made))
        layout.public_key.unlink(missing_ok=True)
    if not layout.public_key.exists():
        key = serialization.load_pem_private_key(layout.private_key.read_bytes(), None)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_private(layout.public_key, public)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
