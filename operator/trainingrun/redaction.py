"""Takes secrets out of a configuration before it is shown: a report is sent around, a secret must not be."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "(hidden)"
_SECRET_NAME = re.compile(r"password|passwd|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE)
_CREDENTIALS_IN_URI = re.compile(r"(?<=://)[^/@\s]+@")


def redacted(value: Any, name: str = "") -> Any:
    """A copy of plain values in which text under a secret's name, and credentials in URIs, are hidden.

    An environment variable, `{name, value}`, counts under its own name; a reference to a Secret stays.
    """
    if isinstance(value, dict):
        own_name = str(value.get("name", "")) if "value" in value else ""
        return {key: redacted(item, own_name if key == "value" else str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, name) for item in value]
    if not isinstance(value, str):
        return value
    return HIDDEN if _SECRET_NAME.search(name) else _CREDENTIALS_IN_URI.sub(f"{HIDDEN}@", value)
