"""Which pixels a mask band calls clear."""

from __future__ import annotations

import numpy as np
import pytest

from pyveg.sources.folder.masks import PRESETS, Rule


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e30, -1e300])
@pytest.mark.parametrize("rule", [PRESETS["QA_PIXEL"], PRESETS["FMASK"], Rule(clear_bits=(6,))])
def test_what_is_no_number_of_flags_is_not_clear(rule: Rule, odd: float) -> None:
    """And says nothing of it, as NumPy would."""
    clear = rule.clear(np.array([[odd, 64.0]]))
    assert clear.tolist() == [[False, True]]


def test_flags_of_whole_numbers() -> None:
    """HLS: bit 1 is cloud, 3 is shadow; 255 is fill, whatever its bits say."""
    flags = np.array([0, 64, 2, 8, 66, 255], np.uint8)
    assert PRESETS["FMASK"].clear(flags).tolist() == [True, True, False, False, False, False]
