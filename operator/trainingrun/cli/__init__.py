"""The `trainingrun` command: one module here per subcommand, each with a click command named `command`.

A subcommand's module is imported only when it is called, so that none of them waits for what another needs.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import PurePath
from typing import Any

import click

from trainingrun import __version__

COMMANDS = (
    "convert",
    "delete",
    "get",
    "local",
    "logs",
    "operator",
    "plan",
    "render",
    "report",
    "resume",
    "status",
    "submit",
    "suspend",
    "top",
    "validate",
    "wait",
)


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
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the subcommands, in the order in which help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name, or None, for which click lists the existing names."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"trainingrun.cli.{cmd_name}").command
        return command


@click.group(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Train on Ray, on Kubernetes or on this machine, from one TrainingRun file."""
