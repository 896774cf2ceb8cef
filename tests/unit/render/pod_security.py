"""The Pod Security Standards' profile `restricted`, as far as it goes for pods on Linux.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]
VOLUME_KINDS = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SECCOMP = ("RuntimeDefault", "Localhost")


def violations(pod: Spec) -> Iterator[str]:
    """Each thing in a pod's spec that the profile forbids, or wants and does not find."""
    yield from (field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field))
    for volume in pod.get("volumes", []):
        yield from (f"volume {kind}" for kind in volume if kind != "name" and kind not in VOLUME_KINDS)
    security = pod.get("securityContext", {})
    yield from _identity(security)
    if security.get("sysctls"):
        yield "sysctls"
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(field, []):
            yield from _container(container, security)


def _identity(security: Spec) -> Iterator[str]:
    """What pods and containers may say alike."""
    if security.get("runAsUser") == 0:
        yield "runAsUser 0"
    if security.get("runAsNonRoot") is False:
        yield "runAsNonRoot false"
    if "seccompProfile" in security and security["seccompProfile"]["type"] not in SECCOMP:
        yield "seccompProfile"
    yield from (field for field in ("seLinuxOptions", "windowsOptions", "appArmorProfile") if field in security)


def _container(container: Spec, pod_security: Spec) -> Iterator[str]:
    security = container.get("securityContext", {})
    yield from _identity(security)
    if security.get("privileged"):
        yield "privileged"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if "ALL" not in security.get("capabilities", {}).get("drop", []):
        yield "capabilities.drop without ALL"
    if set(security.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if security.get("procMount", "Default") != "Default":
        yield "procMount"
    yield from ("hostPort" for port in container.get("ports", []) if port.get("hostPort"))
    for field in ("runAsNonRoot", "seccompProfile"):
        if not security.get(field, pod_security.get(field)):
            yield f"no {field}"
