"""The metrics of a progress report: their names, how a record of progress becomes them, and how they are read again.

A report carries each metric as a name and a text, the training program's own (`loss`) beside ours. The names are also
part of the API: they stand in `status.trainerStatus.metrics` and in the columns of `kubectl get`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trainingrun.contract.records import DataGroup, KeptCheckpoint, Progress, Stall

# Words: which attempt reports, its newest whole checkpoint, the run's best one, and the one that it began with.
ATTEMPT = "attempt"
CHECKPOINT = "checkpoint"
BEST_CHECKPOINT = "bestCheckpoint"
RESUMED_FROM = "resumedFrom"
# Of the metrics that a checkpoint was saved with, so many are reported, as `checkpoint.loss` and `bestCheckpoint.loss`.
MOST_OF_CHECKPOINT = 32
# Numbers. The current epoch counts from 1, for people; it is beyond the total when all are done.
CURRENT_EPOCH = "currentEpoch"
TOTAL_EPOCHS = "totalEpochs"
STEP = "step"
ROWS_PER_SECOND = "rowsPerSecond"
GOODPUT = "goodputPercentage"
# What training uses, and what its pods hold of it.
GPUS_USED = "gpusUsed"
GPUS_HELD = "gpusHeld"
CPUS_USED = "cpusUsed"
CPUS_HELD = "cpusHeld"
# How many data nodes the run wants, why, and what the last growth brings in rows per second.
DATA_NODES_WANTED = "dataNodesWanted"
DATA_NODES_REASON = "dataNodesReason"
DATA_NODES_GAIN = "dataNodesGainPercentage"
_MOST_TEXT = 256
_LONGEST_NAME = 128
# What of the newest pass through the training data was in the cache, and how many rows of it were left out so far.
CACHE = "dataCache"
BAD_ROWS = "badRows"
# The share of the trainers' time that they waited for data, also without the first batch of each epoch, and by cause.
STALL = "dataStallPercentage"
STEADY_STALL = "dataStallSteadyPercentage"

_STALL_BY_CAUSE = re.compile(r"dataStall([A-Z][A-Za-z]{0,63})Percentage")


def metrics_of(progress: Progress) -> dict[str, str]:
    """The metrics, as text; what is not known is left out."""
    numbers: dict[str, float | None] = {
        **progress.metrics,
        CURRENT_EPOCH: progress.epoch + 1,
        TOTAL_EPOCHS: progress.epochs,
        STEP: progress.step,
        ROWS_PER_SECOND: progress.rows_per_second,
        GOODPUT: progress.goodput_percent,
        **(_stall_metrics(progress.stall) if progress.stall is not None else {}),
    }
    texts = {name: f"{number:.6g}" for name, number in numbers.items() if number is not None}
    # A count, to the last row.
    bad_rows = {BAD_ROWS: str(progress.bad_rows)} if progress.bad_rows is not None else {}
    return {**texts, **bad_rows, **(_data_metrics(progress.data) if progress.data is not None else {})}


def checkpoint_metrics(word: str, kept: KeptCheckpoint | None) -> dict[str, str]:
    """A checkpoint's name under `word`, with its first metrics; nothing where there is none."""
    if kept is None:
        return {}
    texts = {f"{word}.{name}": f"{number:.6g}" for name, number in kept.metrics.items()}
    short = [name for name in texts if len(name) <= _LONGEST_NAME][:MOST_OF_CHECKPOINT]
    return {**{name: texts[name] for name in short}, word: kept.name}


def metrics_of_checkpoint(word: str, metrics: Mapping[str, str]) -> dict[str, str]:
    """What was reported of the checkpoint under `word` by the names that its metrics have in training."""
    found = {name.removeprefix(f"{word}."): text for name, text in metrics.items() if name.startswith(f"{word}.")}
    return {name: found[name] for name in sorted(found)[:MOST_OF_CHECKPOINT] if name}


def _data_metrics(data: DataGroup) -> dict[str, str]:
    gain = data.gain_percentage
    return {
        DATA_NODES_WANTED: str(data.wanted_nodes),
        DATA_NODES_REASON: data.reason[:_MOST_TEXT],
        **({DATA_NODES_GAIN: str(gain)} if gain is not None else {}),
        **({CACHE: data.cache} if data.cache is not None else {}),
    }


def _stall_metrics(stall: Stall) -> dict[str, float]:
    by_cause = {f"dataStall{cause}Percentage": share for cause, share in stall.causes.items()}
    return {STALL: stall.total_percent, STEADY_STALL: stall.steady_percent, **by_cause}


def numbers_in(metrics: Mapping[str, str]) -> dict[str, float]:
    """The metrics that are numbers, also NaN and infinities; the others are words, such as a checkpoint's name."""
    numbers = {}
    for name, text in metrics.items():
        try:
            numbers[name] = float(text)
        except ValueError:
            continue
    return numbers


def stall_causes(numbers: Mapping[str, float]) -> dict[str, float]:
    """The shares of the stall by cause."""
    matches = ((_STALL_BY_CAUSE.fullmatch(name), share) for name, share in numbers.items() if name != STEADY_STALL)
    return {match[1]: share for match, share in matches if match}


def stall_of(numbers: Mapping[str, float]) -> Stall | None:
    """The stall that was reported, None where none was."""
    total = numbers.get(STALL)
    if total is None:
        return None
    return Stall(total_percent=total, steady_percent=numbers.get(STEADY_STALL, total), causes=stall_causes(numbers))
