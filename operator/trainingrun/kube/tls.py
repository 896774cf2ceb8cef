"""The TLS of a connection to an API server: whom it trusts, and the certificate that it shows.

It must not connect to anything, and leaves no key in a file.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Pair = tuple[str, str]


def tls_context(cluster: Mapping[str, Any], user: Mapping[str, Any], certificate: Pair | None = None) -> ssl.SSLContext:
    """The context for a kubeconfig's entries; `certificate` and its key, as PEM, come before the user's own.

    Raises OSError (SSLError) or ValueError for what is no certificate.
    """
    trusted = _text(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=trusted)
    # Go's clients do not ask for it, and the authorities of many clusters do not have what it asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    shown, key = certificate or (_text(user, "client-certificate"), _text(user, "client-key"))
    if shown and key:
        _show(context, shown, key)
    return context


def _text(entries: Mapping[str, Any], name: str) -> str | None:
    """The PEM that `NAME-data` holds or that the file NAME has."""
    data = entries.get(f"{name}-data")
    if data:
        return base64.standard_b64decode(data).decode()
    return Path(entries[name]).read_text() if entries.get(name) else None


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # The standard library takes certificates from files only. This one is for its owner alone, and gone afterwards.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{certificate.rstrip()}\n{key}")
        file.flush()
        context.load_cert_chain(file.name)
