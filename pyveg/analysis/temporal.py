"""Is the memory of a place rising? Indicators of each chip and of the site, with tests that hold.

Each chip goes through the chain on its own (season, trend, outliers, windows); the site's
indicator is the median over its chips. A null model of each chip, drawn jointly because chips
share their weather, goes through the same chain with the same gaps, and the site's p value is the
share of those surrogate sites whose Kendall tau is at least as extreme.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.series import Series
from pyveg.analysis.settings import DIRECTIONS, AnalysisSettings
from pyveg.analysis.significance import p_value, q_values
from pyveg.kernels import rolling
from pyveg.kernels.chain import Prepared, prepare
from pyveg.kernels.noise import Noise, corrected_ar1, fit_noise
from pyveg.kernels.surrogates import Draws, common_steps, draw, surrogates

Values = NDArray[np.float64]
Given = TypeVar("Given")
Got = TypeVar("Got")

LEAST_VALUES = 24
"""Valid values below which a series is not tested."""
LEAST_WINDOW = 12
"""Steps of the shortest window."""
SITE = -1
"""In the place of a chip's number: the median over all chips."""
_ENVELOPE = (0.05, 0.5, 0.95)
_CELLS = 8_000_000
"""Indicator values of surrogates that are kept at once, 64 MB."""

TREND_COLUMNS = (
    "collection", "metric", "chip", "indicator", "direction", "tau", "tau_low", "tau_high", "p",
    "q", "reason", "n", "n_valid", "longest_gap", "outliers", "window", "least_pairs", "chips",
    "memory", "residual_ar1", "null", "surrogates", "seed",
)  # fmt: skip
INDICATOR_COLUMNS = (
    "collection", "metric", "chip", "indicator", "step", "date", "value", "low", "high",
    "null_low", "null_middle", "null_high",
)  # fmt: skip
PART_COLUMNS = (
    "collection", "metric", "chip", "step", "date", "value", "season", "trend", "weather",
    "residual", "outlier",
)  # fmt: skip


@dataclass(frozen=True)
class Temporal:
    """What the temporal indicators say of a place; chip -1 is the site."""

    trends: pd.DataFrame
    """One row per metric, chip and indicator, `TREND_COLUMNS`: Kendall's `tau` of the indicator
    (for the site with the quartiles over its chips), `p` against the surrogates, `q` (for the site
    over all its tests, for chips over the chips of the same metric and indicator), and in `reason`
    why there is no number. `memory` is AR(1) with what detrending and
    gaps took put back, `residual_ar1` that of the residuals, `least_pairs` the fewest pairs of
    neighbours in a window."""
    indicators: pd.DataFrame
    """One row per metric, chip, indicator and step, `INDICATOR_COLUMNS`; the date is the last of
    its window. For the site `low` and `high` are the quartiles over chips, and the 5, 50 and 95 %
    of the surrogate sites stand beside them. The share of valid values and the number of outliers
    in each window are there too, as "valid_share" and "outliers"."""
    parts: pd.DataFrame
    """One row per metric, chip and step, `PART_COLUMNS`: the series and what it was taken apart
    into; `weather` is what drivers told, 0 without them. A flagged value is still in `value`."""
    settings: AnalysisSettings


@dataclass(frozen=True)
class Ready:
    """A series that can be tested."""

    number: int
    """Its row in the matrix."""
    series: Values
    prepared: Prepared
    noise: Noise


@dataclass(frozen=True)
class Chip:
    """One series, and why it cannot be tested if it cannot."""

    number: int
    series: Values
    ready: Ready | None
    reason: str = ""


@dataclass
class Tested:
    """Indicators of some chips and their site, and those of surrogates."""

    window: int
    values: Values
    """Shape (chips, indicators, n)."""
    taus: Values
    """Shape (chips, indicators)."""
    site_values: Values
    """Shape (indicators, n)."""
    site_taus: Values
    null_taus: Values = field(default_factory=lambda: np.empty((0, 0, 0)))
    """Shape (surrogates, chips, indicators)."""
    null_site_taus: Values = field(default_factory=lambda: np.empty((0, 0)))
    null_sites: Values = field(default_factory=lambda: np.empty((0, 0, 0)))
    """Shape (surrogates, indicators, n)."""


