"""`trainingrun report`: the report of a run, by its folder or by its name in a cluster, or several runs compared.

It must not change a run's records.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, program_name
from trainingrun.client.problems import ClusterError

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.status_page.view import RunView

# As many as a page has colours for.
_MOST_RUNS = 8
_NO_REPORT = 2


@click.command("report")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the page; default: report.html in a run's folder on this machine, else NAME-report.html or, "
    "for several runs, comparison.html in the current one.",
)
@cluster_options()
def command(target: Target, runs: tuple[str, ...], output: Path | None) -> None:
    """Write the report of a run, one HTML file that needs no network, and print its path.

    RUN is a run's folder on this machine, its URI such as s3://bucket/runs/NAME, or the name of a run in the cluster.
    With several runs, at most 8, one page compares them: what was set differently, what came out, and their curves.
    """
    from trainingrun.history import NoRecords, Unreadable

    if len(runs) > _MOST_RUNS:
        raise click.UsageError(f"{len(runs)} runs cannot be told apart on one page: compare at most {_MOST_RUNS}.")
    folders = [run if _is_folder(run) else _folder_in_cluster(target, run) for run in runs]
    try:
        click.echo(_written(runs, folders, output))
    except (NoRecords, Unreadable) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(_NO_REPORT)
    except OSError as error:
        where = output or runs[0]
        click.echo(f"Error: {where}: the report cannot be read or written: {error.strerror}", err=True)
        sys.exit(_NO_REPORT)


def _written(runs: tuple[str, ...], folders: list[str], output: Path | None) -> Path:
    from trainingrun.history import read_records
    from trainingrun.report import build_comparison, write_page, write_report

    if len(folders) > 1:
        page = build_comparison([read_records(folder) for folder in folders])
        return write_page(page, output or Path("comparison.html"))
    is_here = "://" not in folders[0]
    name = folders[0].rstrip("/").rpartition("/")[2] if runs[0] == folders[0] else runs[0]
    return write_report(folders[0], output if output or is_here else Path(f"{name}-report.html"))


def _is_folder(run: str) -> bool:
    """Whether it is a folder or a URI, not a run's name, which has no slash."""
    return "/" in run or run in (".", "..") or Path(run).is_dir()


def _folder_in_cluster(target: Target, name: str) -> str:
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.status_page import run_view_of

    async def work(session: Session) -> str:
        return _folder_of(run_view_of(await session.run(name)))

    return in_cluster(target, program_name(), work)


def _folder_of(view: RunView) -> str:
    """Where this machine can read the run's folder. Raises ClusterError where it cannot."""
    if not view.folder:
        raise ClusterError(f"{view.name} has no folder yet: its first attempt has not begun.")
    if not view.folder.startswith("pvc://"):
        return view.folder
    claim, _, path = view.folder.removeprefix("pvc://").partition("/")
    mounted = f"{view.storage.rstrip('/')}/{path}"
    if Path(mounted).is_dir():
        return mounted
    raise ClusterError(
        f"The report of {view.name} is on the claim {claim}, which this machine does not have: where it is mounted as "
        f"in the run's pods, it is {mounted}/report.html."
    )
