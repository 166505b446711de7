"""Stations over HTTP: what is answered, stored and refused."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import skimage.data
from PIL import Image

from pyveg.cameras.masks import read_masks
from pyveg.core.errors import ServiceAwayError
from pyveg.core.scorer import Detection
from pyveg.service.records import Caller
from pyveg.service.refusals import Refusal
from pyveg.service.stations import desk as stations
from pyveg.service.stations.archive import Archive
from pyveg.service.stations.looking import look
from pyveg.service.stations.scorers import Scorers
from pyveg.service.stations.settings import StationSettings
from pyveg.service.stations.slots import Slots
from pyveg.service.web.identity import COOKIE
from pyveg.testing.station_node import TAKEN, FakeScorer, Node, file_of, form, mask, picture

GREEN = 120 / (90 + 120 + 90)


def test_an_image_is_measured_stored_and_told(node: Node) -> None:
    answer = node.post(file_of(picture()))
    assert answer.status == 200
    said = answer.json
    assert (said["status"], said["gcc"], said["rcc"]) == ("ok", round(GREEN, 5), 0.3)
    assert (said["n_pixels"], said["brightness"], said["quality"]) == (24 * 64, 300.0, "ok")
    assert (said["mask"], said["score"], said["stored"]) == ("DB_0001", None, True)
    [path] = node.files()
    assert path.relative_to(node.data / "stations").as_posix() == (
        "harvard/2009/06/harvard_2009_06_30_120138.png"
    )
    latest = node.client.get("/v1/stations/harvard/latest", token=node.key)
    assert (latest.status, latest.headers["Content-Type"]) == (200, "image/png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(latest.body))), picture())
    found = node.client.get("/v1/stations/harvard").json
    assert (found["images"], found["latest"]["gcc"]) == (1, round(GREEN, 5))
    # 17 years ago: no spool is as old
    assert found["latest"]["clock_off_seconds"] < -10 * 365 * 86_400
    rows = node.client.get("/v1/stations/harvard/series", token=node.key).json["rows"]
    assert [row["taken"] for row in rows] == [TAKEN]


def test_an_equal_image_is_known_and_another_of_its_time_is_refused(node: Node) -> None:
    first = node.post(file_of(picture()))
    again = node.post(file_of(picture()))
    assert (again.status, again.json) == (200, {**first.json, "status": "duplicate"})
    other = node.post(file_of(picture(130)))
    assert other.status == 409
    assert "another image" in other.json["detail"]
    assert len(node.files()) == 1
    assert node.client.get("/v1/stations/harvard").json["images"] == 1


def test_a_file_without_its_row_is_sent_again(node: Node) -> None:
    """The server was killed between the two."""
    path = node.data / "stations/harvard/2009/06/harvard_2009_06_30_120138.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"of another try")
    (path.parent / ".x.part").write_bytes(b"half")
    (node.data / "stations/.deleted-x").mkdir()
    Archive(node.data / "stations").tidy()
    assert node.files() == [path]
    assert node.post(file_of(picture())).status == 200
    assert node.files() == [path]
    assert path.read_bytes() != b"of another try"


def test_masks_change_with_time_and_are_written_for_other_tools(node: Node) -> None:
    assert node.put_mask(mask(slice(24, 48)), "2009-07-01T00:00:00").status == 204
    assert node.post(file_of(picture())).json["gcc"] == round(GREEN, 5)
    later = node.post(file_of(picture()), "2009-07-01T00:00:00").json
    assert (later["gcc"], later["n_pixels"]) == (0.33333, 24 * 64)
    folder = node.data / "stations/harvard/ROI"
    lines = (folder / "harvard_DB_0001_roi.csv").read_text().splitlines()
    assert lines[1:] == [
        "1970-01-01,00:00:00,2009-06-30,23:59:59,harvard_DB_0001_01.tif,",
        "2009-07-01,00:00:00,9999-01-01,00:00:00,harvard_DB_0001_02.tif,",
    ]
    assert node.put_mask(mask(), "0009-01-01").status == 204
    assert [one.start.year for one in read_masks(folder / "harvard_DB_0001_roi.csv").masks] == [
        9,
        1970,
        2009,
    ]
    # One that is mended is used at once
    assert node.put_mask(mask(slice(0, 12)), "2009-07-01T00:00:00").status == 204
    assert node.post(file_of(picture()), "2009-07-01T01:00:00").json["n_pixels"] == 12 * 64
    assert len(list(folder.iterdir())) == 4


def test_series_of_days_as_phenocam_has_them(node: Node) -> None:
    greens = []
    for hour in range(8, 17, 2):
        taken = datetime(2009, 6, 30) + timedelta(hours=hour)
        assert node.post(file_of(picture(100 + hour)), taken.isoformat()).status == 200
        greens.append((100 + hour) / (280 + hour))
    [day] = node.client.get("/v1/stations/harvard/series?summary=1").json["rows"]
    assert (day["date"], day["image_count"]) == ("2009-06-30", 5)
    assert day["gcc_90"] == pytest.approx(np.percentile(greens, 90), abs=1e-5)
    table = node.client.get("/v1/stations/harvard/series?summary=3&format=csv").body.decode()
    assert table.splitlines()[-1].startswith("2009-07-01,2009,182,5,harvard_2009_06_30_160000.png")
    part = "from=2009-06-30T10:00:00&to=2009-06-30T14:00:00"
    assert len(node.client.get(f"/v1/stations/harvard/series?{part}").json["rows"]) == 3
    assert len(node.client.get("/v1/stations/harvard/series?to=2009-06-30").json["rows"]) == 5
    for wrong in ("summary=2", "format=csv", "from=soon"):
        assert node.client.get(f"/v1/stations/harvard/series?{wrong}").status == 422


def test_keys_and_owners(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    image, old = file_of(picture()), node.key
    assert node.post(image, key="").status == 401
    assert node.post(image, key="pyveg_wrong").status == 401
    assert node.post(image, key=node.client.token).status == 401, "a caller is no station"
    new = node.client.request("POST", "/v1/stations/harvard/key").json["key"]
    assert node.post(image, key=new).status == 200
    assert node.post(image, key=old).status == 200, "the old one holds for a day"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_401)
    assert node.post(image, key=old).status == 401
    assert node.post(image, key=new).status == 200
    # Secrets are in no file
    texts = b"".join(p.read_bytes() for p in node.data.glob("stations.sqlite*"))
    assert new.encode() not in texts
    assert old.encode() not in texts


def test_a_station_of_somebody_else(node: Node) -> None:
    ann = node.client._app.state.desk.callers.add(Caller("ann"))
    put = node.client.request(
        "PUT",
        "/v1/stations/harvard",
        {"longitude": 0, "latitude": 0, "utc_offset": 0, "people": "keep"},
        token=ann,
    )
    assert (put.status, "somebody else" in put.json["detail"]) == (409, True)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/series"), ("POST", "/key")):
        answer = node.client.request(method, f"/v1/stations/harvard{path}", token=ann)
        assert answer.status == 404, path
    assert node.client.get("/v1/stations", token=ann).json == {"stations": []}
    assert len(node.client.get("/v1/stations").json["stations"]) == 1


def test_a_station_goes_with_all_it_had(node: Node) -> None:
    assert node.post(file_of(picture())).status == 200
    assert node.client.request("DELETE", "/v1/stations/harvard").status == 204
    assert list((node.data / "stations").iterdir()) == []
    assert node.client.get("/v1/stations/harvard").status == 404
    assert node.post(file_of(picture())).status == 401
    # One of the same name begins anew
    assert node.put(people="keep").status == 201
    assert node.client.get("/v1/stations/harvard").json["images"] == 0


def test_pages_for_people(node: Node) -> None:
    for day in (1, 2, 5):
        assert node.post(file_of(picture(100 + day)), f"2009-06-{day:02d}T12:00:00").status == 200
    session = node.client._app.state.desk.callers.sign_in(node.client.token)
    browser = {"cookie": f"{COOKIE}={session.value}"}

    def page(path: str) -> str:
        answer = node.client.get(f"/page/stations{path}", token="", headers=browser)
        assert answer.status == 200
        return answer.body.decode()

    assert '<a href="/page/stations/harvard">harvard</a>' in page("")
    text = page("/harvard")
    assert text.count("<polyline") == 2, "a line ends at a gap"
    assert "2009-06-03 to 2009-06-04: 2 days" in text
    assert "off by -" in text
    picture_of = node.client.get("/page/stations/harvard/latest", token="", headers=browser)
    assert picture_of.body == node.files()[-1].read_bytes()
    assert node.client.get("/page/stations/harvard", token="").status == 303
    assert node.client.get("/page/stations/oak", token="", headers=browser).status == 404


CMYK = io.BytesIO()
Image.new("CMYK", (8, 8)).save(CMYK, "JPEG")
DEEP = io.BytesIO()
Image.fromarray(np.full((8, 8), 9, dtype=np.uint16)).save(DEEP, "PNG")
GIF = io.BytesIO()
Image.new("L", (8, 8)).save(GIF, "GIF")
BOMB = bytearray(file_of(np.zeros((1, 1), dtype=np.uint8)))
BOMB[16:24] = (60_000).to_bytes(4, "big") * 2
BOMB[29:33] = zlib.crc32(BOMB[12:29]).to_bytes(4, "big")
MEDIUM = BOMB.copy()
MEDIUM[16:24] = (10_000).to_bytes(4, "big") * 2
MEDIUM[29:33] = zlib.crc32(MEDIUM[12:29]).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no image"),
        (b"\xff\xd8\xff\xe0 half", "no image"),
        (file_of(picture(), "JPEG")[:-40], "damaged|cut off|no end"),
        (CMYK.getvalue(), "CMYK"),
        (DEEP.getvalue(), "I;16"),
        (GIF.getvalue(), "GIF"),
        (bytes(BOMB), "40 million"),
        (bytes(MEDIUM), "40 million"),
    ],
)
def test_what_is_no_image(node: Node, data: bytes, said: str) -> None:
    answer = node.post(data)
    assert answer.status == 422
    assert re.search(said, answer.json["detail"]), answer.json
    assert node.files() == []
    assert node.post(file_of(picture())).status == 200, "the server stays up"


def test_images_that_say_little_are_stored_and_told(node: Node) -> None:
    dark = node.post(file_of(picture() // 9), "2009-06-30T01:00:00").json
    white = node.post(file_of(picture() | 0xF0), "2009-06-30T02:00:00").json
    other = node.post(file_of(picture(shape=(10, 10))), "2009-06-30T03:00:00").json
    assert (dark["quality"], white["quality"], other["quality"]) == ("dark", "white", "none")
    assert other["gcc"] is None
    assert "10 x 10 pixels, and the mask 64 x 48" in other["note"]
    assert len(node.files()) == 3
    assert node.client.get("/v1/stations/harvard").json["health"]["silent"] is False


def test_when_an_image_was_taken(node: Node) -> None:
    def taken(data: bytes, said: str = "", name: str = "x.png") -> str:
        answer = node.post(data, said, name=name)
        return str(answer.json["taken"]) if answer.status == 200 else str(answer.status)

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2009:06:30 08:00:00"
    assert taken(file_of(picture(), "JPEG", exif=exif)) == "2009-06-30T08:00:00"
    name = "harvard_2009_06_30_090000.jpg"
    assert taken(file_of(picture(), "JPEG", exif=exif), name=name) == "2009-06-30T09:00:00"
    assert taken(file_of(picture())) == "422"
    for wrong in ("yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"):
        assert taken(file_of(picture()), wrong) == "422"
    assert taken(file_of(picture()), "0001-01-01T00:00:00") == "0001-01-01T00:00:00"
    # Summer time of the watch that was looked at is none of the camera
    assert taken(file_of(picture()), "2009-06-30T12:00:00-04:00") == "2009-06-30T11:00:00"
    assert taken(file_of(picture()), "2009-06-30T15:00:00+00:00") == "2009-06-30T10:00:00"
    ahead = f"{datetime.now() + timedelta(days=730):%Y-%m-%dT%H:%M:%S}"
    answer = node.post(file_of(picture()), ahead).json
    assert answer["clock_off_seconds"] == pytest.approx(730 * 86_400, abs=2 * 86_400)
    assert answer["stored"]


def test_clocks_that_are_off_are_told_and_their_images_stored(node: Node) -> None:
    day, now = 86_400, datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=5)
    for off, told in (
        (timedelta(days=730), 730 * day),
        (timedelta(days=-730), -730 * day),
        (timedelta(hours=23), None),  # a time zone that was set wrongly
        (timedelta(days=-30), None),  # a spool of a month
    ):
        said = node.post(file_of(picture()), (now + off).isoformat(timespec="seconds")).json
        assert said["stored"], off
        assert said["clock_off_seconds"] == (told and pytest.approx(told, abs=60)), off
    assert len(node.files()) == 4


def test_the_hour_that_a_watch_has_twice_is_two_hours(node: Node) -> None:
    """In autumn, daylight saving ends; the station's time knows none of it."""
    for text, wanted in (
        ("2009-11-01T01:30:00-04:00", "2009-11-01T00:30:00"),
        ("2009-11-01T01:30:00-05:00", "2009-11-01T01:30:00"),
        ("2009-03-08T01:59:00-05:00", "2009-03-08T01:59:00"),
        ("2009-03-08T03:00:00-04:00", "2009-03-08T02:00:00"),  # a minute later
    ):
        assert node.post(file_of(picture()), text).json["taken"] == wanted
    assert len(node.files()) == 4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "without a scorer"),
        ({"people": "blur"}, "without a scorer"),
        ({"people": "maybe", "scorer": "people"}, "not known"),
        ({"people": "keep", "scorer": "peple"}, "no scorer"),
        ({"people": "keep", "utc_offset": "Europe/London"}, "utc_offset"),
        ({"people": "keep", "latitude": 91}, "latitude"),
        ({"people": "keep", "latitud": 9}, "latitude"),
        ({"people": "keep", "roi": "../x"}, "region of interest"),
    ],
)
def test_settings_that_are_wrong(
    make_node: Callable[..., Node], settings: dict[str, object], said: str
) -> None:
    answer = make_node().put(**settings)
    assert answer.status == 422
    assert said in answer.json["detail"] + answer.json.get("cure", "")


