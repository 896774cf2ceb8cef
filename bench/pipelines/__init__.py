"""Ways from stored images to batches of float tensors, each in a process of its own.

All of them yield {"image": float32 (rows, 1, 28, 28), "label": int64 (rows,)}, normalised to -1..1.
"""
