"""Exact search over blocks of vectors, and the rungs of the evidence ladder."""
