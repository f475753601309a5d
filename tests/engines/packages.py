"""Gets the programs of a database engine without installing them: from PATH, a Docker image or Debian's `sid`."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SECONDS = 600
"""The longest a download or an unpacking may take."""


class Unobtainable(Exception):
    """One way to get an engine does not work on this machine; the message says why."""


@dataclass(frozen=True)
class Root:
    """A tree with an engine's programs: the system's own, or an unpacked one with its own loader and libraries."""

    usr: Path
    home: Path
    """Where the engine may keep what it makes once of these programs, such as a first data folder."""
    loader: tuple[str, ...] = ()

    def program(self, name: str) -> list[str]:
        """Returns the beginning of a command line that runs a program of this tree."""
        return [*self.loader, str(self.find(f"*bin/{name}"))]

    def find(self, pattern: str) -> Path:
        """Returns the first path below `usr` that fits the pattern; where there is none, the test fails."""
        found = sorted(self.usr.glob(pattern))
        if not found:
            pytest.fail(f"{self.usr} holds no {pattern}: its packages are laid out anew", pytrace=False)
        return found[0]


def cache() -> Path:
    """Returns the folder where unpacked engines stay between runs; delete it to fetch newer ones."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "moderator-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps every other process that asks for the same lock waiting."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def on_path(program: str, at_least: tuple[int, int]) -> Root | None:
    """Returns the system's own tree when the program is on PATH and new enough."""
    found = shutil.which(program)
    if found is None:
        return None
    said = _run(found, "--version")
    version = re.search(r"(\d+)\.(\d+)\.\d+", said)
    if version is None or (int(version[1]), int(version[2])) < at_least:
        return None
    home = cache() / f"{program}-{version[0]}-on-path"
    home.mkdir(exist_ok=True)
    return Root(Path(found).resolve().parents[1], home)


def unpacked(name: str, image: str, packages: Sequence[str]) -> Root:
    """Returns the tree in the cache, filled at first from Docker if an engine answers, else from Debian's packages.

    Raises:
        Unobtainable: neither way works; the message has both reasons.
    """
    home = cache() / name
    with locked(cache() / "packages.lock"):
        if not home.is_dir():
            part = home.with_name(f"{name}.part")
            _fill(part, image, packages)
            part.rename(home)
    usr = home / "usr"
    loader = next((found for form in ("lib*", "lib/*") for found in usr.glob(f"{form}/ld-linux*.so*")), None)
    if loader is None:
        raise Unobtainable(f"{usr} holds no ld-linux; delete {home} and try again")
    # Debian keeps libraries in lib/<triplet>, Oracle Linux in lib64 and lib64/mysql/private.
    folders = [*usr.glob("lib/*-linux-gnu"), usr / "lib64", *usr.glob("lib64/*/private")]
    libraries = ":".join(str(folder) for folder in folders if folder.is_dir())
    return Root(usr, home, (str(loader), "--library-path", libraries))


def _fill(part: Path, image: str, packages: Sequence[str]) -> None:
    reasons = []
    for way, what in ((_from_docker, [image]), (_from_debian, packages)):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            way(part, what)
        except Unobtainable as reason:
            reasons.append(str(reason))
        else:
            return
    raise Unobtainable("; ".join(reasons))


def _from_docker(part: Path, images: Sequence[str]) -> None:
    """Copies `usr` out of an image: the server then runs as a plain process, which a test may stop and kill."""
    if shutil.which("docker") is None:
        raise Unobtainable("Docker is absent")
    _run("docker", "version", "--format", "{{.Server.Version}}")
    container = _run("docker", "create", *images).split()[-1]
    try:
        _run("sh", "-c", 'docker export "$0" | tar -x -C "$1" usr', container, str(part))
    finally:
        _run("docker", "rm", "--force", container)


def _from_debian(part: Path, packages: Sequence[str]) -> None:
    """Unpacks packages of the `sid` suite with all they need; neither apt's nor dpkg's own state is touched."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Unobtainable("this is no Debian")
    reasons = []
    for mirror in _mirrors():
        try:
            archives = _download(mirror, part, packages)
        except Unobtainable as reason:
            reasons.append(str(reason))
        else:
            with ThreadPoolExecutor() as threads:
                list(threads.map(lambda archive: _run("dpkg", "-x", str(archive), str(part)), archives))
            shutil.rmtree(part / "apt")
            return
    raise Unobtainable("; ".join(reasons) or "apt's configuration names no mirror of Debian")


def _mirrors() -> list[str]:
    """Returns the addresses from which this machine's apt takes its own release, without its security updates."""
    form = "$(REPO_URI) $(COMPONENT) $(RELEASE)"
    targets = _run("apt-get", "indextargets", "--no-release-info", "--format", form, "Created-By: Packages")
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "sid")
    names = {release, "stable", "testing", "unstable", "sid"}
    fields = [line.split() for line in targets.splitlines()]
    return list(dict.fromkeys(each[0] for each in fields if each[1:2] == ["main"] and each[-1] in names))


def _download(mirror: str, part: Path, packages: Sequence[str]) -> list[Path]:
    own, lists = part / "apt", cache() / "apt-lists"
    for folder in (own / "archives" / "partial", lists / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (own / "status").touch()  # an empty one: everything is missing, so everything is fetched
    keyring = next(Path("/usr/share/keyrings").glob("debian-archive-keyring.*"), None)
    signed = f"[signed-by={keyring}] " if keyring else ""
    (own / "sid.list").write_text(f"deb {signed}{mirror} sid main\n")
    options = {
        "Dir::Etc::SourceList": own / "sid.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": own,
        "Dir::State::Lists": lists,
        "Dir::State::status": own / "status",
        "Dir::Cache": own,
        "Acquire::Languages": "none",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the cache may lie in a home that the user _apt cannot enter
    }
    apt = ["apt-get", "--quiet", "--yes", *(f"--option={key}={value}" for key, value in options.items())]
    _run(*apt, "--error-on=any", "update")
    _run(*apt, "--download-only", "install", *packages)
    return sorted((own / "archives").glob("*.deb"))


def _run(*command: str) -> str:
    """Runs a program and returns what it printed. Raises: Unobtainable, with the program's last words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unobtainable(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise Unobtainable(f"{Path(command[0]).name} says {words!r}")
    return done.stdout
