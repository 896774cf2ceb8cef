"""`trainingrun get`: runs as a table, as `kubectl get` prints it, with readable figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, program_name
from trainingrun.cli.output import output_option, print_objects, print_table

if TYPE_CHECKING:
    from trainingrun.cli.cluster import Session
    from trainingrun.kube import Body


@click.command("get")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "-l", "--selector", default="", metavar="LABELS", help="Only runs with these labels, such as team=vision."
)
@output_option("wide", "name")
@cluster_options(all_namespaces=True)
def command(target: Target, names: tuple[str, ...], selector: str, output: str | None) -> None:
    """List runs, or show the ones named.

    PODS shows the ready pods out of all pods, STALL the share of time that trainers wait for data, ATTEMPT the newest
    attempt; the first is 0.
    """
    from trainingrun.cli.cluster import in_cluster

    if names and (target.all_namespaces or selector):
        raise click.UsageError("Names cannot be used together with -A or -l.")

    async def work(session: Session) -> tuple[list[Body], str]:
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
        _print_rows(bodies, wide=output == "wide", with_namespace=target.all_namespaces)
    else:
        where = "any namespace" if target.all_namespaces else f"namespace {namespace}"
        click.echo(f"There are no runs in {where}.", err=True)


def _print_rows(bodies: list[Body], *, wide: bool, with_namespace: bool) -> None:
    from trainingrun.status_page import OVERVIEW_COLUMNS, WIDE_COLUMNS, overview_row, run_view_of

    now = datetime.now(UTC)
    views = [run_view_of(body) for body in bodies]
    rows = [overview_row(view, now, wide) for view in views]
    columns: tuple[str, ...] = WIDE_COLUMNS if wide else OVERVIEW_COLUMNS
    if with_namespace:
        columns = ("NAMESPACE", *columns)
        rows = [(view.namespace, *row) for view, row in zip(views, rows, strict=True)]
    print_table(columns, rows)
