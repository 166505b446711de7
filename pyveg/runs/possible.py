"""Numbers of results that cannot be are refused, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyveg.core.errors import DataError
from pyveg.core.texts import brief
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE, Metric

if TYPE_CHECKING:
    import pandas as pd

_CURE = "look at how it was measured, or leave that date out"
LARGEST = 1e15
"""No number that anybody measures is larger, whatever its unit; sums of squares stay finite."""
_MOST_CHIPS = 10**7
_TOLERANCE = 1e-6
_COLUMNS: Mapping[str, tuple[float, float, str]] = {
    "latitude": (-90, 90, "degrees"),
    "longitude": (-180, 360, "degrees"),
    PRECIPITATION: (0, 50, "m per period"),
    TEMPERATURE: (150, 350, "K"),
}
"""What is no metric of a Module -> its lowest and highest, and their unit."""


def refuse_impossible(table: pd.DataFrame, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """A table of results whose numbers are numbers, or an error that names the first that is not.

    Parameters
    ----------
    table : DataFrame
        A row per record: `date`, `collection`, `chip`, `latitude`, `longitude` and metrics, where
        there are some. What is missing (None, NaN) may be.
    metrics : mapping of str to Metric
        What is known of the metrics.

    Returns
    -------
    DataFrame
        The same with numbers as numbers.

    Raises
    ------
    DataError
        For text in the place of a number, an infinite one, or one beyond what its metric can be.
    """
    import pandas as pd

    found = {}
    for name in map(str, table.columns):
        limits = _limits(name, metrics)
        if limits is None and pd.api.types.is_numeric_dtype(table[name]):
            limits = -LARGEST, LARGEST, ""
        if limits is not None:
            found[name] = _checked(table, name, limits)
    return table.assign(**found) if found else table


def _limits(name: str, metrics: Mapping[str, Metric]) -> tuple[float, float, str] | None:
    if name == "chip":
        return 0, _MOST_CHIPS, ""
    if name in _COLUMNS:
        return _COLUMNS[name]
    if name in metrics:
        metric = metrics[name]
        low, high = max(metric.low, -LARGEST), min(metric.high, LARGEST)
        return low, high, "" if metric.unit == "1" else metric.unit
    return None


def _checked(table: pd.DataFrame, name: str, limits: tuple[float, float, str]) -> pd.Series[Any]:
    import pandas as pd

    column = table[name]
    if column.dtype == bool or not pd.api.types.is_numeric_dtype(column):
        column = _as_numbers(table, name)
    values = column.to_numpy(np.float64, na_value=np.nan)
    low, high, unit = limits
    room = _TOLERANCE * max(1.0, min(abs(low), abs(high)))
    wrong = np.isinf(values) | (values < low - room) | (values > high + room)
    if name == "chip":
        wrong |= np.isfinite(values) & (values != np.round(values))
    if wrong.any():
        place = int(np.argmax(wrong))
        span = f"between {low:g} and {high:g} {unit}".rstrip()
        raise DataError(f"{_at(table, place)}{name} = {values[place]:g} is not {span}", _CURE)
    return column


def _as_numbers(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A column of objects as numbers; numbers in text are none, as no run writes them so."""
    import pandas as pd

    column = table[name]
    for place, value in enumerate(column):
        missing = value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not (missing or number) or (isinstance(value, int) and abs(value) > LARGEST):
            raise DataError(f"{_at(table, place)}{name} = {brief(value)} is no number", _CURE)
    return pd.to_numeric(column, errors="coerce")


def _at(table: pd.DataFrame, place: int) -> str:
    """Where a record stands, for messages."""
    row = table.iloc[place]
    collection = f'"{row["collection"]}"' if "collection" in table.columns else "the results"
    day = f" on {str(row['date'])[:10]}" if "date" in table.columns else ""
    return f"{collection}{day}: "
