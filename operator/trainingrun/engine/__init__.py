"""The running operator: watches, cache, queue and the reconciliation of one run at a time.

It decides nothing about runs: `plan`, `status` and `render` do, and this package carries it out.
"""
