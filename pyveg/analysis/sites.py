"""Many places side by side: one table of them, and their tests corrected together.

Of a hundred stable places five warn at a nominal 5 %. What counts for a campaign is therefore the
false-discovery rate over all its places, and whether more of them warn than chance would make.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import AGREEMENT, SHARES, SITE_TESTS, SITES
from pyveg.analysis.data.labels import metric_of
from pyveg.analysis.data.table import Column, Table
from pyveg.analysis.folder import RECORD, metrics_of
from pyveg.analysis.settings import TWINS
from pyveg.analysis.temporal.significance import q_values
from pyveg.core.errors import DataError, KeyMissingError, PyvegError
from pyveg.core.ports import Store
from pyveg.core.texts import LONGEST_VALUE, cut, said
from pyveg.core.values import read_json
from pyveg.earth.metrics import Metric, metrics_for

CHANGES_OVER_TIME = ("tau", "t", "factor")
"""Statistics of tests that are compared over places: trends, of memory and noise too."""


@dataclass(frozen=True)
class Sites:
    """Places, and what was tested in each."""

    sites: pd.DataFrame
    """One row per place and collection, `sites_table`."""
    tests: pd.DataFrame
    """One row per place and indicator, `SITE_TESTS`; `q` is corrected over the places."""
    shares: pd.DataFrame
    """One row per indicator, `SHARES`: places with p <= alpha, how many chance makes, the
    probability of at least so many, and the places that are left after correction."""
    means: Mapping[str, Metric] = field(default_factory=dict)
    """Columns of `sites` that hold the mean of a metric."""
    trends: Mapping[str, Metric] = field(default_factory=dict)
    """Columns of `sites` that hold the trend of the level of a metric."""
    declared: Mapping[str, Metric] = field(default_factory=dict)
    """What is known of the metrics of all places."""


def read_site(store: Store, folder: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """What a place's analysis says: its `analysis.json` and its agreement table.

    Raises
    ------
    DataError
        If they cannot be read.
    """
    base = f"{folder}/" if folder else ""
    try:
        record = _object(store.read(f"{base}{RECORD}"))
        table = AGREEMENT.read_csv(store.read(f"{base}tables/agreement.csv"))
        return {**record, "source": record["source"] or store.url}, table
    except (ValueError, LookupError, TypeError, AttributeError, KeyMissingError) as error:
        raise DataError(
            f"{store.url}/{base}{RECORD} is damaged: {error}",
            "make it again with pyveg_gee_analysis",
        ) from error


def _object(data: bytes) -> Mapping[str, Any]:
    record = read_json(data)
    if not isinstance(record, Mapping):
        raise TypeError("it is no object of names and values")
    return record


def compare_sites(
    analyses: Iterable[tuple[Mapping[str, Any], pd.DataFrame]],
    *,
    alpha: float = 0.05,
    fdr: str = "bh",
) -> Sites:
    """Put places side by side.

    Parameters
    ----------
    analyses : iterable of (mapping, DataFrame)
        As `read_site` gives them.
    alpha : float
    fdr : str
        "bh" or "by", see `pyveg.analysis.temporal.significance.q_values`; over the places of one
        metric and indicator.
    """
    places = [_sound(record, table) for record, table in analyses]
    _tell_apart(places)
    means = {name: metric for place in places for name, metric in place.means.items()}
    trends = {name: metric for place in places for name, metric in place.trends.items()}
    sites = sites_table(means, trends).frame(place.row for place in places)
    every = SITE_TESTS.joined(_tests(place) for place in places)
    for _, rows in every.groupby(["metric", "indicator"]):
        every.loc[rows.index, "q"] = q_values(rows["p"].to_numpy(np.float64), fdr)
    order = sites.sort_values(["rain_mm_per_year", "site"], ignore_index=True)
    declared = {name: metric for place in places for name, metric in place.declared.items()}
    return Sites(order, every, _shares(every, alpha), means, trends, declared)


def _sound(record: Mapping[str, Any], table: pd.DataFrame) -> _Place:
    """A place, if its record has what a record of an analysis has."""
    try:
        place = _place(record, table)
        SITES.frame([place.row])  # whose columns take no values of other types
    except (LookupError, TypeError, ValueError, AttributeError, PyvegError) as error:
        raise DataError(
            f"the analysis of {cut(str(record.get('source')), LONGEST_VALUE)} is damaged: "
            f"{said(error)}",
            "make it again with pyveg_gee_analysis",
        ) from error
    return place


def sites_table(means: Mapping[str, Metric], trends: Mapping[str, Metric]) -> Table:
    """`SITES` with columns for the means of some metrics, and for the trends of their levels."""
    columns = [
        *(
            Column(name, "float64", f"mean over the record: {metric.meaning}", metric.unit)
            for name, metric in means.items()
        ),
        *(
            Column(name, "float64", f"Kendall's tau of the level: {metric.meaning}")
            for name, metric in trends.items()
        ),
    ]
    return SITES.extended(columns, after="temperature_c")


@dataclass
class _Place:
    """One place and collection."""

    row: dict[str, Any]
    """Of `Sites.sites`."""
    table: pd.DataFrame
    """Its agreement table."""
    declared: Mapping[str, Metric]
    means: dict[str, Metric] = field(default_factory=dict)
    trends: dict[str, Metric] = field(default_factory=dict)


def _tell_apart(places: Iterable[_Place]) -> None:
    """Number places that share a name."""
    times: Counter[str] = Counter()
    for place in places:
        name = place.row["site"]
        times[name] += 1
        if times[name] > 1:
            place.row["site"] = f"{name} ({times[name]})"


def _place(record: Mapping[str, Any], table: pd.DataFrame) -> _Place:
    place = _Place(_facts(record, table), table, metrics_of(record))
    means = (record.get("overview") or {}).get("means", {})
    _add_metrics(place, means)
    return place


def _add_metrics(place: _Place, means: Mapping[str, Any]) -> None:
    """Means of the metrics that are tested, here or as a rule, and trends of their levels."""
    state = place.table[place.table["family"] == "state"].drop_duplicates("metric")
    effects = dict(zip(state["metric"], state["effect"], strict=True))
    usual = [metric.name for metric in metrics_for(place.declared, means)]
    for name in dict.fromkeys([*usual, *effects]):
        common = _common_name(metric_of(place.declared, name), name, means)
        metric = metric_of(place.declared, common)
        mean = common if common not in SITES.names else f"{common}_mean"
        place.row[mean], place.means[mean] = _number(means.get(name)), metric
        if name in effects:
            # "ndvi_trend" is that of "ndvi_mean": so it has always been called.
            short = common.removesuffix("_mean")
            taken = short != name and short in effects
            trend = f"{common if taken else short}_trend"
            place.row[trend], place.trends[trend] = _number(effects[name]), metric


def _common_name(metric: Metric, name: str, measured: Container[str]) -> str:
    """What stands for a metric in all places: older results have another NDVI than newer ones."""
    return metric.replaces if metric.replaces and metric.replaces not in measured else name


def _facts(record: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    """What is known of a place beside its metrics."""
    about, overview = record.get("metadata", {}), record.get("overview") or {}
    power = [one["power"] for one in record["power"] if one["power"] is not None]
    return {
        "site": str(about.get("coords_id") or _coordinates(about) or record["source"]),
        "collection": record["collection"],
        "latitude": about.get("latitude"),
        "longitude": about.get("longitude"),
        "pattern_type": about.get("pattern_type"),
        **{name: overview.get(name) for name in ("first", "last", "steps", "chips")},
        "rain_mm_per_year": _number(overview.get("rain_mm_per_year")),
        "temperature_c": _number(overview.get("temperature_c")),
        "verdict": record["verdict"]["level"],
        "headline": record["verdict"].get("headline", ""),
        "warnings": int((table["says"] == "warning").sum()),
        "power": max(power, default=math.nan),
        "source": record["source"],
    }


def _coordinates(about: Mapping[str, Any]) -> str:
    if about.get("latitude") is None or about.get("longitude") is None:
        return ""
    return f"{about['latitude']}N {about['longitude']}E"


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _tests(place: _Place) -> pd.DataFrame:
    table = place.table
    changes = table["statistic"].isin(CHANGES_OVER_TIME)
    rows = table[changes & ~table["indicator"].isin(TWINS)]
    p = rows["p"].where(rows["valid"].astype(bool))
    same = {name: place.row[name] for name in ("site", "collection", "rain_mm_per_year")}
    return rows.rename(columns={"q": "q_of_site"}).assign(p=p, q=math.nan, **same)


def _shares(tests: pd.DataFrame, alpha: float) -> pd.DataFrame:
    from scipy.stats import binom

    rows = []
    for (metric, indicator), part in tests.groupby(["metric", "indicator"], sort=False):
        p = part["p"].dropna()
        small = int((p <= alpha).sum())
        chance = float(binom.sf(small - 1, len(p), alpha)) if len(p) else math.nan
        left = int((part["q"] <= alpha).sum())
        rows.append((metric, indicator, len(p), small, alpha * len(p), chance, left))
    return SHARES.frame(dict(zip(SHARES.names, row, strict=True)) for row in rows)
