"""`trainingrun local`: the same run on one machine, with the cluster's two groups as virtual Ray nodes.

Only what a machine without Kubernetes needs is here; training itself is the image's own entrypoint, unchanged.
"""
