"""Everything that was tested, side by side.

Memory, noise and breaks, rolling indicators, images and the level itself are different looks at one
place. Each row has its effect, its uncertainty, its p value corrected for the tests of its kind,
and whether it may be used at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import AGREEMENT
from pyveg.analysis.data.labels import metric_of
from pyveg.analysis.settings import INDICATOR_NAMES, TWINS
from pyveg.analysis.spatial.over_time import Snapshots
from pyveg.analysis.states import decides_beside
from pyveg.analysis.temporal.breaks import BREAK_ALPHA
from pyveg.analysis.temporal.climate import Climate
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.significance import q_values
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.earth.metrics import OFFSET50, OWN_FAMILIES, PRECIPITATION, Metric, installed

SPATIAL_EXPECTED: Mapping[str, str] = {
    "morans_i": "rise",
    "variance": "rise",
    "skewness": "either",
    "density_ratio": "rise",
    "wavelength": "either",
    "patch_mean": "fall",
}
IMAGE = "ndvi"
"""Metric in the rows of spatial signals: they are measured on the NDVI of the images."""
NAMES: Mapping[str, str] = {
    **{name: f"{text[0].upper()}{text[1:]}" for name, text in INDICATOR_NAMES.items()},
    "phi_trend": "Memory (trend of AR(1), noise apart)",
    "noise_trend": "Noise (trend of its SD)",
    "break": "Abrupt change",
    "level": "Level",
    "morans_i": "Moran's I",
    "density_ratio": "Spectral density ratio",
    "wavelength": "Wavelength of the pattern",
    "patch_mean": "Mean patch size",
}
"""What the table names, as people write it."""


def agreement_table(
    temporal: Temporal,
    levels: pd.DataFrame,
    climate: Climate,
    snapshots: Snapshots,
    declared: Mapping[str, Metric] | None = None,
) -> pd.DataFrame:
    """Indicators of all kinds in one table.

    Parameters
    ----------
    temporal : Temporal
    levels : DataFrame
        As `level_trends` gives it.
    climate : Climate
    snapshots : Snapshots
    declared : mapping of str to Metric, optional
        What is known of the metrics; those of the Modules that are installed where not given.

    Returns
    -------
    DataFrame
        `AGREEMENT`. `family` is "memory", "spread", "break", "state" (the level itself),
        "spatial", or for rolling indicators that which the metric declares ("temporal" unless it
        says otherwise, "network" for network centrality); `q` is that of the table that a test
        comes from, corrected there over the tests of its kind; a break has none; `says` is
        "warning", "change", "weak" (p small, q not), "no sign", "not valid" or "cannot tell".
    """
    alpha = temporal.settings.alpha
    table = AGREEMENT.frame(
        [
            *_memory_rows(temporal),
            *_break_rows(temporal),
            *_temporal_rows(temporal, climate, declared or installed()),
            *_state_rows(levels),
            *_spatial_rows(snapshots, temporal.settings.fdr),
        ]
    )
    for twin, other in TWINS.items():
        mine = (table["indicator"] == twin) & (table["reason"] == "")
        table.loc[mine, "reason"] = f"says the same as {other}"
    table["says"] = [_says(row, alpha) for row in table.to_dict("records")]
    return AGREEMENT.joined([table, AGREEMENT.frame(_pattern_rows(snapshots))])


def counts_as_warning(table: pd.DataFrame) -> pd.Series:
    """Rows whose rise is a warning: of memory over time, whatever family a metric declares.

    A level that changes, also one of the geometry of a pattern, is a change: patterns drift under
    stable rain too (docs/calibration.md).
    """
    return (table["statistic"] == "tau") & ~table["family"].isin(OWN_FAMILIES)


def _memory_rows(temporal: Temporal) -> Iterable[dict[str, Any]]:
    """Memory and noise of each metric; the rain's own memory is no test of the vegetation."""
    site = temporal.memory[temporal.memory["chip"] == SITE]
    for one in site[site["metric"] != PRECIPITATION].to_dict("records"):
        known = {"metric": one["metric"], "expected": "rise", "reason": one["reason"]}
        which = "_beside" if decides_beside(one) else ""
        yield _row(
            **known, family="memory", indicator="phi_trend", statistic="t",
            effect=one[f"t{which}"], p=one[f"p{which}"], q=one[f"q{which}"],
            p_without_weather=one["p_beside"], valid=math.isfinite(one[f"p{which}"]),
        )  # fmt: skip
        yield _row(
            **known, family="spread", indicator="noise_trend", statistic="factor",
            effect=one["noise"], low=one["noise_low"], high=one["noise_high"], p=one["noise_p"],
            q=one["noise_q"], valid=math.isfinite(one["noise_p"]),
        )  # fmt: skip


