"""What a run's status may say, held against what has really happened: at each of its changes, and at rest.

It knows of no scenario: whatever went wrong on the way, none of this may break.
"""

from __future__ import annotations

from typing import Any

from oracle import check_safety
from scenarios import NAME
from world import World

Body = dict[str, Any]
_ENDED = ("Complete", "Failed", "Suspended")


class Truth:
    """Listens to everything that changes from now on. `lies` are what a status said that was not so."""

    def __init__(self, world: World):
        self.lies: list[str] = []
        self._world = world
        self._succeeded: set[int] = set()
        self._verdicts: dict[str, str] = {}
        self._attempts: dict[tuple[str, int], Body] = {}
        world.server.listeners.append(self._hear)

    def check_at_rest(self) -> None:
        """Nothing was untrue on the way, and what is said now is what there is."""
        check_safety(self._world)
        assert self.lies == []
        run = self._world.server.find("trainingruns", "team", NAME)
        if run is None:
            assert [self._world.names(kind) for kind in ("rayjobs", "rayclusters", "pods")] == [[], [], []]
        else:
            self._check_run(run)

    def _hear(self, change: str, plural: str, body: Body) -> None:
        if plural == "rayjobs" and body["status"].get("jobStatus") == "SUCCEEDED":
            self._succeeded.add(int(body["metadata"]["labels"]["trainingrun.dev/attempt"]))
        if plural != "trainingruns" or change == "DELETED":
            return
        uid, status = body["metadata"]["uid"], body["status"]
        for entry in status.get("attempts", ()):
            self._hear_attempt(uid, entry)
        final = [kind for kind in ("Complete", "Failed") if _holds(status, kind)]
        before = self._verdicts.setdefault(uid, final[0]) if final else self._verdicts.get(uid)
        if before is not None and final != [before]:
            self.lies.append(f"the verdict was {before}, and is {final}")

    def _hear_attempt(self, uid: str, entry: Body) -> None:
        before = self._attempts.get((uid, entry["index"]))
        if before is not None and before["outcome"] in _ENDED and before != entry:
            self.lies.append(f"attempt {entry['index']} had ended as {before}, and is {entry}")
        if entry["outcome"] == "Complete" and entry["index"] not in self._succeeded:
            self.lies.append(f"attempt {entry['index']} has not succeeded")
        self._attempts[uid, entry["index"]] = entry

    def _check_run(self, run: Body) -> None:
        status, spec, world = run["status"], run["spec"], self._world
        assert status["observedGeneration"] == run["metadata"]["generation"]
        jobs = list(world.server.of("rayjobs"))
        live = [job for job in jobs if job["status"].get("jobStatus") not in ("SUCCEEDED", "FAILED")]
        verdict = self._verdicts.get(run["metadata"]["uid"])
        if verdict is not None:
            assert live == [] == world.names("pods"), f"{verdict}, and something is left"
            return
        assert _holds(status, "Suspended") == bool(spec.get("suspend"))
        last = status["attempts"][-1]
        if spec.get("suspend"):
            assert jobs == [] == world.names("pods")
            return
        assert last["outcome"] == "Running", f"nothing is over, and the last attempt is {last}"
        assert [job["metadata"]["uid"] for job in live] == [last["rayJobUID"]]


def _holds(status: Body, kind: str) -> bool:
    return any(entry["type"] == kind and entry["status"] == "True" for entry in status.get("conditions", ()))
