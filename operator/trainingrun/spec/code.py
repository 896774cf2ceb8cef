"""Where the author's code is that is not in the image: one archive, which its digest names for good."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from trainingrun.errors import Problem
from trainingrun.spec.environment import KeyReference
from trainingrun.spec.model import Model, UriOrPath, text

Sha256 = Annotated[
    str, text(64, pattern=r"^[0-9a-f]{64}$", words="64 lower-case hexadecimal digits, as sha256sum prints")
]


class Code(Model):
    """A tar archive of Python code, unpacked in every pod: exactly one of uri and configMapKeyRef."""

    uri: UriOrPath | None = Field(
        default=None,
        description="Where the archive is: a URI that fsspec can read with the storage's credentials, such as "
        "s3://bucket/code.tar.gz, or an absolute path on the run's claim; at most 2048 characters.",
    )
    config_map_key_ref: KeyReference | None = Field(
        default=None,
        description="A key of a ConfigMap that holds the archive, as `trainingrun submit --code` makes it.",
    )
    sha256: Sha256 = Field(
        description="SHA-256 digest of the archive, 64 hexadecimal digits. Every pod checks it before it unpacks."
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one place."""
        if (self.uri is None) == (self.config_map_key_ref is None):
            found = "neither" if self.uri is None else "both"
            yield Problem("", f"{found} of uri and configMapKeyRef", "exactly one of them")
