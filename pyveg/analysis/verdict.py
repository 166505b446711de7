"""Everything that was tested, side by side, and what it says together.

Memory over time, space and network are different looks at one place. Each row has its effect, its
uncertainty, its p value corrected for all the rows that were looked at, and whether it may be used
at all. The verdict is read off that table by rules that stand in `verdict`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import AGREEMENT
from pyveg.analysis.data.labels import metric_of, short_label
from pyveg.analysis.settings import INDICATOR_NAMES
from pyveg.analysis.spatial.over_time import Snapshots
from pyveg.analysis.temporal.climate import Climate
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.power import Power
from pyveg.analysis.temporal.significance import q_values
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.earth.metrics import OFFSET50, OWN_FAMILIES, Metric, installed

TWINS: Mapping[str, str] = {"restoring_rate": "ar1", "sd": "variance"}
"""Indicator -> the one that says the same thing; it is shown, and not counted as another test."""
SPATIAL_EXPECTED: Mapping[str, str] = {
    "morans_i": "rise",
    "variance": "rise",
    "skewness": "either",
    "density_ratio": "rise",
    "wavelength": "either",
    "patch_mean": "fall",
}
LEVELS = ("cannot_tell", "no_sign", "mixed", "signs", "strong_signs")
ENOUGH_POWER = 0.5


@dataclass(frozen=True)
class Verdict:
    """What the table says, in words."""

    level: str
    """One of `LEVELS`."""
    headline: str
    because: tuple[str, ...]
    """What it rests on."""
    conditions: tuple[str, ...]
    """What limits it."""

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


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
        `AGREEMENT`. `family` is that which the metric declares ("temporal" unless it says
        otherwise, "network" for network centrality), "spatial", or "state" (the level itself);
        `effect` is Kendall's tau, or for a pattern against its null the median z, with the
        quartiles over chips; `q` is corrected over all valid rows but the `TWINS`; `says` is
        "warning", "change", "weak" (p small, q not), "no sign", "not valid" or "cannot tell".
    """
    alpha = temporal.settings.alpha
    table = AGREEMENT.frame(
        [
            *_temporal_rows(temporal, climate, declared or installed()),
            *_state_rows(levels),
            *_spatial_rows(snapshots),
        ]
    )
    counted = table["valid"].astype(bool) & table["p"].notna() & ~table["indicator"].isin(TWINS)
    table.loc[counted, "q"] = q_values(
        table.loc[counted, "p"].to_numpy(np.float64), temporal.settings.fdr
    )
    for twin, other in TWINS.items():
        mine = table["indicator"] == twin
        keys = ["family", "metric"]
        known = table[table["indicator"] == other].set_index(keys)["q"]
        table.loc[mine, "q"] = [known.get(key, math.nan) for key in zip(
            table.loc[mine, "family"], table.loc[mine, "metric"], strict=True)]  # fmt: skip
        table.loc[mine & (table["reason"] == ""), "reason"] = f"says the same as {other}"
    table["says"] = [_says(row, alpha) for row in table.to_dict("records")]
    return AGREEMENT.joined([table, AGREEMENT.frame(_pattern_rows(snapshots))])


def counts_as_warning(table: pd.DataFrame) -> pd.Series:
    """Rows whose rise is a warning: of memory over time, whatever family a metric declares.

    A level that changes, also one of the geometry of a pattern, is a change: patterns drift under
    stable rain too (docs/calibration.md).
    """
    return (table["statistic"] == "tau") & ~table["family"].isin(OWN_FAMILIES)


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
            low=one["tau_low"], high=one["tau_high"], p=one["p"],
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
            effect=one["tau"], low=float(low), high=float(high), p=one["p"],
            valid=math.isfinite(one["p"]), reason=one["reason"],
        )  # fmt: skip


