"""CLIP is loaded as the hub lays it out, and a vector is bound to exactly what made it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moderator.embedders.clip import ClipEmbedder
from moderator.errors import ModelError
from moderator.intake.decode import prepare
from moderator.models import Preprocessing
from moderator.policy import EmbedderSpec
from tests.tiny_clip import DIMENSION, make_tiny_clip

ROOT = Path(__file__).parents[2]


def clip(folder: Path, **fields: object) -> ClipEmbedder:
    return ClipEmbedder(EmbedderSpec(model=str(folder), **fields))


@pytest.fixture(scope="module")
def embedder(tiny_clip: Path) -> ClipEmbedder:
    return clip(tiny_clip)


@pytest.fixture(scope="module")
def originals(photographs: Path) -> list[Image.Image]:
    pictures = []
    for path in sorted(photographs.iterdir()):
        with Image.open(path) as opened:
            pictures.append(opened.convert("RGB"))
    return pictures


@pytest.fixture(scope="module")
def vectors(embedder: ClipEmbedder, originals: list[Image.Image]) -> np.ndarray:
    return embedder.embed([prepare(picture, embedder.preprocessing) for picture in originals])


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache with nothing in it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def test_the_model_id_names_revision_precision_preprocessing_and_dimension(
    embedder: ClipEmbedder, tiny_clip: Path
) -> None:
    model = embedder.model
    assert (model.name, model.precision, model.dimension) == ("tiny-clip", "fp32", DIMENSION)
    assert model.preprocessing == Preprocessing(224, 224, "crop", "bicubic").version
    assert len(model.revision) == 16
    assert str(model) == f"tiny-clip@{model.revision}/fp32/{model.preprocessing}/{DIMENSION}"


def test_the_model_id_is_known_without_torch(tiny_clip: Path) -> None:
    program = (
        "import sys\n"
        "from moderator.embedders.clip import ClipEmbedder\n"
        "from moderator.policy import EmbedderSpec\n"
        "print(ClipEmbedder(EmbedderSpec(model=sys.argv[1])).model)\n"
        "print(*[name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])\n"
    )
    path = {"PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(
        [sys.executable, "-c", program, str(tiny_clip)], env=path, capture_output=True, text=True, check=True
    )
    name, heavy = run.stdout.split("\n")[:2]
    assert name == str(clip(tiny_clip).model)
    assert heavy == ""


def test_other_weights_under_one_name_are_another_model(
    embedder: ClipEmbedder, tmp_path: Path
) -> None:
    other = clip(make_tiny_clip(tmp_path / "tiny-clip", seed=1)).model
    assert other.name == embedder.model.name
    assert other.revision != embedder.model.revision


def test_the_same_weights_elsewhere_are_the_same_model(
    embedder: ClipEmbedder, tiny_clip: Path, tmp_path: Path
) -> None:
    assert clip(copied(tiny_clip, tmp_path / "tiny-clip")).model == embedder.model


def test_another_precision_is_another_model(embedder: ClipEmbedder, tiny_clip: Path) -> None:
    half = clip(tiny_clip, precision="bf16").model
    assert half != embedder.model
    assert half.precision == "bf16"


def test_another_preprocessing_is_another_model(embedder: ClipEmbedder, tiny_clip: Path, tmp_path: Path) -> None:
    folder = copied(tiny_clip, tmp_path / "tiny-clip")
    path = folder / "0_CLIPModel" / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "resample": 2}))
    assert clip(folder).model.preprocessing == "crop-224x224-bilinear-2"
    assert clip(folder).model != embedder.model


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"size": 224, "crop_size": 224, "resample": 3}, Preprocessing(224, 224, "crop", "bicubic")),
        (
            {"size": {"height": 384, "width": 256}, "do_center_crop": False, "resample": 2},
            Preprocessing(256, 384, "squash", "bilinear"),
        ),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}, None),
        ({"image_processor": {"size": 336, "crop_size": 336}}, Preprocessing(336, 336, "crop", "bicubic")),
    ],
    ids=["plain numbers", "squash", "crop smaller than the short side", "inside a processor"],
)
def test_the_geometry_is_the_one_that_the_model_declares(
    tiny_clip: Path, tmp_path: Path, config: dict[str, object], expected: Preprocessing | None
) -> None:
    folder = copied(tiny_clip, tmp_path / "tiny-clip")
    (folder / "0_CLIPModel" / "preprocessor_config.json").write_text(json.dumps(config))
    assert clip(folder).preprocessing == (expected or Preprocessing(1024, 1024, "contain", "bicubic"))


def test_picture_vectors_have_unit_length_and_the_declared_dimension(
    vectors: np.ndarray, originals: list[Image.Image]
) -> None:
    assert vectors.shape == (len(originals), DIMENSION)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_different_photographs_have_different_vectors(vectors: np.ndarray) -> None:
    similarity = vectors @ vectors.T
    assert similarity[~np.eye(len(vectors), dtype=bool)].max() < 0.9999


def test_prepared_pixels_give_the_vector_that_sentence_transformers_gives_the_original(
    tiny_clip: Path, vectors: np.ndarray, originals: list[Image.Image]
) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(tiny_clip), local_files_only=True).encode(
        originals, normalize_embeddings=True, show_progress_bar=False
    )
    assert (vectors * reference).sum(axis=1).min() > 0.9999


def test_a_picture_has_one_vector_alone_and_in_a_batch(
    embedder: ClipEmbedder, vectors: np.ndarray, originals: list[Image.Image]
) -> None:
    alone = embedder.embed([prepare(originals[2], embedder.preprocessing)])
    assert alone[0] @ vectors[2] == pytest.approx(1, abs=1e-5)


def test_half_precision_is_close_to_full(
    tiny_clip: Path, vectors: np.ndarray, originals: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClipEmbedder, "_refuse_slow", lambda self, device: None)  # emulated on an older processor
    half = clip(tiny_clip, precision="bf16")
    similar = (half.embed([prepare(one, half.preprocessing) for one in originals]) * vectors).sum(axis=1)
    assert similar.min() > 0.999
    assert similar.max() <= 1 + 1e-5


def test_text_embeds_into_the_space_of_the_pictures(embedder: ClipEmbedder, vectors: np.ndarray) -> None:
    texts = embedder.embed_text(["a cat", "a dog", "a cat"])
    assert texts.shape == (3, vectors.shape[1])
    assert np.linalg.norm(texts, axis=1) == pytest.approx(1, abs=1e-5)
    assert texts[0] @ texts[2] == pytest.approx(1, abs=1e-5)
    assert texts[0] @ texts[1] < 0.9999


def test_verifying_embeds_and_tells_the_revision(embedder: ClipEmbedder) -> None:
    assert embedder.verify() == f"tiny-clip at {embedder.model.revision} embeds to {DIMENSION} dimensions"


def test_a_config_that_lies_about_the_dimension_does_not_verify(tiny_clip: Path, tmp_path: Path) -> None:
    lying = clip(copied(tiny_clip, tmp_path / "lying"))
    lying.__dict__["_dimension"] = 512
    with pytest.raises(ModelError, match="embeds to 64 dimensions, its config says 512"):
        lying.verify()


@pytest.mark.parametrize(
    ("model", "revision"), [("clip-ViT-B-32", None), ("someone/else", "0123abc"), ("no folder/../here", None)]
)
def test_missing_weights_name_the_model_the_cache_and_two_ways_out(
    empty_cache: Path, model: str, revision: str | None
) -> None:
    with pytest.raises(ModelError) as refusal:
        _ = ClipEmbedder(EmbedderSpec(model=model, revision=revision)).model
    message = str(refusal.value)
    assert f"`{model}`" in message
    assert str(empty_cache) in message
    assert (revision or "") in message
    assert "moderator models pull" in refusal.value.hint
    assert "--policy offline" in refusal.value.hint
    assert refusal.value.exit_code == 3


def cached(cache: Path, folder: Path, commit: str) -> None:
    """Puts a model into a hub cache under a commit, as the hub's own client does."""
    repository = cache / "models--sentence-transformers--clip-ViT-B-32"
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)


