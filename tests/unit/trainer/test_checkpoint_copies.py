"""The local copy of the checkpoint that a run goes on from is deleted, whatever ends the process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from checkpoint_samples import save
from saver_samples import FIRST, save_at

from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_book import Writer
from trainingrun_trainer.train.checkpointing import Saver


class TestCopies:
    def test_a_copy_is_deleted_with_the_next_checkpoint(self, saver: Callable[..., Saver], temporary: Path) -> None:
        save_at(saver(), 10)
        begun = saver(Writer(2, 1))
        restored = begun.restore()
        assert restored is not None
        assert [path.name for path in temporary.iterdir()] == [restored.directory.parent.name]
        save_at(begun, 20)
        assert list(temporary.iterdir()) == []

    def test_what_a_killed_process_has_left_is_cleared_by_the_next(
        self, saver: Callable[..., Saver], storage: RunStorage, temporary: Path
    ) -> None:
        save_at(saver(), 10)
        code = (
            "import os, sys, tempfile\n"
            "from trainingrun_trainer.storage import RunStorage\n"
            "from trainingrun_trainer.train.checkpoint_book import Writer\n"
            "from trainingrun_trainer.train.checkpointing import Saver\n"
            "from trainingrun_trainer.train.lockstep import Lockstep\n"
            "for name in sys.argv[2:]:\n"
            "    writer = Writer(2, 1)\n"
            "    saver = Saver(RunStorage(sys.argv[1], name), Lockstep(0, 1), writer, num_to_keep=1, recorded={},\n"
            "                  notify=print)\n"
            "    saver.restore()\n"
            "    tempfile.mkdtemp(prefix='of-others-')\n"
            "    globals()[name] = saver\n"
            "os.kill(os.getpid(), 9)\n"
        )
        other = RunStorage(storage.root, "other")
        save(other, FIRST)
        command = [sys.executable, "-c", code, storage.root, "digits", "other"]
        environment = {**os.environ, "TMPDIR": str(temporary)}
        assert subprocess.run(command, env=environment, check=False).returncode == -9
        left = {path.name for path in temporary.iterdir()}
        assert len(left) == 4
        begun = saver(Writer(3, 1))
        assert begun.restore() is not None
        now = {path.name for path in temporary.iterdir()}
        assert len(now) == 4 and len(left - now) == 1

    def test_a_process_that_ends_leaves_none(self, saver: Callable[..., Saver], temporary: Path) -> None:
        save_at(saver(), 10)
        begun = saver(Writer(2, 1))
        assert begun.restore() is not None
        del begun
        assert list(temporary.iterdir()) == []
