"""The surface of power: it gives back what made the counts, and goes the ways that it must."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyveg.analysis.temporal.power_surface import PowerSurface, RecordKind, fit_surface

TRUE = PowerSurface(np.array([-1.8, -1.7, 0.7, 1.1, 0.5, 0.4, 1.5]), np.zeros((7, 7)), 0.95)


def _counts(series: int, seed: int | None = None) -> pd.DataFrame:
    kinds = [
        (years, gaps, chips, shared)
        for years in (5.0, 10.0, 25.0, 40.0)
        for gaps in (0.0, 0.2, 0.4)
        for chips, shared in ((1, 0.0), (9, 0.0), (9, 0.5), (25, 0.8))
    ]
    table = pd.DataFrame(kinds, columns=["years", "gaps", "chips", "shared"])
    power = np.array([TRUE.at(RecordKind(*kind)) for kind in kinds])
    found = series * power
    if seed is not None:
        found = np.random.default_rng(seed).binomial(series, power)
    return table.assign(series=series, found=found, broken=0.05 * series)


def test_it_gives_back_what_made_the_counts() -> None:
    fitted = fit_surface(_counts(10_000))
    np.testing.assert_allclose(fitted.coefficients, TRUE.coefficients, atol=1e-3)
    assert fitted.cap == pytest.approx(0.95)


def test_intervals_hold_the_truth() -> None:
    """In 95 % of fits, at records that are not in the table."""
    inside = []
    for seed in range(40):
        fitted = fit_surface(_counts(60, seed))
        for record in ((7.0, 0.1, 1, 0.0), (18.0, 0.3, 6, 0.4), (30.0, 0.1, 1, 0.0)):
            kind = RecordKind(*record)
            low, high = fitted.interval(kind)
            assert low <= fitted.at(kind) <= high
            inside.append(low <= TRUE.at(kind) <= high)
    assert np.mean(inside) > 0.88


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10_000),
    st.floats(5, 39), st.floats(0, 0.39), st.integers(1, 24), st.floats(0, 0.9),
)  # fmt: skip
def test_more_is_never_less(
    seed: int, years: float, gaps: float, chips: int, shared: float
) -> None:
    """Whatever the counts, even ones that fall where they should rise."""
    table = _counts(20)
    rng = np.random.default_rng(seed)
    fitted = fit_surface(table.assign(found=rng.integers(0, 20, len(table))))
    kind = RecordKind(years, gaps, chips, shared)
    here = fitted.at(kind)
    assert 0 <= here <= 1
    assert fitted.at(kind._replace(years=years + 1)) >= here
    assert fitted.at(kind._replace(gaps=gaps + 0.01)) <= here
    assert fitted.at(kind._replace(chips=chips + 1)) >= here
    assert fitted.at(kind._replace(shared=shared + 0.1)) <= here


def test_it_is_smooth() -> None:
    years = np.linspace(5, 40, 400)
    power = np.array([TRUE.at(RecordKind(one, 0.2, 9, 0.5)) for one in years])
    assert np.abs(np.diff(power)).max() < 0.01
    assert np.abs(np.diff(power, 2)).max() < 0.001