def test_a_model_in_the_hubs_cache_is_found_by_its_bare_name_with_its_commit(
    empty_cache: Path, tiny_clip: Path
) -> None:
    cached(empty_cache, tiny_clip, "a" * 40)
    model = ClipEmbedder(EmbedderSpec(model="clip-ViT-B-32")).model
    assert (model.name, model.revision) == ("sentence-transformers/clip-ViT-B-32", "a" * 16)


def test_a_pinned_revision_is_taken_and_not_the_newest(empty_cache: Path, tiny_clip: Path) -> None:
    cached(empty_cache, tiny_clip, "a" * 40)
    cached(empty_cache, tiny_clip, "b" * 40)
    assert ClipEmbedder(EmbedderSpec(revision="a" * 40)).model.revision == "a" * 16
    assert ClipEmbedder(EmbedderSpec()).model.revision == "b" * 16


def test_a_cache_without_weights_is_missing_them(empty_cache: Path, tiny_clip: Path) -> None:
    cached(empty_cache, tiny_clip, "a" * 40)
    for weights in empty_cache.rglob("*.safetensors"):
        weights.unlink()
    with pytest.raises(ModelError, match="are not on this machine"):
        _ = ClipEmbedder(EmbedderSpec()).model


def test_a_download_that_fails_without_a_word_is_told_by_its_error(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("huggingface_hub.snapshot_download", failed)
    with pytest.raises(ModelError, match="cannot download `sentence-transformers/clip-ViT-B-32`: TimeoutError"):
        ClipEmbedder(EmbedderSpec()).pull()


def test_torn_weights_are_a_model_error_that_names_the_folder(tiny_clip: Path, tmp_path: Path) -> None:
    folder = copied(tiny_clip, tmp_path / "torn")
    weights = folder / "0_CLIPModel" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=f"{folder} cannot be loaded"):
        clip(folder).embed([np.zeros((224, 224, 3), dtype=np.uint8)])


