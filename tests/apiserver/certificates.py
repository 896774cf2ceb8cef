"""A certificate authority for one control plane, and the keys that its programs serve and sign with."""

from __future__ import annotations

from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

_NAMES = ("localhost", "127.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


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
        authority = trustme.CA()
        issued = authority.issue_cert(*_NAMES)
        authority.cert_pem.write_to_path(self.ca)
        issued.cert_chain_pems[0].write_to_path(self.serving_certificate)
        issued.private_key_pem.write_to_path(self.serving_key)

    def _write_token_keys(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.token_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.token_public_key.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
