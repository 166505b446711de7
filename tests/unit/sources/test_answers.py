"""Answers that are kept, and when they are asked for again."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from pyveg import formats
from pyveg.core.errors import SkipItem
from pyveg.core.types import Item
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, Place
from pyveg.formats import Raster
from pyveg.sources.answers import DAY, SETTLED_AFTER, Answers
from pyveg.testing.scenes import assert_same_scene

REQUEST = Request(
    Place(27.95, 11.57),
    Collection("C", "C", "vegetation", "stac"),
    Item("2018-01-16", {"start": "2018-01-01", "end": "2018-02-01"}),
    {"red": "B4"},
)
END = 1_517_443_200.0  # 2018-02-01
LATER = END + (SETTLED_AFTER + 1) * DAY


RED = Raster(np.array([[7, 0]], np.uint16), None, (10.0, 0.0, 5e5, 0.0, -10.0, 1e6), 0.0)
OTHER = Raster(np.array([[np.nan], [0.5]], np.float32), None, None, float("nan"))
ANSWER = Scene({"red": RED, "a/b": OTHER}, {"n_scenes": 2})


class Service:
    """Counts how often it is asked."""

    def __init__(self, answer: Scene | str = "") -> None:
        self.answer = answer or ANSWER
        self.asked = 0

    def __call__(self) -> Scene:
        self.asked += 1
        if isinstance(self.answer, str):
            raise SkipItem(self.answer)
        return self.answer


def fetch(folder: Path, service: Service, now: float = LATER, **changes: Any) -> Scene:
    request = replace(REQUEST, **{k: v for k, v in changes.items() if k != "fingerprint"})
    kept = Answers(str(folder), clock=lambda: now)
    return kept.fetch(request, changes.get("fingerprint", "f"), service)


def test_an_answer_is_asked_for_once(tmp_path: Path) -> None:
    service = Service()
    first, second = fetch(tmp_path, service), fetch(tmp_path, service)
    assert service.asked == 1
    for scene in (first, second):
        assert_same_scene(scene, ANSWER)


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """Their names and what is in them must not change, or everything is asked for again."""
    name = "81ea619338ac0d8110529f1328a86bdb"
    file = tmp_path / name[:2] / f"{name}.zip"
    file.parent.mkdir()
    head = {"asked": LATER, "empty": None, "rasters": list(ANSWER.rasters)}
    with zipfile.ZipFile(file, "w") as kept:
        for number, raster in enumerate(ANSWER.rasters.values()):
            kept.writestr(f"{number}.tif", formats.encode_geotiff(raster))
        kept.writestr("answer.json", json.dumps({**head, "record": {"n_scenes": 2}}))
    service = Service()
    assert_same_scene(fetch(tmp_path, service), ANSWER)
    assert service.asked == 0


def test_rasters_are_encoded_once_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who asks first, and by who finds it; neither compresses it again to keep it elsewhere."""
    first = fetch(tmp_path, Service())
    monkeypatch.setattr(formats, "decode_geotiff", Mock(wraps=formats.decode_geotiff))
    second = fetch(tmp_path, Service())
    assert formats.decode_geotiff.call_count == len(ANSWER.rasters)  # type: ignore[attr-defined]
    for name, raster in ANSWER.rasters.items():
        data = formats.encode_geotiff(raster)
        assert first.rasters[name].encoded == second.rasters[name].encoded == data


def test_no_image_is_an_answer(tmp_path: Path) -> None:
    service = Service("no image: cloud")
    for _ in range(2):
        with pytest.raises(SkipItem, match="no image: cloud"):
            fetch(tmp_path, service)
    assert service.asked == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"place": Place(27.95, 11.58)},
        {"place": Place(27.95, 11.57, 0.09)},
        {"item": Item("2018-01-16", {"start": "2018-01-02", "end": "2018-02-01"})},
        {"bands": {"red": "B3"}},
        {"bands": {"other": "B4"}},
        {"scale": 20.0},
        {"mask_cloud": False},
        {"cloudy_pix_frac": 51.0},
        {"cloudy_pix_flag": "CLOUD"},
        {"fingerprint": "g"},
    ],
)
def test_another_request_is_asked(tmp_path: Path, changes: dict[str, Any]) -> None:
    service = Service()
    fetch(tmp_path, service)
    fetch(tmp_path, service, **changes)
    assert service.asked == 2


def test_numbers_are_the_same_however_they_are_written(tmp_path: Path) -> None:
    service = Service()
    fetch(tmp_path, service, place=Place(27, 11), scale=10)
    fetch(tmp_path, service, place=Place(27.0, 11.0), scale=10.0)
    assert service.asked == 1


def test_an_answer_about_last_month_is_not_final(tmp_path: Path) -> None:
    service = Service()
    fetch(tmp_path, service, END + 3 * DAY)
    fetch(tmp_path, service, END + 3.9 * DAY)
    assert service.asked == 1
    fetch(tmp_path, service, END + 4.1 * DAY)
    assert service.asked == 2
    fetch(tmp_path, service, LATER)
    fetch(tmp_path, service, LATER + 1000 * DAY)
    assert service.asked == 3


def test_a_damaged_file_is_asked_for_again(tmp_path: Path) -> None:
    service = Service()
    fetch(tmp_path, service)
    (file,) = tmp_path.rglob("*.zip")
    for damage in (b"", b"no zip", file.read_bytes()[:-30]):
        file.write_bytes(damage)
        assert_same_scene(fetch(tmp_path, service), ANSWER)
    assert service.asked == 4


def test_any_damaged_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    service = Service(Scene({"red": RED}))
    fetch(tmp_path, service)
    (file,) = tmp_path.rglob("*.zip")
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x2D]) + whole[place + 1 :])
        assert_same_scene(fetch(tmp_path, service), service.answer)
    assert service.asked > len(whole) / 4


def test_what_is_stored_is_known_without_reading_it(tmp_path: Path) -> None:
    """It is what `fetch` would take: settled, and not damaged."""

    def has(now: float = LATER, **changes: Any) -> bool:
        return Answers(str(tmp_path), clock=lambda: now).has(replace(REQUEST, **changes), "f")

    assert not has()
    fetch(tmp_path, Service())
    assert has()
    assert not has(bands={"red": "B5"})
    assert not Answers("none").has(REQUEST, "f")
    (path,) = tmp_path.rglob("*.zip")
    path.write_bytes(path.read_bytes()[:40])
    assert not has()
    with pytest.raises(SkipItem):
        fetch(tmp_path, Service("no image"), now=END + DAY)
    assert has(now=END + 1.5 * DAY)
    assert not has(now=END + 3 * DAY), "more scenes may have come"


def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    service = Service()
    for _ in range(2):
        assert_same_scene(fetch(tmp_path / "file", service), ANSWER)
    assert service.asked == 2
    assert "answers are not stored" in caplog.text


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    service = Service()

    def fails() -> Scene:
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        Answers(str(tmp_path)).fetch(REQUEST, "f", fails)
    assert not list(tmp_path.rglob("*"))
    fetch(tmp_path, service)
    assert service.asked == 1


def test_nothing_is_kept_when_nothing_shall_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path))
    service = Service()
    for _ in range(2):
        Answers("none").fetch(REQUEST, "f", service)
    assert service.asked == 2
    assert not list(tmp_path.iterdir())


def test_the_usual_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path))
    Answers().fetch(REQUEST, "f", Service())
    (file,) = tmp_path.rglob("*.zip")
    assert file.parent.parent == tmp_path / "answers"
