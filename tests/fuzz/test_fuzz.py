"""A few cases of each driver; thousands by ``python tests/fuzz/fuzz.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import fuzz


@pytest.mark.parametrize(("kind", "count"), [("configs", 60), ("summaries", 40), ("runs", 25)])
def test_whatever_comes_in_is_used_or_refused_in_a_sentence(kind: str, count: int) -> None:
    ends = dict(fuzz.many(kind, count, seed=0))
    assert {seed: end for seed, end in ends.items() if end.startswith("FAULT")} == {}
    assert len(set(ends.values())) > 1
