"""The CustomResourceDefinition, and the documents that say the same in words.

`python -m trainingrun.crd` writes them, and what the chart copies from the manifests. Nothing here is needed while the operator runs.
"""
