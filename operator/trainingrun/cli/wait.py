"""`trainingrun wait`: block until a run has ended, for scripts and pipelines."""

from __future__ import annotations

import sys

import click

from trainingrun.cli.options import Target, cluster_options, duration, name_argument, program_name

_DELETED = "deleted"


def _goal(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    wanted = value.removeprefix("condition=").lower()
    if wanted in ("delete", _DELETED):
        return _DELETED
    from trainingrun.status.conditions import ConditionType

    for condition in ConditionType:
        if condition.lower() == wanted:
            return str(condition)
    raise click.BadParameter(f"found {value}, allowed: delete, {', '.join(ConditionType)}")


@click.command("wait")
@name_argument()
@click.option(
    "--for",
    "goal",
    callback=_goal,
    metavar="CONDITION",
    help="Condition to wait for, or delete; default: until the run has ended or is suspended.",
)
@click.option(
    "--timeout",
    callback=duration,
    metavar="TIME",
    help="Give up after this time, such as 90s or 1h30m; default: never.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@cluster_options()
def command(target: Target, name: str, goal: str | None, timeout: float | None, quiet: bool) -> None:
    """Wait until the run NAME has ended. The exit code is the outcome.

    0 complete, or the condition holds; 12 the run cannot work as it is; 13 the training program failed; 14 nodes or
    Ray failed; 11 preempted; 1 the condition can no longer become true; 3 suspended; 4 the cluster could not be
    reached, or the run was deleted; 124 timed out.
    """
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.client.outcome import wait_for

    def tell(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    code, sentence = in_cluster(target, program_name(), lambda session: wait_for(session, name, goal, timeout, tell))
    if code or not quiet:
        click.echo(sentence, err=code != 0)
    sys.exit(code)
