"""Rows for training from a pool of data workers: who reads, makes and hands out what, and when."""
