"""Logs are one JSON object a line, with the fields that a search needs and none that may hold a body or a token."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from trainingrun.engine.log import JsonFormatter, configure_logs


@pytest.fixture(autouse=True)
def _records_of_the_operator() -> Iterator[None]:
    """Ray, where another test has imported it into this process, adds a field of its own to every record."""
    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    yield
    logging.setLogRecordFactory(factory)


def line(message: str = "reconciled", *arguments: object, **extra: Any) -> dict[str, Any]:
    record = logging.makeLogRecord(
        {"name": "trainingrun.engine.worker", "levelname": "INFO", "msg": message, "args": arguments, **extra}
    )
    record.created = 1788264000.25
    text = JsonFormatter().format(record)
    assert "\n" not in text
    read: dict[str, Any] = json.loads(text)
    return read


def test_a_line_has_time_level_logger_and_message() -> None:
    assert line("%d runs", 3) == {
        "time": "2026-09-01T12:00:00.250+00:00",
        "level": "info",
        "logger": "trainingrun.engine.worker",
        "message": "3 runs",
    }


def test_plain_fields_are_added() -> None:
    fields = {"run": "team/mnist", "attempt": 2, "seconds": 0.5, "result": "written", "generation": None, "ok": True}
    assert fields.items() <= line(**fields).items()


@pytest.mark.parametrize("value", [{"spec": {"token": "secret"}}, ["secret"], object(), b"secret"])
def test_what_is_not_plain_is_left_out(value: object) -> None:
    assert "body" not in line(body=value)


def test_an_exception_is_a_field_of_the_same_line() -> None:
    try:
        raise ValueError("no\nway")
    except ValueError as error:
        read = line(exc_info=(type(error), error, error.__traceback__))
    assert read["exception"].startswith("Traceback") and read["exception"].endswith("ValueError: no\nway")


def test_whatever_is_logged_stays_on_its_line() -> None:
    assert line("a\nb\u2028c", run='"}\n{"level": "error')["message"] == "a\nb\u2028c"


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize(("level", "expected"), [("warning", ["b"]), ("debug", ["a", "b"])])
def test_logs_go_to_standard_error_from_the_chosen_level_on(
    level: str, expected: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs(level)
    logging.getLogger("trainingrun").debug("a")
    logging.getLogger("trainingrun").warning("b")
    logging.getLogger("kopf.objects").info("every event of every object")
    out, err = capfd.readouterr()
    assert (out, [json.loads(text)["message"] for text in err.splitlines()]) == ("", expected)
