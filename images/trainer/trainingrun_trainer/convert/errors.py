"""The ways a conversion is refused. Anything else that is raised is a bug, or the machine's fault."""

from __future__ import annotations


class ConvertError(ValueError):
    """The source or a row of it cannot be converted; says which one, what was found and what is allowed."""


class UsageError(ValueError):
    """The conversion was asked for wrongly; says which argument to change."""


class SourceFailed(ConvertError):
    """The user's own code raised while it made rows; the cause carries its traceback."""
