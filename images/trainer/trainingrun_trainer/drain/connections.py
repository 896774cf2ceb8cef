"""Finds whom this pod is connected to, from /proc alone: without a name server, which forgets a pod that goes."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
_WORD = 8  # hexadecimal digits of 32 bits, which the kernel prints as one number


def as_connected(address: str) -> str:
    """`address`, host:port, by the number of the host to whose port this pod is connected; unchanged where to none."""
    port = address.rpartition(":")[2]
    if not port.isdigit():
        return address
    return next((f"{_written(host)}:{port}" for host in _peers(int(port))), address)


def _peers(port: int) -> Iterator[str]:
    for table in _TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            remote, state = line.split()[2:4]
            host, _, theirs = remote.partition(":")
            if state == _ESTABLISHED and int(theirs, 16) == port:
                yield host


def _written(host: str) -> str:
    words = (host[start : start + _WORD] for start in range(0, len(host), _WORD))
    found = ipaddress.ip_address(b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words))
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return f"[{found}]" if found.version == 6 else str(found)
