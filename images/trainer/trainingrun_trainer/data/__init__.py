"""From files to batches: what lies where, in which order it is read, and how it becomes tensors.

The training loop must not be imported here: data tasks run on machines that hold no model.
"""

# The most decoded data that one table of a piece holds, in bytes.
READ_BYTES = 32 << 20
