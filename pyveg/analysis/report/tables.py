"""The tables of a report, as text that is ready to be shown."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.style import indicator_name, p_text, signed
from pyveg.analysis.report.words import number, plain, sentence
from pyveg.analysis.temporal.climate import weather_accounts
from pyveg.core import params

MARKS: Mapping[str, str] = {
    "warning": "▲",
    "change": "◆",
    "weak": "△",
    "no sign": "·",
    "not valid": "✕",
    "cannot tell": "?",
    "pattern": "◆",
    "no pattern": "·",
}
"""What the agreement table says -> a mark that needs no colour."""
SAYS: Mapping[str, str] = {
    "warning": "It changes by more than chance, and as it would before a collapse.",
    "change": "It changes by more than chance, in a way that is no warning by itself.",
    "weak": "p is small, but not small enough for so many tests.",
    "no sign": "It changes by no more than chance.",
    "not valid": "It does not apply to this kind of pattern.",
    "cannot tell": "It could not be measured or tested.",
    "pattern": "The images differ from random ones. This is no change over time.",
    "no pattern": "The images do not differ from random ones.",
}
_FAMILIES = {
    "memory": "Memory",
    "spread": "Noise",
    "break": "Breaks",
    "temporal": "Rolling windows",
    "network": "Network",
    "spatial": "Images",
    "state": "Level",
}
_EFFECTS = {"t": "t {:+.1f}", "factor": "x {:.2f}", "z": "z {:+.1f}"}
"""Statistic -> how its effect is written, but tau."""
RATES = "recovery_rates"
"""Table of the claims that tell how fast a place recovered."""
_UNITS = {"longitude": "° east", "latitude": "° north", "region_size": "°"}
_EXPECTED = {"rise": "rises", "fall": "falls", "either": "either way"}


@dataclass(frozen=True)
class Table:
    """A table with a header for each column and for each row."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    """The first cell of each row is its header."""
    kinds: Sequence[str] = ()
    """A class for each row, or nothing."""


def agreement(analysis: Analysis) -> Table | None:
    """Everything that was tested, side by side; None where nothing was."""
    table = analysis.agreement
    if not (table["says"] != "cannot tell").any():
        return None
    rows, kinds = [], []
    for row in table.to_dict("records"):
        says = str(row["says"])
        tau = row["statistic"] == "tau"
        effect = row["effect"]
        known = math.isfinite(effect)
        spread = _spread(row)
        rows.append(
            [
                _row_name(analysis, row),
                _looks_at(analysis, row),
                f"{MARKS.get(says, '')} {says}".strip(),
                _effect(row) if known else "",
                spread if known else "",
                *(p_text(row[name]) if math.isfinite(row[name]) else ""
                  for name in ("p", "q", "p_without_weather")),
                _EXPECTED.get(str(row["expected"]), "") if tau or row["family"] == "memory" else "",
                sentence(plain(str(row["reason"]))),
            ]
        )  # fmt: skip
        kinds.append(says.replace(" ", "-"))
    _shorten_notes(rows)
    columns = ["Indicator", "Looks at", "Says", "Effect", "Middle half of the chips, or interval",
               "p", "q (corrected p)", "p without weather", "Warning if it", "Note"]  # fmt: skip
    return Table("All indicators side by side", columns, rows, kinds)


def says(analysis: Analysis) -> list[tuple[str, str, str]]:
    """Mark, word and meaning of what the agreement table says here."""
    used = set(analysis.agreement["says"]) if len(analysis.agreement) else set()
    return [(MARKS[name], name, text) for name, text in SAYS.items() if name in used]


def power_lines(analysis: Analysis) -> list[str]:
    """What this record could have shown; one sentence for metrics that agree.

    A record that is too short for any test could have shown nothing.
    """
    if not analysis.temporal.trends["p"].notna().any():
        return []
    texts = [plain(one.text) for one in analysis.power]
    if len(texts) != len(analysis.metrics) or len(set(texts)) == 1:
        return list(dict.fromkeys(texts))
    return [f"{analysis.series.short_label(name)}: {text}" for name, text in
            zip(analysis.metrics, texts, strict=True)]  # fmt: skip


def _effect(row: Mapping[Any, Any]) -> str:
    if row["statistic"] == "tau":
        return signed(row["effect"])
    effect = row["effect"]
    return _EFFECTS[str(row["statistic"])].format(
        effect if row["statistic"] == "factor" else _rounded(effect)
    )


def _spread(row: Mapping[Any, Any]) -> str:
    """Quartiles over the chips, or of the noise its confidence interval."""
    if not math.isfinite(row["low"]):
        return ""
    ends = row["low"], row["high"]
    if row["statistic"] == "tau":
        return " to ".join(map(signed, ends))
    if row["statistic"] == "factor":
        return f"{ends[0]:.2f} to {ends[1]:.2f} (95 % confidence interval)"
    return " to ".join(f"{_rounded(end):+.1f}" for end in ends)


def _rounded(value: float) -> float:
    """What is told as 0, which has no sign."""
    return 0.0 if round(value, 1) == 0 else value


def _shorten_notes(rows: list[list[str]]) -> None:
    """Say a long note once."""
    for row, before in zip(rows[:0:-1], rows[-2::-1], strict=True):
        if row[-1] == before[-1] and len(row[-1]) > 40:
            row[-1] = "As above."


def _looks_at(analysis: Analysis, row: Mapping[Any, Any]) -> str:
    family = str(row["family"])
    name = _FAMILIES.get(family, family.capitalize())
    whole = family != "spatial" and analysis.series.of_place(str(row["metric"]))
    return f"{name}, whole region" if whole else name


def _row_name(analysis: Analysis, row: Mapping[Any, Any]) -> str:
    name = indicator_name(str(row["indicator"]))
    if row["family"] == "spatial" or str(row["indicator"]).startswith("pattern "):
        return f"{name[0].upper()}{name[1:]}"
    return f"{name} of {analysis.series.short_label(str(row['metric']))}"


def climate(analysis: Analysis) -> Table | None:
    """Before and after the weather's part was taken away; None where it was not."""
    table = analysis.climate.table
    known = table[table["tau"].notna() | table["tau_without"].notna()] if len(table) else table
    if known.empty:
        return None
    shown = {"tau": signed, "p": p_text, "tau_without": signed, "p_without": p_text}
    rows = [
        [
            f"{indicator_name(str(row['indicator']))} of "
            f"{analysis.series.short_label(str(row['metric']))}",
            *(kind(row[name]) if math.isfinite(row[name]) else "" for name, kind in shown.items()),
            str(row["change"]),
        ]
        for row in known.to_dict("records")
    ]
    columns = ["Indicator", "tau", "p", "tau without weather", "p without weather", "Verdict"]
    return Table("Trends before and after the part of the weather was removed", columns, rows)


