"""The command line: one file for each command; only these print and exit."""
