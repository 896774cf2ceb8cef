"""The certificate that the progress endpoint shows. It is replaced in its files long before it ends, and read again."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

logger = logging.getLogger(__name__)

_SECONDS = 60.0


class Certificate:
    """A certificate and its key in files. Raises `OSError` or `ssl.SSLError` if they cannot be used."""

    def __init__(self, certificate: str, key: str):
        self._paths = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
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

    def _load(self) -> tuple[bytes, ...]:
        # Read first: what is replaced in between is then loaded the next time.
        loaded = self._read()
        self.context.load_cert_chain(*self._paths)
        return loaded

    def _read(self) -> tuple[bytes, ...]:
        return tuple(Path(path).read_bytes() for path in self._paths)