def memory_lines(analysis: Analysis) -> list[str]:
    """How much the weather explains, and what memory is left, a sentence for each metric."""
    table = analysis.climate.table
    lines = []
    for metric in analysis.metrics:
        rows = table[(table["metric"] == metric) & table["memory"].notna()] if len(table) else table
        rows = rows[rows["explained"].notna()]
        if rows.empty:
            continue
        row = rows.iloc[0]
        lines.append(
            f"{analysis.series.short_label(metric)}: {weather_accounts(analysis.climate)} for "
            f"{100 * max(0.0, row['explained']):.0f} % of the variance of the residual; its memory "
            f"(AR(1) of the whole record, corrected for detrending) is {_memory(row['memory'])} "
            f"with and {_memory(row['memory_without'])} without their part."
        )
    return lines


def _memory(value: float) -> str:
    """Null models stop at 0.98 (`pyveg.kernels.noise`): what is above is not told apart."""
    return "0.98 or more" if value >= 0.98 - 1e-9 else number(value, 2)


def recovery_lines(analysis: Analysis) -> list[str]:
    """Drops and returns, a sentence for each metric; no rate that the statement tells already."""
    table = analysis.recovery
    told = {one.row["metric"] for one in analysis.statement.claims if one.table == RATES}
    lines = []
    for metric in analysis.metrics:
        mine = table[table["metric"] == metric] if len(table) else table
        drops = mine[mine["depth"].notna()] if len(mine) else mine
        if drops.empty:
            continue
        fits = drops[drops["fits"].eq(True)]
        count, chips = len(drops), mine["chip"].nunique()
        where = f"{chips} chip{'' if chips == 1 else 's'}"
        text = (
            f"{analysis.series.short_label(metric)}: {count} drop{'' if count == 1 else 's'} of "
            "more than 2 robust standard deviations in "
            f"{'the whole region' if analysis.series.of_place(metric) else where}"
        )
        if drops["drought"].notna().any():
            text += f", {int(drops['drought'].eq(True).sum())} of them with little rain"
        if len(fits) and metric not in told:
            rate = number(float(fits["rate"].median()), 2)
            text += f"; {len(fits)} came back exponentially, at a median rate of {rate} per year"
        lines.append(f"{text}.")
    return lines


def settings(analysis: Analysis) -> Table:
    """Every setting of the analysis."""
    record = analysis.settings.record()
    known = params.names(type(analysis.settings))
    docs = {name: str(spec.metadata["doc"]) for name, spec in known.items()}
    rows = [
        [name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value),
         docs.get(name, "")]
        for name, value in record.items()
    ]  # fmt: skip
    return Table("Settings of the analysis", ["Setting", "Value", "Meaning"], rows)


def versions(analysis: Analysis) -> Table | None:
    """What it was computed with; None where not known."""
    rows = [[name, text] for name, text in analysis.versions.items()]
    return Table("Versions", ["Package", "Version"], rows) if rows else None


def run(analysis: Analysis) -> Table:
    """Where the results come from."""
    about = {
        "results": analysis.source or "given as tables",
        "collection": analysis.series.collection or "none",
        **analysis.series.metadata,
    }
    rows = [
        [
            f"{name}, {_UNITS[name]}" if name in _UNITS else str(name),
            value if isinstance(value, str) else json.dumps(value, default=str),
        ]
        for name, value in about.items()
    ]
    return Table("The run", ["Of the run", "Value"], rows)
