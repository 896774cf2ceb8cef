"""JSON that is YAML too: the API server reads what is applied as YAML, which is stricter about characters than JSON.

YAML knows no escapes of two halves for characters such as emoji, takes some characters in no form but an escape, and
reads others as line breaks. Without this, one such character in a message would keep a status from being written.
"""

from __future__ import annotations

import json
import re
from typing import Any

_HALVES = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def as_yaml(value: Any) -> bytes:
    """The value as JSON that a reader of YAML understands in the same way; half a character becomes U+FFFD."""
    plain = json.dumps(value)
    if "\\u" not in plain and "\x7f" not in plain:
        return plain.encode()  # nearly always, and several times sooner
    text = _HALVES.sub("\ufffd", json.dumps(value, ensure_ascii=False))
    # Outside of strings, JSON has none of these.
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
