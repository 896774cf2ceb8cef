"""What all simulations share: work that is done once, and a count of the points at which faults were tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

pytest.register_assert_rewrite("oracle")

from remembered import remember  # noqa: E402 - after the line above, which must come before any import of the oracle

_POINTS = pytest.StashKey[int]()


@pytest.fixture(scope="module", autouse=True)
def remembered() -> Iterator[None]:
    """Parse and render the same run once."""
    with pytest.MonkeyPatch.context() as patch:
        remember(patch)
        yield


@pytest.fixture
def record_points(request: pytest.FixtureRequest) -> Callable[[int], None]:
    """Count so many fault points."""
    stash = request.config.stash

    def record(count: int) -> None:
        stash[_POINTS] = stash.get(_POINTS, 0) + count

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    points = config.stash.get(_POINTS, 0)
    if points:
        terminalreporter.write_line(f"faults were tried at {points} points")
