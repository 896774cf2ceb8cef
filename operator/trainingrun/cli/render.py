"""`trainingrun render`: the RayJobs that the operator would create, without a cluster."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from trainingrun.cli.options import files_options, namespace_name
from trainingrun.cli.output import as_yaml, print_document
from trainingrun.client.problems import INVALID_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainingrun.spec import Run
    from trainingrun.spec.documents import LoadedRun

_PLACEHOLDER_UID = "00000000-0000-0000-0000-000000000000"
_NAMESPACE = "default"


@click.command("render")
@files_options
@click.option(
    "-n",
    "--namespace",
    callback=namespace_name,
    metavar="NAME",
    help="Namespace for runs that name none; default: default.",
)
@click.option("--attempt", type=click.IntRange(min=0), default=0, show_default=True, help="Which attempt to render.")
@click.option(
    "--progress-url",
    metavar="URL",
    help="Where pods send their reports, as configured in the operator; default: nowhere.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Print every field of each run instead, and whether run, runtime or default gave it.",
)
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def command(
    paths: tuple[str, ...], namespace: str | None, attempt: int, progress_url: str | None, explain: bool, output: str
) -> None:
    """Print the RayJob of each run in each FILE, exactly as the operator would create it. No cluster is needed.

    The runtime that a run names must be in one of the files. A file rarely has the uid that Kubernetes gives a run: a
    placeholder stands in for it, and a comment says so. The exit code is 12 when a run is not valid.
    """
    from trainingrun.spec.documents import read_files

    reading = read_files(paths)
    if reading.problems:
        click.echo("\n".join(map(str, reading.problems)), err=True)
        sys.exit(INVALID_FILE)
    loaded = reading.runs
    if explain:
        _explain(loaded, output)
        return
    manifests = [_manifest(entry.run, namespace, attempt, progress_url) for entry in loaded]
    comments = [_comment(entry.run, f"{entry.source}:{entry.line}", attempt) for entry in loaded]
    if output == "json":
        for comment in comments:
            click.echo(comment, err=True)
        is_one = len(manifests) == 1
        print_document(manifests[0] if is_one else {"apiVersion": "v1", "kind": "List", "items": manifests}, output)
        return
    for comment, manifest in zip(comments, manifests, strict=True):
        click.echo(f"---\n# {comment}\n{as_yaml(manifest)}", nl=False)


def _explain(loaded: Sequence[LoadedRun], output: str) -> None:
    from trainingrun.spec.explain import explained

    if output == "json":
        rows = {entry.run.metadata.name: [row._asdict() for row in explained(entry)] for entry in loaded}
        print_document(rows, output)
        return
    for entry in loaded:
        click.echo(f"---\n# {entry.source}:{entry.line}: {entry.run.metadata.name}")
        for row in explained(entry):
            click.echo(f"{row.field}: {json.dumps(row.value, ensure_ascii=False)}  # {row.origin}")


def _manifest(run: Run, namespace: str | None, attempt: int, progress_url: str | None) -> dict[str, Any]:
    from trainingrun.observed import run_object_of
    from trainingrun.render import RenderSettings, ray_job

    document = run.to_document()
    metadata = {"namespace": namespace or _NAMESPACE, "uid": _PLACEHOLDER_UID, **document["metadata"]}
    owner = run_object_of({**document, "metadata": metadata})
    return ray_job(owner, attempt, RenderSettings(progress_url=progress_url))


def _comment(run: Run, place: str, attempt: int) -> str:
    about = f"{place}: attempt {attempt} of {run.metadata.name}"
    if run.metadata.uid is not None:
        return about
    return f"{about}; {_PLACEHOLDER_UID} stands for its uid, which is in labels, the owner and the name's hash"
