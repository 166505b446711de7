"""Records beside models: what is wrong is told with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError
from pyveg.scorers.record import checked_record, read_record, record_of

GOOD: dict[str, Any] = {
    "head": "scores",
    "input": {"size": [4, 6]},
    "classes": ["deer", "fox"],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"head": "yolov9"}, "head"),
        ({"input": {"size": [4]}}, "size"),
        ({"input": {"size": [0, 4]}}, "size"),
        ({"input": {"size": [4, 9000]}}, "more than 8192"),
        ({"input": {"size": [4, 4], "layout": "HWC"}}, "layout"),
        ({"input": {}}, "size"),
        ({"classes": "deer"}, "classes"),
        ({"categories": {"wolf": "1"}}, 'name "wolf", which is no class'),
        ({"categories": {"deer": "one"}}, '"one" is no number'),
        ({"overlap": 2}, "overlap"),
        ({"anchors": {"grids": [3]}}, "anchors"),
        ({"head": "ssd"}, "anchors"),
        ({"head": "ssd", "anchors": {"grids": [3, 0]}}, "grids"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        checked_record({**GOOD, **change}, "my.json")
    assert str(error.value).startswith("my.json")


@pytest.mark.parametrize("text", ["", "[]", "{", "1", "[" * 100_000, '{"head": NaN}'])
def test_what_is_no_record(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"m\.json"):
        read_record(path)


def test_where_records_are(tmp_path: Path) -> None:
    """Beside the model, at a path, or as they are given."""
    (tmp_path / "m.json").write_text(json.dumps(GOOD))
    (tmp_path / "n.json").write_text("\ufeff" + json.dumps({**GOOD, "detector": "n"}))
    model = tmp_path / "m.onnx"
    assert record_of(model, "") == GOOD
    assert record_of(model, str(tmp_path / "n.json"))["detector"] == "n"
    assert record_of(model, {**GOOD, "detector": "given"})["detector"] == "given"
    with pytest.raises(ConfigError, match=r"o\.json cannot be read"):
        record_of(tmp_path / "o.onnx", "")


def test_categories_are_classes_where_nothing_is_said() -> None:
    record = checked_record(GOOD, "x")
    assert record.names == {"1": "deer", "2": "fox"}
    assert record.numbers == ("1", "2")