@pytest.mark.parametrize("name", ["a_b", "..", "a b", "-a", "a" * 64, "%2e%2e"])
def test_names_that_are_none(make_node: Callable[..., Node], name: str) -> None:
    assert make_node().put(name.replace(" ", "%20"), people="keep").status in (404, 422)


def test_forms_that_are_none(node: Node) -> None:
    def post(body: bytes, headers: dict[str, str]) -> int:
        path = "/v1/stations/harvard/images"
        return node.client.request("POST", path, body, token=node.key, headers=headers).status

    body, headers = form(file_of(picture()), taken=TAKEN)
    assert post(body, {"content-type": "image/png"}) == 415
    assert post(body, {"content-type": "multipart/form-data"}) == 400
    assert post(b"nonsense", headers) in (400, 422)
    assert post(b"", headers) in (400, 422)
    assert post(body, {**headers, "content-length": str(10**9)}) == 413
    assert post(bytes(stations.MOST_BYTES + 300_000), headers) == 413
    assert node.put_mask(b"no mask").status == 422
    assert node.put_mask(mask(slice(0, 0))).status == 422
    assert post(body, headers) == 200


def test_no_more_images_in_hand_than_fit(make_node: Callable[..., Node]) -> None:
    node = make_node(max_images=1)
    assert node.put(people="keep").status == 201
    desk = node.client._app.state.stations
    room = desk.slots
    desk.slots = Slots(0, patience=0.01)
    answer = node.post(file_of(picture()))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    desk.slots = room
    assert node.post(file_of(picture())).status == 200


