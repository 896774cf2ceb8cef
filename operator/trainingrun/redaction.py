"""Removes secrets from a configuration before it is shown: both records and reports get shared."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "(hidden)"
_SECRET_NAME = re.compile(r"password|passwd|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE)
_CREDENTIALS_IN_URI = re.compile(r"(?<=://)[^/@\s]+@")


def redacted(value: Any, name: str = "") -> Any:
    """A copy of plain values without secrets: text under a secret's name, credentials in URIs, and the values of
    environment variables, `{name, value}`, whatever their name. A reference to a Secret stays.
    """
    if isinstance(value, dict):
        if value.keys() == {"name", "value"}:
            return {**value, "value": HIDDEN}
        return {key: redacted(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, name) for item in value]
    if not isinstance(value, str):
        return value
    return HIDDEN if _SECRET_NAME.search(name) else _CREDENTIALS_IN_URI.sub(f"{HIDDEN}@", value)
