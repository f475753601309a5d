"""The command line for tests of calibration."""

from tests.cli.conftest import run

__all__ = ["run"]