def test_who_waits_for_room_gets_it_in_order() -> None:
    """But for those whose sender has gone."""
    slots, order = Slots(1, patience=60), list[str]()

    async def work(name: str) -> None:
        async with slots.one():
            order.append(name)
            await asyncio.sleep(0)

    async def all_at_once() -> list[Any]:
        tasks = [asyncio.create_task(work(name)) for name in "abcd"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    ended = asyncio.run(all_at_once())
    assert isinstance(ended[1], asyncio.CancelledError)
    assert order == ["a", "c", "d"]
    asyncio.run(work("e"))
    assert order[-1] == "e", "all room was given back"


def test_nobody_waits_for_room_too_long() -> None:
    async def ask() -> None:
        slots = Slots(1, patience=0)
        async with slots.one():
            with pytest.raises(Refusal) as refused:
                await _held(slots)
            assert (refused.value.status, refused.value.retry_after) == (503, 2)
        await _held(slots)

    asyncio.run(ask())


def test_a_turn_that_comes_too_late_goes_to_the_next() -> None:
    async def race() -> None:
        slots = Slots(1, patience=5)
        first = slots.one()
        await first.__aenter__()
        late = asyncio.create_task(_held(slots))
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)  # its turn is on its way
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        async with asyncio.timeout(1), slots.one():
            pass

    asyncio.run(race())


