"""Installs torch without NVIDIA's libraries, which are more than half of what it brings, for machines without a GPU.

    python without_cuda.py requirements FILE    # the lock file FILE without what only a GPU needs
    python without_cuda.py link                 # then, with the Python that it was installed for

The torch of Python's package index is linked against 3 GB of libraries that nothing calls on a machine without a GPU;
but without them the dynamic linker refuses to load torch. `link` writes one library of some 40 kB beside torch's own
and gives it each missing name. It has every function that torch asks of them, and each returns an error: on a machine
that does have a GPU torch then fails at its first use, and never computes anything wrong.

It must not touch a library that is installed. One that is installed later takes precedence.
"""

from __future__ import annotations

import mmap
import platform
import re
import struct
import sys
import sysconfig
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

# The two that stay are small, and torch does call them: it asks the one whether there is a GPU, and profiles with both.
_PACKAGES = re.compile(r"nvidia-(?!cuda-runtime\b|cuda-cupti\b)|triton\b|cuda-(bindings|pathfinder)\b")
_NAME = "libtrainingrun_without_cuda.so"
# The driver's own library, libcuda.so.1, is none of these: torch asks whether it is there.
_LIBRARIES = re.compile(r"lib(cu|nv|nccl)(?!da\.)\w*\.so")
_FUNCTIONS = re.compile(r"(cu|nv|nccl)[A-Za-z]\w*")
_TEXTS = re.compile(r"Get(\w*String|LastError|ErrorName)$")
_TEXT = b"NVIDIA's libraries are not installed here: use an image with CUDA\0"
# Two functions: the first returns 1, which each of the libraries calls an error, the second the text behind them.
_CODE = {
    "x86_64": (62, bytes.fromhex("b801000000c39090488d0509000000c39090909090909090")),
    "aarch64": (183, bytes.fromhex("20008052c0035fd680000010c0035fd61f2003d51f2003d5")),
}
_LINKING, _SYMBOLS, _VERSIONS_ASKED, _VERSION_OF_EACH = 6, 11, 0x6FFFFFFE, 0x6FFFFFFF
_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _SONAME = 1, 4, 5, 6, 10, 11, 14
_VERSYM, _VERDEF, _VERDEFNUM = 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD
_PAGE = 1 << 16
# The file's header and those of its four parts.
_HEADERS = 64 + 4 * 56


def requirements(lock: str) -> str:
    """The entries of a lock file that a machine without a GPU needs: each begins where a line begins."""
    entries = re.split(r"^(?=[^\s#])", lock, flags=re.MULTILINE)
    return "".join(entry for entry in entries if not _PACKAGES.match(entry))


def link(packages: Path) -> str:
    """Give torch the library in place of all that are missing. `packages` is the folder that torch is in."""
    folder = packages / "torch" / "lib"
    for path in (*folder.iterdir(), folder / _NAME):
        if path.name == _NAME or (path.is_symlink() and path.readlink() == Path(_NAME)):
            path.unlink(missing_ok=True)
    linked = [_Elf(path) for path in sorted((*folder.glob("lib*.so*"), *packages.glob("torchvision/*.so")))]
    installed = [*linked, *(_Elf(path) for path in sorted(packages.glob("nvidia/*/lib/lib*.so*")))]
    missing = {name for library in linked for name in library.needed() if _LIBRARIES.match(name)}
    missing -= {library.name for library in installed}
    if missing:
        offered = {name for library in installed for name in library.offered()}
        asked = {name: version for library in linked for name, version in library.asked(missing)}
        lacking = {name: asked[name] for name in sorted(asked.keys() - offered) if _FUNCTIONS.fullmatch(name)}
        (folder / _NAME).write_bytes(library_of(lacking))
    for name in missing:
        (folder / name).symlink_to(_NAME)
    return f"torch does without {', '.join(sorted(missing)) or 'nothing'}"


