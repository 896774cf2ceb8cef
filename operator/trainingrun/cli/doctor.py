"""`trainingrun doctor`: what this machine and a cluster have of what runs need.

Exit code: 0 when nothing is wrong, 1 when something is, 4 when the cluster cannot be reached.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, program_name

if TYPE_CHECKING:
    from trainingrun.client.preflight import Check

_GIB = 1 << 30
_LEAST_MEMORY, _LEAST_SHARED, _LEAST_DISK = 4 * _GIB, 2 * _GIB, 10 * _GIB
_SHARED = Path("/dev/shm")  # noqa: S108 - it is looked at only
_COLOURS = {"ok": "green", "note": "cyan", "unknown": "yellow", "failed": "red"}
_FAILED = 1


@click.command("doctor")
@click.option("--machine", "only_machine", is_flag=True, help="Look at this machine only.")
@cluster_options()
def command(target: Target, only_machine: bool) -> None:
    """Check this machine for `local`, and the cluster for runs: definition, KubeRay, operator, your rights, GPUs,
    storage, queues. It changes nothing.
    """
    checks = _said("This machine", machine_checks())
    if not only_machine:
        from trainingrun.cli.cluster import in_cluster
        from trainingrun.client.preflight import cluster_checks

        checks += _said("Cluster", in_cluster(target, program_name(), cluster_checks))
    sys.exit(_FAILED if any(check.verdict == "failed" for check in checks) else 0)


def _said(title: str, checks: list[Check]) -> list[Check]:
    click.secho(title, bold=True)
    for check in checks:
        click.echo(
            f"  {click.style(check.verdict.ljust(7), fg=_COLOURS[check.verdict])}  {check.name:<12} {check.words}"
        )
    return checks


def machine_checks() -> list[Check]:
    """What `trainingrun local` needs of this machine."""
    from trainingrun.client.preflight import Check, Verdict

    def amount(name: str, found: int | None, least: int, consequence: str) -> Check:
        if found is None:
            return Check(name, Verdict.UNKNOWN, "this system does not say")
        words = f"{found / _GIB:.1f} GiB"
        return Check(name, *((Verdict.OK, words) if found >= least else (Verdict.NOTE, f"{words}: {consequence}")))

    trains = all(importlib.util.find_spec(name) is not None for name in ("trainingrun_trainer", "ray", "torch"))
    here = Path.cwd()
    return [
        Check("system", Verdict.OK, f"Python {platform.python_version()} on {platform.platform(terse=True)}"),
        Check("processors", Verdict.OK, f"{os.cpu_count()}"),
        amount("memory", _memory(), _LEAST_MEMORY, "little for Ray and PyTorch; 8 GiB are enough"),
        amount(str(_SHARED), _free(_SHARED), _LEAST_SHARED, "Ray keeps rows there, and uses slower files beyond it"),
        amount("disk", _free(here), _LEAST_DISK, f"little room in {here} for checkpoints"),
        Check("training", Verdict.OK, "the packages are installed")
        if trains
        else Check("training", Verdict.NOTE, "only clusters: `local` needs pip install 'trainingrun[trainer]'"),
    ]


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
