"""Verifications are kept with either of two pictures, and told again."""

from __future__ import annotations

from pathlib import Path

from moderator.ingest import Ingest
from moderator.intake.walk import walk
from moderator.policy import Limits
from moderator.search.verify import Verification
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
