"""`trainingrun top`: how well the nodes of running runs are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, name_argument, program_name
from trainingrun.cli.output import output_option, print_document, print_table

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.kube import Body


@click.command("top")
@name_argument(required=False)
@output_option()
@cluster_options(all_namespaces=True)
def command(target: Target, name: str | None, output: str | None) -> None:
    """Show nodes, data stall with its cause, rows per second and goodput of the active runs.

    DATA shows ready out of wanted nodes, GOODPUT the share of time that went into steps that were kept. With NAME,
    show this run whatever its state.
    """
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.status_page import TOP_COLUMNS, run_view_of, top_figures, top_row
    from trainingrun.status_page.view import ACTIVE_STATES, state_colour

    if name and target.all_namespaces:
        raise click.UsageError("NAME and -A cannot be used together.")

    async def work(session: Session) -> list[Body]:
        return [await session.run(name)] if name else await session.runs()

    views = [run_view_of(body) for body in in_cluster(target, program_name(), work)]
    shown = [view for view in views if name or view.state in ACTIVE_STATES]
    if output:
        figures = [top_figures(view) for view in shown]
        print_document(figures[0] if name else figures, output)
        return
    columns: tuple[str, ...] = TOP_COLUMNS
    rows = [top_row(view) for view in shown]
    if target.all_namespaces:
        columns = ("NAMESPACE", *columns)
        rows = [(view.namespace, *row) for view, row in zip(shown, rows, strict=True)]
    if rows:
        print_table(columns, rows, {"STATE": state_colour})
    else:
        click.echo(f"No run is active. Run `{program_name()} get{target.flags}` to list all runs.", err=True)
