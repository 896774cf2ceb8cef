"""Where a run's code is on this machine: in the folder that a user names, in an archive, or next to the run's file.

One folder in any case, which comes before all others. It must not look into the code.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from trainingrun.archive import Refused, code_field, packed
from trainingrun.spec import Run, parse
from trainingrun.spec.documents import LoadedRun
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.fetch_code import fetch


def with_code(loaded: LoadedRun, folder: Path | None) -> Run:
    """The run with `folder` as its code, as `trainingrun submit --code` makes it; as it is if there is no folder.

    It wins over the code of a runtime. Packs it only to know its digest, and to refuse here what would be refused
    there. Raises InvalidConfiguration.
    """
    run = loaded.run
    if folder is None:
        return run
    if loaded.document["spec"].get("code") is not None:
        raise InvalidConfiguration("spec.code: found in the file, and --code too; allowed: one of the two")
    try:
        archive = packed(folder)
    except Refused as error:
        raise InvalidConfiguration(f"--code {error}") from error
    for sentence in archive.sentences():
        print(sentence, file=sys.stderr)
    document = run.to_document()
    document["spec"]["code"] = code_field(archive, run.metadata.name)
    return parse(document)


def code_folder(run: Run, file: Path, given: Path | None, work_directory: Path) -> Path:
    """The folder that the modules of `run`, which is that of `file`, come from: `given`, if it is.

    That itself is used, so that a debugger finds its lines there. An archive is unpacked in `work_directory`. Raises
    InvalidConfiguration.
    """
    code = run.spec.code
    if given is not None or code is None:
        return given.resolve() if given is not None else file.resolve().parent
    if code.uri is None:
        raise InvalidConfiguration(
            "spec.code.configMapKeyRef: found a ConfigMap, which only a cluster has, allowed here: spec.code.uri, or "
            "--code DIR without spec.code"
        )
    folder = (work_directory / "code").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    fetch(code.uri, code.sha256, folder)
    return folder


def python_path(folder: Path) -> str:
    """A PYTHONPATH that finds modules in `folder` first."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