def temporal_indicators(
    series: Series,
    metrics: Sequence[str] | None = None,
    settings: AnalysisSettings | None = None,
    *,
    drivers: Values | None = None,
) -> Temporal:
    """Indicators, their trends and tests for each metric of a series.

    Parameters
    ----------
    series : Series
    metrics : sequence of str, optional
        Columns to look at; "ndvi_mean" (or "ndvi") and "offset50" where not given, as far as they
        are there.
    settings : AnalysisSettings, optional
    drivers : array of float64, shape (k, steps), optional
        Weather whose part is taken from every chip, and from every surrogate, before indicators
        are made (`pyveg.analysis.climate`).

    Returns
    -------
    Temporal
        Whatever the series: one that is too short, empty or constant gives NaN and the reason.
    """
    told = settings or AnalysisSettings()
    names = default_metrics(series) if metrics is None else list(metrics)
    found = [_one_metric(series, name, told, drivers) for name in names]
    trends = _frame((row for one in found for row in one[0]), TREND_COLUMNS)
    site = trends["chip"] == SITE
    trends.loc[site, "q"] = q_values(trends.loc[site, "p"].to_numpy(np.float64), told.fdr)
    for _, rows in trends[~site].groupby(["metric", "indicator"]):
        trends.loc[rows.index, "q"] = q_values(rows["p"].to_numpy(np.float64), told.fdr)
    return Temporal(
        trends,
        _joined((one[1] for one in found), INDICATOR_COLUMNS),
        _joined((one[2] for one in found), PART_COLUMNS),
        told,
    )


def default_metrics(series: Series) -> list[str]:
    """Metrics that are tested where none are named."""
    greens = [name for name in ("ndvi_mean", "ndvi") if name in series.metrics][:1]
    return [*greens, *(name for name in ("offset50",) if name in series.metrics)]


def prepare_chips(
    matrix: Values, period: float, settings: AnalysisSettings, drivers: Values | None = None
) -> list[Chip]:
    """Send each row of (chips, n) through the chain; a row that cannot be gets a reason."""
    steps = settings.steps(period)

    def one(number: int) -> Chip:
        row = np.where(np.isfinite(matrix[number]), matrix[number], np.nan)
        reason = _too_little(row)
        if reason:
            return Chip(number, row, None, reason)
        try:
            prepared = prepare(row, steps, drivers)
            noise = fit_noise(prepared.residual, prepared.turned)
        except ValueError as error:
            return Chip(number, row, None, str(error))
        return Chip(number, row, Ready(number, row, prepared, noise))

    return _spread(one, range(len(matrix)), settings.n_threads)


def measure(
    chips: Sequence[Ready],
    windows: Sequence[int],
    settings: AnalysisSettings,
    seed: Sequence[int],
) -> list[Tested]:
    """Indicators of prepared chips and of their surrogates, for each window length."""
    if not chips:
        return []
    n = chips[0].series.size
    observed = [
        _indicators(chip, chip.prepared.residual[np.newaxis], windows, settings) for chip in chips
    ]
    tested = []
    for place, window in enumerate(windows):
        values = np.stack([one[place][0] for one in observed])
        site = site_median(values[:, np.newaxis])[0]
        least = _least_taus(n, window)
        taus = rolling.kendall_taus(values, least=least)
        site_taus = rolling.kendall_taus(site, least=least)
        tested.append(Tested(window, values, taus, site, site_taus))
    _add_surrogates(tested, chips, settings, seed)
    return tested


