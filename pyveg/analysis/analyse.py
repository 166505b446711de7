"""From the results of a run to a tested statement: every step, in order."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.agreement import agreement_table
from pyveg.analysis.data.columns import (
    BESIDE,
    CHANGES,
    DROUGHT_RECOVERY,
    INDICATORS,
    RAIN_RESPONSE,
    SENSITIVITY,
    TRENDS,
)
from pyveg.analysis.data.columns import SITE as SITE_TABLE
from pyveg.analysis.data.inputs import Given, read_input
from pyveg.analysis.data.series import Series, site_table
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.over_time import Snapshots, read_snapshots
from pyveg.analysis.statement import Statement, make_statement
from pyveg.analysis.temporal.changes import changes_table
from pyveg.analysis.temporal.climate import Climate, climate_control, describe
from pyveg.analysis.temporal.indicators import Temporal, default_metrics, temporal_indicators
from pyveg.analysis.temporal.level_trends import level_trends
from pyveg.analysis.temporal.power import Power, power_statement
from pyveg.analysis.temporal.power_surface import RecordKind
from pyveg.analysis.temporal.rain import drought_recovery, rain_response, recovery_rates
from pyveg.analysis.temporal.sensitivity import sensitivity
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.analysis.temporal.verdict_power import VerdictPower, shared_noise, verdict_power
from pyveg.analysis.verdict import Verdict, verdict
from pyveg.core import html
from pyveg.core.progress import ShowProgress, in_notebook
from pyveg.core.secrets import redacted
from pyveg.core.texts import LONGEST_REPR, cut
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE, metrics_for
from pyveg.runs.run import Run

Progress = Callable[[str, int, int], None]
"""Told the name of a step, its number, and how many there are."""

STEPS = ("indicators", "climate", "levels", "sensitivity", "rain", "power", "images", "verdict")
CONTROLLED_SURROGATES = 199
RAIN_CHIPS = 12
_PACKAGES = ("pyveg", "numpy", "scipy", "pandas", "numba", "matplotlib")


@dataclass(frozen=True, repr=False)
class Analysis:
    """What is known of one vegetation collection of a place.

    Examples
    --------
    A table that is too short for any test:

    >>> import pandas as pd, pyveg
    >>> series = pd.DataFrame({"date": ["2016-01", "2016-02", "2016-03"], "NDVI": [0.3, 0.4, 0.35]})
    >>> found = pyveg.analyse(series)
    >>> found.metrics, found.overview()["steps"], found.verdict.level
    (['ndvi'], 3, 'cannot_tell')
    >>> "trends" in found.tables()
    True
    """

    source: str
    """Where the results are."""
    series: Series
    temporal: Temporal
    climate: Climate
    levels: pd.DataFrame
    """`pyveg.analysis.temporal.level_trends.level_trends`."""
    sensitivity: pd.DataFrame
    """`pyveg.analysis.temporal.sensitivity.sensitivity` of each metric."""
    rain: pd.DataFrame
    """`pyveg.analysis.temporal.rain.rain_response` of each metric."""
    recovery: pd.DataFrame
    """`pyveg.analysis.temporal.rain.drought_recovery` of each metric."""
    power: tuple[Power, ...]
    snapshots: Snapshots
    agreement: pd.DataFrame
    """`pyveg.analysis.agreement.agreement_table`."""
    verdict: Verdict
    settings: AnalysisSettings
    changes: pd.DataFrame = field(default_factory=CHANGES.frame)
    """`pyveg.analysis.temporal.changes.changes_table`."""
    statement: Statement = field(default_factory=Statement)
    """What happened, first; each sentence with the row of a table that it rests on."""
    beside: pd.DataFrame = field(default_factory=BESIDE.frame)
    """What other collections of the place have measured, `beside_table`."""
    config: str = ""
    """The config of the run, where it keeps one."""
    versions: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        whose = f"{self.series.collection} of {redacted(self.source)}"
        return cut(f"<Analysis of {whose}: {self.verdict.headline}>", LONGEST_REPR)

    def _repr_html_(self) -> str:
        rows = [
            *(("what happened", line) for line in self.statement.happened),
            ("verdict", self.verdict.headline),
            *(("because", line) for line in self.verdict.because),
        ]
        title = f"{self.series.collection} of {self.source}"
        return html.table(title, [], rows, self.verdict.conditions)

    @property
    def metrics(self) -> list[str]:
        """Metrics that were tested."""
        return self.temporal.trends["metric"].drop_duplicates().tolist()

    def site(self) -> pd.DataFrame:
        """Every metric over the chips of each step: median, quartiles, number of chips."""
        parts = [site_table(self.series, name).assign(metric=name) for name in self.series.metrics]
        return SITE_TABLE.joined(parts)

    def recovery_rates(self) -> pd.DataFrame:
        """Rates of real recoveries beside that of AR(1), `RECOVERY_RATES`."""
        axis = self.series.axis
        period = math.nan if axis is None else axis.period
        return recovery_rates(self.recovery, self.temporal.trends, period)

    def overview(self) -> dict[str, Any]:
        """The place in a few numbers: dates, chips, means of weather and of what was measured."""
        axis, known = self.series.axis, self.site()
        if axis is None or known.empty:
            return {}
        rain, warmth = self.series.weather(PRECIPITATION), self.series.weather(TEMPERATURE)
        return {
            "first": f"{axis.dates[0]:%Y-%m-%d}",
            "last": f"{axis.dates[-1]:%Y-%m-%d}",
            "steps": len(axis),
            "step": axis.text,
            "chips": len(self.series.chips),
            "rain_mm_per_year": None if rain is None else 1000 * axis.period * np.nanmean(rain),
            "temperature_c": None if warmth is None else np.nanmean(warmth) - 273.15,
            "means": known.groupby("metric", sort=False)["middle"].mean().to_dict(),
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables, by the name of the file that they are written to.

        Their columns are those of `pyveg.analysis.data.columns.ANALYSIS`.
        """
        climate = self.climate.temporal
        return {
            "series": self.series.table,
            "site": self.site(),
            "beside": self.beside,
            "parts": self.temporal.parts,
            "indicators": self.temporal.indicators,
            "trends": self.temporal.trends,
            "changes": self.changes,
            "memory": self.temporal.memory,
            "breaks": self.temporal.breaks,
            "sides": self.temporal.sides,
            "process": self.temporal.process,
            "levels": self.levels,
            "climate": self.climate.table,
            "climate_trends": TRENDS.frame() if climate is None else climate.trends,
            "climate_indicators": INDICATORS.frame() if climate is None else climate.indicators,
            "sensitivity": self.sensitivity,
            "rain_response": self.rain,
            "drought_recovery": self.recovery,
            "recovery_rates": self.recovery_rates(),
            "spatial": self.snapshots.values,
            "spatial_trends": self.snapshots.trends,
            "spatial_tests": self.snapshots.tests,
            "spectra": self.snapshots.spectra,
            "patch_laws": self.snapshots.laws,
            "agreement": self.agreement,
        }

    def record(self) -> dict[str, Any]:
        """What is not a table, as plain data."""
        return {
            "source": self.source,
            "collection": self.series.collection,
            "overview": self.overview(),
            "verdict": self.verdict.record(),
            "statement": self.statement.record(),
            "power": [{**vars(one), "text": one.text} for one in self.power],
            "metrics": [metric.to_json() for metric in self.series.declared.values()],
            "notes": list(self.series.notes),
            "metadata": dict(self.series.metadata),
            "climate": {"drivers": list(self.climate.drivers), "reason": self.climate.reason},
            "images": {
                "periodic": None if np.isnan(self.snapshots.periodic) else self.snapshots.periodic,
                "reason": self.snapshots.reason,
            },
            "settings": self.settings.record(),
            "versions": dict(self.versions),
            "config": self.config,
        }


