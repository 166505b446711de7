"""Many places side by side: one table of them, and their tests corrected together.

Of a hundred stable places five warn at a nominal 5 %. What counts for a campaign is therefore the
false-discovery rate over all its places, and whether more of them warn than chance would make.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.folder import RECORD
from pyveg.analysis.temporal.significance import q_values
from pyveg.analysis.verdict import TWINS
from pyveg.core.errors import DataError
from pyveg.core.ports import Store

SITE_COLUMNS = ("site", "collection", "latitude", "longitude", "pattern_type", "first", "last",
                "steps", "chips", "rain_mm_per_year", "temperature_c", "ndvi_mean", "offset50",
                "ndvi_trend", "verdict", "warnings", "power", "source")  # fmt: skip
TEST_COLUMNS = ("site", "collection", "rain_mm_per_year", "family", "metric", "indicator", "effect",
                "low", "high", "p", "q_of_site", "q", "p_without_weather", "expected",
                "reason")  # fmt: skip
SHARE_COLUMNS = ("metric", "indicator", "sites", "small_p", "expected_by_chance", "p_of_count",
                 "found")  # fmt: skip


@dataclass(frozen=True)
class Sites:
    """Places, and what was tested in each."""

    sites: pd.DataFrame
    """One row per place and collection, `SITE_COLUMNS`."""
    tests: pd.DataFrame
    """One row per place and indicator, `TEST_COLUMNS`; `q` is corrected over the places."""
    shares: pd.DataFrame
    """One row per indicator, `SHARE_COLUMNS`: places with p <= alpha, how many chance makes, the
    probability of at least so many, and the places that are left after correction."""


def read_site(store: Store, folder: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """What a place's analysis says: its `analysis.json` and its agreement table.

    Raises
    ------
    DataError
        If they cannot be read.
    """
    base = f"{folder}/" if folder else ""
    try:
        record = json.loads(store.read(f"{base}{RECORD}"))
        table = pd.read_csv(io.BytesIO(store.read(f"{base}tables/agreement.csv")))
        return {**record, "source": record["source"] or store.url}, table
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{store.url}/{base}{RECORD} is damaged: {error}") from error


def compare_sites(
    found: Iterable[tuple[Mapping[str, Any], pd.DataFrame]],
    *,
    alpha: float = 0.05,
    fdr: str = "bh",
) -> Sites:
    """Put places side by side.

    Parameters
    ----------
    found : iterable of (mapping, DataFrame)
        As `read_site` gives them.
    alpha : float
    fdr : str
        "bh" or "by", see `pyveg.analysis.temporal.significance.q_values`; over the places of one
        metric and indicator.
    """
    places, tests = [], []
    names: dict[str, int] = {}
    for record, table in found:
        place = _place(record, table)
        names[place["site"]] = names.get(place["site"], 0) + 1
        if names[place["site"]] > 1:
            place["site"] = f"{place['site']} ({names[place['site']]})"
        places.append(place)
        tests.append(_tests(place, table))
    sites = pd.DataFrame(places, columns=list(SITE_COLUMNS))
    known = [table for table in tests if len(table)]
    every = pd.concat(known, ignore_index=True) if known else pd.DataFrame(columns=TEST_COLUMNS)
    every = every.reindex(columns=list(TEST_COLUMNS))
    for _, rows in every.groupby(["metric", "indicator"]):
        every.loc[rows.index, "q"] = q_values(rows["p"].to_numpy(np.float64), fdr)
    order = sites.sort_values(["rain_mm_per_year", "site"], ignore_index=True)
    return Sites(order, every, _shares(every, alpha))


def _place(record: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    about, overview = record.get("metadata", {}), record.get("overview") or {}
    means = overview.get("means", {})
    state = table[(table["family"] == "state") & table["metric"].isin(["ndvi_mean", "ndvi"])]
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
        "ndvi_mean": _number(means.get("ndvi_mean", means.get("ndvi"))),
        "offset50": _number(means.get("offset50")),
        "ndvi_trend": float(state["effect"].iloc[0]) if len(state) else math.nan,
        "verdict": record["verdict"]["level"],
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


def _tests(place: Mapping[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    rows = table[(table["statistic"] == "tau") & ~table["indicator"].isin(TWINS)]
    p = rows["p"].where(rows["valid"].astype(bool))
    return rows.rename(columns={"q": "q_of_site"}).assign(
        p=p,
        site=place["site"],
        collection=place["collection"],
        rain_mm_per_year=place["rain_mm_per_year"],
        q=math.nan,
    )


def _shares(tests: pd.DataFrame, alpha: float) -> pd.DataFrame:
    from scipy.stats import binom

    rows = []
    for (metric, indicator), part in tests.groupby(["metric", "indicator"], sort=False):
        p = part["p"].dropna()
        small = int((p <= alpha).sum())
        chance = float(binom.sf(small - 1, len(p), alpha)) if len(p) else math.nan
        found = int((part["q"] <= alpha).sum())
        rows.append((metric, indicator, len(p), small, alpha * len(p), chance, found))
    return pd.DataFrame(rows, columns=list(SHARE_COLUMNS))
