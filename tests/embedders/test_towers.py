"""The int8 form of a CLIP: made, proved, bound to what it was made from, and run without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from moderator import machine
from moderator.embedders import quantise
from moderator.embedders.clip import ClipEmbedder
from moderator.embedders.rewrite import rewritten
from moderator.embedders.towers import IMAGE, MANIFEST, TEXT, Towers
from moderator.errors import ModelError
from moderator.intake.decode import prepare
from moderator.policy import EmbedderSpec
from tests.tiny_clip import DIMENSION

ROOT = Path(__file__).parents[2]


def clip(folder: Path, precision: str = "int8") -> ClipEmbedder:
    return ClipEmbedder(EmbedderSpec(model=str(folder), precision=precision))


@pytest.fixture(scope="module")
def prepared(tiny_clip: Path, photographs: Path) -> list[np.ndarray]:
    pictures = []
    for path in sorted(photographs.iterdir()):
        with Image.open(path) as opened:
            pictures.append(prepare(opened.convert("RGB"), clip(tiny_clip, "fp32").preprocessing))
    return pictures


@pytest.fixture(scope="module")
def towers(tiny_clip: Path, prepared: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the int8 form of the small CLIP."""
    return clip(tiny_clip, "fp32").optimise(prepared, tmp_path_factory.mktemp("towers") / "tiny-int8").folder


def test_int8_vectors_are_those_of_fp32_but_for_the_stated_loss(
    tiny_clip: Path, towers: Path, prepared: list[np.ndarray]
) -> None:
    cosines = (clip(towers).embed(prepared) * clip(tiny_clip, "fp32").embed(prepared)).sum(axis=1)
    fidelity = Towers(towers).manifest.fidelity
    assert fidelity is not None
    assert fidelity.pictures == len(prepared)
    assert cosines.min() == pytest.approx(fidelity.least, abs=1e-5)
    assert fidelity.least >= quantise.LEAST_COSINE


def test_a_model_rewritten_for_export_embeds_as_it_did_before_and_does_after(
    tiny_clip: Path, prepared: list[np.ndarray]
) -> None:
    exact = clip(tiny_clip, "fp32")
    before = exact.embed(prepared)
    with rewritten(exact.loaded):
        assert not any(isinstance(one, torch.nn.Conv2d) for one in exact.loaded.modules())
        assert np.allclose(exact.embed(prepared), before, atol=1e-6)
    assert np.array_equal(exact.embed(prepared), before)


def test_the_last_layers_perceptron_is_asked_for_the_class_token_alone(
    tiny_clip: Path, prepared: list[np.ndarray]
) -> None:
    exact = clip(tiny_clip, "fp32")
    with rewritten(exact.loaded):
        *others, last = [one for one in exact.loaded.modules() if isinstance(one, torch.nn.SiLU)]
        seen = []
        for one in (others[-1], last):
            one.register_forward_hook(lambda _, taken, __: seen.append(taken[0].shape[:2]))
        exact.embed(prepared[:3])
    assert seen == [(3, 50), (3, 1)]


def test_no_convolution_is_left_in_floating_point(towers: Path) -> None:
    assert "Conv" not in {node.op_type for node in onnx.load(towers / IMAGE).graph.node}


def test_a_picture_has_exactly_one_int8_vector_alone_and_in_any_batch(
    towers: Path, prepared: list[np.ndarray]
) -> None:
    embedder = clip(towers)
    together = embedder.embed(prepared)
    assert np.array_equal(np.concatenate([embedder.embed([one]) for one in prepared]), together)
    assert np.array_equal(embedder.embed(prepared[::-1])[::-1], together)


def test_towers_made_before_a_call_took_several_pictures_still_run(
    towers: Path, prepared: list[np.ndarray], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(towers, tmp_path / "older"))
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest.pop("together") > 1
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert Towers(folder).manifest.together == 1
    assert np.array_equal(clip(folder).embed(prepared), clip(towers).embed(prepared))


