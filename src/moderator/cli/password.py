"""The password of a store: asked on a terminal, and never taken from a command line without a warning."""

from __future__ import annotations

import os
import sys

from moderator.cli import screen
from moderator.errors import ModeratorError, PasswordWanted


def warn_of_secret(url: str) -> None:
    """Says so where a URL holds a password."""
    from moderator.stores.address import PASSWORD_VARIABLE, redacted

    if redacted(url) != url:
        screen.errors().print(
            "warning: a password in a URL can be read in the shell's history, in lists of processes and in policy "
            f"files; set {PASSWORD_VARIABLE} instead",
            markup=False,
        )


def ask(error: ModeratorError) -> bool:
    """Asks on the terminal for the password that a store wanted, and keeps it for the rest of this process; False where
    the error is another one, there is no terminal, it was asked before, or nothing is answered."""
    import getpass

    from moderator.stores.address import PASSWORD_VARIABLE

    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    if not isinstance(error, PasswordWanted) or PASSWORD_VARIABLE in os.environ or not terminal:
        return False
    try:
        os.environ[PASSWORD_VARIABLE] = getpass.getpass(f"{error}: ", stream=sys.stderr)
    except (KeyboardInterrupt, EOFError):
        screen.errors().print()
        return False
    return True
