"""A proxy before a database server, which cuts a connection around a COMMIT."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Literal

Moment = Literal["before", "after"]
"""Whether the server has seen the COMMIT when the connection is cut; the client sees no answer to it."""
_COMMIT = b"\x03COMMIT"


class CuttingProxy:
    """Listens on a unix socket and passes everything on to another, until `cut` is called."""

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self.cuts = 0
        """How many connections were cut."""
        self._target = target
        self._armed: list[Moment] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *moments: Moment) -> None:
        """Cuts the connections of the next COMMITs, one at each of these moments."""
        self._armed += moments

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        muted, answered = threading.Event(), threading.Event()
        threading.Thread(target=self._answer, args=(server, client, muted, answered), daemon=True).start()
        with contextlib.suppress(OSError), client, server, client.makefile("rb") as stream:
            while header := stream.read(4):
                payload = stream.read(int.from_bytes(header[:3], "little"))
                if payload == _COMMIT and self._armed:
                    self.cuts += 1
                    if self._armed.pop(0) == "after":
                        muted.set()
                        server.sendall(header + payload)
                        answered.wait(10)
                    break
                server.sendall(header + payload)
            for end in (client, server):  # a mere close would wait for the other thread's recv
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _answer(
        server: socket.socket, client: socket.socket, muted: threading.Event, answered: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if muted.is_set():
                    answered.set()
                else:
                    client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
