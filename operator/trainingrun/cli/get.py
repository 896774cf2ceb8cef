"""`trainingrun get`: runs as a table, as `kubectl get` prints it, with readable figures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import click

from trainingrun.cli.options import Target, cluster_options, name_argument, program_name
from trainingrun.cli.output import Table, output_option, print_objects

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.kube import Body


@click.command("get")
@name_argument(many=True, required=False)
@click.option(
    "-l", "--selector", default="", metavar="LABELS", help="Only runs with these labels, such as team=vision."
)
@click.option("-w", "--watch", is_flag=True, help="Then print each run that changes, until Ctrl-C.")
@output_option("wide", "name")
@cluster_options(all_namespaces=True)
def command(target: Target, names: tuple[str, ...], selector: str, watch: bool, output: str | None) -> None:
    """List runs, or show the ones named.

    PODS shows the ready pods out of all pods, STALL the share of time that trainers wait for data, ATTEMPT the newest
    attempt; the first is 0.
    """
    from trainingrun.cli.cluster import in_cluster

    if names and (target.all_namespaces or selector):
        raise click.UsageError("Names cannot be used together with -A or -l.")
    if watch and output not in (None, "wide"):
        raise click.UsageError(f"--watch and -o {output} cannot be used together.")
    rows = _Rows(wide=output == "wide", with_namespace=target.all_namespaces)

    async def work(session: Session) -> tuple[list[Body], str]:
        if watch:
            await _watch(session, names, selector, rows)
        if names:
            return [await session.run(name) for name in names], session.namespace
        return await session.runs(selector), session.namespace

    bodies, namespace = in_cluster(target, program_name(), work)
    if output in ("json", "yaml"):
        print_objects(bodies, output, as_list=len(names) != 1)
    elif output == "name":
        for body in bodies:
            click.echo(f"trainingrun.trainingrun.dev/{body['metadata']['name']}")
    elif bodies:
        rows.print(bodies)
    else:
        where = "any namespace" if target.all_namespaces else f"namespace {namespace}"
        click.echo(f"There are no runs in {where}.", err=True)


async def _watch(session: Session, names: tuple[str, ...], selector: str, rows: _Rows) -> NoReturn:
    """Print the runs, then each that changes, on and on."""
    for name in names:
        await session.run(name)  # One that is not there is said to be missing, instead of being waited for.
    async with aclosing(session.changes(selector)) as changes:
        async for bodies in changes:
            rows.print([body for body in bodies if not names or body["metadata"]["name"] in names])
    raise AssertionError("unreachable: changes never end")


class _Rows:
    """The table of runs, whose heading is printed once."""

    def __init__(self, *, wide: bool, with_namespace: bool):
        from trainingrun.status_page import OVERVIEW_COLUMNS, WIDE_COLUMNS
        from trainingrun.status_page.view import state_colour

        columns = WIDE_COLUMNS if wide else OVERVIEW_COLUMNS
        self._wide = wide
        self._with_namespace = with_namespace
        self._table = Table(("NAMESPACE", *columns) if with_namespace else columns, {"STATE": state_colour})

    def print(self, bodies: Sequence[Body]) -> None:
        """Print the rows of these runs as they are now; nothing for none."""
        from trainingrun.status_page import overview_row, run_view_of

        now = datetime.now(UTC)
        views = [run_view_of(body) for body in bodies]
        rows = [overview_row(view, now, self._wide) for view in views]
        if self._with_namespace:
            rows = [(view.namespace, *row) for view, row in zip(views, rows, strict=True)]
        if rows:
            self._table.print(rows)
