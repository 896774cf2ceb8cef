"""The certificate that the progress endpoint shows, and the authorities by which pods accept it.

Their files are replaced long before what is in them ends, and read again. It must not judge what silence means.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

_SECONDS = 60.0
# Pods know the authorities of as many rotations as happen in the life of a run.
_REMEMBERED = 64
# Of a handshake, each way; TLS needs fewer.
_FLIGHTS = 8


class Authority:
    """The certificates, in PEM, that new pods get to verify the endpoint with.

    Those that were in the file before stay among them: another replica may show its old certificate a little longer.
    """

    def __init__(self, path: str):
        self._path = Path(path)
        self._text = self._path.read_text()
        self._former = ""

    def text(self) -> str:
        """What a pod that is made now gets."""
        try:
            found = self._path.read_text()
        except (OSError, ValueError) as error:
            logger.warning("the certificates for pods cannot be read now: %s", error)
            return self._text + self._former
        if found != self._text:
            self._text, self._former = found, "" if self._text in found else self._text
        return self._text + self._former


class Certificate:
    """A certificate and its key in files. Raises `OSError` or `ssl.SSLError` if they cannot be used."""

    def __init__(self, certificate: str, key: str):
        self._paths = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._trusted: dict[str, bool] = {}
        self._loaded = self._load()

    async def keep(self) -> None:
        """Load the files again whenever they change; connections that come after that see the new certificate."""
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                if self._read() != self._loaded:
                    self._loaded = self._load()
                    logger.info("the certificate of the progress endpoint has been replaced")
            except (OSError, ssl.SSLError) as error:
                # Both files are replaced, but not at the same instant.
                logger.warning("the new certificate cannot be used yet: %s", error)

    def is_trusted_with(self, authority: str) -> bool:
        """Whether a client that knows only these PEM certificates accepts this one."""
        if authority not in self._trusted:
            if len(self._trusted) >= _REMEMBERED:
                self._trusted.clear()
            self._trusted[authority] = _is_accepted(self.context, authority)
        return self._trusted[authority]

    def _load(self) -> tuple[bytes, ...]:
        # Read first: what is replaced in between is then loaded the next time.
        loaded = self._read()
        self.context.load_cert_chain(*self._paths)
        self._trusted.clear()
        return loaded

    def _read(self) -> tuple[bytes, ...]:
        return tuple(Path(path).read_bytes() for path in self._paths)


def _is_accepted(server: ssl.SSLContext, authority: str) -> bool:
    """Whether a handshake with the server succeeds for a client with this authority. The server's name is no matter."""
    try:
        client = ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError):
        return False
    client.check_hostname = False
    theirs, ours = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(theirs, ours), server.wrap_bio(ours, theirs, server_side=True)]
    for _ in range(_FLIGHTS):
        for end in tuple(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
            ends.remove(end)
    return not ends