def _break_rows(temporal: Temporal) -> Iterable[dict[str, Any]]:
    for one in temporal.breaks.to_dict("records"):
        yield _row(
            family="break", metric=one["metric"], indicator="break", statistic="z",
            expected="either", effect=one["z"], p=one["p"], valid=math.isfinite(one["p"]),
            reason=one["reason"],
        )  # fmt: skip


def _row(**known: Any) -> dict[str, Any]:
    return {"statistic": "tau", **known}


def _temporal_rows(
    temporal: Temporal, climate: Climate, declared: Mapping[str, Metric]
) -> Iterable[dict[str, Any]]:
    controlled = {
        (row["metric"], row["indicator"]): row["p_without"]
        for row in climate.table.to_dict("records")
    }
    for one in temporal.trends[temporal.trends["chip"] == SITE].to_dict("records"):
        yield _row(
            family=metric_of(declared, one["metric"]).family,
            metric=one["metric"], indicator=one["indicator"],
            expected=one["direction"] or "rise", effect=one["tau"],
            low=one["tau_low"], high=one["tau_high"], p=one["p"], q=one["q"],
            p_without_weather=controlled.get((one["metric"], one["indicator"]), math.nan),
            valid=math.isfinite(one["p"]), reason=one["reason"],
        )  # fmt: skip


def _state_rows(levels: pd.DataFrame) -> Iterable[dict[str, Any]]:
    for one in levels[levels["chip"] == SITE].to_dict("records"):
        chips = levels[(levels["metric"] == one["metric"]) & (levels["chip"] != SITE)]["tau"]
        known = chips.dropna()
        low, high = known.quantile([0.25, 0.75]) if len(known) else (math.nan, math.nan)
        yield _row(
            family="state", metric=one["metric"], indicator="level", expected="either",
            effect=one["tau"], low=float(low), high=float(high), p=one["p"], q=one["q"],
            valid=math.isfinite(one["p"]), reason=one["reason"],
        )  # fmt: skip


def _spatial_rows(snapshots: Snapshots, fdr: str) -> Iterable[dict[str, Any]]:
    trends = snapshots.trends
    if trends.empty:
        return
    p = trends["p"].where(trends["valid"].astype(bool)).to_numpy(np.float64)
    for one, q in zip(trends.to_dict("records"), q_values(p, fdr), strict=True):
        usable = bool(one["valid"])
        rule = "" if usable else "the pattern is regular" if one["indicator"] != "wavelength" else (
            "there is no regular pattern"
        )  # fmt: skip
        yield _row(
            family="spatial", metric=snapshots.index.lower(), indicator=one["indicator"],
            expected=SPATIAL_EXPECTED.get(str(one["indicator"]), "either"),
            effect=one["tau"], p=one["p"], q=float(q), valid=usable and math.isfinite(one["p"]),
            reason=rule or one["reason"],
        )  # fmt: skip


def _pattern_rows(snapshots: Snapshots) -> list[dict[str, Any]]:
    """How far the network is from what its cover alone, or the binarisation alone, would make."""
    if snapshots.tests.empty:
        return []
    rows = []
    tests = snapshots.tests[snapshots.tests["indicator"] == OFFSET50]
    texts = {
        "permutation": "beyond its cover",
        "binarisation": "beyond what binarising noise makes",
    }
    for null, text in texts.items():
        z = tests.loc[tests["null"] == null, "z"].dropna()
        if z.empty:
            continue
        low, middle, high = z.quantile([0.25, 0.5, 0.75])
        significant = abs(middle) > 1.96
        rows.append(
            _row(
                family="network", metric=OFFSET50, indicator=f"pattern {text}", statistic="z",
                expected="either", effect=float(middle), low=float(low), high=float(high),
                valid=True, says="pattern" if significant else "no pattern",
                reason="a pattern against its null, not a change over time",
            )
        )  # fmt: skip
    return rows


def _says(row: Mapping[Any, Any], alpha: float) -> str:
    if not row["valid"]:
        return "not valid" if math.isfinite(row["p"]) else "cannot tell"
    if row["family"] == "break":
        return "change" if row["p"] <= BREAK_ALPHA else "no sign"
    if row["p"] > alpha:
        return "no sign"
    if row["q"] > alpha:
        return "weak"
    rising = row["effect"] > (1 if row["statistic"] == "factor" else 0)
    as_feared = {"rise": rising, "fall": not rising}.get(row["expected"])
    counts = row["family"] == "memory" or row["family"] not in OWN_FAMILIES
    return "warning" if as_feared and counts else "change"
