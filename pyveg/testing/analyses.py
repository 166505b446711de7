"""Analyses of made-up places in a second, for tests of what shows them."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.agreement import SPATIAL_EXPECTED, agreement_table
from pyveg.analysis.analyse import Analysis, conditions, power_of_verdict, told_metrics
from pyveg.analysis.data.columns import (
    DROUGHT_RECOVERY,
    PATCH_LAWS,
    RAIN_RESPONSE,
    SENSITIVITY,
    SPATIAL,
    SPATIAL_TESTS,
    SPATIAL_TRENDS,
    SPECTRA,
)
from pyveg.analysis.data.series import Series, tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.over_time import Snapshots, no_snapshots
from pyveg.analysis.spatial.patches import LAWS
from pyveg.analysis.statement import make_statement
from pyveg.analysis.temporal.changes import changes_table
from pyveg.analysis.temporal.climate import climate_control
from pyveg.analysis.temporal.indicators import default_metrics, temporal_indicators
from pyveg.analysis.temporal.level_trends import level_trends
from pyveg.analysis.temporal.power import power_statement
from pyveg.analysis.temporal.rain import drought_recovery, rain_response, recovery_rates
from pyveg.analysis.temporal.sensitivity import sensitivity
from pyveg.analysis.verdict import verdict
from pyveg.earth.metrics import OFFSET50, Metric, installed
from pyveg.kernels.spectrum import radial_spectrum

LEVELS = {"ndvi_mean": (0.3, 0.02), "offset50": (-600.0, 30.0)}
"""Metric -> level and SD of what is made up."""


def made_series(
    *,
    chips: int = 4,
    months: int = 60,
    metrics: Sequence[str] = ("ndvi_mean", "offset50"),
    more: Sequence[Metric] = (),
    missing: Sequence[int] = (7, 8, 30),
    weather: bool = True,
    places: bool = True,
    metadata: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Series:
    """A series of chips in a row, with a season, noise, steps without data and an outlier.

    Parameters
    ----------
    chips, months : int
    metrics : sequence of str
        Of the chips, as pyveg's own Modules declare them.
    more : sequence of Metric
        Others that a Module might declare, of chips or of the whole region. A record of the region
        alone has no other `metrics`.
    missing : sequence of int
        Steps without data.
    weather, places : bool
        Whether there are rain and temperature, and coordinates of the chips.
    metadata : mapping, optional
    seed : int
    """
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    dates = [pd.Timestamp("2015-01-16") + pd.DateOffset(months=step) for step in range(months)]
    wave = np.sin(2 * np.pi * np.arange(months) / 12)

    def made(name: str, rows: int, source: np.random.Generator) -> NDArray[np.float64]:
        level, spread = LEVELS.get(name, (0.0, 1.0))
        values = level + 3 * spread * wave + spread * source.standard_normal((rows, months))
        values[0, months // 3] -= 12 * spread
        return values.ravel()

    table = _records(dates, chips, {name: made(name, chips, rng) for name in metrics})
    if places:
        table["latitude"] = 11.57
        table["longitude"] = 27.95 + 0.0045 * table["chip"]
    region = _records(dates, 1, {}).drop(columns="chip")
    for metric in more:
        if metric.support == "chip":
            table[metric.name] = made(metric.name, chips, other)
        else:
            region[metric.name] = made(metric.name, 1, other)
    known = [step for step in range(months) if step not in missing]
    table, region = (one[one["date"].isin([dates[step] for step in known])]
                     for one in (table, region))  # fmt: skip
    of_chips = len(metrics) or any(metric.support == "chip" for metric in more)
    rain = None
    if weather:
        rain = pd.DataFrame(
            {
                "date": dates,
                "collection": "ERA5",
                "total_precipitation": 0.05 * (1 + wave) * rng.random(months),
                "mean_2m_air_temperature": 300 + 5 * wave + rng.standard_normal(months),
            }
        )
    return tidy(
        table if of_chips else None,
        rain,
        time_per_point="1m",
        metadata=metadata,
        place=region if any(metric.support == "place" for metric in more) else None,
        declared={**installed(), **{metric.name: metric for metric in more}},
    )


def _records(
    dates: Sequence[pd.Timestamp], chips: int, columns: Mapping[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """A row for each chip and date."""
    return pd.DataFrame(
        {
            "date": np.tile(np.array(dates, dtype="datetime64[ns]"), chips),
            "collection": "Sentinel2",
            "chip": np.repeat(np.arange(chips), len(dates)),
            **columns,
        }
    )


def made_snapshots(series: Series, *, periodic: bool = False, seed: int = 0) -> Snapshots:
    """What images might have said at every third step; every fourth date is not valid."""
    if series.axis is None:
        raise ValueError("there are no dates to have images of")
    rng = np.random.default_rng(seed)
    dates = series.axis.dates[::3]
    rows, spectra = [], []
    for number, date in enumerate(dates):
        regular = periodic or number % 4 == 3
        for name in SPATIAL_EXPECTED:
            value = float(rng.random())
            valid = regular if name == "wavelength" else not regular
            row = (date, name, value, value - 0.1, value + 0.1, 16, regular, valid)
            rows.append(dict(zip(SPATIAL.names, row, strict=True)))
        spectrum = radial_spectrum(rng.standard_normal((50, 50)))
        spectra.append(pd.DataFrame(spectrum._asdict()).assign(date=date))
    trends = [
        {"indicator": name, "tau": 0.25, "p": 0.04, "slope": 0.01, "n_valid": len(dates),
         "valid": (name == "wavelength") == periodic}
        for name in SPATIAL_EXPECTED
    ]  # fmt: skip
    weights = (0.1, 0.2, 0.6, 0.1)
    laws = [
        {"law": law, "patches": 300, "aic_weight": weight, "part": part}
        for part in ("first year", "last year")
        for law, weight in zip(LAWS, weights, strict=True)
    ]
    tests = [
        {"date": dates[0], "chip": chip, "indicator": OFFSET50, "null": null, "z": -5.0 - chip,
         "valid": True}
        for null in ("permutation", "binarisation")
        for chip in range(3)
    ]  # fmt: skip
    return Snapshots(
        values=SPATIAL.frame(rows),
        trends=SPATIAL_TRENDS.frame(trends),
        tests=SPATIAL_TESTS.frame(tests),
        spectra=SPECTRA.joined(spectra),
        laws=PATCH_LAWS.frame(laws),
        pictures={f"{date:%Y-%m-%d}": _picture(rng) for date in dates[:3]},
    )


def made_analysis(
    series: Series | None = None,
    *,
    snapshots: Snapshots | None = None,
    settings: AnalysisSettings | None = None,
    config: str = "",
) -> Analysis:
    """All steps of `pyveg.analysis.analyse.analyse_series`, each as small as it can be.

    Parameters
    ----------
    series : Series, optional
        `made_series` where not given.
    snapshots : Snapshots, optional
        Nothing where not given.
    settings : AnalysisSettings, optional
    config : str
    """
    series = series or made_series()
    settings = settings or AnalysisSettings(surrogates=19)
    metrics = default_metrics(series)
    temporal = temporal_indicators(series, metrics, settings)
    climate = climate_control(series, temporal, settings, surrogates=19)
    every = level_trends(series, told_metrics(series, metrics), settings)
    levels = every[every["metric"].isin(metrics)].reset_index(drop=True)
    changes = changes_table(series, every, settings)
    seen = snapshots or no_snapshots("there are no images beside the summary")
    surfaces = SENSITIVITY.joined(
        sensitivity(
            series, name, settings, windows=(0.25, 0.5), bandwidths=(0.5, 1.0), surrogates=19
        )
        for name in metrics
    )  # fmt: skip
    power = []
    if series.axis is not None and metrics:
        valid = np.isfinite(series.matrix(metrics[0])[0])
        power = [power_statement(valid, series.axis.period, settings, simulations=50)]
    table = agreement_table(temporal, levels, climate, seen, series.declared)
    found = power_of_verdict(series, temporal)
    notes = conditions(series, temporal, climate, seen)
    back = DROUGHT_RECOVERY.joined(drought_recovery(series, name, settings) for name in metrics)
    period = math.nan if series.axis is None else series.axis.period
    rates = recovery_rates(back, temporal.trends, period)
    return Analysis(
        source="memory://made",
        series=series,
        temporal=temporal,
        climate=climate,
        levels=levels,
        sensitivity=surfaces,
        rain=RAIN_RESPONSE.joined(rain_response(series, name, settings) for name in metrics),
        recovery=back,
        power=tuple(power),
        snapshots=seen,
        agreement=table,
        verdict=verdict(temporal, found, notes, declared=series.declared),
        settings=settings,
        changes=changes,
        statement=make_statement(temporal, changes, series.declared, rates),
        config=config,
        versions={"pyveg": "2.0"},
    )


def _picture(rng: np.random.Generator) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    pixels = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, format="JPEG")
    return stream.getvalue()
