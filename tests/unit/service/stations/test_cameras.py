"""The nightly process: a real image by HTTP, and PhenoCam's tables of a station."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pyveg.cameras import measuring
from pyveg.cameras.roistats import read_roistats
from pyveg.cameras.summaries import write_summary
from pyveg.core.tasks import State
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, start
from pyveg.service import child, serve
from pyveg.service.desk import Desk
from pyveg.service.records import Caller
from pyveg.service.states import JobState
from pyveg.testing.harvard import (
    ELEVATION,
    IMAGE,
    KNOWN,
    LATITUDE,
    LONGITUDE,
    MASK,
    PIXELS,
    ROI,
    UTC_OFFSET,
)
from pyveg.testing.station_node import Node, file_of, mask, picture


def _table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(x for x in data.decode().splitlines() if not x.startswith("#")))


def _done(node: Node, inputs: dict[str, Any], failed: Sequence[str] = ()) -> dict[str, bytes]:
    """The results of a job that is submitted, and carried out in this process."""
    desk: Desk = node.client._app.state.desk
    answer = node.client.execute("cameras", inputs)
    assert answer.status == 201, answer.json
    job = desk.jobs_table.get(answer.json["jobID"])
    assert job is not None
    order = {"process": job.process, "inputs": dict(job.inputs), "url": job.url}
    pipeline = child._pipeline(desk.config.job_folder(job.id), order, desk.config)
    report = start(prepare(pipeline, at=job.url), picture=False)
    bad = {one.task_id: one.reason for one in report.results.values() if one.state is State.FAILED}
    assert [name.rpartition("/")[2] for name in bad] == list(failed), bad
    assert all("10 x 10 pixels" in reason for reason in bad.values())
    for state in (JobState.RUNNING, JobState.FAILED if failed else JobState.SUCCESSFUL):
        assert desk.jobs_table.move(job.id, state)
    found = node.client.get(f"/jobs/{job.id}/results").json
    return {name: node.client.get(one["href"]).body for name, one in found.items()}


@pytest.fixture
def station(make_node: Callable[..., Node]) -> Node:
    """The real camera as a station, with its mask; jobs run in this process."""
    node = make_node(runner="serial")
    assert serve.ready(node.client._app.state.desk.config) == ""
    given = {"longitude": LONGITUDE, "latitude": LATITUDE, "elevation": ELEVATION}
    assert node.put(people="keep", utc_offset=UTC_OFFSET, **given).status == 201
    return node


def test_the_real_image_by_http_and_by_the_nightly_module(station: Node, harvard: Path) -> None:
    assert station.put_mask((harvard / MASK).read_bytes()).status == 204
    image = harvard / IMAGE
    said = station.post(image.read_bytes(), "", name=image.name).json
    assert (said["gcc"], said["rcc"], said["n_pixels"]) == (KNOWN["gcc"], KNOWN["rcc"], PIXELS)
    desk = station.client._app.state.stations
    [row] = desk.series("harvard", "", "")[1]
    found = {name: round(getattr(row, name), 5) for name in KNOWN}
    assert found == KNOWN
    # A dark one of the next day is in the table of images, and in no period
    dark = file_of(picture(10, shape=(960, 1296)) // 30, "JPEG")
    assert station.post(dark, "2009-07-01T01:00:00").json["quality"] == "dark"
    results = _done(station, {"station": "harvard"})
    first, second = _table(results["roistats"])
    columns = {"red": "r_mean", "green": "g_mean", "blue": "b_mean", "gcc": "gcc", "rcc": "rcc"}
    assert {name: float(first[column]) for name, column in columns.items()} == KNOWN
    assert (first["filename"], second["local_std_time"]) == (image.name, "01:00:00")
    assert float(first["solar_elev"]) == pytest.approx(70.0, abs=2)
    [day] = _table(results["1day"])
    assert (day["date"], day["midday_filename"]) == ("2009-06-30", image.name)
    assert [float(day[f"{c}_mean"]) for c in "rgb"] == [KNOWN[c] for c in ("red", "green", "blue")]
    assert float(day["gcc_90"]) == KNOWN["gcc"]
    [three] = _table(results["3day"])
    assert (three["image_count"], float(three["gcc_90"])) == ("1", KNOWN["gcc"])
    assert b"# Elev: 340" in results["roistats"]
    [series] = [one for one in _table(results["series"]) if one["collection"] == "Camera"]
    assert float(series["g_mean"]) == pytest.approx(KNOWN["green"], abs=1e-5)
    assert float(series["gcc_90"]) == pytest.approx(KNOWN["gcc"], abs=1e-5)


def test_all_rows_of_the_real_camera_by_the_module(harvard: Path, tmp_path: Path) -> None:
    """By months, as the tables are the same whatever the periods of the run."""
    camera = {"collection_name": "Camera", "data_type": "vegetation", "source": "phenocam"}
    config = {
        "name": "harvard",
        "output_location": str(tmp_path / "out"),
        "coordinates": (LONGITUDE, LATITUDE),
        "region_size": 1e-4,
        "date_range": ["2008-01-01", "2010-01-01"],
        "runner": "serial",
        "data_collections": {"Camera": {**camera, "path": str(harvard), "time_per_point": "1m"}},
        "collections_to_use": ["Camera"],
        "modules_to_use": {"Camera": ["GreennessCalculator"], "combine": ["GreennessTables"]},
    }
    report = start(prepare(resolve(config)), picture=False)
    assert report.exit_code == 0, report.failures()
    [folder] = Path(report.url).glob("*_combine")
    whole = (harvard / f"ROI/harvard_{ROI}_roistats.csv").read_bytes()
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert _table(made[f"harvard_{ROI}_roistats.csv"]) == _table(whole)
    for days, rows in ((1, 637), (3, 213)):
        found = _table(made[f"harvard_{ROI}_{days}day.csv"])
        assert len(found) == rows
        assert found == _table(write_summary(read_roistats(whole, "x"), days))


def test_a_night_measures_what_is_new(station: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = measuring.measure

    def measure(data: bytes, filename: str, *given: Any) -> Any:
        seen.append(filename[-21:-4])
        return real(data, filename, *given)

    monkeypatch.setattr(measuring, "measure", measure)

    def night() -> tuple[list[str], list[dict[str, str]]]:
        seen.clear()
        results = _done(station, {"station": "harvard"})
        assert len(_table(results["roistats"])) == len(station.files()) - len(_kept())
        return sorted(seen), _table(results["1day"])

    def _kept() -> list[Path]:
        return [path for path in station.files() if ".measured" in path.parts]

    def post(green: int, taken: str) -> None:
        assert station.post(file_of(picture(green)), taken).status == 200

    assert station.put_mask(mask()).status == 204
    post(100, "2009-06-01T12:00:00")
    post(110, "2009-06-02T12:00:00")
    first, days = night()
    assert first == ["2009_06_01_120000", "2009_06_02_120000"]
    assert night() == ([], days)
    post(120, "2009-06-02T13:00:00")
    post(130, "2009-06-03T12:00:00")
    measured, more = night()
    assert measured == ["2009_06_02_120000", "2009_06_02_130000", "2009_06_03_120000"]
    assert more[0] == days[0]
    assert [row["image_count"] for row in more] == ["1", "2", "1"]
    for path in _kept()[:2]:
        path.write_text("damaged")
    assert (len(night()[0]), night()[0]) == (3, [])
    assert station.put_mask(mask(slice(0, 12))).status == 204
    assert len(night()[0]) == 4, "another mask"
    # It goes with the station
    assert len(_kept()) == 3
    assert station.client.request("DELETE", "/v1/stations/harvard").status == 204
    assert station.files() == []


def test_a_mask_of_another_size_fails_its_day_with_the_reason(station: Node) -> None:
    assert station.put_mask(mask()).status == 204
    for hour, day in (("12", "01"), ("12", "02"), ("13", "02"), ("12", "03")):
        size = (10, 10) if day == "02" else (48, 64)
        said = station.post(file_of(picture(shape=size)), f"2009-06-{day}T{hour}:00:00")
        assert said.status == 200
    small = file_of(picture(shape=(10, 10)))
    assert station.post(small, "2009-06-03T13:00:00").json["quality"] == "none"
    results = _done(station, {"station": "harvard"}, failed=["2009-06-02"])
    assert [row["date"] for row in _table(results["roistats"])] == ["2009-06-01", "2009-06-03"]
    assert [row["image_count"] for row in _table(results["1day"])] == ["1", "0", "1"]
    [reason] = _table(next(v for k, v in results.items() if k.endswith("_failures.csv")))
    assert "10 x 10 pixels, and the mask harvard_DB_0001_01.tif 64 x 48" in reason["reason"]


def test_the_script_in_the_docs_keeps_the_token_to_itself(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs/field_cameras.md").read_text(encoding="utf-8")
    script = page.split("```sh\n")[1].split("```")[0]
    assert "/srv/pyveg/nightly.sh harvard" in page
    (tmp_path / "cameras.env").write_text("SERVICE=https://jobs.example.org\nTOKEN=pyveg_secret\n")
    (tmp_path / "curl").write_text('#!/bin/sh\ncat\nprintf "%s\\n" "$@"\n')
    (tmp_path / "curl").chmod(0o700)
    given = ["sh", "-c", script.replace("/srv/pyveg", str(tmp_path)), "nightly.sh", "oak"]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(given, env=path, capture_output=True, text=True, check=True)
    read, *arguments = done.stdout.splitlines()
    assert read == 'header = "Authorization: Bearer pyveg_secret"'
    assert not any("secret" in one for one in arguments)
    assert "https://jobs.example.org/processes/cameras/execution" in arguments
    assert json.loads(arguments[-1]) == {"inputs": {"station": "oak"}}


def test_jobs_of_stations_that_cannot_be(station: Node) -> None:
    """Each with its status and reason, or as the message of the job that fails."""
    ann = station.client._app.state.desk.callers.add(Caller("ann"))
    for inputs, token, status, words in (
        ({"station": "oak"}, None, 404, "no station oak"),
        ({"station": "harvard"}, ann, 404, "no station harvard"),
        ({"station": "../harvard"}, None, 422, "no name of one"),
        ({"station": "harvard", "roi": "../x"}, None, 422, "region of interest"),
        ({"station": "harvard", "start_date": "2009-07-01", "end_date": "2009-07-01"}, None, 422,
         "is not after"),
    ):  # fmt: skip
        answer = station.client.execute("cameras", inputs, token=token)
        assert (answer.status, words in answer.json["detail"]) == (status, True), answer.json
    process = station.client._app.state.desk.processes_known.get("cameras")

    def wrong(**inputs: Any) -> str:
        with pytest.raises(Exception, match="harvard") as caught:
            process.settings(process.checked({"station": "harvard", **inputs}), Path())
        return str(caught.value)

    assert "no mask of DB_0001" in wrong()
    assert station.put_mask(mask()).status == 204
    assert "no mask of GR_1000" in wrong(roi="GR_1000")
    assert "has sent no image" in wrong()
    # Clocks without power say 1970; one such image would make a series of decades every night.
    for number, taken in enumerate(("1970-01-01T00:00:05", "9999-12-31T12:00:00"), 7):
        assert station.post(file_of(picture(number)), taken).json["stored"]
    assert "no stored image from 2001 until now" in wrong()
    assert station.post(file_of(picture())).status == 200
    told = process.settings(process.checked({"station": "harvard"}), Path())
    assert told["date_range"] == ["2009-06-30", "2009-07-01"]
    asked = {"station": "harvard", "start_date": "1970-01-01", "end_date": "1970-01-02"}
    told = process.settings(process.checked(asked), Path())
    assert told["date_range"] == ["1970-01-01", "1970-01-02"]
    assert "no image from 2020-01-01 on; the last is of 2009-06-30" in wrong(
        start_date="2020-01-01"
    )
