"""`python -m moderator` is `moderator`."""

import gc

COLLECTED = 100_000
"""New objects after which Python looks for cycles that nothing needs. A scan makes millions that are in none, and after
every 700, Python's own number, an unchanged folder of 100,000 files takes a fifth longer, and a start a tenth."""


def main() -> None:
    """Runs the command line and exits."""
    gc.set_threshold(COLLECTED)
    from moderator.cli.app import main as run  # which makes many objects itself

    run()


if __name__ == "__main__":
    main()