def analyse(
    results: Given,
    *,
    collection: str | None = None,
    settings: AnalysisSettings | None = None,
    metrics: Sequence[str] | None = None,
    spatial: bool = True,
    swap_coordinates: bool = False,
    min_valid: float = 0.5,
    progress: Progress | None = None,
) -> Analysis:
    """Test whether a place is losing resilience, and say how sure that is.

    Parameters
    ----------
    results : str, Path, Store, Run, Results, DataFrame or Series
        A run folder or its URL, a `results_summary.json` (also of the older pyveg), a Run, the
        Store of one, or what was read from one. Or a table of dates and values, as the path of a
        CSV or as a DataFrame: a column ``date`` or an index of dates, any columns of numbers, and
        perhaps ``place``, ``rain (mm)`` and ``temperature (°C)``.
    collection : str, optional
        Name of the vegetation collection, or of the place in a table, needed where there are
        several.
    settings : AnalysisSettings, optional
    metrics : sequence of str, optional
        What is tested; where not given, all that was declared to be tested for memory, such as
        NDVI and network centrality.
    spatial : bool
        Whether the images of the run are measured too.
    swap_coordinates : bool
        Exchange latitude and longitude, for old files that have them the wrong way round.
    min_valid : float
        Share of valid pixels below which a chip's values are missing.
    progress : callable, optional
        Told of every step; in a notebook a `pyveg.ShowProgress` where left out.

    Returns
    -------
    Analysis
        Of any series: what cannot be tested has NaN and its reason.

    Raises
    ------
    NotARunError, DataError
        If `results` is no results of pyveg, or a table that can be understood in no way or in two.
    ConfigError
        If there are several collections and none was named, or it is not there.

    Examples
    --------
    >>> import pandas as pd, pyveg
    >>> series = pd.DataFrame({"date": ["2016-01", "2016-02", "2016-03"], "NDVI": [0.3, 0.4, 0.35]})
    >>> pyveg.analyse(series).verdict.headline
    'Memory could not be tested, so this record cannot tell whether resilience is lost.'
    """
    if progress is None and in_notebook():
        progress = ShowProgress()
    given = read_input(results, swap_coordinates=swap_coordinates, min_valid=min_valid)
    return analyse_series(
        given.choose(collection),
        settings=settings,
        metrics=metrics,
        run=given.run,
        others=given.of_place(),
        spatial=spatial,
        source=given.source,
        progress=progress,
    )


