from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.kernels.breaks import innovations
from pyveg.kernels.scale_breaks import scan_scales


def _slowly(row: Any) -> tuple[float, int, float]:
    """Every date by itself."""
    known = np.flatnonzero(np.isfinite(row))
    sizes = np.abs(row[known])
    sizes = np.minimum(sizes, 4 * sizes.mean())
    n, best = sizes.size, (0.0, -1, 1.0)
    side = max(15, n // 10)
    for k in range(side, n - side + 1):
        a, b = sizes[:k], sizes[k:]
        inside = np.concatenate([a / a.mean(), b / b.mean()]) - 1
        error = np.sqrt((inside**2).sum() / (n - 2) * (1 / k + 1 / (n - k)))
        z = np.log(b.mean() / a.mean()) / error
        if abs(z) > abs(best[0]):
            best = (z, int(known[k]), b.mean() / a.mean())
    return best


@given(st.integers(0, 50), st.sampled_from([31, 60, 200]), st.floats(0.2, 5.0))
def test_the_scan_is_that_of_every_date(seed: int, n: int, ratio: float) -> None:
    rng = np.random.default_rng(seed)
    row = rng.standard_normal(n) * np.where(np.arange(n) < n // 2, 1.0, ratio)
    row[rng.random(n) < 0.1] = np.nan
    found = scan_scales(row[np.newaxis])
    if np.isfinite(row).sum() < 30:
        assert found.place[0] == -1
        assert np.isnan(found.z[0])
        return
    z, place, measured = _slowly(row)
    assert found.z[0] == pytest.approx(z, rel=1e-6)
    assert found.place[0] == place
    assert found.ratio[0] == pytest.approx(measured)


def test_a_change_of_scale_has_its_date_and_its_size() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((20, 200)) * np.where(np.arange(200) < 120, 1.0, 2.5)
    found = scan_scales(rows)
    assert abs(np.median(found.place) - 120) <= 2
    assert np.median(found.ratio) == pytest.approx(2.5, abs=0.3)
    held = np.abs(np.log(found.ratio / 2.5)) <= 1.96 * found.error
    assert held.sum() >= 16


@pytest.mark.parametrize("row", [np.zeros(60), np.full(60, np.nan), np.ones(20)])
def test_nothing_where_there_is_nothing(row: Any) -> None:
    found = scan_scales(row[np.newaxis])
    assert found.place[0] == -1
    assert np.isnan(found.ratio[0])


def test_innovations_of_a_series_with_gaps_are_white() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal(4000)
    for t in range(1, x.size):
        x[t] += 0.8 * x[t - 1]
    x[rng.random(x.size) < 0.4] = np.nan
    (white,) = innovations(x[np.newaxis], np.array([0.8]))
    known = white[np.isfinite(x)]
    assert np.isnan(white[np.isnan(x)]).all()
    assert known.std() == pytest.approx(1.0, abs=0.05)
    assert abs(np.corrcoef(known[1:], known[:-1])[0, 1]) < 0.05
