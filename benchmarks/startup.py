"""How long the command line takes to answer, as a whole process, against an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.table import publish, timed


def main() -> None:
    """Times `python -c pass`, `moderator --help`, and what `--help` must not do: import the embedding stack."""

    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    rows = [
        timed("python -c pass", 1, "start", lambda: run("-c", "pass"), runs=7),
        timed("moderator --help", 1, "start", lambda: run("-m", "moderator", "--help"), runs=7),
        timed("import sentence_transformers", 1, "start", lambda: run("-c", "import sentence_transformers"), runs=3),
    ]
    publish("startup", rows)


if __name__ == "__main__":
    main()