def analyse_series(
    series: Series,
    *,
    settings: AnalysisSettings | None = None,
    metrics: Sequence[str] | None = None,
    run: Run | None = None,
    others: Sequence[Series] = (),
    spatial: bool = True,
    source: str = "",
    progress: Progress | None = None,
) -> Analysis:
    """`analyse` for a series that was put in order already; images come from `run`.

    `others` are those of other collections of the same place, which are shown beside it.
    """
    settings = settings or AnalysisSettings()
    names = default_metrics(series) if metrics is None else list(metrics)
    tell = _teller(progress)

    tell("indicators")
    temporal = temporal_indicators(series, names, settings)
    tell("climate")
    fewer = min(settings.surrogates, CONTROLLED_SURROGATES)
    climate = climate_control(series, temporal, settings, surrogates=fewer)
    tell("levels")
    every = level_trends(series, told_metrics(series, names), settings)
    levels = every[every["metric"].isin(names)].reset_index(drop=True)
    changes = changes_table(series, every, settings)
    tell("sensitivity")
    surface = SENSITIVITY.joined(sensitivity(series, name, settings) for name in names)
    tell("rain")
    few = _some_chips(series, RAIN_CHIPS)
    rain = RAIN_RESPONSE.joined(rain_response(few, name, settings) for name in names)
    back = DROUGHT_RECOVERY.joined(drought_recovery(few, name, settings) for name in names)
    period = math.nan if series.axis is None else series.axis.period
    rates = recovery_rates(back, temporal.trends, period)
    tell("power")
    statements = [_power(series, temporal, name, settings) for name in names]
    power = tuple(one for one in statements if one is not None)
    tell("images")
    snapshots = read_snapshots(run if spatial else None, series, settings)
    tell("verdict")
    table = agreement_table(temporal, levels, climate, snapshots, series.declared)
    found = power_of_verdict(series, temporal)
    notes = conditions(series, temporal, climate, snapshots)
    return Analysis(
        source=source,
        series=series,
        temporal=temporal,
        climate=climate,
        levels=levels,
        sensitivity=surface,
        rain=rain,
        recovery=back,
        power=power,
        snapshots=snapshots,
        agreement=table,
        verdict=verdict(temporal, found, notes, declared=series.declared),
        settings=settings,
        changes=changes,
        beside=beside_table(one for one in others if one.collection != series.collection),
        statement=make_statement(temporal, changes, series.declared, rates),
        config=run.config if run else "",
        versions=_versions(),
    )


def beside_table(others: Iterable[Series]) -> pd.DataFrame:
    """What is tested of some series, over their chips: the table `BESIDE`.

    Parameters
    ----------
    others : iterable of Series
        Of other collections of a place.
    """
    return BESIDE.joined(
        site_table(one, name).assign(
            collection=one.collection, metric=name, label=one.label_with_unit(name)
        )
        for one in others
        if one.axis is not None
        for name in default_metrics(one)
    )


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), **packages}


