"""The run's folder in storage: its checkpoints, newest first, and the repair of what a crash left half-written.

Works on any file system of fsspec through Arrow, which is also what Ray Train writes with.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.fs

from trainingrun_trainer.failures.errors import InvalidConfiguration

# Ray Train's own list of the checkpoints that it keeps.
_SNAPSHOT = "checkpoint_manager_snapshot.json"
_CHECKPOINT = re.compile(r"^step-(\d{8,})-\w+$")
BEST = "best"
_PROBE = ".can-be-written"


@dataclass(frozen=True)
class RunStorage:
    """A run's folder. `root` is a local path or URI, `name` the folder below it."""

    root: str
    name: str

    @property
    def location(self) -> str:
        """The folder as a user writes it."""
        return f"{self.root.rstrip('/')}/{self.name}"

    @property
    def local_directory(self) -> Path | None:
        """The folder if it is on this machine."""
        if "://" in self.root and not self.root.startswith("file://"):
            return None
        return Path(self.root.removeprefix("file://")) / self.name

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """An Arrow file system and the path of `root` on it."""
        if "://" not in self.root or self.root.startswith("file://"):
            return pyarrow.fs.LocalFileSystem(), self.root.removeprefix("file://")
        try:
            filesystem, path = fsspec.core.url_to_fs(self.root)
        except (ValueError, ImportError) as error:  # no such protocol, or what speaks it is not installed
            raise InvalidConfiguration(f'spec.storage.uri: "{self.root}" cannot be used: {error}') from error
        filesystem.invalidate_cache()  # listings are kept by process, and other processes write here too
        return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem)), path

    def check(self) -> None:
        """Make sure that files can be written and deleted here. Raises InvalidConfiguration."""
        try:
            self.write_text(_PROBE, "")
            self.delete_file(_PROBE)
        except InvalidConfiguration:
            raise
        except Exception as error:  # each client of a store has errors of its own
            raise InvalidConfiguration(f'spec.storage: "{self.location}" cannot be written: {error}') from error

    def checkpoints(self) -> list[str]:
        """Names of the folder's checkpoints, most steps first, whole or torn."""
        matches = [(int(match.group(1)), name) for name in self._names() if (match := _CHECKPOINT.match(name))]
        return [name for _, name in sorted(matches, reverse=True)]

    def download(self, folder: str, destination: Path) -> None:
        """Copy the files of a folder of the run, such as a checkpoint, to a local directory."""
        filesystem, root = self.filesystem()
        destination.mkdir(parents=True, exist_ok=True)
        pyarrow.fs.copy_files(
            f"{root}/{self.name}/{folder}",
            str(destination),
            source_filesystem=filesystem,
            destination_filesystem=pyarrow.fs.LocalFileSystem(),
        )

    def upload(self, source: Path, name: str) -> None:
        """Copy a local directory to folder `name`, replacing what is there only once the copy is whole."""
        filesystem, root = self.filesystem()
        target = f"{root}/{self.name}/{name}"
        fresh = f"{target}.new"
        _delete(filesystem, fresh)
        filesystem.create_dir(fresh, recursive=True)
        pyarrow.fs.copy_files(
            str(source),
            fresh,
            source_filesystem=pyarrow.fs.LocalFileSystem(),
            destination_filesystem=filesystem,
        )
        _delete(filesystem, target)
        if self.local_directory is not None:
            filesystem.move(fresh, target)
            return
        # An object store has no folder to rename; the copies are made inside it.
        for info in filesystem.get_file_info(pyarrow.fs.FileSelector(fresh)):
            filesystem.copy_file(info.path, f"{target}/{info.base_name}")
        filesystem.delete_dir(fresh)

    def trained_epochs(self) -> int:
        """Epochs that the newest checkpoint with a readable manifest has trained; 0 where there is none."""
        filesystem, root = self.filesystem()
        for name in self.checkpoints():
            try:
                with filesystem.open_input_stream(f"{root}/{self.name}/{name}/manifest-0.json") as stream:
                    return int(json.loads(stream.read())["position"]["epoch"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return 0

    def write_text(self, name: str, text: str) -> None:
        """Write a small file of the folder."""
        filesystem, root = self.filesystem()
        path = f"{root}/{self.name}/{name}"
        filesystem.create_dir(path.rpartition("/")[0], recursive=True)
        with filesystem.open_output_stream(path) as stream:
            stream.write(text.encode())

    def read_text(self, name: str) -> str:
        """A small file of the folder; empty where there is none."""
        filesystem, root = self.filesystem()
        try:
            with filesystem.open_input_stream(f"{root}/{self.name}/{name}") as stream:
                return str(stream.read().decode(errors="replace"))
        except FileNotFoundError:
            return ""

    def list_files(self, folder: str) -> list[str]:
        """Names of the files in a folder of the run, sorted."""
        filesystem, root = self.filesystem()
        selector = pyarrow.fs.FileSelector(f"{root}/{self.name}/{folder}", allow_not_found=True)
        return sorted(info.base_name for info in filesystem.get_file_info(selector))

    def sizes(self, folder: str) -> dict[str, int]:
        """The files in a folder of the run with their bytes."""
        filesystem, root = self.filesystem()
        selector = pyarrow.fs.FileSelector(f"{root}/{self.name}/{folder}", allow_not_found=True)
        return {info.base_name: info.size for info in filesystem.get_file_info(selector) if info.is_file}

    def delete(self, folder: str) -> None:
        """Delete a folder of the run with everything in it."""
        filesystem, root = self.filesystem()
        _delete(filesystem, f"{root}/{self.name}/{folder}")

    def delete_file(self, name: str) -> None:
        """Delete a file of the folder."""
        filesystem, root = self.filesystem()
        filesystem.delete_file(f"{root}/{self.name}/{name}")

    def listed_checkpoints(self) -> set[str]:
        """Names in Ray Train's own list, which it prunes itself. Raises ValueError while it is half-written."""
        text = self.read_text(_SNAPSHOT)
        try:
            results = json.loads(text)["checkpoint_results"] if text else []
            return {result["checkpoint_dir_name"] for result in results}
        except (KeyError, TypeError) as error:
            raise ValueError(f"{_SNAPSHOT} is damaged") from error

    def repair(self) -> list[str]:
        """Bring Ray Train's list in line with what is really there; returns what was found wrong, in sentences.

        Ray refuses to start when a checkpoint of its list is gone, and so does a list that is itself damaged.
        """
        filesystem, root = self.filesystem()
        path = f"{root}/{self.name}/{_SNAPSHOT}"
        if filesystem.get_file_info(path).type == pyarrow.fs.FileType.NotFound:
            return []
        with filesystem.open_input_stream(path) as stream:
            text = stream.read().decode(errors="replace")
        try:
            snapshot, missing = _without_missing(json.loads(text), set(self._names()))
        except (ValueError, KeyError, TypeError):
            filesystem.move(path, f"{path}.damaged")
            return [f"{_SNAPSHOT} was damaged and was moved aside"]
        if missing:
            with filesystem.open_output_stream(path) as stream:
                stream.write(json.dumps(snapshot).encode())
        return [f"checkpoint {name} is missing" for name in missing]

    def _names(self) -> list[str]:
        filesystem, root = self.filesystem()
        selector = pyarrow.fs.FileSelector(f"{root}/{self.name}", allow_not_found=True)
        return [info.base_name for info in filesystem.get_file_info(selector)]


def _delete(filesystem: pyarrow.fs.FileSystem, folder: str) -> None:
    if filesystem.get_file_info(folder).type != pyarrow.fs.FileType.NotFound:
        filesystem.delete_dir(folder)


def _without_missing(snapshot: dict[str, Any], present: set[str]) -> tuple[dict[str, Any], list[str]]:
    """Ray's list, which is JSON inside a JSON object's fields, without checkpoints that are not `present`."""
    results = snapshot["checkpoint_results"]
    indices = snapshot["checkpoint_report_indices"]
    kept = [
        (result, index)
        for result, index in zip(results, indices, strict=True)
        if result["checkpoint_dir_name"] in present
    ]
    missing = [r["checkpoint_dir_name"] for r in results if r["checkpoint_dir_name"] not in present]
    latest = snapshot.get("latest_checkpoint_result")
    if latest and latest["checkpoint_dir_name"] not in present:
        latest = kept[-1][0] if kept else None
    pending = [
        (result, validation)
        for result, validation in zip(
            snapshot["pending_training_results"], snapshot["pending_validation_specs"], strict=True
        )
        if result["checkpoint_dir_name"] in present
    ]
    return {
        **snapshot,
        "checkpoint_results": [result for result, _ in kept],
        "checkpoint_report_indices": [index for _, index in kept],
        "latest_checkpoint_result": latest,
        "pending_training_results": [result for result, _ in pending],
        "pending_validation_specs": [validation for _, validation in pending],
    }, missing
