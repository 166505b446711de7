"""Damaged and odd files: read, or refused in a sentence, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError, DataError, PyvegError
from pyveg.earth.geojson import outline_of, parse
from pyveg.jobs.places import from_geojson, from_table
from pyveg.runs.delimited import table_of
from pyveg.runs.series_file import read_series_file, series_of

WORDS = """
date value place rain temperature 2016-01-31 01/02/2016 0,5 1.234 1,234 -9999 inf nan NA 0.08°
1e400 99999999999 2016-02-30 31.12.2016 12-Jan-2016 2016-366 0000-00-00 9999-12 9999-W53 9999 1_000
١٢ + - . , ;
"""
CELLS = st.one_of(st.text(max_size=6), st.sampled_from([*WORDS.split(), ""]))
TABLES = st.builds(
    lambda rows, mark, end: end.join(mark.join(row) for row in rows),
    st.lists(st.lists(CELLS, max_size=5), max_size=6),
    st.sampled_from([",", ";", "\t", "|", " "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
DATED = TABLES.map(lambda text: f"date,value\n2016-01-01,0.5\n{text}")


@settings(max_examples=400)
@given(st.one_of(TABLES, DATED, st.text()))
def test_any_text_is_a_table_or_a_sentence(text: str) -> None:
    found = _sentence(lambda: series_of(table_of(text, "a.csv"), "a"), DataError, "a.csv")
    for one in found or ():
        names = list(one.results.metrics)
        assert names
        assert one.results.place["date"].notna().all()
        assert np.isfinite(
            one.results.place[names].to_numpy()[one.results.place[names].notna()]
        ).all()


def _sentence(read: Callable[[], Any], kind: type[PyvegError], name: str) -> Any:
    """What is read; None where it is refused in order."""
    try:
        return read()
    except kind as error:
        refused = error
    assert name in refused.wrong
    assert refused.cure
    return None


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_file_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("odd") / "a.csv"
    path.write_bytes(data)
    for read in (read_series_file, partial(from_table, name="1"), from_geojson):
        _sentence(partial(read, path), PyvegError, str(path))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["type", "coordinates", "geometry", "features", "geometries", "crs",
                         "properties", "name"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
KINDS = st.sampled_from(
    ["Point", "MultiPoint", "LineString", "Polygon", "MultiPolygon", "Feature",
     "FeatureCollection", "GeometryCollection", "Topology"]
)  # fmt: skip


@settings(max_examples=400)
@given(JSON, KINDS, JSON)
def test_any_json_is_a_place_or_a_sentence(whole: object, kind: str, inner: object) -> None:
    shaped = {"type": kind, "coordinates": inner, "features": inner, "geometry": inner}
    for document in (whole, shaped, {"type": "Feature", "geometry": shaped}):
        text = json.dumps(document)
        shapes = _sentence(partial(parse, text, "a.geojson"), ConfigError, "a.geojson")
        if shapes is not None:
            square = shapes.square
            assert -180 <= square.longitude <= 180
            assert -90 <= square.latitude <= 90
            _sentence(partial(outline_of, shapes, "a.geojson"), ConfigError, "a.geojson")
