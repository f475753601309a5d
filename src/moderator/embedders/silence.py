"""Keeps what model libraries say off the user's screen."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


@contextmanager
def silence(level: int = logging.WARNING) -> Iterator[None]:
    """Keeps progress bars, warnings and logging up to `level` off the screen; errors still raise.

    Standard output stays, as a scan may write to it while its model is loaded in another thread.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    before = logging.root.manager.disable
    logging.disable(level)
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
