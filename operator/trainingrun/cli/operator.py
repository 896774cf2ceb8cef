"""`trainingrun operator`: runs the operator. Its settings are those of `trainingrun.engine.settings`.

Exit code: 0 after a signal, 1 when it cannot continue, 2 for a wrong setting.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import click

INVALID = 2


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """One option for each setting; None means that it was not given, since the environment may have it."""
    from trainingrun.engine.settings import Settings, flag_of, variable_of

    for setting in reversed(dataclasses.fields(Settings)):
        flag = flag_of(setting.name)
        words = f"{setting.metadata['meaning']}. [env: {variable_of(setting.name)}]"
        declared: dict[str, Any] = {"help": words, "default": None}
        if isinstance(setting.default, bool):
            flag = f"{flag}/--no-{flag.removeprefix('--')}"
        elif isinstance(setting.default, int):
            declared["type"] = int
        names = [flag, setting.name]
        if setting.name == "namespaces":
            names.insert(0, "-n")
            declared |= {"multiple": True, "default": ()}
        command = click.option(*names, **declared)(command)
    return command


@click.command()
@_settings_options
def command(**flags: Any) -> None:
    """Run the operator, in a cluster or against one."""
    from trainingrun.engine.log import configure_logs
    from trainingrun.engine.run import run_operator
    from trainingrun.engine.settings import InvalidSettings, load_settings
    from trainingrun.kube import NoCluster

    try:
        settings = load_settings(flags)
        configure_logs(settings.log_level)
        status = asyncio.run(run_operator(settings))
    except (InvalidSettings, NoCluster) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(INVALID)
    sys.exit(status)
