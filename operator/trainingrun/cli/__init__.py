"""The `trainingrun` command: one module here per subcommand, each with a click command named `command`.

A subcommand's module is imported only when it is called, so that none of them waits for what another needs.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from pathlib import PurePath
from typing import Any

import click

from trainingrun import __version__

# Every subcommand in its group, in the order in which help lists them.
GROUPS = {
    "Prepare": {
        "init": "Write a run to start from.",
        "validate": "Check files without a cluster.",
        "plan": "Measure some rows here and forecast what a run will need.",
        "render": "Print the RayJobs that the operator would create.",
        "convert": "Write a dataset as Parquet that is read at the speed of a copy.",
        "upload": "Copy data to a claim or a store.",
    },
    "Train": {
        "local": "Train a run on this machine.",
        "submit": "Create runs in a cluster.",
        "suspend": "Save a checkpoint and release a run's pods.",
        "resume": "Let a suspended run continue.",
        "delete": "Remove runs; their storage is kept.",
    },
    "Watch": {
        "get": "List runs.",
        "status": "Show a run on one page: state, progress, what to do next.",
        "describe": "Show the same page and the events of the run and its pods.",
        "logs": "Print the logs of a run's driver and pods.",
        "top": "Show how well active runs use their nodes.",
        "wait": "Wait until a run has ended; the exit code is the outcome.",
        "report": "Write the report of a run, one HTML file.",
        "download": "Fetch a checkpoint of a run.",
    },
    "Use": {
        "export": "Write a trained model for other programs.",
    },
    "Set up": {
        "doctor": "Check this machine and a cluster for what runs need.",
        "completion": "Print the script that completes commands in a shell.",
        "version": "Print the version.",
        "operator": "Run the operator.",
    },
}
COMMANDS = tuple(name for commands in GROUPS.values() for name in commands)

# What people type who know kubectl and its like: a hint, not a second name.
_HABITS = {
    "apply": "submit",
    "cancel": "delete",
    "create": "submit",
    "follow": "logs",
    "kill": "delete",
    "list": "get",
    "log": "logs",
    "ls": "get",
    "new": "init",
    "pause": "suspend",
    "ps": "get",
    "remove": "delete",
    "rm": "delete",
    "run": "local",
    "show": "status",
    "start": "submit",
    "stop": "suspend",
    "train": "local",
}

# The name under which kubectl finds a plugin.
_PLUGIN = "kubectl-trainingrun"


class Subcommands(click.Group):
    """The group of the modules in this package."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of a call; help says `kubectl trainingrun` when called through a link that kubectl looks for."""
        if PurePath(sys.argv[0]).stem == _PLUGIN:
            info_name = _PLUGIN.replace("-", " ")
        if os.environ.get("NO_COLOR"):
            extra.setdefault("color", False)
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the subcommands, in the order in which help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"trainingrun.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand that is called; for a name that is none, the error says which one may be meant."""
        name = args[0]
        if name in COMMANDS or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        meant = [_HABITS[name]] if name in _HABITS else difflib.get_close_matches(name, COMMANDS, n=2)
        hint = f" Did you mean {' or '.join(meant)}?" if meant else ""
        ctx.fail(f"There is no command {name}.{hint}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The subcommands by group, without importing any of them."""
        width = max(map(len, COMMANDS))
        for group, commands in GROUPS.items():
            with formatter.section(click.style(group, bold=True)):
                formatter.write_dl(
                    [(click.style(name.ljust(width), fg="cyan"), summary) for name, summary in commands.items()]
                )


@click.group(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Train on Ray, on Kubernetes or on this machine, from one TrainingRun file."""
