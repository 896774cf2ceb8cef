"""`trainingrun convert`: its options, and the hand-over to the process that converts.

The converter needs NumPy, Arrow and torchvision, which this package must run without: it is another program,
which takes this one's place.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from typing import Any

import click
import yaml

CONVERTER = "trainingrun_trainer.convert"
NEEDED = ("trainingrun_trainer", "numpy", "pyarrow", "PIL", "pandas", "fsspec")

HELP = """Write a dataset as Parquet files that training reads at the speed of a copy.

    SOURCE is one of

    \b
      torchvision:NAME   a class of torchvision.datasets (torchvision:MNIST --download)
      sklearn:NAME       a dataset that comes with scikit-learn (sklearn:digits)
      PATH               a file, directory, glob or URI such as s3://bucket/raw, of
                         Parquet, CSV, JSON or WebDataset files, or of images in
                         one folder per class; read as training reads it
      folder:PATH        images in one folder per class, whatever else is there
      FILE               .npy, .npz, .pkl (open only pickles that you trust: they
                         run code), .json with one array of objects
      module:function    returns a DataFrame, a torch Dataset, a dict of arrays,
                         or rows: dicts, or pairs of input and target

    DESTINATION is a folder, or a URI such as s3://bucket/train. It appears only when it is complete: a conversion
    that fails or is killed leaves nothing under that name. In an object store, _manifest.json comes last.

    Columns keep their types; --type names others. Pictures in the input column are decoded to arrays; if they differ,
    give --size and --mode. Lists of numbers become arrays where all rows have one shape.

    Exit codes: 0 converted, 2 wrong usage, 12 bad source or data, 1 anything else.
    """


def _pixels(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    if value is None:
        return None
    parts = value.replace("x", ",").split(",")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"found {value}, allowed: height,width in pixels, such as 224,224")
    return [int(part) for part in parts]


def _options(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    options = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"found {text}, allowed: name=value")
        try:
            options[name] = json.loads(json.dumps(yaml.safe_load(value)))
        except (yaml.YAMLError, TypeError) as error:
            raise click.BadParameter(f"found {text}, allowed: a number, text, list or mapping as value") from error
    return options


def _types(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.rpartition("=") for text in values]
    for (name, _, kind), text in zip(pairs, values, strict=True):
        if not name or not kind:
            raise click.BadParameter(f"found {text}, allowed: COLUMN=TYPE, such as image=uint8")
    return {name: kind for name, _, kind in pairs}


@click.command("convert", help=HELP)
@click.argument("source")
@click.argument("destination")
@click.option("--split", default="train", show_default=True, help="Split to convert, if the source has splits.")
@click.option(
    "--hold-out",
    "hold_out_percent",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    metavar="PERCENT",
    help="Hold out this share of the training rows: --split validation converts it, --split train the other rows. "
    "Which rows these are depends only on --seed.",
)
@click.option(
    "--shuffle/--no-shuffle",
    default=True,
    show_default=True,
    help="Shuffle the rows: data that is sorted, for example by class, trains badly. "
    "A source that can be read only once is shuffled within a window of 256 MiB.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of --shuffle and --hold-out.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Convert at most this many rows: with --shuffle a random sample, if the source can be read in "
    "any order; else the first ones.",
)
@click.option("--size", callback=_pixels, metavar="H,W", help="Make every image this high and wide, in pixels.")
@click.option("--mode", type=click.Choice(["L", "RGB"]), help="Make every image grey (L) or coloured (RGB).")
@click.option("--input-column", default="image", show_default=True, help="Column that goes into the model.")
@click.option("--target-column", default="label", show_default=True, help="Column that the model predicts.")
@click.option(
    "--type",
    "types",
    multiple=True,
    callback=_types,
    metavar="COLUMN=TYPE",
    help="Type of a column, such as image=uint8 for lists of 64-bit integers; repeatable. A value that does not fit is "
    "refused. A type of lists, such as tags=list<int64>, keeps lists whose rows may differ.",
)
@click.option(
    "--rows-per-file",
    type=click.IntRange(min=1),
    help="Rows per file. Default: at least 8 files, of at most 96 MiB before compression.",
)
@click.option(
    "--row-group-rows",
    type=click.IntRange(min=1),
    help="Rows per row group, the smallest unit of reading. Default: at least 8 row groups, of at most 16,384 rows "
    "and 32 MiB.",
)
@click.option("--overwrite", is_flag=True, help="Replace DESTINATION if it exists.")
@click.option(
    "--classes-from",
    metavar="FOLDER",
    help="Folder of the training images, when SOURCE has the images for validation: classes get the same numbers.",
)
@click.option("--root", default="data", show_default=True, help="Folder of torchvision's files.")
@click.option("--download", is_flag=True, help="Let torchvision download what is missing.")
@click.option(
    "--option",
    "options",
    multiple=True,
    callback=_options,
    metavar="NAME=VALUE",
    help="Argument for torchvision's class, or for the function of module:function; repeatable.",
)
def command(**request: Any) -> None:
    """Replace this process by the converter."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"convert needs {', '.join(missing)}, which is not installed: pip install 'trainingrun[trainer]'"
        )
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", CONVERTER, json.dumps(request)])  # noqa: S606
