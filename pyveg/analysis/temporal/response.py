"""How the vegetation answers the weather: which form, and how long rain is remembered.

An answer above a threshold, or one that levels off, is not a straight line, and soil keeps rain for
months. What is fitted beside the memory of the vegetation is chosen from some forms and some
memories of rain by the mean of the chips, with the past of the vegetation beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.drivers import weather_drivers
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.kernels.arx import arx_fit, stored
from pyveg.kernels.decomposition import prepare
from pyveg.kernels.linear import apply_operator

Values = NDArray[np.float64]

LAGS = (0, 1, 2, 3)
"""Longest lags of rain that are tried; beyond them stands a store that empties."""
KEPT = (0.5, 0.7, 0.85, 0.93)
"""Shares of a store of rain that the next step still has."""
_KNOTS = (0.2, 0.4, 0.6, 0.8)
_LEAST_PAIRS = 30
_SAME = 1e-8
"""Of a regressor of length 1, what is no part of the others, below which it is none of its own."""


@dataclass(frozen=True)
class Weather:
    """Rain and temperature of a place, without season and trend."""

    forms: tuple[tuple[str, Values], ...] = ()
    """Names of the forms of an answer to rain, and rows (m, n) that make each of them up, raw."""
    operator: Values | None = None
    """What takes season and trend from rain, transposed, (n, n)."""
    known: NDArray[np.bool_] | None = None
    """Steps with rain, (n,)."""
    beside: Values | None = None
    """Temperature, (1, n); None where there is none."""
    names: str = ""
    """What it is, in words."""
    reason: str = ""
    """Why there is none."""


@dataclass(frozen=True)
class Response:
    """What memory is fitted beside."""

    rows: Values | None = None
    """(k, n); NaN where not known. None where there is no weather."""
    names: str = ""
    """What it is, in words: "rain and temperature"."""
    form: str = ""
    """How the vegetation answers rain, in words."""
    explained: float = math.nan
    """Share of what is new in each step that it accounts for, adjusted for its coefficients."""
    p: float = math.nan
    """Of the test whether the weather has a part at all."""
    reason: str = ""
    """Why there is none."""


def read_weather(series: Series, settings: AnalysisSettings) -> Weather:
    """Rain and temperature of a place, in the forms that are tried.

    Returns
    -------
    Weather
        With the reason where there is none, or nothing that changes.
    """
    drivers, names, reason = weather_drivers(series, settings)
    if drivers is None or series.axis is None:
        return Weather(reason=reason)
    steps = replace(settings.steps(series.axis.period), outlier_limit=0.0)
    known = ["rain" if "rain" in names else "", "temperature" if "temperature" in names else ""]
    text = " and ".join(one for one in known if one)
    try:
        beside = None
        warmth = series.weather(TEMPERATURE)
        if warmth is not None and "temperature" in names:
            beside = prepare(warmth / np.nanstd(warmth), steps).residual[np.newaxis]
        rain = series.weather(PRECIPITATION)
        if rain is None or "rain" not in names:
            return Weather(beside=beside, names=text)
        done = prepare(rain / np.nanstd(rain), steps)
    except ValueError as error:
        return Weather(reason=f"the weather has no season and trend to be taken away: {error}")
    forms = _forms(np.where(done.valid, rain / np.nanstd(rain), np.nan))
    return Weather(forms, done.operator, done.valid, beside, text)


def _forms(rain: Values) -> tuple[tuple[str, Values], ...]:
    """Answers to rain: in a straight line, curved, or bent where rain is little or plenty."""
    centred = rain - np.nanmean(rain)
    knots = np.nanquantile(rain, _KNOTS)
    bends = [np.maximum(rain - knot, 0.0) for knot in knots]
    bent = [
        (f"bent at the {100 * share:.0f} % quantile of rain", np.stack([rain, bend]))
        for share, bend in zip(_KNOTS, bends, strict=True)
    ]
    return (
        ("in a straight line", rain[np.newaxis]),
        ("curved", np.stack([rain, centred**2])),
        *bent,
        ("bent twice", np.stack([rain, bends[1], bends[-1]])),
    )


def find_response(site: Values, weather: Weather) -> Response:
    """Choose what memory is fitted beside, by the mean of the chips.

    Parameters
    ----------
    site : array of float64, shape (n,)
        After season and trend; NaN where missing.
    weather : Weather

    Returns
    -------
    Response
        The form and the memory of rain with the least Schwarz criterion, all compared on the same
        steps. `p` is that of an F test of a fixed set (rain of this and the three steps before,
        its square, temperature), so that the choice does not touch it.
    """
    if not weather.names:
        return Response(reason=weather.reason)
    n = site.size
    beside = np.empty((0, n)) if weather.beside is None else weather.beside
    every = [(form, np.vstack([rows, beside])) for form, rows in _candidates(weather)]
    if not every:
        every = [("", beside)]
    fixed = np.vstack([*_fixed(weather), beside])
    use = np.asarray(np.isfinite(fixed).all(axis=0), dtype=np.bool_)
    fixed = _independent(fixed, use)
    alone = arx_fit(site, np.empty((0, n)), use)
    fits = [arx_fit(site, rows, use) for _, rows in every]
    scores = [_schwarz(fit.squares, fit.pairs, 1 + len(fit.effects)) for fit in fits]
    if alone.pairs < _LEAST_PAIRS or not np.isfinite(scores).any():
        return Response(every[0][1], weather.names, every[0][0])
    best = int(np.nanargmin(scores))
    form, rows = every[best]
    fit = fits[best]
    free = fit.pairs - 1 - len(fit.effects)
    explained = 1 - fit.squares / free / (alone.squares / (alone.pairs - 1))
    p = _f_test(alone.squares, arx_fit(site, fixed, use).squares, alone.pairs, len(fixed))
    return Response(rows, weather.names, form, max(0.0, explained), p)


def _anomalies(weather: Weather, rows: Values) -> Values:
    """Without season and trend, NaN where rain is not known."""
    if weather.operator is None or weather.known is None:
        raise ValueError("there is no rain")
    filled = np.ascontiguousarray(np.nan_to_num(rows))
    return apply_operator(weather.operator, filled, weather.known)


def _candidates(weather: Weather) -> Iterable[tuple[str, Values]]:
    """Rows of each form with each memory of rain."""
    for name, rows in weather.forms:
        own = _anomalies(weather, rows)
        for lag in LAGS:
            text = "in the same step" if not lag else f"over this step and {_before(lag)}"
            yield f"{name}, {text}", np.vstack([_later(own, by) for by in range(lag + 1)])
        for kept in KEPT:
            levels = np.stack([stored(row - np.nanmean(row), kept) for row in rows])
            text = f"through a store that keeps {100 * kept:.0f} % from step to step"
            yield f"{name}, {text}", _anomalies(weather, levels / levels.std(axis=1)[:, None])


def _before(lag: int) -> str:
    return "the one before" if lag == 1 else f"the {lag} before"


def _fixed(weather: Weather) -> list[Values]:
    if not weather.forms:
        return []
    own = _anomalies(weather, weather.forms[1][1])
    return [own, *(_later(own[:1], by) for by in LAGS[1:])]


def _independent(rows: Values, use: NDArray[np.bool_]) -> Values:
    """Those that are no sum of the ones before them: the square of rain that falls seldom is."""
    kept: list[Values] = []
    for row in rows:
        some = np.vstack([*kept, row])[:, use]
        norms = np.linalg.norm(some, axis=1, keepdims=True)
        if norms.all() and np.linalg.matrix_rank(some / norms, tol=_SAME) == len(some):
            kept.append(row)
    return np.array(kept).reshape(-1, rows.shape[1])


def _later(rows: Values, by: int) -> Values:
    """What was `by` steps before."""
    return np.hstack([np.full((len(rows), by), np.nan), rows[:, : rows.shape[1] - by]])


def _schwarz(squares: float, pairs: int, coefficients: int) -> float:
    if not (math.isfinite(squares) and squares > 0 and pairs > 2 * coefficients):
        return math.nan
    return pairs * math.log(squares / pairs) + coefficients * math.log(pairs)


def _f_test(without: float, beside: float, pairs: int, more: int) -> float:
    """P of the hypothesis that so many more regressors do nothing."""
    from scipy.stats import f

    free = pairs - 1 - more
    if not (more > 0 and free > 0 and beside > 0 and math.isfinite(without)):
        return math.nan
    return float(f.sf((without - beside) / more / (beside / free), more, free))
