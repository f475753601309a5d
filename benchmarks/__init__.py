"""Measurements: each module prints a table and writes JSON, everything compared side by side in one run."""
