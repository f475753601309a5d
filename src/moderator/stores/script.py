"""SQL scripts for the engines' own clients: one table of names and vectors, escaped for any name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from moderator.paths import printable

ROOM = 1_000_000
"""Characters of one INSERT; servers take 16 MiB and more in a packet."""
PLAIN = re.compile(r"[\w ./()+,@=-]*", re.ASCII)
"""What is written as it is. Anything else goes as hexadecimal, which no encoding and no mode of a server or client can
misread."""

VECTORS: Mapping[str, str] = {
    "mysql": "STRING_TO_VECTOR('{text}')",
    "mariadb": "VEC_FromText('{text}')",
    "oceanbase": "'{text}'",
    "tidb": "'{text}'",
}
"""How each dialect writes a vector."""

Row = tuple[str, npt.NDArray[np.float32]]


def script(rows: Iterable[Row], dialect: str, dimension: int, about: Sequence[str] = ()) -> Iterator[str]:
    """Yields a script that makes the table `image_embeddings (id, image_name, embedding)` and fills it.

    It is one transaction after the table is made, so a client that stops at an error has loaded nothing.

    Args:
        about: lines of the comment at its head.
    """
    yield "".join(f"-- {''.join(one if one.isprintable() else '?' for one in line)}\n" for line in about)
    yield (
        "CREATE TABLE IF NOT EXISTS image_embeddings (\n"
        "  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,\n"
        "  image_name TEXT NOT NULL,\n"
        f"  embedding VECTOR({dimension:d}) NOT NULL\n"
        ") DEFAULT CHARACTER SET utf8mb4;\n"
        "START TRANSACTION;\n"
    )
    left = 0
    for name, vector in rows:
        row = f"({literal(name)}, {VECTORS[dialect].format(text=text(vector))})"
        if left < len(row):
            yield (";\n" if left else "") + "INSERT INTO image_embeddings (image_name, embedding) VALUES\n" + row
            left = ROOM
        else:
            yield ",\n" + row
        left -= len(row)
    yield (";\n" if left else "") + "COMMIT;\n"


def literal(words: str) -> str:
    """Returns a text as SQL, whatever is in it; what is no UTF-8 stands as `\\xNN`."""
    encoded = printable(words)
    return f"'{encoded}'" if PLAIN.fullmatch(encoded) else f"_utf8mb4 X'{encoded.encode().hex()}'"


def text(vector: npt.NDArray[np.float32]) -> str:
    """Returns a vector as a JSON array of numbers that read back as the same float32; what is below 1.2e-38, which
    MySQL refuses, is zero."""
    tiny = float(np.finfo(np.float32).tiny)
    return "[" + ",".join(f"{number:.9g}" if abs(number) >= tiny else "0" for number in vector.tolist()) + "]"
