"""What is searched here is simulated, modelled or made elsewhere: those folders are where the imports come from."""

from __future__ import annotations

import sys
from pathlib import Path

for _folder in ("sim", "machine", "apiserver", "fuzz"):
    sys.path.append(str(Path(__file__).parents[1] / _folder))