def _spatial_rows(snapshots: Snapshots) -> Iterable[dict[str, Any]]:
    for one in snapshots.trends.to_dict("records"):
        usable = bool(one["valid"])
        rule = "" if usable else "the pattern is regular" if one["indicator"] != "wavelength" else (
            "there is no regular pattern"
        )  # fmt: skip
        yield _row(
            family="spatial", metric=snapshots.index.lower(), indicator=one["indicator"],
            expected=SPATIAL_EXPECTED.get(str(one["indicator"]), "either"),
            effect=one["tau"], p=one["p"], valid=usable and math.isfinite(one["p"]),
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
    if row["p"] > alpha:
        return "no sign"
    if row["q"] > alpha:
        return "weak"
    rising = row["effect"] > 0
    as_feared = {"rise": rising, "fall": not rising}.get(row["expected"])
    return "warning" if as_feared and row["family"] not in OWN_FAMILIES else "change"


def verdict(
    table: pd.DataFrame,
    power: Sequence[Power],
    climate: Climate,
    sensitivity: pd.DataFrame,
    notes: Sequence[str],
    *,
    alpha: float = 0.05,
    declared: Mapping[str, Metric] | None = None,
) -> Verdict:
    """Read the table.

    Parameters
    ----------
    table : DataFrame
        `agreement_table`.
    power : sequence of Power
        One per metric.
    climate : Climate
    sensitivity : DataFrame
        `summarise_sensitivity`.
    notes : sequence of str
        Conditions that are known from the series.
    alpha : float
    declared : mapping of str to Metric, optional
        What metrics are called; as the Modules that are installed say where not given.

    Notes
    -----
    - "cannot_tell": nothing could be tested, or nothing was found where a rise of AR(1) from 0.3
      to 0.7 would be missed more often than found.
    - "no_sign": nothing was found, and it would mostly have been.
    - "mixed": an indicator of memory changes, and it is not a rise of memory and variance
      together, or most settings of window and bandwidth, or the control of climate, do not bear it
      out. Changes of levels alone are told, and change no verdict.
    - "signs": AR(1) and variance of one metric both warn, or one does and the other rises too.
    - "strong_signs": and it stays without the weather's part.
    """
    tested = table[table["statistic"] == "tau"]
    named = tested.assign(label=_labels(tested["metric"], declared or installed()))
    conditions = [*notes, *(one.text for one in power)]
    if not tested["valid"].astype(bool).any():
        headline = "This series cannot tell: no indicator could be tested."
        return Verdict("cannot_tell", headline, _most_often(tested), tuple(conditions))
    memory = named[counts_as_warning(named)]
    metrics = memory["metric"].drop_duplicates()
    found = [_candidate(memory, metric, climate, sensitivity, alpha) for metric in metrics]
    candidates = [one for one in found if one]
    because = [line for one in candidates for line in one[1]]
    because += _other_lines(named)
    best = max((LEVELS.index(one[0]) for one in candidates), default=-1)
    if best >= 0:
        level = LEVELS[best]
    elif memory["says"].isin(["warning", "change"]).any():
        level = "mixed"
    elif max((one.power for one in power if math.isfinite(one.power)), default=0.0) >= ENOUGH_POWER:
        level = "no_sign"
    else:
        level = "cannot_tell"
    return Verdict(level, _headline(level, named), tuple(because), tuple(conditions))


def _labels(metrics: pd.Series, declared: Mapping[str, Metric]) -> list[str]:
    """What people call metrics."""
    return [short_label(declared, str(name)) for name in metrics]


def _most_often(table: pd.DataFrame) -> tuple[str, ...]:
    """The commonest reason why there is no test, as a sentence."""
    why = pd.Series([str(one) for one in table["reason"] if one], dtype=object).mode()
    return tuple(f"{one[0].upper()}{one[1:]}." for one in why.iloc[:1])


def _candidate(
    table: pd.DataFrame, metric: str, climate: Climate, sensitivity: pd.DataFrame, alpha: float
) -> tuple[str, list[str]] | None:
    """How far AR(1) and variance of a metric bear one another out."""
    mine = table[table["metric"] == metric]
    rows = {row["indicator"]: row for row in mine.to_dict("records")}
    pair = [rows[name] for name in ("ar1", "variance") if name in rows]
    warning = [row for row in pair if row["says"] == "warning"]
    if not warning:
        return None
    lines = [
        f"{NAMES[row['indicator']]} of {row['label']} rises (tau {row['effect']:+.2f}, "
        f"p {_p(row['p'])}, corrected {_p(row['q'])})."
        for row in warning
    ]
    both = len(pair) == 2 and all(row["effect"] > 0 for row in pair)
    if not both:
        other = "variance" if warning[0]["indicator"] == "ar1" else "AR(1)"
        lines.append(f"Its {other} does not rise with it, as it would near a tipping point.")
        return "mixed", lines
    for row in warning:
        share = _share_of_settings(sensitivity, metric, row["indicator"])
        if share < 0.5:
            lines.append(
                f"But only {100 * share:.0f} % of the windows and bandwidths that were tried agree."
            )
            return "mixed", lines
    if climate.temporal is None:
        lines.append("The part of the weather could not be taken away.")
        return "signs", lines
    stays = [row for row in warning if row["p_without_weather"] <= alpha]
    if stays:
        lines.append("It stays when the part of rain and temperature is taken away.")
        return "strong_signs", lines
    lines.append("It goes away with the part of rain and temperature: it may be the weather's.")
    return "mixed", lines


NAMES: Mapping[str, str] = {
    **{name: f"{text[0].upper()}{text[1:]}" for name, text in INDICATOR_NAMES.items()},
    "level": "Level",
    "morans_i": "Moran's I",
    "density_ratio": "Spectral density ratio",
    "wavelength": "Wavelength of the pattern",
    "patch_mean": "Mean patch size",
}
"""What the table names, as people write it."""


def _share_of_settings(summary: pd.DataFrame, metric: str, indicator: str) -> float:
    if summary.empty:
        return math.nan
    mine = summary[(summary["metric"] == metric) & (summary["indicator"] == indicator)]
    return float(mine["share_below_alpha"].iloc[0]) if len(mine) else math.nan


def _other_lines(table: pd.DataFrame) -> list[str]:
    """Changes of the state and in space, and tests that were not corrected away."""
    lines = []
    told_above = counts_as_warning(table) & table["indicator"].isin(["ar1", "variance"])
    said = table["says"].isin(["warning", "change"]) & ~table["indicator"].isin(TWINS)
    for row in table[said & ~told_above].to_dict("records"):
        verb = "rises" if row["effect"] > 0 else "falls"
        lines.append(f"{_what(row)} {verb} (tau {row['effect']:+.2f}, corrected p {_p(row['q'])}).")
    weak = table[(table["says"] == "weak") & ~table["indicator"].isin(TWINS)]
    if len(weak):
        names = ", ".join(_what(row) for row in weak.to_dict("records"))
        lines.append(f"Small p that the number of tests explains as well: {names}.")
    return lines


def _what(row: Mapping[Any, Any]) -> str:
    """What a row tested, in words."""
    name = NAMES.get(row["indicator"], row["indicator"])
    return f"{name} in space" if row["family"] == "spatial" else f"{name} of {row['label']}"


def _headline(level: str, table: pd.DataFrame) -> str:
    words = {
        "cannot_tell": (
            "This series cannot tell: memory and variance do not rise by more than chance allows, "
            "and a loss of resilience would mostly be missed in such a record."
        ),
        "no_sign": "No sign of a loss of resilience: memory and variance do not rise.",
        "mixed": "Something changes, but the indicators do not agree on a loss of resilience.",
        "signs": "Signs of a loss of resilience: memory and variance rise together.",
        "strong_signs": (
            "Signs of a loss of resilience: memory and variance rise together, and the weather "
            "does not explain it."
        ),
    }[level]
    state = table[(table["family"] == "state") & (table["says"] == "change")]
    if state.empty or level == "mixed":
        return words
    return f"{words} The state itself changes: {_told(state)}."


def _told(rows: pd.DataFrame) -> str:
    """Which levels go which way."""
    return ", ".join(
        f"{row['label']} {'rises' if row['effect'] > 0 else 'falls'}"
        for row in rows.to_dict("records")
    )


def _p(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
