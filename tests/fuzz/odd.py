"""Odd values, and documents with some in them."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pyveg.configs import demo


class Unshowable:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no")


def _deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def value(rng: random.Random) -> Any:
    """Anything that a program in Python may hold."""
    return rng.choice(_MAKERS)(rng)


_MAKERS: list[Any] = [
    lambda r: r.choice([True, False, None]),
    lambda r: r.randint(-3, 3),
    lambda r: r.choice([2**31, 2**63, 2**64, 10**19, 10**30, 10**5000, -(10**400)]),
    lambda r: r.choice([0.0, -0.5, 1e-300, 1e19, 1e300, float("nan"), float("inf")]),
    lambda r: r.choice(["", " ", "x", "a\0b", "\ud800", "\x1b[2J", "x" * 10**6, "é", "../x", "-1"]),
    lambda r: r.choice(["metadata", "missing", "combine", "_pyveg", "a\\b", "=1+1", "os:system"]),
    lambda r: r.choice(["https://t0ken@host/x", "https://h/x?sig=s3cret", "s3://a:b@c"]),
    lambda r: [value(r) for _ in range(r.randint(0, 3))],
    lambda r: tuple(value(r) for _ in range(r.randint(0, 3))),
    lambda r: {r.choice([1, None, "a", "NDVICalculator", ()]): value(r) for _ in range(2)},
    lambda r: {r.randint(0, 3)},
    lambda r: r.choice([frozenset("ab"), (one for one in "ab"), Unshowable()]),
    lambda r: r.choice([b"x", bytearray(b"y"), range(3), ..., NotImplemented, 1j, object()]),
    lambda r: r.choice([len, dict, Path, np.sqrt, lambda: 1]),
    lambda r: r.choice([Decimal("0.02"), Decimal("NaN"), Decimal("sNaN"), Fraction(1, 3)]),
    lambda r: r.choice([np.float32(0.02), np.int64(2), np.bool_(True), np.str_("x")]),
    lambda r: r.choice([np.array([1, 2]), np.array(["a"]), np.zeros((2, 2)), np.array(3.0)]),
    lambda r: r.choice([np.datetime64("2016-01-01"), np.datetime64("NaT"), np.timedelta64(1, "D")]),
    lambda r: MappingProxyType({"a": value(r)}),
    lambda r: Path(r.choice(["x", "a b", "."])),
    lambda r: _deep(r.choice([5, 50, 50_000])),
    lambda r: r.choice([["2016-01-01", "9999-12-31"], ["0001-01-01", "2016-01-01"], ["a", "b"]]),
    lambda r: (r.uniform(-400, 400), r.uniform(-400, 400)),
]


def _base() -> dict[str, Any]:
    names = {name: part for name, part in vars(demo).items() if not name.startswith("_")}
    few = {"date_range": ["2016-01-01", "2016-04-01"], "region_size": 0.024, "analysis": False}
    return {**names, **few}


def small_config() -> dict[str, Any]:
    """A job of some seconds."""
    return {
        **_base(),
        "collections_to_use": ["SimulatedWeather"],
        "modules_to_use": {"SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"]},
        "special_config": {},
        "runner": "serial",
    }


MODULES = ("VegetationDownloader", "VegetationImageProcessor", "NDVICalculator",
           "NetworkCentralityCalculator", "SimulatedSentinel2", "SimulatedWeather")  # fmt: skip


def damaged_config(rng: random.Random, folder: Path) -> dict[str, Any]:
    """A config of which one to three values are others, at the top or further down."""
    from pyveg.core import params, registry
    from pyveg.jobs.resolve import TopLevel

    config = {**_base(), "output_location": str(folder / "out")}
    tops = [*params.names(TopLevel), "region_sise", "n_worker"]
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.5:
            config[rng.choice(tops)] = value(rng)
            continue
        key = rng.choice(MODULES)
        kind = "source" if key.startswith("Sim") else "module"
        known = params.names(registry.load(kind, "simulated" if kind == "source" else key).Settings)
        name = rng.choice([*known, "collection_name", "time_per_point", "min_date", "sed"])
        special = config.get("special_config")
        special = dict(special) if isinstance(special, dict) else {}
        config["special_config"] = {**special, key: {name: value(rng)}}
    return config


def config_file(rng: random.Random) -> bytes:
    """The demo config as a file, cut off, flipped, in another encoding, or with odd lines."""
    data = Path(demo.__file__).read_bytes()
    way = rng.randrange(6)
    if way == 0:
        return data[: rng.randrange(len(data))]
    if way == 1:
        return flipped(rng, data)
    if way == 2:
        return data.decode().encode(rng.choice(["utf-16", "utf-8-sig", "utf-32", "utf-16-le"]))
    lines = data.splitlines()
    if way == 3:
        rng.shuffle(lines)
    line = rng.choice(
        [
            b"raise SystemExit",
            b"1/0",
            b"coordinates = {1}",
            b"import numpy as np",
            b"from numpy import *",
            b"x = x",
            b"def f(): f()",
            b"\0",
            b"runner = print",
        ]
    )
    lines.insert(rng.randrange(len(lines) + 1), line)
    return b"\n".join(lines)


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Some bytes are others."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


SUMMARY: dict[str, Any] = {
    "S2": {
        "type": "vegetation",
        "time_per_point": "1m",
        "metrics": [
            {"name": "ndvi_mean", "unit": "1", "meaning": "mean NDVI", "label": "NDVI", "low": -1,
             "high": 1, "colour": "#228833"},
            {"name": "offset50", "unit": "pixels", "meaning": "spread", "label": "Centrality",
             "family": "network", "support": "chip", "test": "memory", "in_series": True},
            {"name": "cover", "unit": "1", "meaning": "cover", "label": "Cover",
             "support": "place"},
        ],
        "place": {f"2016-{month:02}-16": {"cover": 0.2} for month in range(1, 7)},
        "periods": {"2016-01-16": ["2016-01-01", "2016-02-01"]},
        "time-series-data": {
            f"2016-{month:02}-16": [
                {"chip": chip, "latitude": 11.5, "longitude": 27.9 + chip, "ndvi_mean": 0.3,
                 "offset50": -30.0 - month, "feature_vec": [1.0, 2.0]}
                for chip in range(2)
            ]
            for month in range(1, 7)
        },
    },
    "weather": {
        "type": "weather",
        "time-series-data": {
            f"2016-{month:02}-16": {"total_precipitation": 0.1, "mean_2m_air_temperature": 300.0}
            for month in range(1, 7)
        },
    },
    "metadata": {"coords_id": "x", "longitude": 27.9, "latitude": 11.5, "time_per_point": "1m"},
    "missing": {"S2": {"2016-08-16": "failed: no images"}},
}  # fmt: skip

_PLAIN: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 10**30, 1e300, -1e308, "", "x", "=1+1", "\x1b[2J", [], {}, [[]],
    "CON", "x" * 10**5, "../../x", "a\0b", "\ud800", "\u202e<script>", "1w", [1, 2], 1e14, -1e-300,
    {"a": [[]]}, ["x"], {"": None}, "2016-02-30", "1677-01-01", float("nan"), float("inf"), 28,
)  # fmt: skip


def _paths(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    parts: Any = {}
    if isinstance(document, dict | list):
        parts = document if isinstance(document, dict) else dict(enumerate(document))
    for key, part in parts.items():
        found += _paths(part, (*path, key))
    return found


def long_summary(rng: random.Random) -> dict[str, Any]:
    """A sound summary of six months to three years, of which damage hits a few values only."""
    summary: dict[str, Any] = json.loads(json.dumps(SUMMARY))
    series, weather = (summary[name]["time-series-data"] for name in ("S2", "weather"))
    for number in range(6, rng.choice([6, 6, 14, 30])):
        day = f"{2016 + number // 12}-{number % 12 + 1:02}-16"
        noise = rng.gauss(0, 0.02)
        series[day] = [
            {**record, "ndvi_mean": 0.3 + noise, "offset50": -35.0 + 50 * noise}
            for record in series["2016-01-16"]
        ]
        weather[day] = {"total_precipitation": 0.1, "mean_2m_air_temperature": 300 + noise}
    return summary


def damaged_json(rng: random.Random, document: Any, *, whole: bool = False) -> bytes:
    """A document of which a part is another, has another name, is missing, or is no JSON."""
    changed = json.loads(json.dumps(document))
    for _ in range(rng.randint(1, 1 if whole else 3)):
        paths = _paths(changed)
        if not paths:
            break
        *above, last = rng.choice(paths)
        part = changed
        for key in above:
            part = part[key]
        way = rng.randrange(4)
        if way == 0 or isinstance(part, list):
            part[last] = rng.choice(_PLAIN)
        elif way == 1:
            part[str(rng.choice(_PLAIN))] = part.pop(last)
        elif way == 2:
            del part[last]
        else:
            part[last] = rng.choice(_PLAIN)
    data = json.dumps(changed).encode()
    return data if whole or rng.random() < 0.8 else damaged_file(rng, data)


def damaged_file(rng: random.Random, data: bytes) -> bytes:
    """Bytes flipped or cut off, something else in their place, or a value of another type."""
    way = rng.randrange(6)
    if way == 0:
        return flipped(rng, data)
    if way == 1:
        return data[: rng.randrange(len(data) + 1)]
    if way == 2:
        return rng.choice(
            [b"", b"{", b"null", b"[]", b"7", b"\0" * 50, b"[" * 200_000, b"\xff\xfe"]
        )
    if way == 3:
        return rng.randbytes(rng.randint(1, 2_000))
    try:
        return damaged_json(rng, json.loads(data))
    except (ValueError, RecursionError):
        return flipped(rng, data)
