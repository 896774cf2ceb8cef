"""`trainingrun download`: a checkpoint of a run, from wherever the run keeps it, to this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainingrun.cli.copying import ids_option
from trainingrun.cli.options import Target, cluster_options, name_argument, program_name

if TYPE_CHECKING:
    from trainingrun.cli.copying import Places
    from trainingrun.client.session import Session
    from trainingrun.kube import Body
    from trainingrun.transfer.downloading import Wanted
    from trainingrun.transfer.places import Place
    from trainingrun.transfer.retrying import Patience


@click.command("download")
@name_argument()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--best", is_flag=True, help="The best checkpoint's state, where spec.storage.checkpoints.best is given.")
@click.option("--step", type=click.IntRange(min=0), metavar="N", help="The checkpoint of this optimizer step.")
@ids_option
@cluster_options()
def command(target: Target, name: str, directory: Path | None, best: bool, step: int | None, fixed_ids: bool) -> None:
    """Fetch a checkpoint of the run NAME, by default its newest one, into DIR; default: a folder named after both.

    From a claim, a short-lived pod with the run's image serves the files, read-only. A file gets its name here only
    when its digest is right; an interrupted copy resumes where it stopped, and a
    different file is never replaced.
    """
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.cli.copying import end_as_by_interrupt

    if best and step is not None:
        raise click.UsageError("--best and --step cannot be used together.")
    end_as_by_interrupt()
    in_cluster(target, program_name(), lambda session: _download(session, name, directory, best, step, fixed_ids))


async def _download(
    session: Session, name: str, directory: Path | None, best: bool, step: int | None, fixed_ids: bool
) -> None:
    from trainingrun.cli.copying import megabytes, places, progress, tell
    from trainingrun.transfer.downloading import download
    from trainingrun.transfer.locations import location_of
    from trainingrun.transfer.pod import image_of
    from trainingrun.transfer.retrying import Patience

    run, patience = await session.run(name), Patience(tell)
    async with places(session, image_of(run), read_only=True, fixed_ids=fixed_ids, run=run) as opened:
        where = await _location(opened, run, best, step, patience)
        place = await opened.open(location_of(where))
        wanted = await patience.insist(lambda: _wanted(place, where))
        folder = directory if directory is not None else Path(f"{name}-{where.rpartition('/')[2]}")
        with progress(f"Fetching {where}", total := sum(file.size for file in wanted)) as show:
            fetched = await download(place, wanted, folder, show, patience)
    already = len(wanted) - len(fetched)
    there = f" ({already} of them were there already)" if already else ""
    tell(f"{where}: {len(wanted)} files{there}, {megabytes(total)}, all with the digests that they must have")
    click.echo(folder)


async def _location(opened: Places, run: Body, best: bool, step: int | None, patience: Patience) -> str:
    """The checkpoint that is meant, as status writes it. Raises `TransferError` where there is none."""
    from trainingrun.status.json_values import mapping_of
    from trainingrun.transfer.checkpoints import chosen_step
    from trainingrun.transfer.locations import location_of
    from trainingrun.transfer.places import TransferError

    name, outputs = run["metadata"]["name"], mapping_of(mapping_of(run.get("status")).get("outputs"))
    folder, uri = outputs.get("folderURI"), mapping_of(outputs.get("best" if best else "last")).get("uri")
    if step is not None and folder:
        place = await opened.open(location_of(str(folder)))
        names = sorted({file.partition("/")[0] for file in await patience.insist(place.sizes) or {}})
        return f"{folder}/{chosen_step(names, step, str(folder))}"
    if uri and step is None:
        return str(uri)
    if best:
        raise TransferError(
            f"{name} has reported no best checkpoint: it needs spec.storage.checkpoints.best and the end of an epoch. "
            "Without --best, the newest one is fetched."
        )
    raise TransferError(f"{name} has reported no checkpoint yet.")


async def _wanted(place: Place, where: str) -> list[Wanted]:
    """The files of the checkpoint. Raises `TransferError` where it is not there or not whole."""
    from trainingrun.transfer.checkpoints import SAYING, wanted_files
    from trainingrun.transfer.places import TransferError

    sizes = await place.sizes()
    if sizes is None:
        raise TransferError(f"{where} is not there (any more): newer checkpoints replace older ones.")
    saying = next((name for name in SAYING if name in sizes), None)
    pieces = [piece async for piece in place.read([(saying, 0)])] if saying is not None else []
    said = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    return wanted_files(sizes, said, saying, where)
