"""What many tests share: real photographs, a small real CLIP, and files as `walk` finds them."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from moderator import Registry, load_policy
from moderator.contracts import Found
from moderator.policy import Policy
from moderator.resources import ready_policies
from tests.tiny_clip import make_tiny_clip

# How long a test takes tells what else the machine does; what is fast enough is measured in benchmarks.
settings.register_profile("moderator", deadline=None)
settings.load_profile("moderator")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
"""Real pictures that are not part of the project; tests that need them skip where they are absent."""

PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "rocket.jpg",
)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six photographs from scikit-image, found without importing it."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-image is not installed (the extra `demo`)")
    folder = tmp_path_factory.mktemp("photographs")
    for name in PHOTOGRAPHS:
        shutil.copyfile(Path(spec.origin).parent / "data" / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small CLIP of the real architecture, in the hub's sentence-transformers layout."""
    return make_tiny_clip(tmp_path_factory.mktemp("models") / "tiny-clip")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared real pictures; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent")
    return SHARED


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Every plugin that is installed."""
    return Registry.discover()


@pytest.fixture
def offline(tmp_path: Path, registry: Registry) -> Policy:
    """The ready policy that runs on SSCD alone, with a store of the test's own."""
    policy = load_policy(ready_policies()["offline"], registry.vocabulary())
    return policy.model_copy(update={"store": f"sqlite:///{tmp_path}/moderator.db"})


@pytest.fixture(scope="session")
def found() -> Callable[[Path], Found]:
    """Makes a `Found` of a path, as `walk` would."""

    def make(path: Path) -> Found:
        status = path.lstat()
        return Found(str(path), str(path.absolute()), status.st_size, status.st_mtime_ns, {})

    return make


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a distribution: real metadata and entry points in a folder on `sys.path`."""

    def install(name: str, version: str, points: dict[str, str], **modules: str) -> None:
        site = tmp_path / f"site-{name}"
        metadata = site / f"{name}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{point} = {value}" for point, value in points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[moderator]", *lines]) + "\n")
        for module, text in modules.items():
            (site / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))

    return install


@pytest.fixture
def own_entry_points(installed: Callable[..., None]) -> None:
    """Makes moderator's own entry points known in a checkout that is on the path but not installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed(project["name"], project["version"], project["entry-points"]["moderator"])
