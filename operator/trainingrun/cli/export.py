"""`trainingrun export`: its options, and the hand-over to the process that exports."""

from __future__ import annotations

from pathlib import Path

import click

from trainingrun.cli.trainer_program import become_module

FORMATS = ("safetensors", "torch-export", "onnx")


@click.command("export")
@click.argument("source", metavar="PATH-OR-URI")
@click.option("--format", "kind", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; an existing one is replaced.",
)
def command(source: str, kind: str, output: Path) -> None:
    """Write the trained model of a checkpoint as a file for other programs, and check that it predicts the same.

    PATH-OR-URI is a run's folder, whose newest checkpoint is taken; RUN/best; or a checkpoint. safetensors holds the
    weights, torch-export (.pt2) and onnx the whole model for any number of rows. The run's own modules are looked up in
    the current folder and in PYTHONPATH.

    Exit codes: 0 written and checked, 12 nothing to export, or not possible, 13 the model's own code failed, 14 the
    store cannot be reached.
    """
    become_module("prediction", source, kind, str(output), doing="export", needs="torch")
