"""Verifications are kept with either of two pictures, and told again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from moderator import verification
from moderator.ingest import Ingest
from moderator.intake.walk import walk
from moderator.parts import label_of
from moderator.policy import Limits, Verify
from moderator.search.verify import Verification, verify_within
from moderator.search.verify.features import Features
from moderator.search.verify.within import Boxes
from moderator.stores.sql import SqlStore
from moderator.verified import KeptVerifications

WHOLE = ("whole", "whole")


def test_no_picture_holds_the_verifications_of_all_that_it_was_compared_with(tmp_path: Path, photographs: Path) -> None:
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as store:
        outcome = Ingest(store, [], Limits()).run(walk([str(photographs)]), "picture")
        keeper, *others = [content for _, content in outcome.judged][:5]
        told = {(keeper, other): Verification(1 / other, 0.0, None, f"of {other}", other / 8) for other in others}
        kept = KeptVerifications(store)
        for pair, one in told.items():
            assert kept.of({pair: WHOLE}) == {}
            kept.keep({pair: one}, {pair: WHOLE})
        assert KeptVerifications(store).of(dict.fromkeys(told, WHOLE)) == told
        books = store.features(kept._name, [keeper, *others])
    assert len(books) == len(others)


def test_a_pair_whose_file_is_gone_is_verified_by_each_of_its_views(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Boxes] = []

    def counted(first: Features, second: Features, boxes: Boxes) -> Verification:
        asked.append(boxes)
        return verify_within(first, second, boxes)

    monkeypatch.setattr(verification, "verify_within", counted)
    for path in sorted(photographs.iterdir())[:2]:
        shutil.copy(path, tmp_path)
    with SqlStore.open(f"sqlite:///{tmp_path}/moderator.db") as store:
        ingest = Ingest(store, [], Limits())
        outcome = ingest.run(walk([str(tmp_path)], exclude=["*.db*"]), "reference")
        (first, gone), file = [content for _, content in outcome.judged], outcome.judged[1][0].path
        with verification.Verifier(store, Limits(), Verify()) as verifier:
            verifier.features.keep([gone])
            Path(file).unlink()
            part = label_of((0.0, 0.0, 0.5, 0.5))
            for views in (WHOLE, WHOLE, (part, "whole")):
                verifier.verify({(first, gone): views}, lambda _more: None)
            assert verifier.unverified == 0
    assert asked == [(None, None), ((0.0, 0.0, 0.5, 0.5), None)]
