"""`trainingrun init`: a folder with a run to start from, its functions and, where it needs some, a small dataset.

What it writes are the examples, which tests train: it must hold no runs of its own.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import click

from trainingrun.contract.labels import GROUP

# What people call it, and the example's folder.
LIKE = {"images": "pictures", "table": "table", "text": "reviews", "script": "own_script"}
RUN = "run.yaml"
_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parents[2]
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


@click.command("init")
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--like", type=click.Choice(list(LIKE)), help="What to train; if not given, a terminal is asked.")
@click.option("--name", help="Name of the run; default: that of DIR.")
def command(directory: Path, like: str | None, name: str | None) -> None:
    """Write a starter run into the new folder DIR: its file, its functions, and what makes its small dataset.

    It trains as it is, in about a minute on a CPU; replace its parts with your own, one by one.
    """
    called = name or directory.absolute().name
    if not _NAME.fullmatch(called):
        raise click.UsageError(
            f"found {called} as the run's name, allowed: lower-case letters, digits and '-', at most 63, starting with "
            "a letter. Choose another with --name."
        )
    if like is None:
        if not sys.stdin.isatty():
            raise click.UsageError(f"Missing option '--like'. Choose from: {', '.join(LIKE)}.")
        like = click.prompt("What do you want to train?", type=click.Choice(list(LIKE)), default=next(iter(LIKE)))
    if directory.exists() and any(directory.iterdir()):
        raise click.ClickException(f"{directory} already exists and is not empty: choose another folder.")
    starter = _starter(LIKE[like])
    directory.mkdir(parents=True, exist_ok=True)
    for name_there, source in starter.items():
        _copy(source, directory / name_there, called)
        click.echo(f"{directory / name_there}")
    click.echo(_next(directory, LIKE[like]), err=True)


def _starter(kind: str) -> dict[str, Path]:
    """The files to start from, by their names there: of the installed package, else of the repository."""
    for examples in (_HERE / "starters", _REPOSITORY / "examples"):
        if (examples / kind / RUN).is_file():
            return {file.name: file for file in sorted((examples / kind).iterdir()) if file.suffix in (".py", ".yaml")}
    raise click.ClickException("This installation has no examples to start from: pip install trainingrun has them.")


def _copy(source: Path, target: Path, name: str) -> None:
    if source.suffix != ".yaml":
        shutil.copyfile(source, target)
        return
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    # What a test holds an example to is not the user's.
    kept = [line for line in lines if f"examples.{GROUP}/" not in line]
    text = re.sub(r"(?m)^(metadata:\n  name: ).*$", rf"\g<1>{name}", "".join(kept), count=1)
    target.write_text(text, encoding="utf-8")


def _next(directory: Path, example: str) -> str:
    steps = [f"trainingrun validate {directory / RUN}"]
    if (directory / "data.py").is_file():
        volume = ".trainingrun/cluster-storage"
        steps += [
            f"python {directory / 'data.py'} {volume}/datasets/{example}",
            f"trainingrun local -f {directory / RUN} --volume {volume}",
        ]
    return "\n".join(["Next:", *(f"  {step}" for step in steps)])
