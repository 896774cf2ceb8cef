"""The operator's settings: read once from flags and environment, checked once, then never changed.

docs/operator.md lists them in a table that a test compares with this file. Nothing is opened here but the files that
settings name.
"""

from __future__ import annotations

import dataclasses
import os
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trainingrun.engine.progress.certificate import Authority, Certificate
from trainingrun.render import PROGRESS_AUDIENCE, RenderSettings

PREFIX = "TRAININGRUN_OPERATOR_"
_LEVELS = ("debug", "info", "warning", "error")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LEASE = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_MAX_LEASE_NAME = 253


class InvalidSettings(ValueError):
    """A setting is wrong. The message is a sentence that names it."""


def _setting(default: Any, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """Every setting. Each has a flag (`--health-port`) and a variable (`TRAININGRUN_OPERATOR_HEALTH_PORT`)."""

    namespaces: tuple[str, ...] = _setting((), "Namespaces to serve; default: all. `-n` may be repeated")
    kubeconfig: str | None = _setting(
        None, "Kubeconfig file; inside a cluster, the default is the pod's service account"
    )
    context: str | None = _setting(None, "Context of the kubeconfig file; default: its current one")
    workers: int = _setting(16, "Runs reconciled in parallel, 1 to 256")
    max_writes: int = _setting(32, "Writes in flight at the same time, 1 to 256")
    resync_seconds: int = _setting(600, "Seconds between full comparisons with the API server, 30 to 86400")
    leader_election: bool = _setting(True, "Whether a Lease decides which replica acts")
    lease_name: str = _setting("trainingrun-operator", "Name of the Lease")
    lease_namespace: str | None = _setting(None, "Namespace of the Lease; default: that of the operator's pod")
    lease_seconds: int = _setting(15, "Seconds without a renewal after which another replica takes over, 5 to 300")
    bind_address: str = _setting("0.0.0.0", "Address to listen on")  # noqa: S104 - a pod's own
    health_port: int = _setting(8080, "Port of /healthz, /readyz and /metrics, 1 to 65535")
    progress_port: int = _setting(8443, "Port of the progress endpoint, 1 to 65535")
    progress_url: str | None = _setting(
        None,
        "URL at which pods reach the progress endpoint, such as `https://trainingrun-progress.ns.svc`; "
        "without it there is no such endpoint, and no attempt counts as hung",
    )
    progress_audience: str = _setting(PROGRESS_AUDIENCE, "Audience of the tokens that pods report with")
    progress_certificate: str | None = _setting(None, "File with the endpoint's certificate, for an https URL")
    progress_key: str | None = _setting(None, "File with the certificate's key")
    progress_ca: str | None = _setting(None, "File with the CA certificates that pods verify the endpoint with")
    fixed_ids: bool = _setting(
        True, "Whether pods of runs ask for user and group 1000; without it the cluster chooses, as OpenShift has to"
    )
    run_metrics: int = _setting(
        0, "Runs that have metrics of their own at /metrics, 0 to 2000; of more, those that are not over come first"
    )
    run_metrics_seconds: int = _setting(3600, "Seconds for which a run that is over keeps its metrics, 60 to 604800")
    log_level: str = _setting("info", "Lowest level that is logged: debug, info, warning or error")

    def render_settings(self) -> Callable[[], RenderSettings]:
        """What a rendering needs of these, with the certificates as they are whenever it is called."""
        authority = Authority(self.progress_ca) if self.progress_ca and self.progress_url else None
        return lambda: RenderSettings(
            self.progress_url,
            self.progress_audience,
            authority.text() if authority is not None else None,
            self.fixed_ids,
        )

    def certificate(self) -> Certificate | None:
        """The certificate of the progress endpoint."""
        if self.progress_certificate is None or self.progress_key is None:
            return None
        return Certificate(self.progress_certificate, self.progress_key)


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return "--" + ("namespace" if name == "namespaces" else name.replace("_", "-"))


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def load_settings(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """The settings from flags (those that were given) and environment. Raises `InvalidSettings`."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        given = flags.get(field.name)
        if given not in (None, ()):
            values[field.name] = given
        elif text := environment.get(variable_of(field.name), "").strip():
            values[field.name] = _parsed(field, text)
    settings = Settings(**values)
    for check in _CHECKS:
        check(settings)
    return settings


def _parsed(field: dataclasses.Field[Any], text: str) -> Any:
    name = variable_of(field.name)
    if field.name == "namespaces":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(field.default, bool):
        if text.lower() not in ("true", "false"):
            raise InvalidSettings(f"{name}: found {text!r}, allowed: true or false")
        return text.lower() == "true"
    if isinstance(field.default, int):
        if not re.fullmatch(r"\d{1,9}", text):
            raise InvalidSettings(f"{name}: found {text!r}, allowed: a whole number")
        return int(text)
    return text


def _check_numbers(settings: Settings) -> None:
    bounds = {
        "workers": (1, 256),
        "max_writes": (1, 256),
        "resync_seconds": (30, 86400),
        "lease_seconds": (5, 300),
        "health_port": (1, 65535),
        "run_metrics": (0, 2000),
        "run_metrics_seconds": (60, 604800),
        "progress_port": (1, 65535),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(settings, name) <= high:
            raise InvalidSettings(f"{flag_of(name)}: found {getattr(settings, name)}, allowed: {low} to {high}")
    if settings.progress_url and settings.health_port == settings.progress_port:
        raise InvalidSettings(f"--progress-port: found {settings.progress_port}, must differ from --health-port")


def _check_words(settings: Settings) -> None:
    if settings.log_level not in _LEVELS:
        raise InvalidSettings(f"--log-level: found {settings.log_level!r}, allowed: {', '.join(_LEVELS)}")
    served = [("namespaces", name) for name in settings.namespaces]
    for setting, name in (*served, ("lease_namespace", settings.lease_namespace)):
        if name is not None and not _NAMESPACE.fullmatch(name):
            raise InvalidSettings(f"{flag_of(setting)}: found {name!r}, allowed: the name of a namespace")
    if len(settings.lease_name) > _MAX_LEASE_NAME or not _LEASE.fullmatch(settings.lease_name):
        raise InvalidSettings(
            f"--lease-name: found {settings.lease_name!r}, allowed: lower-case letters, digits, '-' and '.'"
        )


def _check_progress(settings: Settings) -> None:
    scheme = urlsplit(settings.progress_url or "").scheme
    if settings.progress_url is not None and scheme not in ("http", "https"):
        raise InvalidSettings(f"--progress-url: found {settings.progress_url!r}, allowed: an http or https URL")
    if (settings.progress_certificate is None) != (settings.progress_key is None):
        raise InvalidSettings(
            "--progress-certificate and --progress-key: found only one of them, allowed: both or neither"
        )
    for name in ("progress_certificate", "progress_key", "progress_ca"):
        path = getattr(settings, name)
        try:
            if path is not None:
                Path(path).read_text()
        except (OSError, ValueError) as error:
            raise InvalidSettings(f"{flag_of(name)}: found {path!r}, allowed: a PEM file ({error})") from error
    try:
        settings.certificate()
    except (OSError, ssl.SSLError) as error:
        raise InvalidSettings(f"--progress-certificate: found a certificate that cannot be used ({error})") from error


_CHECKS: tuple[Callable[[Settings], None], ...] = (_check_numbers, _check_words, _check_progress)