def test_released_towers_load_again(towers: Path) -> None:
    loaded = Towers(towers)
    before = loaded.embed_text(["a red square"])
    loaded.release()
    assert np.array_equal(loaded.embed_text(["a red square"]), before)


def test_text_embeds_near_its_fp32_vector(tiny_clip: Path, towers: Path) -> None:
    texts = ["a cat", "a much longer text about a dog that sees a cat", "dog " * 200]
    cosines = (clip(towers).embed_text(texts) * clip(tiny_clip, "fp32").embed_text(texts)).sum(axis=1)
    assert cosines.min() > quantise.LEAST_COSINE


def test_the_int8_form_is_another_model_and_tells_its_source(tiny_clip: Path, towers: Path) -> None:
    model = clip(towers).model
    assert model != clip(tiny_clip, "fp32").model
    assert (model.name, model.precision, model.dimension) == ("tiny-clip", "int8", DIMENSION)
    assert Towers(towers).manifest.revision == clip(tiny_clip, "fp32").model.revision


def test_it_runs_without_torch(towers: Path, tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np\n"
        "from moderator.embedders.clip import ClipEmbedder\n"
        "from moderator.policy import EmbedderSpec\n"
        "one = ClipEmbedder(EmbedderSpec(model=sys.argv[1], precision='int8'))\n"
        "print(one.embed([np.zeros((224, 224, 3), dtype=np.uint8)]).shape, one.embed_text(['a cat']).shape)\n"
        "print(*[name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", program, str(towers)]
    run = subprocess.run(command, env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=True)
    assert run.stdout == f"(1, {DIMENSION}) (1, {DIMENSION})\n\n"


def test_a_policys_int8_finds_it_by_the_models_name_even_when_the_original_is_gone(
    tiny_clip: Path, towers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub" / "models--sentence-transformers--clip-ViT-B-32" / "snapshots" / ("a" * 40)
    shutil.copytree(tiny_clip, snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    named = ClipEmbedder(EmbedderSpec(model="clip-ViT-B-32"))
    shutil.copytree(towers, named.optimised_folder)
    expected = Towers(towers).model
    assert ClipEmbedder(EmbedderSpec(model="clip-ViT-B-32", precision="int8")).model == expected
    shutil.rmtree(tmp_path / "hub")
    assert ClipEmbedder(EmbedderSpec(model="clip-ViT-B-32", precision="int8")).model == expected


def test_a_model_that_was_not_optimised_says_how(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    with pytest.raises(ModelError, match="has no int8 form") as refusal:
        _ = clip(tiny_clip).model
    assert "moderator models optimize" in refusal.value.hint


def test_one_that_loses_too_much_is_refused_and_never_run(
    tiny_clip: Path, towers: Path, prepared: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(towers, tmp_path / "lossy"))
    (folder / MANIFEST).unlink()
    exact = clip(tiny_clip, "fp32")
    vectors = exact.embed(prepared)[::-1], exact.embed_text(quantise.TEXTS)  # as if each were another picture's
    with pytest.raises(ModelError, match="loses too much in int8: least cosine") as refusal:
        quantise._prove(exact, folder, vectors, prepared)
    assert "bf16" in refusal.value.hint
    assert not (folder / MANIFEST).exists()


def test_a_tower_that_was_changed_since_is_refused(towers: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(towers, tmp_path / "changed"))
    with (folder / TEXT).open("ab") as stream:
        stream.write(b"\x00\x00")
    with pytest.raises(ModelError, match="not the file that was proved"):
        clip(folder).embed_text(["a cat"])


def test_one_made_for_a_newer_processor_is_refused(towers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "adds_int8_safely", lambda: False)
    if Towers(towers).folder and json.loads((towers / MANIFEST).read_text())["reduced"]:
        pytest.skip("it was made for this older processor")
    with pytest.raises(ModelError, match="would overflow"):
        _ = clip(towers).model


def test_a_torn_manifest_is_a_model_error_that_names_it(towers: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(towers, tmp_path / "torn"))
    (folder / MANIFEST).write_text("{")
    with pytest.raises(ModelError, match=MANIFEST):
        _ = clip(folder).model
