"""The instances of the classes among a run's transforms: each is built once in a process and kept.

A tokenizer, a model or a client may take a minute to build and a gigabyte to hold, so that neither every block of rows
nor training and validation may build their own.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration, UserCodeError
from trainingrun_trainer.failures.outages import outage_of
from trainingrun_trainer.failures.tracebacks import user_traceback
from trainingrun_trainer.hooks import Hook

_lock = threading.Lock()
_built: dict[tuple[str, str, str], Any] = {}
_failed: dict[tuple[str, str, str], InvalidConfiguration | UserCodeError] = {}


def instance_of(hook: Hook) -> Any:
    """What the class (or function) of `hook` makes of its parameters, which is called with batches; always the same.

    Raises InvalidConfiguration or UserCodeError, both of which name the field, and from then on always that one;
    DataError where an outage is in the way, which may be over next time.
    """
    key = (hook.path, hook.reference, json.dumps(hook.parameters, sort_keys=True))
    with _lock:
        if key in _failed:
            raise _failed[key]
        if key not in _built:
            try:
                _built[key] = _made(hook)
            except (InvalidConfiguration, UserCodeError) as error:
                _failed[key] = error
                raise
        return _built[key]


def _made(hook: Hook) -> Any:
    try:
        made = hook.call()
    except InvalidConfiguration:
        raise
    except Exception as error:  # whatever the author's code raises is theirs to read
        said = f"{hook.path} ({hook.reference}): building it failed"
        if outage_of(error) is not None:
            raise DataError(f"{said}: {type(error).__name__}: {error}") from error
        raise UserCodeError(f"{said}\n{user_traceback(error)}") from None
    if not callable(made):
        raise InvalidConfiguration(
            f'{hook.path}.function: "{hook.reference}" makes a {type(made).__name__}, which cannot be called with a '
            "batch; allowed: a class with __call__(self, batch)"
        )
    return made
