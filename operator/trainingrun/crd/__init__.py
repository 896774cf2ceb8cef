"""The CustomResourceDefinition, and the documents that say the same in words.

`python -m trainingrun.crd` writes them, and copies into the chart what it shares with the manifests. Nothing here is
needed while the operator runs.
"""
