"""`series.csv`: what a run measured on each date, as one row per collection and date.

`series_columns.csv` beside it says what each of its columns means, and in which unit it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pyveg.core.texts import cell
from pyveg.earth.metrics import Metric

QUARTILES = {"_q25": 0.25, "": 0.5, "_q75": 0.75}
"""Ending of a column -> quantile over the chips of a date."""


def row_of(
    records: Sequence[Mapping[str, Any]],
    place: Mapping[str, Any],
    metrics: Iterable[Metric],
) -> dict[str, Any]:
    """What one date says of a place.

    Parameters
    ----------
    records : sequence of mapping
        Of its chips.
    place : mapping
        What was measured on the whole region.
    metrics : iterable of Metric

    Returns
    -------
    dict
        For a metric of chips its median and quartiles, to 6 decimals; for one of the place its
        value; and in ``chips`` how many there are, where there are any. Nothing for a metric
        without a number.
    """
    row: dict[str, Any] = {"chips": len(records)} if records else {}
    for metric in metrics:
        if metric.support == "place":
            row |= {metric.name: place[metric.name]} if metric.name in place else {}
            continue
        values = [record[metric.name] for record in records if metric.name in record]
        # NaN is a chip that could not be measured, and has no part in the quantiles.
        known = np.array(values, dtype=np.float64)
        known = known[np.isfinite(known)]
        if known.size:
            names = [f"{metric.name}{ending}" for ending in QUARTILES]
            quarters = np.quantile(known, list(QUARTILES.values()))
            row |= dict(zip(names, np.round(quarters, 6).tolist(), strict=True))
    return row


_KEYS = {
    "date": ("", "the day that stands for the period"),
    "collection": ("", "name of the collection"),
    "chips": ("1", "how many chips were measured"),
}
_OF_CHIPS = {"": "median over the chips", "_q25": "lower quartile", "_q75": "upper quartile"}


def write_columns(metrics: Iterable[Metric]) -> bytes:
    """Name, unit and meaning of each column of the table with these metrics, as CSV."""
    rows = [[name, *about] for name, about in _KEYS.items()]
    for metric in metrics:
        if metric.support == "place":
            rows.append([metric.name, metric.unit, metric.meaning])
            continue
        rows += [
            [f"{metric.name}{ending}", metric.unit, f"{what}: {metric.meaning}"]
            for ending, what in _OF_CHIPS.items()
        ]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["column", "unit", "meaning"])
    table.writerows(map(cell, row) for row in rows)
    return text.getvalue().encode()


def write_table(rows: Iterable[Mapping[str, Any]], metrics: Iterable[Metric]) -> bytes:
    """The rows as CSV, with a column for every metric of the run, measured or not."""
    columns = list(_KEYS)
    for metric in metrics:
        if metric.support == "place":
            columns.append(metric.name)
        else:
            columns += [f"{metric.name}{ending}" for ending in _OF_CHIPS]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
