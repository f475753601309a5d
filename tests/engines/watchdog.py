"""Runs one database server for as long as somebody holds a shared lock on a file; started as a program of its own.

The kernel drops a lock with the process that held it, however that process ended, so no server outlives its
users: not after an interrupt, not after `kill -9`. Should this program itself be killed, the kernel kills the
server with it (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def _die_with_the_watchdog() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(task: str) -> None:
    """Runs the task: a JSON object of `users` and `hold` (files to lock), `folder` (of the server) and `command`."""
    asked = json.loads(task)
    folder, users = Path(asked["folder"]), Path(asked["users"])
    with users.open() as lock, Path(asked["hold"]).open("a") as hold, (folder / "server.log").open("ab") as log:
        fcntl.flock(hold, fcntl.LOCK_SH)
        server = subprocess.Popen(
            asked["command"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=_die_with_the_watchdog,  # noqa: PLW1509 - this program has one thread
        )  # fmt: skip
        (folder / "pid.part").write_text(str(server.pid))
        (folder / "pid.part").rename(folder / "pid")
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits for the last user to go
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
        users.unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1])
