"""The images of a run over time: spatial signals of each date, their trends, and small pictures.

Signals are medians over some chips of each date. Their nulls cost a hundred times as much, so they
are drawn for some dates only, evenly over the record, and say whether there is a pattern at all;
whether a signal changes is tested on its series (`pyveg.analysis.temporal.level_trends`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.axis import find_steps
from pyveg.analysis.data.columns import (
    PATCH_LAWS,
    SPATIAL,
    SPATIAL_TESTS,
    SPATIAL_TRENDS,
    SPECTRA,
)
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.patches import patch_laws
from pyveg.analysis.spatial.signals import (
    LEAST_VALID,
    RULES,
    mean_spectrum,
    pooled_patches,
    spatial_indicators,
)
from pyveg.analysis.temporal.level_trends import level_trend
from pyveg.core.errors import KeyMissingError
from pyveg.core.installing import how_to_install
from pyveg.earth.indices import NDVI
from pyveg.earth.metrics import OFFSET50
from pyveg.kernels.spectrum import is_periodic
from pyveg.runs.chips import Chips
from pyveg.runs.run import Run

CHIPS = 16
"""Chips of a date that are measured, evenly over the image."""
TESTED_DATES, TESTED_CHIPS, NULLS, CHAIN_NULLS = 6, 8, 49, 9
PICTURES, PICTURE_SIDE = 12, 220
_PER_DATE = tuple(name for name in RULES if name != OFFSET50)


@dataclass(frozen=True)
class Snapshots:
    """What the images of a run say."""

    values: pd.DataFrame
    """A row per date and signal, `SPATIAL`: median and quartiles over chips."""
    trends: pd.DataFrame
    """A row per signal, `SPATIAL_TRENDS`; `valid` says whether the pattern allows its use."""
    tests: pd.DataFrame
    """Signals with their nulls at some dates, as `spatial_indicators` gives them."""
    spectra: pd.DataFrame
    """`date, wavenumber, power`: mean radial spectrum of the chips."""
    laws: pd.DataFrame
    """Laws of patch sizes in the first and the last year of images (`part`)."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """Date -> small RGB picture, JPEG."""
    reason: str = ""
    """Why there is nothing, or not everything."""
    index: str = NDVI
    """The vegetation index of the images."""

    @property
    def periodic(self) -> float:
        """Share of dates with a regular pattern; NaN without dates."""
        dates = self.values.drop_duplicates("date")
        return float(dates["periodic"].astype(float).mean()) if len(dates) else float("nan")


def read_snapshots(
    run: Run | None, series: Series, settings: AnalysisSettings | None = None
) -> Snapshots:
    """Measure the images of a run.

    Parameters
    ----------
    run : Run or None
        None where there is only a summary.
    series : Series
        Of the collection whose images are looked at; its axis dates the trends.
    settings : AnalysisSettings, optional
    """
    settings = settings or AnalysisSettings()
    if run is None or series.axis is None:
        return no_snapshots("there are no images beside the summary")
    dates = run.dates(series.collection) if series.collection in run.collections else []
    if not dates:
        return no_snapshots("there are no images in these results")
    tested = set(_evenly(dates, TESTED_DATES))
    measure = partial(_measure_date, tested=tested, seed=settings.seed)
    with ThreadPoolExecutor(settings.n_threads) as pool:
        dates_measured = list(pool.map(measure, run.chips(series.collection, dates)))
    if not dates_measured:
        index = run.images(series.collection).index
        return no_snapshots(
            f"the run kept pictures but no {index} rasters: spatial signals need them"
        )
    values = SPATIAL.joined(one.values for one in dates_measured)
    periodic = float(np.mean([one.periodic for one in dates_measured]))
    laws, reason = _laws(dates_measured, periodic)
    return Snapshots(
        values=values,
        trends=_trends(values, series, settings, periodic),
        tests=SPATIAL_TESTS.joined(one.tests for one in dates_measured),
        spectra=SPECTRA.joined(one.spectrum for one in dates_measured),
        laws=laws,
        pictures=_pictures(run, dates, series.collection),
        reason=reason,
        index=run.images(series.collection).index,
    )


@dataclass(frozen=True)
class _Date:
    date: pd.Timestamp
    values: pd.DataFrame
    tests: pd.DataFrame
    spectrum: pd.DataFrame
    patches: NDArray[np.int64]
    periodic: bool


def no_snapshots(reason: str) -> Snapshots:
    """What there is without images, and why there are none."""
    return Snapshots(
        values=SPATIAL.frame(),
        trends=SPATIAL_TRENDS.frame(),
        tests=SPATIAL_TESTS.frame(),
        spectra=SPECTRA.frame(),
        laws=PATCH_LAWS.frame(),
        reason=reason,
    )


def _evenly(dates: Sequence[pd.Timestamp], count: int) -> list[pd.Timestamp]:
    where = np.unique(np.linspace(0, len(dates) - 1, min(count, len(dates))).round())
    return [dates[int(number)] for number in where]


def _some(chips: Chips, count: int) -> Chips:
    """Chips with enough pixels, evenly over the image."""
    usable = np.flatnonzero(np.isfinite(chips.ndvi).mean(axis=(1, 2)) >= LEAST_VALID)
    if not len(usable):
        return chips.only(usable)
    places = np.linspace(0, len(usable) - 1, min(count, len(usable))).round()
    return chips.only(usable[np.unique(places.astype(np.intp))])


def _measure_date(chips: Chips, tested: set[pd.Timestamp], seed: int) -> _Date:
    few = _some(chips, CHIPS)
    mean = mean_spectrum(chips.ndvi)
    periodic = mean is not None and is_periodic(mean)
    rows = spatial_indicators(few, nulls=0, only=_PER_DATE)
    groups = rows.astype({"value": np.float64}).groupby("indicator", sort=False)["value"]
    values = pd.DataFrame(
        {
            "value": groups.median(),
            "low": groups.quantile(0.25),
            "high": groups.quantile(0.75),
            "chips": groups.count(),
        }
    ).reset_index()
    values["valid"] = [periodic if name == "wavelength" else not periodic for name in
                       values["indicator"]]  # fmt: skip
    values = values.assign(date=chips.date, periodic=periodic)
    tests = SPATIAL_TESTS.frame()
    if chips.date in tested and few.numbers:
        tests = spatial_indicators(
            _some(chips, TESTED_CHIPS), nulls=NULLS, chain_nulls=CHAIN_NULLS, seed=seed
        )
    table = {"wavenumber": [], "power": []} if mean is None else mean._asdict()
    return _Date(
        chips.date, SPATIAL.frame(values), tests, pd.DataFrame(table).assign(date=chips.date),
        pooled_patches(few), periodic,
    )  # fmt: skip


def _trends(
    values: pd.DataFrame, series: Series, settings: AnalysisSettings, periodic: float
) -> pd.DataFrame:
    axis = series.axis
    if axis is None or values.empty:
        return SPATIAL_TRENDS.frame()
    rows = []
    for name, part in values.groupby("indicator", sort=False):
        steps = find_steps(axis, part["date"].reset_index(drop=True))
        inside = (steps >= 0) & (steps < len(axis))
        line = np.full(len(axis), np.nan)
        means = part["value"][inside].groupby(steps[inside]).mean()
        line[means.index.to_numpy()] = means.to_numpy()
        valid = periodic >= 0.5 if name == "wavelength" else periodic < 0.5
        row = level_trend(line, axis.period, settings)._asdict()
        n_valid = int(np.isfinite(line).sum())
        rows.append({**row, "indicator": name, "valid": valid, "n_valid": n_valid})
    return SPATIAL_TRENDS.frame(rows)


def _laws(measured: Sequence[_Date], periodic: float) -> tuple[pd.DataFrame, str]:
    """Laws of the patch sizes of the first and the last year."""
    from importlib.util import find_spec

    if periodic >= 0.5:
        reason = "the pattern is regular: its patches have one size and follow no law"
        return PATCH_LAWS.frame(), reason
    if find_spec("powerlaw") is None:
        cure = how_to_install("pyveg[analysis]", with_folder=False)  # others read it elsewhere
        return PATCH_LAWS.frame(), f"laws of patch sizes need {cure}"
    year = pd.Timedelta(days=365)
    tables = []
    for part, chosen in (
        ("first year", [one for one in measured if one.date < measured[0].date + year]),
        ("last year", [one for one in measured if one.date > measured[-1].date - year]),
    ):
        sizes = np.concatenate([one.patches for one in chosen])
        tables.append(patch_laws(sizes, part))
    return PATCH_LAWS.joined(tables), ""


def _picture(run: Run, date: pd.Timestamp, collection: str) -> NDArray[np.uint8] | None:
    """In colour; that of the index where the collection is an index alone."""
    for kind in ("RGB", run.images(collection).index):
        try:
            return run.picture(date, kind, collection)
        except KeyMissingError:
            continue
    return None


def _pictures(run: Run, dates: Sequence[pd.Timestamp], collection: str) -> dict[str, bytes]:
    from PIL import Image

    small = {}
    for date in _evenly(dates, PICTURES):
        array = _picture(run, date, collection)
        if array is None:
            continue
        picture = Image.fromarray(array)
        picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        file = io.BytesIO()
        picture.save(file, format="JPEG", quality=82)
        small[f"{date:%Y-%m-%d}"] = file.getvalue()
    return small
