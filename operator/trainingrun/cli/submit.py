"""`trainingrun submit`: check a file, then give its runs to the cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from trainingrun.cli.options import Target, cluster_options, files_option, program_name
from trainingrun.cli.problems import INVALID_FILE, ClusterError

if TYPE_CHECKING:
    from trainingrun.cli.cluster import Session


@click.command("submit")
@files_option
@click.option(
    "--wait", "waits", is_flag=True, help="Return only when the run has ended; the exit code is that of `wait`."
)
@click.option("--follow", "follows", is_flag=True, help="Like --wait, and print its logs meanwhile.")
@click.option("--dry-run", is_flag=True, help="Let the API server check it, but change nothing.")
@click.option("--force-conflicts", is_flag=True, help="Take over fields that other tools own, such as kubectl.")
@cluster_options()
def command(
    target: Target, paths: tuple[str, ...], waits: bool, follows: bool, dry_run: bool, force_conflicts: bool
) -> None:
    """Create the runs in each FILE, after the same check as `validate`. If any is invalid, none is sent.

    Submitting a run again changes nothing but labels, annotations and suspend: the rest of a run cannot be changed.
    """
    if dry_run and (waits or follows):
        raise click.UsageError("--dry-run cannot be used with --wait or --follow: nothing would be created.")
    documents = _valid_documents(paths)
    if (waits or follows) and len(documents) != 1:
        found = f"{' and '.join(paths)} {'has' if len(paths) == 1 else 'have'} {len(documents)}"
        raise click.UsageError(f"--wait and --follow need one run; {found}.")
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.status_page import run_view_of

    async def work(session: Session) -> int:
        for document in documents:
            applied = await _submit(session, document, target, dry_run=dry_run, force=force_conflicts)
            click.echo(f"{applied['metadata']['name']} submitted{' (dry run)' if dry_run else ''}")
        if waits or follows:
            return await _attend(replace(session, namespace=applied["metadata"]["namespace"]), applied, follows=follows)
        if not dry_run:
            view = run_view_of(applied)
            click.echo(f"Follow it with `{session.caller.command('status', view)}`.", err=True)
        return 0

    sys.exit(in_cluster(target, program_name(), work))


def _valid_documents(paths: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """The runs as they stand in the files, without defaults: what another tool would send of it."""
    from trainingrun.spec.documents import read_files

    reading = read_files(paths)
    for note in reading.skipped:
        click.echo(note, err=True)
    if reading.problems:
        click.echo("\n".join(map(str, reading.problems)), err=True)
        sys.exit(INVALID_FILE)
    return [loaded.document for loaded in reading.runs]


async def _submit(
    session: Session, document: Mapping[str, Any], target: Target, *, dry_run: bool, force: bool
) -> Mapping[str, Any]:
    from trainingrun.cli.change import MANAGER
    from trainingrun.cli.cluster_errors import refused_change
    from trainingrun.kube import Conflict, Rejected
    from trainingrun.kube.resources import TRAINING_RUNS

    metadata = document["metadata"]
    own = metadata.get("namespace")
    if own and target.namespace and own != target.namespace:
        raise ClusterError(f"{metadata['name']} has the namespace {own} in the file, but -n says {target.namespace}.")
    # What a server has added, such as managedFields, may not be applied again.
    named = {key: metadata[key] for key in ("name", "labels", "annotations") if key in metadata}
    body = {key: document[key] for key in ("apiVersion", "kind", "spec")}
    body["metadata"] = {**named, "namespace": own or session.namespace}
    try:
        return await session.api.apply(TRAINING_RUNS, body, manager=MANAGER, force=force, dry_run=dry_run)
    except (Conflict, Rejected) as error:
        raise refused_change(error, metadata["name"]) from error


async def _attend(session: Session, run: Mapping[str, Any], *, follows: bool) -> int:
    from trainingrun.cli.outcome import wait_for

    name = run["metadata"]["name"]
    if follows:
        from trainingrun.cli.log_following import Following, follow_run

        return await follow_run(session, name, Following())
    code, sentence = await wait_for(session, name, None, None, lambda line: click.echo(line, err=True))
    click.echo(sentence, err=code != 0)
    return code
