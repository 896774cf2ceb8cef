"""The operator on a real API server: what the operator's figures are measured with.

The control plane, the operator's process and the kubelet's words are those of the tests in tests/apiserver. There is
no KubeRay and no controller of Kubernetes: a figure writes itself what they would have written.
"""

import sys
from pathlib import Path

# Those modules are found as the tests find them.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "apiserver"))
