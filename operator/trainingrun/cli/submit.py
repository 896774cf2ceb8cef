"""`trainingrun submit`: check a file, then give its runs to the cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainingrun.cli.options import Target, cluster_options, code_option, files_options, program_name
from trainingrun.client.problems import INVALID_FILE

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.spec.documents import Reading


@click.command("submit")
@files_options
@click.option(
    "--wait", "waits", is_flag=True, help="Return only when the run has ended; the exit code is that of `wait`."
)
@click.option("--follow", "follows", is_flag=True, help="Like --wait, and print the logs as they come.")
@code_option("Folder with the code of the runs, which all their pods get: no image has to be built for it.")
@click.option("--dry-run", is_flag=True, help="Let the API server check it, but change nothing.")
@click.option("--force-conflicts", is_flag=True, help="Take over fields that other tools own, such as kubectl.")
@cluster_options()
def command(
    target: Target,
    paths: tuple[str, ...],
    waits: bool,
    follows: bool,
    code: Path | None,
    dry_run: bool,
    force_conflicts: bool,
) -> None:
    """Create the runs in each FILE, after the same check as `validate`. If any is invalid, nothing is sent.

    Runtimes and documents of other kinds, such as a Secret, are applied first. Submitting a run again changes nothing
    but labels, annotations and suspend: the rest of a run cannot be changed.
    """
    if dry_run and (waits or follows):
        raise click.UsageError("--dry-run cannot be used with --wait or --follow: nothing would be created.")
    reading = _valid(paths)
    if (waits or follows) and len(reading.runs) != 1:
        found = f"{' and '.join(paths)} {'has' if len(paths) == 1 else 'have'} {len(reading.runs)}"
        raise click.UsageError(f"--wait and --follow need one run; {found}.")
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.cli.code import packed_code, with_code
    from trainingrun.client.submission import Submission
    from trainingrun.status_page import run_view_of

    archive = packed_code(code) if code is not None else None
    documents = [with_code(loaded.document, archive) for loaded in reading.runs]

    async def work(session: Session) -> int:
        submission = Submission(session, target.namespace, force=force_conflicts, dry_run=dry_run)
        for said in await submission.others([*reading.others, *reading.runtimes]):
            click.echo(said)
        for document in documents:
            applied = await submission.run(document, archive)
            click.echo(f"{applied['metadata']['name']} submitted{' (dry run)' if dry_run else ''}")
        if waits or follows:
            return await _attend(replace(session, namespace=applied["metadata"]["namespace"]), applied, follows=follows)
        if not dry_run:
            view = run_view_of(applied)
            click.echo(f"Follow it with `{session.caller.command('status', view)}`.", err=True)
        return 0

    sys.exit(in_cluster(target, program_name(), work))


def _valid(paths: tuple[str, ...]) -> Reading:
    """What is in the files, all of it in order. Otherwise the program ends here."""
    from trainingrun.spec.documents import read_files

    reading = read_files(paths, is_whole=False)
    problems = [*reading.problems, *(mistake for other in reading.others for mistake in other.mistakes)]
    if problems:
        click.echo("\n".join(map(str, problems)), err=True)
        sys.exit(INVALID_FILE)
    if not reading.runs:
        click.echo(f"{', '.join(paths)}: there is no TrainingRun; expected at least one", err=True)
        sys.exit(INVALID_FILE)
    return reading


async def _attend(session: Session, run: Mapping[str, Any], *, follows: bool) -> int:
    from trainingrun.client.outcome import wait_for

    name = run["metadata"]["name"]
    if follows:
        from trainingrun.client.log_following import Following, follow_run

        return await follow_run(session, name, Following())
    code, sentence = await wait_for(session, name, None, None, lambda line: click.echo(line, err=True))
    click.echo(sentence, err=code != 0)
    return code
