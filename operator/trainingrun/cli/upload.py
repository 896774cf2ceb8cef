"""`trainingrun upload`: a folder of this machine to a claim or a store, for runs to read."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainingrun.cli.copying import ids_option
from trainingrun.cli.options import Target, cluster_options, program_name

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.transfer.locations import Location
    from trainingrun.transfer.pod import Image


@click.command("upload")
@click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("destination")
@click.option("--image", metavar="IMAGE", help="Image of the pod that writes to a claim; default: that of a run.")
@ids_option
@cluster_options()
def command(target: Target, directory: Path, destination: str, image: str | None, fixed_ids: bool) -> None:
    """Copy the files in DIR to DESTINATION: CLAIM:PATH, CLAIM for a folder named like DIR, or a URI.

    On a claim, a short-lived pod writes them. Its image must have Python; default: that of the newest run that uses the
    claim. A file gets its name there only when its digest is right; an interrupted copy resumes where it stopped, and a
    different file is never replaced.
    """
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.cli.copying import end_as_by_interrupt
    from trainingrun.transfer.locations import InvalidLocation, UriFolder, location_of

    try:
        location = location_of(destination, directory.resolve().name)
    except InvalidLocation as error:
        raise click.BadParameter(str(error), param_hint="DESTINATION") from error
    end_as_by_interrupt()
    if isinstance(location, UriFolder):
        _without_a_cluster(_upload(None, directory, location, image, fixed_ids))
    else:
        in_cluster(target, program_name(), lambda session: _upload(session, directory, location, image, fixed_ids))


async def _upload(
    session: Session | None, directory: Path, location: Location, image: str | None, fixed_ids: bool
) -> None:
    from trainingrun.cli.copying import errors, megabytes, places, progress, tell
    from trainingrun.transfer.locations import ClaimFolder
    from trainingrun.transfer.places import TransferError
    from trainingrun.transfer.pod import Image
    from trainingrun.transfer.retrying import Patience
    from trainingrun.transfer.uploading import files_below, upload

    with errors():
        files = files_below(directory)
        if not files:
            raise TransferError(f"{directory} holds no files.")
    chosen = Image(image) if image else None
    if chosen is None and session is not None and isinstance(location, ClaimFolder):
        chosen = await _image_of_a_run(session, location.claim)
    async with places(session, chosen, read_only=False, fixed_ids=fixed_ids) as opened:
        place = await opened.open(location)
        with progress(f"Copying to {location}", total := sum(file.size for file in files)) as show:
            written = await upload(place, files, str(location), show, Patience(tell))
    already = len(files) - len(written)
    there = f" ({already} of them were there already)" if already else ""
    tell(f"{location}: {len(files)} files{there}, {megabytes(total)}, all with the digests that they have here")
    if isinstance(location, ClaimFolder):
        tell(f"A run that mounts claim {location.claim} finds them at MOUNT_PATH/{location.folder}.")


def _without_a_cluster(work: Coroutine[Any, Any, None]) -> None:
    from trainingrun.cli.cluster import Refused
    from trainingrun.client.problems import ClusterError

    try:
        asyncio.run(work)
    except ClusterError as error:
        raise Refused(str(error)) from error


async def _image_of_a_run(session: Session, claim: str) -> Image | None:
    """The image of the newest run that uses the claim: nodes have it, or have to pull it anyway."""
    from trainingrun.transfer.pod import image_of

    runs = sorted(await session.runs(), key=lambda run: str(run["metadata"].get("creationTimestamp")))
    return next((image_of(run) for run in reversed(runs) if claim in _claims(run)), None)


def _claims(run: Mapping[str, Any]) -> set[Any]:
    """The claims that the pods of a run mount, by their names."""
    from trainingrun.spec.runtime import whole_spec
    from trainingrun.status.json_values import list_of, mapping_of

    spec = whole_spec(run)
    sources = [mapping_of(spec.get("storage")), *map(mapping_of, list_of(spec.get("volumes")))]
    return {mapping_of(source.get("persistentVolumeClaim")).get("claimName") for source in sources}
