"""Creates the certificate and checks an existing one. No files and no requests.

The authority signs this one certificate and its key is thrown away, so that no one can sign another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Pods learn the authority when they are made, so it should outlast every run.
LIFETIME = timedelta(days=3650)
RENEWED_BEFORE = timedelta(days=365)
_CLOCKS_DIFFER = timedelta(days=1)
_AUTHORITY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trainingrun progress endpoint's authority")])
_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "trainingrun progress endpoint")])


@dataclass(frozen=True)
class Issued:
    """In PEM: what pods verify with, the endpoint's certificate, and its key."""

    authority: bytes
    certificate: bytes
    key: bytes


def issue(host: str, now: datetime) -> Issued:
    """A new certificate for this name."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = (
        _builder(_AUTHORITY, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_SUBJECT, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(signer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Issued(_pem(authority), _pem(certificate), private)


def problem_with(issued: Issued, host: str, now: datetime) -> str | None:
    """Why a new one must be created, in a few words; None if this one can be used."""
    try:
        authority = x509.load_pem_x509_certificate(issued.authority)
        certificate = x509.load_pem_x509_certificate(issued.certificate)
        key = serialization.load_pem_private_key(issued.key, password=None)
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return "it is damaged"
    if key.public_key() != certificate.public_key():
        return "its key belongs to a different certificate"
    if host not in names.get_values_for_type(x509.DNSName):
        return f"it is not for {host}"
    if min(certificate.not_valid_after_utc, authority.not_valid_after_utc) - now < RENEWED_BEFORE:
        return "it expires soon"
    return None


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_AUTHORITY)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
