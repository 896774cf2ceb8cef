"""The `trainingrun` command: one module per subcommand, each with a click command named `command`.

Modules here must not import anything slow at the top, so that `trainingrun --help` answers at once.
"""

import click

from trainingrun import __version__
from trainingrun.cli import validate


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Train on Ray, on Kubernetes or on this machine, from one TrainingRun file."""


main.add_command(validate.command, "validate")