async def _held(slots: Slots) -> None:
    async with slots.one():
        pass


# People


def _looked_at(make_node: Callable[..., Node], people: str, **given: object) -> Node:
    node = make_node(**given)
    assert node.put(scorer="people", **({"people": people} if people else {})).status == 201
    assert node.put_mask(mask()).status == 204
    return node


def test_people_are_blurred_before_anything_is_stored(make_node: Callable[..., Node]) -> None:
    node = _looked_at(make_node, "")
    sent = file_of(picture(person=True))
    said = node.post(sent).json
    # Colours are those of the original without the box, which has grown
    assert (said["gcc"], said["people"], said["score"]) == (round(GREEN, 5), 1, 0.9)
    assert said["masked_pixels"] == 24 * 64 - said["n_pixels"] > 8 * 16
    [path] = node.files()
    stored = np.asarray(Image.open(path))
    assert not np.array_equal(stored, picture(person=True))
    assert np.array_equal(stored[24:], picture()[24:]), "the rest is as it was"
    digest = hashlib.sha256(sent).hexdigest()
    for file in (p for p in node.data.rglob("*") if p.is_file()):
        data = file.read_bytes()
        assert hashlib.sha256(data).hexdigest() != digest
        assert digest.encode() not in data
        assert sent not in data
    assert node.post(sent).json["status"] == "duplicate"


