"""The program that serves a volume's files in a pod: requests on its input, answers on its output.

It is sent as source text and run by any Python of any image, so it must import nothing but the standard library, and
be one file. With `wait` it is the pod's own process, which ends once nobody has been served for a while: a command
that was killed must not hold the volume. Each message is a line of JSON, followed by as many bytes as it names.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

IDLE_SECONDS = 120
TELL_SECONDS = 5
CHUNK = 256 << 10
PART = ".trainingrun-part"


class Server:
    """Answers requests about the files below `root`. Names in requests are relative to a folder of it.

    The file `served` is touched as long as there are any.
    """

    def __init__(self, root: str, served: str, requests: BinaryIO, answers: BinaryIO):
        self.root = root
        self.served = served
        self.requests = requests
        self.answers = answers
        self.told = 0.0

    def serve(self) -> None:
        """Answer until there are no more requests."""
        while True:
            line = self.requests.readline()
            if not line:
                return
            request = json.loads(line)
            self.touch()
            try:
                getattr(self, "do_" + request.pop("do"))(**request)
            except OSError as error:
                self.tell(error=error.strerror or str(error), file=str(error.filename or ""))

    def do_list(self, folder: str) -> None:
        """The files below a folder with their sizes, without those that are not whole yet."""
        top = self.path(folder)
        if not os.path.isdir(top):
            self.tell(missing=True)
            return
        for name in files_below(top):
            self.tell(file=name, size=os.stat(os.path.join(top, name)).st_size)
        self.tell(done=True)

    def do_read(self, folder: str, files: list[tuple[str, int]]) -> None:
        """The bytes of each (name, offset), then the digest of the whole file."""
        for name, offset in files:
            digest, at = hashlib.sha256(), 0
            with open(self.path(folder, name), "rb") as file:
                while True:
                    chunk = file.read(CHUNK)
                    if not chunk:
                        break
                    digest.update(chunk)
                    wanted = chunk[max(0, offset - at) :]
                    at += len(chunk)
                    if wanted:
                        self.data(wanted)
                    else:
                        self.alive()
            self.tell(file=name, sha256=digest.hexdigest())
        self.tell(done=True)

    def do_digest(self, folder: str, files: list[str]) -> None:
        """The digest of each file."""
        for name in files:
            self.tell(file=name, sha256=self.digest(self.path(folder, name)))
        self.tell(done=True)

    def do_offer(self, folder: str, files: list[tuple[str, int]]) -> None:
        """Of each (name, size): the size of what is there under that name, or how much of it has come so far."""
        for name, size in files:
            path = self.path(folder, name)
            if os.path.lexists(path):
                self.tell(file=name, there=os.stat(path).st_size)
            else:
                part = path + PART
                come = os.stat(part).st_size if os.path.exists(part) else 0
                self.tell(file=name, offset=come if come <= size else 0)
        self.tell(done=True)

    def do_write(self, folder: str, file: str, offset: int, bytes: int) -> None:
        """Write what follows at an offset of a file that is not whole yet."""
        data = self.requests.read(bytes)
        if len(data) != bytes:
            return  # The other end is gone.
        part = self.path(folder, file) + PART
        os.makedirs(os.path.dirname(part), exist_ok=True)
        with open(part, "r+b" if os.path.exists(part) else "wb") as stream:
            stream.seek(offset)
            stream.write(data)
            stream.truncate()
        self.tell(file=file, written=offset + bytes)

    def do_place(self, folder: str, file: str, sha256: str) -> None:
        """Give a file its name, if it has this digest; else what has come of it is deleted."""
        path = self.path(folder, file)
        part = path + PART
        if not os.path.exists(part):  # an empty file
            os.makedirs(os.path.dirname(part), exist_ok=True)
            open(part, "wb").close()
        if self.digest(part) != sha256:
            os.unlink(part)
            self.tell(file=file, placed=False)
            return
        with open(part, "rb") as stream:
            os.fsync(stream.fileno())
        if os.path.lexists(path):
            raise FileExistsError(17, os.strerror(17), path)
        os.rename(part, path)
        self.tell(file=file, placed=True)

    def digest(self, path: str) -> str:
        """The SHA-256 digest of a file."""
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while True:
                chunk = file.read(CHUNK)
                if not chunk:
                    return digest.hexdigest()
                digest.update(chunk)
                self.alive()

    def path(self, folder: str, name: str = "") -> str:
        """The path of a file. A name that leads out of the volume is refused."""
        path = os.path.normpath(os.path.join(self.root, folder, name))
        if path != self.root and not path.startswith(self.root.rstrip("/") + "/"):
            raise PermissionError(1, "it is not on the volume", path)
        return path

    def data(self, data: bytes) -> None:
        """Send bytes of a file."""
        self.tell(bytes=len(data))
        self.answers.write(data)
        self.answers.flush()

    def alive(self) -> None:
        """Say now and then that work goes on, also to what stands between here and the other end."""
        if time.monotonic() - self.told > TELL_SECONDS:
            self.tell()

    def tell(self, **values: Any) -> None:
        """Send a message."""
        self.answers.write(json.dumps(values).encode() + b"\n")
        self.answers.flush()
        if time.monotonic() - self.told > TELL_SECONDS:
            self.touch()
        self.told = time.monotonic()

    def touch(self) -> None:
        """Have the pod stay."""
        with open(self.served, "w"):
            os.utime(self.served)


def files_below(top: str) -> Iterator[str]:
    """Names of all files below a folder, also behind links, in order; each folder once."""
    seen: set[str] = set()

    def refused(error: OSError) -> None:
        raise error

    for here, folders, files in os.walk(top, onerror=refused, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders[:] = []
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(files):
            if not name.endswith(PART):
                yield os.path.relpath(os.path.join(here, name), top)


def wait(served: str) -> None:
    """Stay as long as somebody is served."""
    with open(served, "w"):
        pass
    while time.time() - os.stat(served).st_mtime < IDLE_SECONDS:
        time.sleep(1)


if __name__ == "__main__":
    if sys.argv[1] == "wait":
        wait(sys.argv[2])
    else:
        Server(sys.argv[1], sys.argv[2], sys.stdin.buffer, sys.stdout.buffer).serve()
