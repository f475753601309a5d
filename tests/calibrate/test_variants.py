"""What a calibration makes of one item in two colours: by a table, by what scans have joined, and without either."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moderator.calibrate import sources
from moderator.calibrate.variants import variants_of
from moderator.edits import EDITS
from moderator.policy import parse_policy
from moderator.testing import image
from tests.cli.conftest import Run
from tests.scanning import POLICY

RED = image(1, sku="17", colour="red")
BLUE = image(2, sku="17", colour="blue")


def test_one_item_in_two_colours_is_a_variant_and_two_views_or_two_items_are_none() -> None:
    images = {1: [RED], 2: [BLUE], 3: [image(3, sku="17", colour="red")], 4: [image(4, sku="18", colour="blue")]}
    told = variants_of(parse_policy(POLICY.encode(), "test"), images)
    assert told == {(1, 2): "sku 17 in colour blue and red", (2, 3): "sku 17 in colour blue and red"}


def test_the_columns_are_those_that_the_rule_on_duplicates_names() -> None:
    named = POLICY.replace("id: copies,", "id: copies, options: {same: [model], differ: [finish]},")
    images = {1: [image(1, model="a", finish="matt")], 2: [image(2, model="a", finish="gloss")], 3: [RED], 4: [BLUE]}
    assert list(variants_of(parse_policy(named.encode(), "test"), images)) == [(1, 2)]


def test_a_file_that_is_there_in_both_colours_is_no_variant_of_either() -> None:
    both = [image(2, "a.jpg", sku="17", colour="red"), image(2, "b.jpg", sku="17", colour="blue")]
    assert not variants_of(parse_policy(POLICY.encode(), "test"), {1: [RED], 2: both})


@pytest.fixture
def shop(run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty-two drawings, the first two of one item in two colours, and a table that says so."""
    monkeypatch.setattr(sources, "BATTERY", [EDITS["mirror"]])
    Path("policy.yaml").write_text(POLICY)
    Path("in").mkdir()
    random = np.random.default_rng(5)
    rows = ["path,sku,colour"]
    for number in range(32):
        drawn = random.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(drawn).resize((64, 64), Image.Resampling.NEAREST).save(f"in/{number:02}.png")
        rows.append(f"in/{number:02}.png,{max(number, 1)},{('red', 'blue')[number % 2]}")
    Path("table.csv").write_text("\n".join(rows) + "\n")
    return Path("in")


def calibrated(run: Run, *arguments: str) -> tuple[int, list[str]]:
    """Returns how many pairs are different pictures, and why others are left out."""
    ran = run("calibrate", "in", "--rate", "0.05", "--copies", "1", "--json", "out.json", *arguments)
    assert ran.code == 0, ran.err
    told = json.loads(Path("out.json").read_text())
    return told["embedders"]["fake"]["pairs"], [one["because"] for one in told["left_out"]]


def test_a_table_takes_variants_out_of_the_pairs_of_different_pictures(run: Run, shop: Path) -> None:
    assert calibrated(run) == (496, [])
    assert calibrated(run, "--metadata", "table.csv") == (495, ["sku 1 in colour blue and red"])


def test_what_an_earlier_scan_has_joined_is_known(run: Run, shop: Path) -> None:
    assert run("scan", "in", "--metadata", "table.csv").code in (0, 1)
    assert calibrated(run) == (495, ["sku 1 in colour blue and red"])


def test_a_table_that_calls_the_same_pixels_two_colours_is_not_believed(run: Run, shop: Path) -> None:
    Image.open("in/00.png").save("in/01.png", compress_level=0)
    assert calibrated(run, "--metadata", "table.csv") == (495, ["identical pixels"])


def test_labelled_pairs_take_no_table(run: Run, shop: Path) -> None:
    Path("pairs.csv").write_text("first,second,same\nin/00.png,in/01.png,no\n")
    ran = run("calibrate", "--pairs", "pairs.csv", "--metadata", "table.csv")
    assert ran.code == 2
    assert "--metadata goes with pictures" in ran.err
