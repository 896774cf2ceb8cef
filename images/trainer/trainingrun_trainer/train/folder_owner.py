"""Who may write to a run's folder: one training program at a time, whichever clusters they run in.

The owner says so in a file of the folder, and again and again that it still lives. Nothing here compares the clocks of
two machines, and nothing waits.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from trainingrun_trainer.failures.errors import FolderTaken
from trainingrun_trainer.storage import RunStorage

OWNER_FILE = "owner.json"


@dataclass(frozen=True)
class Owner:
    """What the file says. `fence` is of one process, `number` that of its attempt in the folder.

    `uid`, `namespace`, `name` and `attempt` are the run's own, `renewed` is a time in ISO 8601 for people, and
    `grace_seconds` how long it may take to end. Once it `is_gone`, anybody may follow.
    """

    fence: str
    number: int
    uid: str
    namespace: str
    name: str
    attempt: int
    grace_seconds: int
    renewed: str = ""
    is_gone: bool = False

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"run {where} ({self.uid}), attempt {self.attempt}"


def read(storage: RunStorage) -> tuple[Owner | None, str]:
    """The owner and the file's text: empty if there is none, and without an owner if it is damaged."""
    text = storage.read_text(OWNER_FILE)
    try:
        owner = Owner(**json.loads(text))
        numbers = {name: int(getattr(owner, name)) for name in ("number", "attempt", "grace_seconds")}
        return dataclasses.replace(owner, **numbers), text  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None, text


def write(storage: RunStorage, owner: Owner) -> None:
    """Have the file say so."""
    storage.write_text(OWNER_FILE, json.dumps(dataclasses.asdict(owner), indent=1))


def refuse_others(storage: RunStorage, fence: str | None) -> None:
    """Raise FolderTaken if the folder is somebody else's. `fence` is None for one that nobody owned at the start."""
    owner, _ = read(storage)
    if owner is not None and owner.fence != fence:
        raise taken_by(storage, owner)


def taken_by(storage: RunStorage, owner: Owner | None) -> FolderTaken:
    """The error of a program that another one excludes."""
    return FolderTaken(
        f"spec.storage: found {storage.location} in use by {owner or 'an unknown run'}, whose program is alive "
        f"({OWNER_FILE}); allowed: one run at a time, or another spec.storage.runName"
    )
