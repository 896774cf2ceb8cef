"""The `trainingrun` command: one module here per subcommand, each with a click command named `command`.

A subcommand's module is imported when it is asked for, so that none of them waits for what another one needs.
"""

from __future__ import annotations

import importlib

import click

from trainingrun import __version__

COMMANDS = ("convert", "local", "report", "validate")


class Subcommands(click.Group):
    """The group of the modules in this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the subcommands, in the order in which help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of this name, or None, which click answers with the names that there are."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"trainingrun.cli.{cmd_name}").command
        return command


@click.group(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Train on Ray, on Kubernetes or on this machine, from one TrainingRun file."""
