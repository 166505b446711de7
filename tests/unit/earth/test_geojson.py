from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError
from pyveg.earth.geojson import outline_of, parse, read

RING = [[27.9, 11.5], [28.0, 11.5], [28.0, 11.6], [27.9, 11.6], [27.9, 11.5]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}


def _feature(geometry: object) -> dict[str, object]:
    return {"type": "Feature", "properties": {}, "geometry": geometry}


def _collection(*geometries: object, **more: object) -> str:
    features = [_feature(geometry) for geometry in geometries]
    return json.dumps({"type": "FeatureCollection", "features": features, **more})


def _moved(degrees: float) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [[[x + degrees, y] for x, y in RING]]}


def test_features_without_geometry_are_passed_over() -> None:
    square = parse(_collection(None, POLYGON, None), "a").square
    assert (square.longitude, square.latitude, square.size) == (27.95, 11.55, 0.1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_mark_at_the_beginning_changes_nothing(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "site.geojson"
    path.write_text(json.dumps(_feature(POLYGON)), encoding=encoding)
    assert read(path).square.longitude == 27.95


@pytest.mark.parametrize(
    "name",
    ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "EPSG:4326"],
)
def test_names_of_the_one_system_are_known(name: str) -> None:
    crs = {"type": "name", "properties": {"name": name}}
    assert parse(_collection(POLYGON, crs=crs), "a").square.longitude == 27.95
    assert parse(_collection(POLYGON, crs=None), "a").square.longitude == 27.95


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no GeoJSON"),
        ("[]", 'an object without a "type"'),
        ('{"type": "Topology", "arcs": []}', 'no type "Topology"'),
        ('{"type": "FeatureCollection"}', "its features are no list"),
        (_collection(None), "it has no coordinates"),
        (_collection({"type": "Polygon", "coordinates": []}), "it has no coordinates"),
        ('{"type": "Point", "coordinates": ["27.95", "11.57"]}', "are no numbers"),
        ('{"type": "Point", "coordinates": [true, false]}', "are no numbers"),
        ('{"type": "Point", "coordinates": [27.95]}', "are no numbers"),
        ('{"type": "Point", "coordinates": 27.95}', "are no list"),
        ('{"type": "Point"}', "are no list"),
        ('{"type": "Point", "coordinates": [NaN, 11]}', "are not degrees"),
        ('{"type": "Point", "coordinates": [500000, 1280000]}', "are not degrees"),
        ('{"type": "Point", "coordinates": [11.5, 127.9]}', "are not degrees"),
        ('{"type": "Point", "coordinates": ' + "[" * 100_000 + "]" * 100_000 + "}", "too deeply"),
        (_collection(POLYGON) * 2, "is no GeoJSON"),
    ],
)
def test_what_is_none_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse(text, "site.geojson")
    assert caught.value.wrong.startswith("site.geojson")
    assert caught.value.cure


def test_metres_are_refused_also_where_they_look_like_degrees() -> None:
    crs = {"type": "name", "properties": {"name": "EPSG:3857"}}
    ring = [[0, 0], [100, 0], [100, 80], [0, 0]]
    text = _collection({"type": "Polygon", "coordinates": [ring]}, crs=crs)
    with pytest.raises(ConfigError, match="reference system EPSG:3857"):
        parse(text, "a")


def test_across_180_degrees_it_is_the_narrow_square() -> None:
    # As RFC 7946 has it: cut in two at the line.
    parts = [
        [[[179.9, -17], [180, -17], [180, -16.9], [179.9, -17]]],
        [[[-180, -17], [-179.9, -17], [-179.9, -16.9], [-180, -17]]],
    ]
    cut = parse(_collection({"type": "MultiPolygon", "coordinates": parts}), "a").square
    drawn = [[179.9, -17], [180.1, -17], [180.1, -16.9], [179.9, -17]]
    whole = parse(_collection({"type": "Polygon", "coordinates": [drawn]}), "a").square
    jumps = [[179.9, -17], [-179.9, -17], [-179.9, -16.9], [179.9, -17]]
    short = parse(_collection({"type": "Polygon", "coordinates": [jumps]}), "a").square
    assert abs(cut.longitude) == abs(whole.longitude) == abs(short.longitude) == 180
    assert cut.size == whole.size == short.size == 0.2


@given(st.floats(-360, 300, allow_subnormal=False))
def test_where_it_lies_on_the_circle_changes_only_its_longitude(degrees: float) -> None:
    if degrees + 28.0 > 360 or degrees + 27.9 < -360:
        return
    square = parse(_collection(_moved(degrees)), "a").square
    assert square.size == pytest.approx(0.1, abs=2e-6)
    assert (square.longitude - 27.95 - degrees + 180) % 360 - 180 == pytest.approx(0, abs=2e-6)
    assert -180 <= square.longitude <= 180


def test_an_outline_is_its_polygons() -> None:
    shapes = parse(_collection({"type": "Point", "coordinates": [0, 0]}, POLYGON), "a")
    outline = json.loads(outline_of(shapes, "a"))
    assert outline == {"type": "MultiPolygon", "coordinates": [[RING]]}
    with pytest.raises(ConfigError, match="has no polygon"):
        outline_of(parse('{"type": "Point", "coordinates": [1, 2]}', "a"), "a")
