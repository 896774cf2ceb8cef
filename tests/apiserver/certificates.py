"""A certificate authority for one control plane, and the keys that its programs serve and sign with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class Certificates:
    """Files in PEM: the authority `ca`, a serving pair for loopback, and a key that signs service accounts' tokens."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self.ca = folder / "ca.crt"
        self.serving_certificate = folder / "serving.crt"
        self.serving_key = folder / "serving.key"
        self.token_key = folder / "tokens.key"
        self.token_public_key = folder / "tokens.pub"
        self._write_serving_pair()
        self._write_token_keys()

    def _write_serving_pair(self) -> None:
        authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        authority = _name("test authority")
        ca = (
            _builder(authority, authority, authority_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_AUTHORITY_USAGE, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        names = [*map(x509.DNSName, _NAMES), x509.IPAddress(ip_address("127.0.0.1"))]
        certificate = (
            _builder(_name("control plane"), authority, key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        self.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        self.serving_certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.serving_key.write_bytes(_private(key))

    def _write_token_keys(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.token_key.write_bytes(_private(key))
        self.token_public_key.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )


_AUTHORITY_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
