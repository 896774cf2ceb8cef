"""The options that several subcommands share. Nothing here talks to a cluster."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Shells complete it; whether it is there is said with all that is wrong in files.
_FILE = click.Path(allow_dash=True)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


@dataclass(frozen=True)
class Target:
    """Which cluster and which namespace a command means. None leaves it to the kubeconfig."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False

    @property
    def cluster_flags(self) -> str:
        """The cluster again, for a command that is shown to the user and may be pasted."""
        given = (("--context", self.context), ("--kubeconfig", self.kubeconfig))
        return "".join(f" {option} {shlex.quote(value)}" for option, value in given if value)

    @property
    def flags(self) -> str:
        """The namespace and the cluster again, for a command that is shown to the user."""
        return (f" -n {self.namespace}" if self.namespace else "") + self.cluster_flags


def cluster_options(*, all_namespaces: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add kubectl's options for the cluster; the command's first argument is the `Target` of them."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(
            *,
            kubeconfig: str | None,
            context: str | None,
            namespace: str | None,
            everywhere: bool = False,
            **values: Any,
        ) -> None:
            if everywhere and namespace:
                raise click.UsageError("-A and -n cannot be used together.")
            function(Target(kubeconfig, context, namespace, everywhere), **values)

        for option in reversed(_OPTIONS if all_namespaces else _OPTIONS[:-1]):
            command = option(command)
        return command

    return add


def namespace_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A name that a namespace can have; anything else would be asked for, and not found."""
    if value is not None and not _NAMESPACE.fullmatch(value):
        raise click.BadParameter(f"found {value}, allowed: lowercase letters, digits and -, at most 63 of them")
    return value


_OPTIONS = (
    click.option(
        "-n",
        "--namespace",
        callback=namespace_name,
        metavar="NAME",
        help="Namespace; default: that of the kubeconfig's context.",
    ),
    click.option("--context", metavar="NAME", help="Context of the kubeconfig; default: its current one."),
    click.option("--kubeconfig", metavar="FILE", help="Kubeconfig; default: $KUBECONFIG, else ~/.kube/config."),
    click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Look in every namespace."),
)


def name_argument(*, many: bool = False, required: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add NAME of a run, or with `many` the names of several as `names`; shells complete it."""
    from trainingrun.cli.run_names import run_names

    words = "NAME" if required else "[NAME]"
    if many:
        return click.argument("names", metavar=f"{words}...", nargs=-1, required=required, shell_complete=run_names)
    return click.argument("name", metavar=words, required=required, shell_complete=run_names)


def duration(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """The seconds of a span of time as kubectl takes it (`90s`, `30m`, `1h30m`), or of a plain number of seconds."""
    if value is None:
        return None
    match = _DURATION.fullmatch(value)
    if not match or not any(match.groups()):
        raise click.BadParameter(f"found {value}, allowed: a span of time such as 90s, 30m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = float(hours * 3600 + minutes * 60 + seconds)
    if not total:
        raise click.BadParameter(f"found {value}, allowed: 1s or more")
    return total


def files_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add `-f FILE`, as often as one likes, and the same without -f; the command gets them all as `paths`."""

    @functools.wraps(function)
    def command(*, named: tuple[str, ...], plain: tuple[str, ...], **values: Any) -> None:
        if not (named or plain):
            raise click.UsageError("Missing option '-f' / '--filename'.")
        function(paths=(*named, *plain), **values)

    option = click.option(
        "-f",
        "--filename",
        "named",
        multiple=True,
        type=_FILE,
        metavar="FILE",
        help="YAML file of TrainingRuns, a folder of them, a URL, or - for standard input; repeatable, and -f may be "
        "left out.",
    )
    return click.argument("plain", metavar="[FILE]...", nargs=-1, type=_FILE)(option(command))


def file_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add `-f FILE` for a command that works on one run."""
    return click.option(
        "-f",
        "--filename",
        "file",
        required=True,
        multiple=True,
        callback=lambda _context, _option, files: _the_only(files),
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with one TrainingRun, the same that you would apply to a cluster.",
    )(function)


def _the_only(files: tuple[Path, ...]) -> Path:
    """Refuse a second file, which would otherwise take the first one's place without a word."""
    if len(files) > 1:
        raise click.BadParameter("one file at a time, since its run uses the whole machine")
    return files[0]


def code_option(words: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add `--code DIR`; `words` say what becomes of the folder."""
    return click.option("--code", type=click.Path(path_type=Path), metavar="DIR", help=words)


# Of the commands that run code here.
LOCAL_CODE = "Folder with the run's code, as `trainingrun submit --code` takes it; default: the folder of the file."


def output_option(words: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add `-o text|json`; `words` say what it prints."""
    choice = click.Choice(["text", "json"])
    return click.option("-o", "--output", type=choice, default="text", show_default=True, help=words)


def program_name() -> str:
    """What the user calls this program: `trainingrun`, or `kubectl trainingrun`."""
    return str(click.get_current_context().find_root().info_name)
