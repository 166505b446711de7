from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyveg.kernels.breaks import break_templates, scan_breaks, without_breaks
from pyveg.kernels.decomposition import Steps, prepare

STEPS = Steps(outlier_limit=0.0)


def _series(n: int = 120, gaps: float = 0.0, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    for t in range(1, n):
        x[t] += 0.5 * x[t - 1]
    x[rng.random(n) < gaps] = np.nan
    return x


def _shape(n: int, kind: int, k: int, decay: float = 6.0) -> Any:
    t = np.arange(n)
    return np.where(t >= k, np.exp(-(t - k) / decay) if kind else 1.0, 0.0)


def _slowly(residual: Any, templates: Any, memory: float) -> tuple[float, int, float]:
    """Template by template, whitened by the inverse root of the covariance of known steps."""
    known = np.flatnonzero(np.isfinite(residual))
    apart = np.abs(known[:, None] - known)
    covariance = memory**apart / (1 - memory**2)
    root = np.linalg.cholesky(covariance)
    w = np.linalg.solve(root, residual[known])
    scale = 1.4826 * np.median(np.abs(w))
    cut = np.clip(w, -4 * scale, 4 * scale)
    inner = np.linalg.solve(root, templates[:, known].T).T
    power = (inner**2).sum(axis=1)
    n = len(residual)
    for k in range(2 * n):
        before, after = (known < k % n).sum(), (known >= k % n).sum()
        if k % n not in known or before < 3 or after < 3:
            power[k] = 0.0
    used = power > 1e-6 * power.max()
    z = np.where(used, inner @ cut / np.sqrt(np.where(used, power, 1.0)) / scale, 0.0)
    best = int(np.argmax(np.abs(z)))
    kinds = [k for k in (best, (best + len(z) // 2) % len(z)) if used[k]]
    kind = max(kinds, key=lambda k: abs(inner[k] @ w) / np.sqrt(power[k]))
    return z[best], kind, inner[kind] @ w / power[kind]


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_templates_are_breaks_that_went_through_the_operator(gaps: float) -> None:
    done = prepare(_series(48, gaps), STEPS)
    found = break_templates(done.operator, 6.0)
    for kind in (0, 1):
        for k in range(48):
            expected = np.nan_to_num(done.residuals(_shape(48, kind, k)[np.newaxis])[0])
            np.testing.assert_allclose(found[kind * 48 + k], expected, atol=1e-12)


@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("memory", [0.0, 0.6])
def test_the_scan_is_what_numpy_finds(gaps: float, memory: float) -> None:
    for seed in range(5):
        done = prepare(_series(gaps=gaps, seed=seed), STEPS)
        templates = break_templates(done.operator, 6.0)
        found = scan_breaks(done.residual[np.newaxis], templates, memory)
        z, place, size = _slowly(done.residual, templates, memory)
        assert found.place[0] == place
        np.testing.assert_allclose([found.z[0], found.size[0]], [z, size], rtol=1e-10)


def test_each_series_may_have_its_own_memory() -> None:
    done = prepare(_series(gaps=0.2), STEPS)
    templates = break_templates(done.operator, 6.0)
    rows = done.residuals(np.stack([_series(seed=seed) for seed in range(4)]))
    memory = np.array([0.2, 0.2, 0.7, -0.3])
    found = scan_breaks(rows, templates, memory)
    for s in range(4):
        alone = scan_breaks(rows[s : s + 1], templates, memory[s])
        assert [one[s] for one in found] == [one[0] for one in alone]


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("size", [-6.0, 6.0])
def test_a_break_is_found_where_it_is_and_as_large_as_it_is(kind: int, size: float) -> None:
    places, sizes, signs = [], [], []
    for seed in range(30):
        x = _series(gaps=0.1, seed=seed) + size * _shape(120, kind, 70)
        done = prepare(x, STEPS)
        found = scan_breaks(done.residual[np.newaxis], break_templates(done.operator, 6.0), 0.5)
        places.append(found.place[0])
        sizes.append(found.size[0])
        signs.append(found.z[0] * size > 0)
    assert np.mean(signs) > 0.9
    near = np.abs(np.array(places) % 120 - 70) <= 1
    assert near.mean() > 0.9
    same_kind = np.array(places) // 120 == kind
    assert (near & same_kind).mean() > 0.7
    assert abs(np.median(np.array(sizes)[near & same_kind]) - size) < 1.0


def test_one_stray_value_is_no_break() -> None:
    stray = []
    for seed in range(20):
        x = _series(seed=seed)
        x[60] += 40.0
        done = prepare(x, STEPS)
        found = scan_breaks(done.residual[np.newaxis], break_templates(done.operator, 6.0), 0.5)
        stray.append(abs(found.z[0]))
    assert np.median(stray) < 5  # uncut it would be 30 and more


@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_a_break_that_is_taken_out_is_gone(gaps: float) -> None:
    done = prepare(_series(gaps=gaps), STEPS)
    templates = break_templates(done.operator, 6.0)
    place = np.array([70])
    before = without_breaks(done.residual[np.newaxis], templates, 0.5, place)
    broken = prepare(np.where(done.valid, _series(gaps=gaps), np.nan) + 9 * _shape(120, 0, 70),
                     STEPS)  # fmt: skip
    after = without_breaks(broken.residual[np.newaxis], templates, 0.5, place)
    np.testing.assert_allclose(after, before, atol=1e-10)
    again = without_breaks(after, templates, 0.5, place)
    np.testing.assert_allclose(again, after, atol=1e-10)


def test_nothing_is_taken_where_there_is_no_template() -> None:
    done = prepare(_series(), STEPS)
    templates = break_templates(done.operator, 6.0)
    for place in (-1, 0):  # a step before the first value is no step
        left = without_breaks(done.residual[np.newaxis], templates, 0.5, np.array([place]))
        np.testing.assert_allclose(left[0], done.residual, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays(
        np.float64,
        (2, 30),
        elements=st.one_of(st.just(np.nan), st.integers(-9, 9).map(float)),
    ),
    st.floats(0.01, 100.0),
    st.floats(-0.5, 0.9),
)
def test_any_series_gives_numbers_or_none(rows: Any, scale: float, memory: float) -> None:
    templates = break_templates(np.eye(30), 6.0)
    one = scan_breaks(rows, templates, memory)
    for s in range(2):
        scanned = one.place[s] >= 0
        assert scanned <= (np.isfinite(rows[s]).sum() >= 12)
        assert np.isfinite([one.z[s], one.size[s], one.error[s]]).all() == scanned
    left = without_breaks(rows, templates, memory, one.place)
    assert (np.isnan(left) == np.isnan(rows)).all()
    other = scan_breaks(scale * rows, templates, memory)
    np.testing.assert_allclose(np.abs(other.z), np.abs(one.z), rtol=1e-9)
