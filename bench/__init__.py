"""What training costs besides training: each figure measured against a baseline in the same run, on one machine.

Nothing here is part of the product, and the product must not import it.
"""
