"""Jobs of the batch API from a request to the results, done in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pyveg.core.errors import ConfigError
from pyveg.jobs.run import prepare, start
from pyveg.runs.run import open_run
from pyveg.scorers.onnx import OnnxScorer
from pyveg.service import access, image_lists
from pyveg.service.camera_trap import shapes
from pyveg.service.image_lists import LIST, Wanted, count_of, gather
from pyveg.sources import input_sas

from .conftest import SAS, SECRET, Photos, Trap, png

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


class OldClient:
    """What the client of the API does with a job, by its rules."""

    def __init__(self, trap: Trap, **body: Any) -> None:
        self._trap, self.body = trap, body
        self.job, self.urls = "", {}

    def submit(self) -> None:
        found = self._trap.ask("POST", "/request_detections", {"caller": "zoo", **self.body})
        assert found.status == 200  # neither 201 nor 202
        self.job = found.json["request_id"]

    def poll(self) -> str:
        found = self._trap.ask("GET", f"/task/{self.job}").json
        assert found["TaskId"] == self.job
        status = found["Status"]
        if status["request_status"] == "completed":
            self.failed_shards = status["message"]["num_failed_shards"]
            self.urls = status["message"]["output_file_urls"]
            assert all(self.job in url for url in self.urls.values())
        state: str = status["request_status"]
        return state

    def results(self) -> dict[str, Any]:
        """What is at the address that the answer names; no header is sent."""
        found = self._trap.client.get(urlsplit(self.urls["detections"]).path)
        assert found.status == 200
        results: dict[str, Any] = found.json
        return results

    def missing(self, asked: list[str]) -> list[str]:
        found = {image["file"] for image in self.results()["images"]}
        assert found <= set(asked)  # else it takes the results for those of another job
        return sorted(set(asked) - found)


@pytest.fixture
def trap(make_trap: Callable[..., Trap], photos: Photos) -> Iterator[Trap]:
    """A service that may ask that host."""
    photos.blobs = {
        "north/1.png": png(RED),
        "north/2 #%.PNG": png(GREEN),
        "north/broken.jpg": b"no image",
        "north/notes.txt": b"",
        "south/3.png": png(BLUE),
    }
    photos.expired = False
    yield make_trap(scoring_hosts=(photos.host,))
    photos.expired = False


def test_the_sequence_of_the_old_client(trap: Trap, photos: Photos) -> None:
    names = [name for name in photos.blobs if not name.endswith("txt")] + ["north/gone.jpg"]
    pairs = [[name, {"camera": n}] for n, name in enumerate([*names, names[0]])]
    listed = photos.put("lists/1.json", pairs)
    container = f"{photos.container}?{SAS}"
    client = OldClient(
        trap,
        input_container_sas=container,
        images_requested_json_sas=f"{listed}?sp=r&sig=bGlzdGxpc3Q%3D",
        request_name="walk",
    )
    client.submit()
    assert client.poll() == "created"
    trap.work()
    assert client.poll() == "completed"
    assert client.failed_shards == 0
    assert client.missing(names) == []
    found = client.results()
    assert found["info"]["format_version"] == "1.1"
    images = {image["file"]: image for image in found["images"]}
    assert len(images) == len(found["images"]) == 5
    assert images["north/2 #%.PNG"]["max_detection_conf"] == 1.0
    assert images["north/2 #%.PNG"]["meta"] == {"camera": 1}
    failed = {name: one["failure"] for name, one in images.items() if "failure" in one}
    assert set(failed) == {"north/broken.jpg", "north/gone.jpg"}
    assert images["north/gone.jpg"]["meta"] == {"camera": 4}
    assert trap.status(client.job)["num_images"] == 5
    # Nothing that was written has the signature, and the file with it is gone.
    assert not access.kept(trap.desk.config.job_folder(client.job))
    written = [path for path in trap.folder.rglob("*") if path.is_file()]
    assert any(path.name == "failures.csv" for path in written)
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in json.dumps(trap.ask("GET", f"/task/{client.job}").json)


def test_no_image_at_all_is_completed_with_a_dict(trap: Trap, photos: Photos) -> None:
    client = OldClient(
        trap, input_container_sas=f"{photos.container}?{SAS}", image_path_prefix="east/"
    )
    client.submit()
    trap.work()
    assert client.poll() == "completed", trap.status(client.job)
    assert (client.failed_shards, client.results()["images"]) == (0, [])
    assert trap.status(client.job)["num_images"] == 0


def test_a_killed_shard_is_told_and_done_again_alone(
    make_trap: Callable[..., Trap], photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {"4.1": {"model": "colours.onnx", "images_per_task": 2}}
    trap = make_trap(scoring_hosts=(photos.host,), scoring_models=models)
    urls = [photos.put(f"{n}.png", png(BLUE if n == 3 else RED)) for n in range(6)]
    real = OnnxScorer.score

    def dies(scorer: OnnxScorer, images: Any) -> Any:
        if images[0][0, 0, 2] == 255:
            raise MemoryError("killed")
        return real(scorer, images)

    monkeypatch.setattr(OnnxScorer, "score", dies)
    client = OldClient(
        trap, use_url="true", images_requested_json_sas=photos.put("urls.json", urls)
    )
    client.submit()
    trap.work()
    assert client.poll() == "completed"
    assert (client.failed_shards, client.missing(urls)) == (1, [])
    lost = [one["file"] for one in client.results()["images"] if "failure" in one]
    assert lost == urls[2:4]
    monkeypatch.setattr(OnnxScorer, "score", real)
    job = trap.desk.jobs_table.get(client.job)
    assert job is not None
    done = start(prepare(from_cache=job.url))
    fresh = [task for task, one in done.results.items() if str(one.state) == "succeeded"]
    assert sorted(fresh) == ["combine/CombineDetections/all", "images/ScoreImages/shard_00001"]
    assert not [one for one in client.results()["images"] if "failure" in one]
    assert client.poll() == "completed"
    assert client.failed_shards == 0


def test_what_is_wrong_with_a_list_is_told_as_failed(trap: Trap, photos: Photos) -> None:
    jobs = {}
    mixed = photos.put("mixed.json", ["a.jpg", ["b.jpg", {}]])
    jobs["mixed"] = trap.submit(use_url=True, images_requested_json_sas=mixed)
    gone = f"http://{photos.host}/account/none.json"
    jobs["HTTP 403"] = trap.submit(use_url=True, images_requested_json_sas=gone)
    private = "http://169.254.169.254/list.json"
    jobs["private network"] = trap.submit(use_url=True, images_requested_json_sas=private)
    trap.work()
    for words, job in jobs.items():
        status = trap.status(job)
        assert status["request_status"] == "failed"
        assert words in status["message"]
        again = trap.ask("POST", "/cancel_request", {"caller": "zoo", "request_id": job})
        assert again.json == {"error": "Task has failed and cannot be canceled"}


@pytest.fixture
def asked(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Wanted]:
    """Makes what is wanted of that container."""
    monkeypatch.setenv(input_sas.VARIABLE, f"{photos.container}?{SAS}")
    photos.blobs = {f"{n}.{ending}": b"" for n in range(4) for ending in ("jpg", "JPEG", "txt")}
    photos.expired = False

    def make(**given: Any) -> Wanted:
        return Wanted(**{"private_hosts": (photos.host,), **given})

    return make


def _names(folder: Path, wanted: Wanted) -> list[str]:
    """Of what is listed."""
    (folder / LIST).unlink(missing_ok=True)
    lines = gather(folder, wanted).read_text().splitlines()
    assert count_of(folder) == len(lines)
    return [json.loads(line)["file"] for line in lines]


def test_filters_come_in_their_order(
    tmp_path: Path, asked: Callable[..., Wanted], photos: Photos
) -> None:
    container = {"container": photos.container}
    everything = _names(tmp_path, asked(**container))
    assert everything == sorted(name for name in photos.blobs if "txt" not in name)
    assert _names(tmp_path, asked(**container, prefix="1.")) == ["1.JPEG", "1.jpg"]
    assert _names(tmp_path, asked(**container, first_n=3)) == everything[:3]
    assert _names(tmp_path, asked(**container, first_n=99)) == everything
    some = _names(tmp_path, asked(**container, first_n=5, sample_n=3))
    assert len(some) == 3
    assert set(some) <= set(everything[:5])
    assert some == sorted(some)
    urls = ["https://a.org/1.jpg?x=1", "https://a.org/p.php?f=2.jpg", "https://a.org/3.PNG"]
    listed = photos.put("l.json", urls)
    assert _names(tmp_path, asked(images_list=listed)) == [urls[0], urls[2]]
    folder = f"{photos.container}/deep/er"
    photos.blobs |= {"deep/er/a.jpg": b"", "deep/erase.jpg": b""}
    assert _names(tmp_path, asked(container=folder)) == ["deep/er/a.jpg"]


def test_metadata_of_a_megabyte_and_doubled_names(
    tmp_path: Path, asked: Callable[..., Wanted], photos: Photos
) -> None:
    meta = {"text": "ü" * 1_000_000}
    url = "https://a.org/a.jpg"
    listed = photos.put("meta.json", [[url, meta], [url, 2]])
    (line,) = gather(tmp_path, asked(images_list=listed)).read_text().splitlines()
    assert json.loads(line) == {"input": url, "file": url, "meta": meta}


def test_addresses_that_are_not_asked_for(
    tmp_path: Path, asked: Callable[..., Wanted], photos: Photos
) -> None:
    signed = "https://a.org/a.jpg?sig=abcdefghijklmnop"
    listed = photos.put("odd.json", [signed, "/etc/passwd.jpg", "azure://c/x.jpg"])
    text = gather(tmp_path, asked(images_list=listed)).read_text()
    assert "abcdefghijklmnop" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 3
    assert all(line["refused"] for line in lines)
    url = "https://a.org/größe 1%20b.jpg?x=1&y=#z"
    (tmp_path / LIST).unlink()
    (line,) = (
        gather(tmp_path, asked(images_list=photos.put("o.json", [url])))
        .read_text()
        .split("\n")[:-1]
    )
    quoted = "https://a.org/gr%C3%B6%C3%9Fe%201%20b.jpg?x=1&y=#z"
    assert json.loads(line) == {"input": quoted, "file": url}


WRONG: dict[str, tuple[Any, str]] = {
    "mixed": ([["a.jpg", 1], "b.jpg"], "mixed"),
    "numbers": ([1, 2], "neither a text nor a pair"),
    "objects": ([{"file": "a.jpg"}], "holds"),
    "triples": ([["a.jpg", 1, 2]], "holds"),
    "an object": ({"a.jpg": 1}, "no JSON list"),
    "cut off": (b'["a.jpg", "b', "no JSON list"),
    "no end": (b'["a.jpg"', "no JSON list"),
    "more behind": (b'["a.jpg"] 1', "no JSON list"),
    "no UTF-8": (b'["\xff.jpg"]', "no JSON list"),
    "empty": (b"", "no JSON list"),
    "deep": (b'["a.jpg",' + b"[" * 100_000, "no JSON list"),
}


def test_lists_that_are_none(tmp_path: Path, asked: Callable[..., Wanted], photos: Photos) -> None:
    for name, (value, words) in WRONG.items():
        listed = photos.put(f"{name}.json", value)
        with pytest.raises(ConfigError, match=words):
            gather(tmp_path, asked(images_list=listed))
        assert list(tmp_path.iterdir()) == [], name


def test_containers_that_cannot_be_listed(
    tmp_path: Path, asked: Callable[..., Wanted], photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.expired = True
    with pytest.raises(ConfigError, match="HTTP 403") as told:
        gather(tmp_path, asked(container=photos.container))
    assert SECRET not in str(told.value)
    photos.expired = False
    with pytest.raises(ConfigError, match=r"sample_n is 9, and 8 images are there"):
        gather(tmp_path, asked(container=photos.container, sample_n=9))
    monkeypatch.setattr(image_lists, "MOST_IMAGES", 8)
    assert len(_names(tmp_path, asked(container=photos.container))) == 8
    (tmp_path / LIST).unlink()
    monkeypatch.setattr(image_lists, "MOST_IMAGES", 7)
    with pytest.raises(ConfigError, match="more than 7 images"):
        gather(tmp_path, asked(container=photos.container))
    assert not (tmp_path / LIST).exists()


@pytest.mark.slow
def test_four_million_and_one(tmp_path: Path, asked: Callable[..., Wanted], photos: Photos) -> None:
    """Four million are fine, one more is refused."""
    listed = photos.put("many.json", [f"https://a.org/{n}.jpg" for n in range(4_000_001)])
    with pytest.raises(ConfigError, match="more than 4,000,000 images"):
        gather(tmp_path, asked(images_list=listed))
    assert gather(tmp_path, asked(images_list=listed, first_n=4_000_000)).exists()
    assert count_of(tmp_path) == 4_000_000


def test_what_the_run_says_is_what_running_tells(trap: Trap, photos: Photos) -> None:
    """Numbers of shards are those of the run."""
    client = OldClient(trap, input_container_sas=f"{photos.container}?{SAS}")
    client.submit()
    trap.work()
    job = trap.desk.jobs_table.get(client.job)
    assert job is not None
    assert [row["module"] for row in job.told.modules] == [
        "images/ScoreImages",
        "combine/CombineDetections",
    ]
    numbers = re.findall(r"\d+", shapes._progress(job))
    assert numbers[1:] == ["1", "1", "0"]
    assert open_run(job.url).steps
