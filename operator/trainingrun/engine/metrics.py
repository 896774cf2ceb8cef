"""The operator's own metrics, with the names listed in docs/operator.md.

Runs are never labels here, since there may be thousands: what some have of their own is `run_metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Requests of the task that is running, so that a reconcile can say how many it took.
requests_made: ContextVar[list[str] | None] = ContextVar("requests_made", default=None)


class Metrics:
    """Every metric of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter("trainingrun_reconcile", "Reconciles by result", ["result"], registry=self.registry)
        self.seconds = Histogram(
            "trainingrun_reconcile_seconds",
            "Duration of a reconcile",
            registry=self.registry,
            buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
        )
        self.retries = Counter("trainingrun_retries", "Reconciles that failed and are retried", registry=self.registry)
        self.requests = Counter(
            "trainingrun_api_requests",
            "API server responses by verb, resource and HTTP status (0: none)",
            ["verb", "resource", "code"],
            registry=self.registry,
        )
        self.repairs = Counter(
            "trainingrun_resync_repairs",
            "Changes that a resync found and no watch had reported",
            registry=self.registry,
        )
        self.reports = Counter(
            "trainingrun_progress_reports", "Progress reports by HTTP status", ["code"], registry=self.registry
        )
        self.lag = Gauge("trainingrun_loop_lag_seconds", "Worst recent lag of the event loop", registry=self.registry)

    def observe_request(self, verb: str, resource: str, code: int) -> None:
        """Count a response of the API server."""
        self.requests.labels(verb, resource, str(code)).inc()
        made = requests_made.get()
        if made is not None:
            made.append(f"{verb} {resource}")

    def gauge(self, name: str, description: str, value: Callable[[], float]) -> None:
        """A figure that is read on demand."""
        Gauge(f"trainingrun_{name}", description, registry=self.registry).set_function(value)

    def gauge_by_kind(self, name: str, description: str, value: Callable[[str], float], kinds: tuple[str, ...]) -> None:
        """A figure for each kind of object, read on demand."""
        gauge = Gauge(f"trainingrun_{name}", description, ["kind"], registry=self.registry)
        for kind in kinds:
            gauge.labels(kind).set_function(partial(value, kind))

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self.registry)
