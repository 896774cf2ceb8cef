"""How much has to be written for a training run on data nodes and a GPU: our smallest sample, and a RayJob by hand.

Lines of YAML, without comments and lines that separate. Both files ask for the same machines, which is checked; what
is trained is in ours, and beside the RayJob.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from bench.cluster.by_hand import machines, rendered, written_text
from bench.result import Measure, Result
from bench.workspace import Workspace

_SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "minimal.yaml"


def measure(rounds: int, workspace: Workspace) -> Result:
    """Counted, not measured: once is enough."""
    ours, by_hand = _SAMPLE.read_text(), written_text()
    wanted, written = machines(rendered(yaml.safe_load(ours))), machines(yaml.safe_load(by_hand))
    assert written == wanted, f"the two files are not about the same machines: {written}, {wanted}"
    measures = [
        Measure("yaml_lines", "lines of the smallest TrainingRun", "lines", [_lines(ours)]),
        Measure("yaml_lines_by_hand", "lines of a RayJob for the same machines", "lines", [_lines(by_hand)]),
    ]
    return Result("yaml_lines", measures)


def _lines(text: str) -> int:
    lines = (line.strip() for line in text.splitlines())
    return sum(1 for line in lines if line and not line.startswith(("#", "---")))
