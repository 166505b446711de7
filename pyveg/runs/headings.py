"""Headings of tables that people write: what a column says, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE

ROLES: Mapping[str, tuple[str, ...]] = {
    "date": (
        *("date", "dates", "day", "datetime", "time", "timestamp", "system:time_start", "period"),
        *("start_date", "end_date", "date_start", "date_end", "start", "end", "month", "year"),
        *("week", "doy", "acquired", "acquisition_date", "sensing_date"),
    ),
    "place": ("place", "site", "station", "location", "plot"),
    "rain": ("rain", "rainfall", "precipitation", "precip", PRECIPITATION),
    "temperature": ("temperature", "temp", "air_temperature", TEMPERATURE),
}
"""What a column says -> headings that it goes by."""
_UNIT = re.compile(r"(?P<name>.*?)\s*(?:\((?P<a>[^()]*)\)|\[(?P<b>[^\[\]]*)\])\s*")
_SUFFIX = re.compile(r"(?P<name>.+)_(?P<unit>mm|cm|m|c|k|degc|celsius|kelvin)", re.IGNORECASE)


def name_and_unit(heading: str) -> tuple[str, str]:
    """Name and unit in a heading, the name in small letters.

    Examples
    --------
    >>> name_and_unit("Rain (mm)"), name_and_unit("temp_c"), name_and_unit("NDVI")
    (('rain', 'mm'), ('temp', 'c'), ('ndvi', ''))
    """
    match = _UNIT.fullmatch(heading.strip())
    if match is not None:
        return match["name"].strip().lower(), (match["a"] or match["b"] or "").strip()
    small = heading.strip().lower()
    suffix = _SUFFIX.fullmatch(small)
    weather = (*ROLES["rain"], *ROLES["temperature"])
    if suffix is not None and suffix["name"] in weather:
        return suffix["name"], suffix["unit"]
    return small, ""
