"""Numbers that cannot be are refused, and so is what is no number; never a traceback."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from pyveg.core.errors import DataError
from pyveg.runs.results import read_summary

SUMMARY: dict[str, Any] = {
    "S2": {
        "type": "vegetation",
        "time-series-data": {
            "2016-01-16": [
                {"chip": 0, "latitude": 11.5, "longitude": 27.9, "ndvi_mean": 0.3, "cover": 0.4},
                {"chip": 1, "latitude": 11.6, "longitude": 27.9, "ndvi_mean": None, "cover": 0.5},
            ],
            "2016-02-15": None,
        },
    },
    "weather": {
        "type": "weather",
        "time-series-data": {
            "2016-01-16": {"total_precipitation": 0.03, "mean_2m_air_temperature": 301.2}
        },
    },
    "metadata": {"coords_id": "a"},
}


def _read(change: Any) -> None:
    summary = copy.deepcopy(SUMMARY)
    change(summary)
    read_summary(json.dumps(summary).encode())


def _chip(name: str, value: Any) -> Any:
    def change(summary: dict[str, Any]) -> None:
        summary["S2"]["time-series-data"]["2016-01-16"][1][name] = value

    return change


def _weather(name: str, value: Any) -> Any:
    def change(summary: dict[str, Any]) -> None:
        summary["weather"]["time-series-data"]["2016-01-16"][name] = value

    return change


def test_numbers_that_can_be_are_read() -> None:
    results = read_summary(json.dumps(SUMMARY).encode())
    assert list(results.chips["ndvi_mean"].dropna()) == [0.3]
    assert str(results.chips["latitude"].dtype) == "float64"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ndvi_mean", 3000.0), ("ndvi_mean", -50), ("ndvi_mean", 1e300), ("ndvi_mean", 1.01),
        ("ndvi_mean", 5.5), ("ndvi_mean", float("inf")), ("ndvi_mean", "0.3"),
        ("ndvi_mean", [0.3]), ("ndvi_mean", {}), ("ndvi_mean", True), ("ndvi_mean", 10**40),
        ("cover", 40), ("cover", -0.1), ("offset50", 1e300), ("offset50", float("-inf")),
        ("latitude", 95), ("latitude", "11.5"), ("latitude", [1]), ("longitude", 1000),
        ("chip", 10**30), ("chip", -1), ("chip", 0.5), ("chip", "0"), ("chip", [0]),
    ],
)  # fmt: skip
def test_a_chip_that_cannot_be(name: str, value: Any) -> None:
    with pytest.raises(DataError) as caught:
        _read(_chip(name, value))
    assert name in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_precipitation", -0.1), ("total_precipitation", 300), ("total_precipitation", "a"),
        ("total_precipitation", []), ("mean_2m_air_temperature", 28.0),
        ("mean_2m_air_temperature", 1e6), ("mean_2m_air_temperature", "28 C"),
    ],
)  # fmt: skip
def test_weather_that_cannot_be(name: str, value: Any) -> None:
    with pytest.raises(DataError, match=name):
        _read(_weather(name, value))


@pytest.mark.parametrize("value", [[], "text", 3, [["a", 1]], True, 1.5])
def test_metadata_that_are_none(value: Any) -> None:
    odd = bool(value)
    if not odd:
        _read(lambda summary: summary.update(metadata=value))
        return
    with pytest.raises(DataError, match="metadata"):
        _read(lambda summary: summary.update(metadata=value))


@pytest.mark.parametrize("value", [None, [], "", "x", 3, -1, 1e300, {}, [[]], True, {"a": {}}])
def test_any_part_may_be_of_another_type(value: Any) -> None:
    for path in (("S2",), ("S2", "type"), ("S2", "time-series-data"), ("weather",)):

        def change(summary: dict[str, Any], path: tuple[str, ...] = path) -> None:
            part = summary
            for name in path[:-1]:
                part = part[name]
            part[path[-1]] = value

        try:
            _read(change)
        except DataError as error:
            assert str(error).isprintable()  # noqa: PT017 - some are fine, and read