class _Elf:
    """What a shared library of 64 bits says of itself in its sections."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        (start,) = struct.unpack_from("<Q", self._data, 0x28)
        size, count = struct.unpack_from("<HH", self._data, 0x3A)
        # Each: its kind, where it begins, how long it is, and which section has its strings.
        self._sections = [struct.unpack_from("<4xI16xQQI", self._data, start + size * index) for index in range(count)]

    def needed(self) -> Iterator[str]:
        """The names of the libraries that it is linked against."""
        content, strings = self._section(_LINKING)
        for tag, value in struct.iter_unpack("<QQ", content):
            if tag == _NEEDED:
                yield self._string(strings + value)

    def offered(self) -> Iterator[str]:
        """The names that it has for other libraries."""
        content, strings = self._section(_SYMBOLS)
        for name, section in struct.iter_unpack("<I2xH16x", content):
            if section:
                yield self._string(strings + name)

    def asked(self, libraries: Collection[str]) -> Iterator[tuple[str, str]]:
        """The names that others must have for it, each with its version if one of `libraries` is to have it."""
        versions = self._versions(libraries)
        content, strings = self._section(_SYMBOLS)
        numbers = struct.iter_unpack("<H", self._section(_VERSION_OF_EACH)[0])
        for (name, section), (number,) in zip(struct.iter_unpack("<I2xH16x", content), numbers, strict=True):
            if name and not section:
                yield self._string(strings + name), versions.get(number, "")

    def _versions(self, libraries: Collection[str]) -> dict[int, str]:
        content, strings = self._section(_VERSIONS_ASKED)
        versions = {}
        at, step = 0, len(content)
        while step:
            count, file, first, step = struct.unpack_from("<2xHIII", content, at)
            inner = at + first
            for _ in range(count):
                number, name, following = struct.unpack_from("<6xHII", content, inner)
                if self._string(strings + file) in libraries:
                    versions[number] = self._string(strings + name)
                inner += following
            at += step
        return versions

    def _section(self, kind: int) -> tuple[bytes, int]:
        """What is in it, and where its strings begin."""
        for found, start, size, link in self._sections:
            if found == kind:
                return self._data[start : start + size], self._sections[link][1]
        return b"", 0

    def _string(self, start: int) -> str:
        return self._data[start : self._data.find(b"\0", start)].decode()


def library_of(functions: Mapping[str, str]) -> bytes:
    """A shared library with these functions; the values are the versions of theirs that are asked for, "" for any."""
    machine, code = _CODE[platform.machine()]
    versions = [_NAME, *sorted({*functions.values()} - {""})]
    strings, tables = _Strings(), _Tables()
    code_at = tables.add(code + _TEXT)
    # Each is a function that others see, in some section: the linker asks no more of it.
    symbols = [
        struct.pack("<IBBHQQ", strings.add(name), 0x12, 0, 1, code_at + (8 if _TEXTS.search(name) else 0), 8)
        for name in functions
    ]
    numbers = [1, *(versions.index(version or _NAME) + 1 for version in functions.values())]
    entries = [
        (_SONAME, strings.add(_NAME)),
        (_SYMTAB, tables.add(bytes(24) + b"".join(symbols))),
        (_SYMENT, 24),
        (_HASH, tables.add(_hash_table(list(functions)))),
        (_VERSYM, tables.add(struct.pack(f"<{len(numbers)}H", *numbers))),
        (_VERDEF, tables.add(_version_table(versions, strings))),
        (_VERDEFNUM, len(versions)),
        (_STRTAB, tables.add(bytes(strings.content))),
        (_STRSZ, len(strings.content)),
        (0, 0),
    ]
    return _file(machine, tables, b"".join(struct.pack("<QQ", *entry) for entry in entries))


def _version_table(versions: Sequence[str], strings: _Strings) -> bytes:
    """The versions by their numbers, from 1: each has its hash, its name and the way to the next."""
    table = b""
    for number, name in enumerate(versions, start=1):
        following = 28 if number < len(versions) else 0
        table += struct.pack("<HHHHIII", 1, int(number == 1), number, 1, _hash(name), 20, following)
        table += struct.pack("<II", strings.add(name), 0)
    return table


def _file(machine: int, tables: _Tables, dynamic: bytes) -> bytes:
    """The tables, which are only read, and on a page of its own what the linker writes to."""
    end = _HEADERS + len(tables.content)
    written_at = end + _PAGE
    programs = [
        (1, 5, 0, 0, end, _PAGE),
        (1, 6, end, written_at, len(dynamic), _PAGE),
        (2, 6, end, written_at, len(dynamic), 8),
        # No stack that can be executed.
        (0x6474E551, 6, 0, 0, 0, 16),
    ]
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, len(programs), 64, 0, 0)
    for kind, flags, offset, address, length, align in programs:
        head += struct.pack("<IIQQQQQQ", kind, flags, offset, address, address, length, length, align)
    return head + bytes(tables.content) + dynamic


class _Strings:
    """Names, one after the other; the first is empty."""

    def __init__(self) -> None:
        self.content = bytearray(1)

    def add(self, name: str) -> int:
        """Where it begins."""
        start = len(self.content)
        self.content += name.encode() + b"\0"
        return start


class _Tables:
    """What is loaded and not written to; each part begins at a multiple of 8 bytes."""

    def __init__(self) -> None:
        self.content = bytearray()

    def add(self, table: bytes) -> int:
        """Its address."""
        address = _HEADERS + len(self.content)
        self.content += table.ljust(-(-len(table) // 8) * 8, b"\0")
        return address


def _hash_table(functions: Sequence[str]) -> bytes:
    """Where the linker finds a symbol by its name: the first one in each bucket, then the next one after each."""
    first = [0] * max(1, len(functions))
    after = [0] * (len(functions) + 1)
    for index, name in enumerate(functions, start=1):
        bucket = _hash(name) % len(first)
        first[bucket], after[index] = index, first[bucket]
    return struct.pack(f"<{2 + len(first) + len(after)}I", len(first), len(after), *first, *after)


def _hash(name: str) -> int:
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high
    return value


def main(arguments: list[str]) -> int:
    """Do what is asked. Exit status 2 for wrong arguments."""
    match arguments:
        case ["requirements", file]:
            print(requirements(Path(file).read_text()), end="")
        case ["link"]:
            # Only Linux' torch has CUDA.
            if sys.platform == "linux":
                print(link(Path(sysconfig.get_path("platlib"))))
        case _:
            print("usage: without_cuda.py requirements FILE | link", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