def site_median(values: Values) -> Values:
    """Median over chips (first axis) where at least half of them have a value."""
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    ordered = np.sort(np.where(known, values, np.inf), axis=0)
    last = len(values) - 1
    low = np.take_along_axis(ordered, np.clip((counts - 1) // 2, 0, last)[np.newaxis], axis=0)[0]
    high = np.take_along_axis(ordered, np.clip(counts // 2, 0, last)[np.newaxis], axis=0)[0]
    enough = (counts > 0) & (2 * counts >= len(values))
    middle = np.full(counts.shape, np.nan)
    np.add(0.5 * low, 0.5 * high, out=middle, where=enough)
    return middle


def stream(seed: int, *names: object) -> list[int]:
    """The seed of one purpose."""
    return [seed, *(zlib.crc32(str(name).encode()) for name in names)]


def window_steps(n: int, share: float) -> int:
    """Steps of a window."""
    return max(min(round(share * n), n), min(LEAST_WINDOW, n))


def _one_metric(
    series: Series, metric: str, settings: AnalysisSettings, drivers: Values | None
) -> tuple[list[dict[str, Any]], pd.DataFrame, pd.DataFrame]:
    matrix = series.matrix(metric)
    common = {"collection": series.collection, "metric": metric}
    empty = pd.DataFrame(columns=INDICATOR_COLUMNS), pd.DataFrame(columns=PART_COLUMNS)
    if series.axis is None or not matrix.size:
        row = {**_blank(common, SITE, settings), "reason": "there are no dates", "n": 0}
        return [{**row, "indicator": name} for name in settings.indicators], *empty
    chips = prepare_chips(matrix, series.axis.period, settings, drivers)
    usable = [chip.ready for chip in chips if chip.ready]
    window = window_steps(matrix.shape[1], settings.window)
    seed = stream(settings.seed, "temporal", series.collection, metric)
    tested = measure(usable, [window], settings, seed)
    rows = list(
        _trend_rows(
            chips, usable, tested,
            window=window, settings=settings, common=common, numbers=series.chips,
        )
    )  # fmt: skip
    values = _joined(
        _indicator_tables(usable, tested, window, settings, series), INDICATOR_COLUMNS, common
    )
    dates = series.axis.dates
    parts = _joined(
        (_parts(chip, series.chips[chip.number], dates) for chip in chips), PART_COLUMNS, common
    )
    return rows, values, parts


def _too_little(row: Values) -> str:
    known = row[np.isfinite(row)]
    if known.size < LEAST_VALUES:
        return (
            f"{known.size} values of {row.size} steps; a test needs {LEAST_VALUES}: this series "
            "cannot tell"
        )
    if known.max() - known.min() <= 1e-12 * np.abs(known).max():
        return "all values are equal, so there is no memory to measure"
    return ""


def _indicators(
    chip: Ready, residuals: Values, windows: Sequence[int], settings: AnalysisSettings
) -> list[Values]:
    """One array (series, indicators, n) per window."""
    fixed = np.nan_to_num(chip.prepared.fixed)
    period = chip.prepared.steps.period
    return [
        rolling.rolling_indicators(
            residuals, window, settings.indicators, fixed=fixed, step=1 / period
        )
        for window in windows
    ]


def _add_surrogates(
    tested: Sequence[Tested],
    chips: Sequence[Ready],
    settings: AnalysisSettings,
    seed: Sequence[int],
) -> None:
    n, kinds = chips[0].series.size, len(settings.indicators)
    draws = draw(
        n,
        settings.surrogates,
        seed,
        common_steps(np.stack([chip.noise.innovations for chip in chips])),
    )
    size = max(1, _CELLS // (len(chips) * len(tested) * kinds * n))
    parts: list[list[tuple[Values, Values, Values]]] = [[] for _ in tested]
    for first in range(0, settings.surrogates, size):
        some = draws.part(first, min(first + size, settings.surrogates))
        made = _spread(
            partial(_surrogate_indicators, draws=some, tested=tested, settings=settings),
            chips,
            settings.n_threads,
        )
        for place, one in enumerate(tested):
            values = np.stack([found[0][place] for found in made])
            taus = np.stack([found[1][place] for found in made], axis=1)
            sites = site_median(values)
            site_taus = rolling.kendall_taus(sites, least=_least_taus(n, one.window))
            parts[place].append((taus, site_taus, sites))
    for place, one in enumerate(tested):
        one.null_taus, one.null_site_taus, one.null_sites = (
            np.concatenate(group) for group in zip(*parts[place], strict=True)
        )


def _surrogate_indicators(
    chip: Ready, draws: Draws, tested: Sequence[Tested], settings: AnalysisSettings
) -> tuple[list[Values], list[Values]]:
    """Indicators and taus of one chip's surrogates, for each window."""
    made = surrogates(chip.prepared.residual, chip.noise, draws, settings.null)
    residuals = chip.prepared.residuals(made)
    windows = [one.window for one in tested]
    values = _indicators(chip, residuals, windows, settings)
    n = chip.series.size
    taus = [
        rolling.kendall_taus(found, least=_least_taus(n, window))
        for found, window in zip(values, windows, strict=True)
    ]
    return values, taus


def _least_taus(n: int, window: int) -> int:
    """Windows with a value below which an indicator's trend is not judged: half of them."""
    return max(6, math.ceil((n - window + 1) / 2))


def _trend_rows(
    chips: Sequence[Chip],
    usable: Sequence[Ready],
    tested: Sequence[Tested],
    *,
    window: int,
    settings: AnalysisSettings,
    common: dict[str, Any],
    numbers: Sequence[int],
) -> Iterable[dict[str, Any]]:
    place_of = {chip.number: place for place, chip in enumerate(usable)}
    for kind, name in enumerate(settings.indicators):
        yield _site_row(
            chips, usable, tested, window=window, settings=settings, common=common, kind=kind
        )
        for chip in chips:
            row = {
                **_blank(common, numbers[chip.number], settings),
                **_facts([chip], window),
                "indicator": name,
                "direction": DIRECTIONS[name],
                "chips": 1,
                "reason": chip.reason,
            }
            if chip.number in place_of:
                one, place = tested[0], place_of[chip.number]
                null = one.null_taus[:, place, kind]
                row |= _judged(float(one.taus[place, kind]), null, name)
            yield row


def _site_row(
    chips: Sequence[Chip],
    usable: Sequence[Ready],
    tested: Sequence[Tested],
    *,
    window: int,
    settings: AnalysisSettings,
    common: dict[str, Any],
    kind: int,
) -> dict[str, Any]:
    name = settings.indicators[kind]
    row = {
        **_blank(common, SITE, settings),
        **_facts([chip for chip in chips if chip.ready] or chips, window),
        "indicator": name,
        "direction": DIRECTIONS[name],
        "chips": len(usable),
    }
    if not tested:
        reasons = pd.Series([chip.reason for chip in chips])
        return row | {"reason": f"no chip can be tested; most often: {reasons.mode().iloc[0]}"}
    one = tested[0]
    taus = one.taus[:, kind]
    if np.isfinite(taus).any():
        row["tau_low"], row["tau_high"] = np.nanquantile(taus, [0.25, 0.75]).tolist()
    return row | _judged(float(one.site_taus[kind]), one.null_site_taus[:, kind], name)


def _judged(tau: float, null: Values, name: str) -> dict[str, Any]:
    p = p_value(tau, null, DIRECTIONS[name])
    reason = ""
    if math.isnan(tau):
        reason = "too few windows have a value of it, or all are equal: this series cannot tell"
        if name == "cv":
            reason = "its mean is not positive in enough windows: the CV has no meaning"
    return {"tau": tau, "p": p, "reason": reason}


def _blank(common: dict[str, Any], chip: int, settings: AnalysisSettings) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(TREND_COLUMNS, math.nan)
    return {
        **row,
        **common,
        "chip": chip,
        "direction": "",
        "reason": "",
        "null": settings.null,
        "surrogates": settings.surrogates,
        "seed": settings.seed,
    }


def _facts(chips: Sequence[Chip], window: int) -> dict[str, Any]:
    """What is known of series whether or not they can be tested; medians over chips."""
    gaps = [np.isnan(chip.series) for chip in chips]
    done = [chip.ready.prepared for chip in chips if chip.ready]
    pairs = [rolling.rolling_pairs(one.valid, window)[window - 1 :].min() for one in done]
    return {
        "n": len(gaps[0]),
        "n_valid": _median([float(np.count_nonzero(~gap)) for gap in gaps]),
        "longest_gap": _median([longest_gap(gap) for gap in gaps]),
        "outliers": _median([float(np.count_nonzero(one.flagged)) for one in done]),
        "window": window,
        "least_pairs": _median(pairs),
        "memory": _median([corrected_ar1(one.residual, one.turned) for one in done]),
        "residual_ar1": _median([rolling.ar1(one.residual) for one in done]),
    }


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


def longest_gap(missing: NDArray[np.bool_]) -> int:
    """Steps of the longest run of missing values."""
    ends = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
    return int((ends[1::2] - ends[::2]).max(initial=0))


def _indicator_tables(
    usable: Sequence[Ready],
    tested: Sequence[Tested],
    window: int,
    settings: AnalysisSettings,
    series: Series,
) -> Iterable[pd.DataFrame]:
    if not tested or series.axis is None:
        return
    one = tested[0]
    n = one.values.shape[-1]
    steps = np.arange(window - 1, n)
    base = pd.DataFrame({"step": steps, "date": series.axis.dates[steps]})
    for kind, name in enumerate(settings.indicators):
        low, high = _quartiles(one.values[:, kind, steps])
        null = [_quantile(one.null_sites[:, kind, steps], q) for q in _ENVELOPE]
        yield base.assign(
            chip=SITE, indicator=name, value=one.site_values[kind, steps], low=low, high=high,
            null_low=null[0], null_middle=null[1], null_high=null[2],
        )  # fmt: skip
        for place, chip in enumerate(usable):
            number = series.chips[chip.number]
            yield base.assign(chip=number, indicator=name, value=one.values[place, kind, steps])
    ones = np.ones(window)
    for name, marks in (
        ("valid_share", [chip.prepared.valid / window for chip in usable]),
        ("outliers", [chip.prepared.flagged * 1.0 for chip in usable]),
    ):
        found = np.stack([np.convolve(one, ones)[steps] for one in marks])
        low, high = _quartiles(found)
        yield base.assign(
            chip=SITE, indicator=name, value=np.median(found, axis=0), low=low, high=high
        )


def _quartiles(values: Values) -> tuple[Values, Values]:
    return _quantile(values, 0.25), _quantile(values, 0.75)


def _quantile(values: Values, q: float) -> Values:
    """Over the first axis; NaN where nothing is known, without a warning."""
    out = np.full(values.shape[1], np.nan)
    known = np.isfinite(values).any(axis=0)
    if known.any():
        out[known] = np.nanquantile(values[:, known], q, axis=0)
    return out


def _parts(chip: Chip, number: int, dates: pd.DatetimeIndex) -> pd.DataFrame:
    table = pd.DataFrame(
        {"chip": number, "step": np.arange(len(dates)), "date": dates, "value": chip.series}
    )
    if chip.ready is None:
        none = dict.fromkeys(("season", "trend", "weather", "residual"), np.nan)
        return table.assign(**none, outlier=False)
    done = chip.ready.prepared
    return table.assign(
        season=done.season,
        trend=done.trend,
        weather=0.0 if done.driven is None else done.driven,
        residual=done.residual,
        outlier=done.flagged,
    )


def _spread(work: Callable[[Given], Got], given: Iterable[Given], n_threads: int) -> list[Got]:
    if n_threads == 1:
        return [work(one) for one in given]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(work, given))


def _frame(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _joined(
    tables: Iterable[pd.DataFrame], columns: Sequence[str], common: dict[str, Any] | None = None
) -> pd.DataFrame:
    parts = [table for table in tables if len(table)]
    if not parts:
        return pd.DataFrame(columns=list(columns))
    return (
        pd.concat(parts, ignore_index=True).assign(**(common or {})).reindex(columns=list(columns))
    )
