"""The archive that an author's code travels in: which files of a folder are in it, how it is packed and unpacked.

It must know neither Kubernetes nor stores: who calls it brings the archive there.
"""

from trainingrun.archive.choosing import Refused
from trainingrun.archive.packing import ARCHIVE_KEY, MAX_PACKED_BYTES, Archive, code_field, packed
from trainingrun.archive.unpacking import Unusable, unpack

__all__ = ["ARCHIVE_KEY", "MAX_PACKED_BYTES", "Archive", "Refused", "Unusable", "code_field", "packed", "unpack"]