def test_weights_that_are_a_pickle_are_refused_unread(tiny_clip: Path, tmp_path: Path) -> None:
    folder = copied(tiny_clip, tmp_path / "pickled")
    pickled = folder / "0_CLIPModel" / "pytorch_model.bin"
    (folder / "0_CLIPModel" / "model.safetensors").unlink()
    pickled.write_bytes(b"no one reads this")
    with pytest.raises(ModelError, match=f"{pickled} are a pickle") as refusal:
        clip(folder).embed([np.zeros((224, 224, 3), dtype=np.uint8)])
    assert "safetensors" in refusal.value.hint


def test_a_pickle_beside_safetensors_is_passed_over(tiny_clip: Path, tmp_path: Path) -> None:
    folder = copied(tiny_clip, tmp_path / "both")
    (folder / "0_CLIPModel" / "pytorch_model.bin").write_bytes(b"no one reads this")
    assert clip(folder).embed([np.zeros((224, 224, 3), dtype=np.uint8)]).shape == (1, DIMENSION)


@pytest.mark.parametrize("name", ["modules.json", "0_CLIPModel/config.json", "0_CLIPModel/preprocessor_config.json"])
def test_a_torn_configuration_is_a_model_error_that_names_the_file(
    tiny_clip: Path, tmp_path: Path, name: str
) -> None:
    folder = copied(tiny_clip, tmp_path / "torn")
    (folder / name).write_text("{")
    with pytest.raises(ModelError, match=name):
        _ = clip(folder).model


def test_a_model_of_text_alone_is_no_image_model(tiny_clip: Path, tmp_path: Path) -> None:
    folder = copied(tiny_clip, tmp_path / "text")
    (folder / "0_CLIPModel" / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="it is no image model"):
        _ = clip(folder).model


def test_fp16_is_refused_without_a_graphics_card(tiny_clip: Path) -> None:
    with pytest.raises(ModelError, match="fp16 is for a graphics card") as refusal:
        clip(tiny_clip, precision="fp16", options={"device": "cpu"}).embed([np.zeros((224, 224, 3), dtype=np.uint8)])
    assert "int8" in refusal.value.hint


def test_bf16_is_refused_where_it_would_only_be_emulated(tiny_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderator.machine.computes_bf16", lambda: False)
    with pytest.raises(ModelError, match="no bf16 arithmetic") as refusal:
        clip(tiny_clip, precision="bf16", options={"device": "cpu"}).embed([np.zeros((224, 224, 3), dtype=np.uint8)])
    assert "int8" in refusal.value.hint


def test_the_arithmetic_of_fp16_gives_the_vectors_of_fp32(
    tiny_clip: Path, vectors: np.ndarray, originals: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClipEmbedder, "_refuse_slow", lambda self, device: None)  # slow here, and yet right
    half = clip(tiny_clip, precision="fp16")
    similar = (half.embed([prepare(one, half.preprocessing) for one in originals]) * vectors).sum(axis=1)
    assert similar.min() > 0.999
