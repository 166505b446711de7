"""What came in on a day, by the table of jobs and their runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import run_pipeline
from pyveg.jobs.scoring import make_settings
from pyveg.service.admission import Limits, Order
from pyveg.service.desk import Desk
from pyveg.service.records import Caller
from pyveg.service.states import JobState
from pyveg.service.summary import window_of
from pyveg.service.web.app import create_app
from pyveg.testing.asgi import AppClient
from pyveg.testing.small_models import colour_model

DAY = date(2026, 11, 27)
BEGIN, END = window_of(DAY)
COUNTS = ("jobs", "images", "completed", "uncounted")


def _scored(folder: Path) -> str:
    """A run over two images and one that is none."""
    photos = folder / "photos"
    photos.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (8, 8), "red").save(photos / f"{name}.png")
    (photos / "c.png").write_bytes(b"no image")
    top = {"output_location": str(folder / "out"), "runner": "serial"}
    score = {"images": (str(photos),), "model": str(colour_model(folder))}
    return run_pipeline(resolve(make_settings(top, score, {"pictures": 0}, None))).url


@pytest.fixture
def add(desk: Desk) -> Callable[..., None]:
    """Adds a job that came in at some moment."""

    def act(name: str, at: float, url: str, *, done: bool = True, **inputs: Any) -> None:
        order = Order(name, "score-images", "kim", url, inputs, "d")
        desk.jobs_table.admit(order, Limits(50, 50))
        if done:
            desk.jobs_table.move(name, JobState.RUNNING)
            desk.jobs_table.move(name, JobState.SUCCESSFUL)
        with desk.table.write() as table:
            table.execute("UPDATE jobs SET created = ? WHERE id = ?", (at, name))

    return act


def test_a_day_is_counted_by_instance(desk: Desk, add: Callable[..., None], tmp_path: Path) -> None:
    url = _scored(tmp_path)
    copy = str(shutil.copytree(url, tmp_path / "copy"))
    add("before", BEGIN - 0.001, str(tmp_path / "other"))
    add("first", BEGIN, url, country="BWA", organization_name="wild", instance="north")
    add("last", END - 0.001, copy, done=False, instance="north")
    add("after", END, str(tmp_path / "another"))
    add("waits", BEGIN + 1, str(tmp_path / "not_yet"))
    desk.health.beat()
    app = create_app(desk)
    admin = AppClient(app, desk.callers.add(Caller("ops", admin=True)))
    found = admin.get(f"/summary?date={DAY}")
    assert found.status == 200
    unknown = {"countries": ["unknown"], "organisations": ["unknown"]}
    assert found.json["instances"] == [
        {
            "instance": "default",
            **dict(zip(COUNTS, (1, 0, 0, 1), strict=True)),
            **unknown,
        },
        {
            "instance": "north",
            **dict(zip(COUNTS, (2, 6, 2, 0), strict=True)),
            "countries": ["BWA", "unknown"],
            "organisations": ["unknown", "wild"],
        },
    ]
    assert admin.get("/summary?date=2026-11-31").status == 422
    assert admin.get(f"/summary?date={DAY}&processID=steps").json["instances"] == []
    (tmp_path / Path(url) / "_pyveg/manifests/combine/CombineDetections/all.json").unlink()
    assert admin.get(f"/summary?date={DAY}").json["instances"][1]["images"] == 6, "as listed"
    kim = AppClient(app, desk.callers.add(Caller("kim")))
    assert kim.get(f"/summary?date={DAY}").status == 403
    assert kim.get(f"/summary?date={DAY}", token="").status in (401, 403)