def conditions(
    series: Series, temporal: Temporal, climate: Climate, snapshots: Snapshots
) -> list[str]:
    """What limits a statement about these series, one sentence each."""
    lines = [f"{note[0].upper()}{note[1:]}." for note in series.notes]
    site = temporal.trends[temporal.trends["chip"] == SITE]
    for metric, rows in site.groupby("metric", sort=False):
        first = rows.iloc[0]
        if first["n"] and np.isfinite(first["n_valid"]):
            gap = round(first["longest_gap"])
            longest = f", the longest gap is {gap} step{'s' * (gap > 1)}" if gap else ""
            whose = "whole region" if series.of_place(str(metric)) else "median chip"
            lines.append(
                f"{series.short_label(str(metric))}: {first['n_valid']:.0f} of {first['n']:.0f} "
                f"steps have a value ({whose}){longest}."
            )
    lines += _share_lines(series, temporal)
    lines += describe(climate, site["metric"].drop_duplicates().tolist(), series.declared)
    if snapshots.periodic >= 0.5:
        lines.append(
            f"{100 * snapshots.periodic:.0f} % of the dates have a regular pattern; such "
            "vegetation may evade a tipping point, and generic spatial signals do not apply to it."
        )
    if snapshots.reason:
        lines.append(f"{snapshots.reason[0].upper()}{snapshots.reason[1:]}.")
    lines.append("Changes of land use are not looked for: exclude them before you believe a sign.")
    return lines


def told_metrics(series: Series, tested: Sequence[str]) -> list[str]:
    """Metrics whose level is told of: those that are tested, and those declared for that alone."""
    more = metrics_for(series.declared, series.metrics, ("level",))
    return list(dict.fromkeys([*tested, *(metric.name for metric in more)]))


def power_of_verdict(series: Series, temporal: Temporal) -> VerdictPower | None:
    """How often a rise of memory would be found in such a record; of its best metric."""
    if series.axis is None:
        return None
    years, best = len(series.axis) / series.axis.period, None
    tests = tested_metrics(temporal)
    for metric, rows in temporal.trends[temporal.trends["chip"] == SITE].groupby("metric"):
        first = rows.iloc[0]
        if not (first["n"] and np.isfinite(first["n_valid"]) and first["chips"]):
            continue
        parts = temporal.parts[temporal.parts["metric"] == metric]
        wide = parts.pivot_table(index="chip", columns="step", values="residual")
        shared = shared_noise(wide.to_numpy(np.float64))
        gaps = 1 - first["n_valid"] / first["n"]
        kind = RecordKind(years, gaps, int(first["chips"]), shared)
        found = verdict_power(kind, temporal.settings, tests)
        if found is not None and (best is None or found.power > best.power):
            best = found
    return best


def tested_metrics(temporal: Temporal) -> int:
    """Metrics whose memory is tested: the family over which its p is corrected."""
    site = temporal.memory[temporal.memory["chip"] == SITE]
    return int((site["p"].notna() & (site["metric"] != PRECIPITATION)).sum())


def _share_lines(series: Series, temporal: Temporal) -> list[str]:
    """Warn where gaps or outliers are not spread evenly: they alone can move an indicator."""
    lines = []
    rows = temporal.indicators[temporal.indicators["chip"] == SITE]
    for metric, part in rows[rows["indicator"] == "valid_share"].groupby("metric", sort=False):
        values = part["value"].dropna()
        if len(values) and values.max() - values.min() > 0.2:
            lines.append(
                f"{series.short_label(str(metric))}: the share of valid steps in a window goes "
                f"from {values.iloc[0]:.0%} to {values.iloc[-1]:.0%}; surrogates have the same "
                "gaps."
            )
    return lines


def _some_chips(series: Series, count: int) -> Series:
    """A series of some chips, evenly over them."""
    numbers = series.chips
    if len(numbers) <= count:
        return series
    picked = {numbers[int(place)] for place in np.linspace(0, len(numbers) - 1, count).round()}
    table = series.table[series.table["chip"].isin(picked)].reset_index(drop=True)
    return replace(series, table=table)


def _power(
    series: Series, temporal: Temporal, metric: str, settings: AnalysisSettings
) -> Power | None:
    """For the gaps of the chip with the median number of values."""
    parts = temporal.parts[temporal.parts["metric"] == metric]
    if series.axis is None or parts.empty:
        return None
    used = parts["value"].notna() & ~parts["outlier"].astype(bool)
    known = used.groupby(parts["chip"]).sum().sort_values(kind="stable")
    valid = used[parts["chip"] == known.index[len(known) // 2]].to_numpy()
    return power_statement(valid, series.axis.period, settings)


def _teller(progress: Progress | None) -> Callable[[str], None]:
    def tell(name: str) -> None:
        if progress is not None:
            progress(name, STEPS.index(name), len(STEPS))

    return tell