def test_images_with_people_may_be_dropped_or_kept(make_node: Callable[..., Node]) -> None:
    node = _looked_at(make_node, "drop")
    said = node.post(file_of(picture(person=True))).json
    assert (said["stored"], said["gcc"], node.files()) == (False, round(GREEN, 5), [])
    assert node.client.get("/v1/stations/harvard/latest", token=node.key).status == 404
    assert node.post(file_of(picture(person=True))).json["status"] == "duplicate"
    assert node.put(scorer="people", people="keep").status == 200
    assert node.post(file_of(picture(person=True)), "2009-06-30T13:00:00").json["people"] == 1
    assert np.array_equal(np.asarray(Image.open(node.files()[0])), picture(person=True))


def test_an_image_on_which_somebody_is_seen_whatever_is_done_is_not_stored(
    make_node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = _looked_at(make_node, "blur")
    somebody = [Detection("2", 0.7, (0.25, 0.25, 0.1, 0.1))]
    monkeypatch.setattr(FakeScorer, "_seen", lambda *_: somebody)
    said = node.post(file_of(picture())).json
    assert (said["stored"], said["people"], node.files()) == (False, 1, [])


@pytest.mark.parametrize("categories", [{"1": "animal"}, {}])
def test_a_scorer_that_knows_no_person_looks_for_none(
    make_node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch, categories: dict[str, str]
) -> None:
    monkeypatch.setattr(FakeScorer, "categories", categories)
    node = _looked_at(make_node, "blur")
    answer = node.post(file_of(picture(person=True)))
    assert answer.status == 503
    assert 'knows no category "person"' in answer.json["detail"]
    assert 'knows no category "person"' in node.client.get("/readyz").json["detail"]
    assert node.files() == []
    assert node.put(scorer="people", people="keep").status == 200
    said = node.post(file_of(picture())).json
    assert (said["status"], said["people"]) == ("ok", None), "nobody was looked for"
    assert node.client.get("/readyz").status == 200


def test_nothing_is_stored_while_nobody_can_look(
    make_node: Callable[..., Node], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    node = _looked_at(make_node, "blur")
    Path("away.txt").touch()
    answer = node.post(file_of(picture(person=True)))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    said = node.client.get("/readyz", token="")
    what = "scorer people of the stations harvard"
    assert (said.status, said.json["troubles"]) == (503, {what: "nobody answers"})
    assert node.files() == []
    assert node.client.get("/v1/stations/harvard").json["images"] == 0
    Path("away.txt").unlink()
    assert node.post(file_of(picture(person=True))).status == 200
    assert node.client.get("/readyz", token="").status == 200


def test_a_scorer_that_nobody_uses_is_tried(
    make_node: Callable[..., Node], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is known before the first image comes; and what it says has no secret."""
    monkeypatch.chdir(tmp_path)
    node = make_node()
    assert node.client.get("/readyz", token="").status == 200
    assert node.put(scorer="people").status == 201
    said = "https://kim:s3cret@models.example.org does not answer"
    with monkeypatch.context() as patch:
        patch.setattr(FakeScorer, "find", classmethod(lambda *_: (_ for _ in ()).throw(
            ServiceAwayError(said, "wait"))))  # fmt: skip
        found = node.client.get("/readyz", token="")
        assert found.status == 503
        assert "https://***@models.example.org does not answer" in found.json["detail"]
        assert "s3cret" not in found.body.decode()
    assert node.client.get("/readyz", token="").status == 503, "it is not tried all the time"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert node.client.get("/readyz", token="").status == 200


def test_what_a_photograph_tells_of_its_place_is_taken_off(node: Node) -> None:
    exif = Image.Exif()
    exif[0x010E] = "at the secret spring"
    exif[0x0112] = 3
    exif.get_ifd(0x8825)[2] = (42.0, 32.0, 16.0)
    exif.get_ifd(0x8769)[0xA431] = "serial-4711"
    data = file_of(picture(), "JPEG", exif=exif, comment=b"taken by Kim", quality=95)
    assert node.post(data + b"what stands behind it").status == 200
    [path] = node.files()
    stored = path.read_bytes()
    for secret in (b"secret spring", b"4711", b"Kim", b"stands behind"):
        assert secret not in stored
    kept, sent = Image.open(path), Image.open(io.BytesIO(data))
    assert np.array_equal(np.asarray(kept), np.asarray(sent)), "the picture is the same"
    assert dict(kept.getexif()) == {0x0112: 3}, "but for how it was held"


@pytest.mark.slow
def test_a_real_detector_finds_nobody_afterwards() -> None:
    """With the demo detector: the astronaut of scikit-image and Grace Hopper of Matplotlib."""
    hopper = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
    photos = [skimage.data.astronaut(), np.asarray(Image.open(hopper).convert("RGB"))]
    scorers = Scorers({"demo": {"model": "demo"}})
    settings = StationSettings(longitude=0, latitude=0, utc_offset=0, scorer="demo")

    def surest(image: np.ndarray) -> float:
        found, names = scorers.score("demo", image)
        sure = [one.confidence for one in found if names[one.category] == "person"]
        return max(sure, default=0.0)

    for photo in photos:
        sent = file_of(photo, "JPEG", quality=95)
        assert surest(photo) > 0.4
        seen = look(sent, settings, None, scorers)
        assert seen.figures["people"]
        assert seen.data is not None
        assert surest(np.asarray(Image.open(io.BytesIO(seen.data)))) < 0.3
