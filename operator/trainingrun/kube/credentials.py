"""How a request proves who sends it: a fixed word, a file that is rotated, or a program that is asked for a token.

It must not send anything, and it keeps no token longer than its expiry.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

# A token that ends within this time is not used any more: the request that it goes with takes time too.
_BEFORE_EXPIRY_SECONDS = 300.0
# Kubelets rotate tokens in files long before they expire; clients are to read them again every minute.
_FILE_SECONDS = 60.0


class NoCredentials(Exception):
    """What should prove who we are cannot be had. The message is a sentence for the user."""


class Credentials(Protocol):
    """What goes into the header Authorization."""

    async def header(self) -> str | None:
        """Its value for a request that is sent now, or None to send no such header. Raises `NoCredentials`."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Always the same value, or none."""

    value: str | None = None

    async def header(self) -> str | None:
        """The value."""
        return self.value


@dataclass
class TokenFile:
    """A token in a file that someone else keeps fresh."""

    path: Path
    _value: str = ""
    _read_at: float = float("-inf")

    async def header(self) -> str | None:
        """The token as it was in the file within the last minute."""
        if time.monotonic() - self._read_at > _FILE_SECONDS:
            try:
                token = self.path.read_text().strip()
            except OSError as error:
                raise NoCredentials(f"The token in {self.path} cannot be read: {error.strerror}") from error
            if not token:
                raise NoCredentials(f"The token in {self.path} is empty")
            self._value, self._read_at = f"Bearer {token}", time.monotonic()
        return self._value


@dataclass
class ExecPlugin:
    """A program that prints an ExecCredential, as cloud providers ship them. `spec` is the kubeconfig's `exec`.

    Its standard error is the user's, who may have to log in.
    """

    spec: Mapping[str, Any]
    user: str
    folder: Path
    # The cluster's entry, for plugins that ask for it.
    cluster: Mapping[str, Any] = field(default_factory=dict)
    _status: Mapping[str, Any] = field(default_factory=dict)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def header(self) -> str | None:
        """The token, asked for anew when it is about to expire; None where the plugin gives a certificate instead."""
        token = (await self.status()).get("token")
        return f"Bearer {token}" if token else None

    async def status(self) -> Mapping[str, Any]:
        """What the plugin has said: `token`, or `clientCertificateData` and `clientKeyData`."""
        async with self._asking:  # Once, however many requests wait for it.
            if not self._status or _is_over(self._status.get("expirationTimestamp")):
                self._status = _status_of(await self._output(), self.spec["command"])
            return self._status

    async def _output(self) -> bytes:
        command = str(self.spec["command"])
        # A path is relative to the kubeconfig; a bare name is looked up on the PATH.
        program = str(self.folder / command) if "/" in command else command
        environment = {entry["name"]: str(entry["value"]) for entry in self.spec.get("env") or ()}
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *map(str, self.spec.get("args") or ()),
                env={**os.environ, **environment, "KUBERNETES_EXEC_INFO": self._info()},
                stdout=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            # Providers write several lines on how to install theirs.
            hint = " ".join(str(self.spec.get("installHint") or f"install {command}").split()).rstrip(".")
            found = "is not installed" if isinstance(error, FileNotFoundError) else f"cannot run: {error.strerror}"
            needed = f"The kubeconfig's user {self.user} needs the program {command}"
            raise NoCredentials(f"{needed}, which {found}: {hint}") from error
        output, _ = await process.communicate()
        if process.returncode:
            raise NoCredentials(
                f"The program {command}, which logs in the kubeconfig's user {self.user}, ended with exit code "
                f"{process.returncode}"
            )
        return output

    def _info(self) -> str:
        spec: dict[str, Any] = {"interactive": self.spec.get("interactiveMode") != "Never" and sys.stdin.isatty()}
        if self.spec.get("provideClusterInfo"):
            spec["cluster"] = {key: self.cluster[key] for key in _CLUSTER_INFO if key in self.cluster}
        return json.dumps({"apiVersion": self.spec.get("apiVersion"), "kind": "ExecCredential", "spec": spec})


_CLUSTER_INFO = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")


def _status_of(output: bytes, command: str) -> Mapping[str, Any]:
    try:
        status = json.loads(output)["status"]
        if status.get("token") or (status.get("clientCertificateData") and status.get("clientKeyData")):
            return dict(status)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoCredentials(f"The program {command} printed no ExecCredential") from error
    raise NoCredentials(f"The program {command} gave neither a token nor a certificate")


def _is_over(expiry: object) -> bool:
    if not expiry:
        return False
    ends = datetime.fromisoformat(str(expiry)).timestamp()
    return ends - time.time() < _BEFORE_EXPIRY_SECONDS
