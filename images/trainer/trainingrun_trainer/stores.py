"""Where files are, by the scheme of a URI: which stores the training image has clients of.

An image of one's own may have others, which fsspec finds by itself; so nothing is refused here that it knows.
"""

from __future__ import annotations

from typing import Any

import fsspec

# Scheme, the extra of this package whose client speaks it, and the store.
SCHEMES = {
    "s3": ("trainer", "Amazon S3, and stores that speak its protocol"),
    "gs": ("gcs", "Google Cloud Storage"),
    "abfs": ("azure", "Azure Blob Storage and Data Lake"),
    "hf": ("huggingface", "Hugging Face Hub, of which a run can only read"),
    "https": ("trainer", "A file on a web server, of which a run can only read"),
    "file": ("trainer", "A path, as without a scheme"),
}


def file_system_of(place: str) -> tuple[Any, str]:
    """A file system of fsspec and the path of `place` on it.

    Raises ValueError for an unknown scheme, and ImportError, which names the package, for a missing client.
    """
    scheme = place.partition("://")[0] if "://" in place else "file"
    if scheme not in {*SCHEMES, *fsspec.available_protocols(), *fsspec.registry}:
        allowed = ", ".join(f"{known}://" for known in SCHEMES)
        raise ValueError(f"{scheme}:// is no scheme of a store, allowed: {allowed}, or what fsspec knows besides")
    filesystem, path = fsspec.core.url_to_fs(place)
    return filesystem, str(path)
