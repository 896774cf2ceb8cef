"""`trainingrun completion`: the script with which a shell completes commands, options, runs and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from trainingrun.cli.options import program_name

_WHERE = {
    "bash": 'eval "$(trainingrun completion bash)"   # in ~/.bashrc; needs bash 4.4 or newer',
    "zsh": 'eval "$(trainingrun completion zsh)"   # in ~/.zshrc',
    "fish": "trainingrun completion fish > ~/.config/fish/completions/trainingrun.fish",
}


@click.command("completion", epilog="\b\n" + "\n".join(_WHERE.values()))
@click.argument("shell", type=click.Choice(list(_WHERE)))
def command(shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, files, and the names of runs in the cluster.

    To load it in every new shell:
    """
    program = program_name()
    if " " in program:
        raise click.UsageError("kubectl completes plugins by a program of its own; complete `trainingrun` instead.")
    completion = get_completion_class(shell)
    if completion is None:
        raise AssertionError(f"click knows {shell}")
    main = click.get_current_context().find_root().command
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    click.echo(completion(main, {}, program, variable).source())
