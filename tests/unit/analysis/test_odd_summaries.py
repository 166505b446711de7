"""Summaries that are odd and sound: no word of an analysis tells of a number that is none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyveg.analysis.analyse import Analysis, analyse
from pyveg.analysis.report import report_html
from pyveg.analysis.settings import AnalysisSettings

Values = NDArray[np.float64]
MONTHS, CHIPS = 60, 2
NO_NUMBER = re.compile(
    r"\b(nan|NaN|NaT|None|inf|infinity)\b|p 0\.000|-0\.0*\b(?!\d)|\de[+-]\d\d|\(\)|\d\.\d{8}"
)
"""What no sentence may hold: no numbers, and numbers that nobody can read."""
QUICK = AnalysisSettings(surrogates=19, chip_surrogates=19, indicators=("ar1", "variance"))


@dataclass(frozen=True)
class Odd:
    """What is odd about a summary."""

    ndvi: Callable[[Values], Values] = lambda usual: usual
    offset: Callable[[Values], Values] = lambda usual: usual
    rain: Callable[[Values], Values] = lambda usual: usual
    warmth: Callable[[Values], Values] = lambda usual: usual
    keep: Callable[[int], bool] = lambda _: True
    weather: Callable[[int], bool] = lambda _: True
    words: str = ""
    """What is said of it."""


def constant(value: float) -> Callable[[Values], Values]:
    return lambda usual: np.full_like(usual, value)


ODD: Mapping[str, Odd] = {
    "all equal": Odd(
        constant(0.3), constant(-600.0), constant(0.05), constant(300.0),
        words="all values are equal, so there is nothing to test",
    ),
    "all zero": Odd(constant(0.0), constant(0.0), constant(0.0), constant(273.15)),
    "constant NDVI": Odd(constant(0.3), words="Not tested: the memory of greenness (NDVI)"),
    "constant rain": Odd(rain=constant(0.05), words="Temperature accounts for"),
    "constant temperature": Odd(warmth=constant(300.0), words="Rain accounts for"),
    "rain in one month": Odd(rain=lambda usual: np.where(usual == usual[30], 0.1, 0.0)),
    "rain of one amount": Odd(
        rain=lambda _: np.where(np.random.default_rng(2).random(MONTHS) < 0.05, 0.1, 0.0),
        words="Rain was 0 mm a year in the first year",
    ),
    "one date": Odd(keep=lambda month: month == 0, words="1 value of 1 step; a test needs"),
    "three dates": Odd(keep=lambda month: month < 3),
    "gaps of 90 %": Odd(keep=lambda month: month % 17 in {0, 5}),
    "weather of one date": Odd(weather=lambda month: month == 5),
    "weather of three dates": Odd(
        weather=lambda month: 5 <= month < 8, words="too few of its steps have weather"
    ),
    "weather of half the time": Odd(
        weather=lambda month: month < 30, words="its values lie in too small a part of the record"
    ),
    "chips that are one": Odd(lambda usual: np.repeat(usual[:, :1], CHIPS, axis=1)),
    "large offsets": Odd(offset=lambda usual: 4 * usual),
    "a season and no more": Odd(
        lambda _: np.repeat(0.3 + 0.05 * _wave()[:, None], CHIPS, axis=1)
    ),
    "a straight line": Odd(
        lambda _: np.repeat(np.linspace(0.2, 0.6, MONTHS)[:, None], CHIPS, axis=1)
    ),
    "a jump and no more": Odd(
        lambda _: np.repeat(np.where(np.arange(MONTHS) < 30, 0.2, 0.6)[:, None], CHIPS, axis=1)
    ),
    "a fall near the end": Odd(
        lambda usual: usual - np.where(np.arange(MONTHS) < 44, 0.0, 0.2)[:, None],
        words="Greenness (NDVI) fell",
    ),
    "one spike": Odd(
        lambda usual: np.where(np.arange(MONTHS)[:, None] == 20, 0.9, np.full_like(usual, 0.3))
    ),
}  # fmt: skip


def _wave() -> Values:
    return np.sin(2 * np.pi * np.arange(MONTHS) / 12)


def summary(odd: Odd) -> dict[str, Any]:
    """A summary of five years of two chips."""
    rng, wave = np.random.default_rng(1), _wave()
    noise = rng.standard_normal((2, MONTHS, CHIPS))
    ndvi = odd.ndvi(0.4 + 0.05 * wave[:, None] + 0.02 * noise[0])
    offset = odd.offset(-600 + 90 * wave[:, None] + 30 * noise[1])
    rain = odd.rain(0.05 * (1 + wave) * rng.random(MONTHS))
    warmth = odd.warmth(300 + 5 * wave + rng.standard_normal(MONTHS))
    days = [f"{2015 + month // 12}-{month % 12 + 1:02}-16" for month in range(MONTHS)]
    chips = {
        day: [
            {"latitude": 11.57, "longitude": 27.95 + chip / 200,
             "ndvi_mean": float(ndvi[month, chip]), "offset50": float(offset[month, chip])}
            for chip in range(CHIPS)
        ]
        for month, day in enumerate(days) if odd.keep(month)
    }  # fmt: skip
    weather = {
        day: {"total_precipitation": float(rain[month]),
              "mean_2m_air_temperature": float(warmth[month])}
        for month, day in enumerate(days) if odd.weather(month)
    }  # fmt: skip
    return {
        "metadata": {"longitude": 27.95, "latitude": 11.57, "time_per_point": "1m"},
        "Sentinel2": {"type": "vegetation", "time-series-data": chips},
        "weather": {"type": "weather", "time-series-data": weather},
    }


def words_of(analysis: Analysis) -> list[str]:
    """All that is said of a place, the report without its settings included."""
    page = re.sub(r"(?s)<(style|script|svg).*?</\1>", "", report_html(analysis, figures={}))
    page = page.partition("How it was done</h2>")[0]
    text = [unescape(one) for one in re.split(r"<[^>]+>", page) if one.strip()]
    verdict = analysis.verdict
    return [
        verdict.headline, *verdict.because, *verdict.conditions,
        *analysis.statement.happened, *analysis.statement.resilience, *text,
    ]  # fmt: skip


QUICKLY = (
    "all equal",
    "constant rain",
    "rain of one amount",
    "one date",
    "weather of three dates",
    "weather of half the time",
    "a jump and no more",
)
"""The others take as long each, and are looked at with --slow."""
NAMES = [name if name in QUICKLY else pytest.param(name, marks=pytest.mark.slow) for name in ODD]


@pytest.mark.parametrize("name", NAMES)
def test_no_word_tells_of_a_number_that_is_none(name: str, tmp_path: Path) -> None:
    path = tmp_path / "results_summary.json"
    path.write_text(json.dumps(summary(ODD[name])))
    analysis = analyse(path, settings=QUICK)
    told = words_of(analysis)
    assert [one for one in told if NO_NUMBER.search(one)] == []
    assert ODD[name].words in "\n".join(told)
    tables = analysis.tables()
    for claim in analysis.statement.claims:
        assert claim.row_of(tables)  # and none of the numbers that it tells is missing
