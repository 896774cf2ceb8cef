"""`python -m trainingrun_trainer.fetch_code SOURCE SHA256 FOLDER`: unpack `spec.code` in a pod, before Ray starts.

Every pod does it for itself and checks the digest, so that all attempts and all pods of a run have the same code. What
it prints last is what the run's status shows. It loads neither Ray nor torch, since every pod waits for it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from trainingrun.archive import Unusable, unpack
from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import InvalidConfiguration

# More than any that can be unpacked.
_MOST_BYTES = 256 << 20
_CHUNK_BYTES = 1 << 20


def main(arguments: list[str]) -> int:
    """Do what the arguments say; returns an exit code of `Exit`."""
    parser = argparse.ArgumentParser(prog="python -m trainingrun_trainer.fetch_code")
    parser.add_argument("source", help="path or URI of the archive")
    parser.add_argument("sha256", help="digest that the archive must have")
    parser.add_argument("folder", type=Path, help="where its files go")
    given = parser.parse_args(arguments)
    try:
        files = fetch(given.source, given.sha256, given.folder)
    except Exception as error:  # whatever it is, the pod's status has to say it
        failure = failure_of(error)
        print(" ".join(failure.text.split()), file=sys.stderr)
        return int(failure.exit)
    print(f"{files} files of code, sha256 {given.sha256}")
    return int(Exit.COMPLETE)


def fetch(source: str, sha256: str, folder: Path) -> int:
    """Unpack the archive at `source`, a path or URI, into `folder`; returns the number of files.

    Raises InvalidConfiguration where it is missing, another one, or not one of code; an outage is its cause if one was.
    """
    field = f'spec.code: "{source}"'
    try:
        if "://" not in source:
            return unpack(Path(source), sha256, folder)
        with tempfile.TemporaryDirectory() as directory:
            return unpack(_downloaded(source, Path(directory) / "archive"), sha256, folder)
    except Unusable as error:
        raise InvalidConfiguration(f"{field}: {error}") from error
    except FileNotFoundError as error:
        raise InvalidConfiguration(f"{field}: there is nothing at this address; expected an archive of code") from error
    except InvalidConfiguration:
        raise
    except Exception as error:  # each client of a store has errors of its own
        raise InvalidConfiguration(f"{field} cannot be read: {str(error) or type(error).__name__}") from error


def _downloaded(uri: str, path: Path) -> Path:
    """The archive as a local file."""
    import fsspec

    size = 0
    with fsspec.open(uri, "rb") as stream, path.open("wb") as file:
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > _MOST_BYTES:
                raise Unusable(f"found an archive of more than {_MOST_BYTES:,} bytes, which is the limit")
            file.write(chunk)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
