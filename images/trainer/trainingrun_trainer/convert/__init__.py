"""Datasets of every usual form, written once as Parquet files that training reads at the speed of a copy.

    from trainingrun_trainer.convert import convert
    print(convert(frame, "data/train").yaml)

It may import torch, torchvision and pandas, each only when a source of theirs is converted, and never Ray.
"""

from trainingrun_trainer.convert.conversion import Converted, convert
from trainingrun_trainer.convert.errors import ConvertError, SourceFailed, UsageError

__all__ = ["ConvertError", "Converted", "SourceFailed", "UsageError", "convert"]
