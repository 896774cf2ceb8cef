"""What podman leaves on a machine after its last container: firewall rules that nothing uses any more."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

from container_tool import ContainerTool, run

_TABLES = ("filter", "nat")
_OURS = "NETAVARK"
# kind mounts it into nodes, so it is made where a machine has none.
KERNEL_MODULES = Path("/lib/modules")


def remove_leftovers(tool: ContainerTool) -> None:
    """Remove podman's rules, unless a container still runs by them, and the folder that was made for kind."""
    if tool.name != "podman" or tool.run("ps", "--quiet"):
        return
    for table in _TABLES:
        rules = run(["iptables", "--table", table, "--list-rules"]).splitlines()
        chains = [rule.split()[1] for rule in rules if rule.startswith(f"-N {_OURS}")]
        for rule in rules:
            if rule.startswith("-A") and _OURS in rule:
                run(["iptables", "--table", table, "--delete", *shlex.split(rule)[1:]])
        for chain in chains:
            run(["iptables", "--table", table, "--delete-chain", chain])
    with contextlib.suppress(OSError):  # not empty: it is the machine's own
        KERNEL_MODULES.rmdir()
