"""What `pyveg_calibrate --zoo` prints at its end."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def zoo_lines(rates: pd.DataFrame, scores: pd.DataFrame) -> Iterator[str]:
    """Rates of each kind of record, areas under the ROC, and all records together.

    Parameters
    ----------
    rates, scores : DataFrame
        `ZOO_RATES` and `ZOO_SCORES`.
    """
    from pyveg.calibration.zoo.rates import KIND, STATES, together
    from pyveg.scripts.tables import aligned

    for kind, part in rates.groupby(KIND, sort=False):
        yield f"\n{kind_words(dict(zip(KIND, kind, strict=True)))}, % of records:"
        head = ["situation", "records", *(name.replace("_", " ") for name in STATES), "95 %"]
        yield aligned([head, *(_rate_line(row, STATES) for row in part.to_dict("records"))])
    for kind, part in scores.groupby(KIND, sort=False):
        yield f"\n{kind_words(dict(zip(KIND, kind, strict=True)))}, area under the ROC:"
        yield aligned([["situation", "score", "area", "95 %"], *map(_score_line, _records(part))])
    risen, series, low, high = together(rates)
    if series:
        yield (
            f"\nmemory is said to rise in {risen} of {series} records without a loss of "
            f"resilience: {100 * risen / series:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"
        )


def kind_words(kind: Mapping[Hashable, Any]) -> str:
    """A kind of record, as people say it."""
    chips = "one chip"
    if kind["chips"] > 1:
        chips = f"{kind['chips']:.0f} chips with a correlation of {kind['shared']:g}"
    return f"{kind['years']:g} years, {100 * kind['gaps']:.0f} % gaps, {chips}"


def _rate_line(row: Mapping[Hashable, Any], states: tuple[str, ...]) -> list[str]:
    shares = [f"{100 * row[name] / row['series']:.1f}" for name in states]
    interval = f"{100 * row['rises_low']:.1f}-{100 * row['rises_high']:.1f}"
    mark = " *" if row["losing"] else ""
    return [f"{row['situation']}{mark}", str(row["series"]), *shares, interval]


def _score_line(row: Mapping[Hashable, Any]) -> list[str]:
    interval = f"{row['auc_low']:.2f}-{row['auc_high']:.2f}"
    return [str(row["situation"]), str(row["score"]), f"{row['auc']:.2f}", interval]


def _records(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    return table.to_dict("records")
