"""The lines of shards as one file, in memory that does not grow with them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import IO, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import KeyMissingError
from pyveg.core.module import Job
from pyveg.core.types import Item, Scope
from pyveg.modules.scoring import lines, shards
from pyveg.modules.scoring.combine import CombineDetections, CombineSettings
from pyveg.modules.scoring.looking import cut
from pyveg.modules.scoring.score import BEST, detections_key
from pyveg.storage.memory import MemoryStore

SCOPE = Scope("cameras")
HEADER = {"detector": "d", "categories": {"1": "animal"}}
FOUND = {"category": "1", "conf": 0.5, "bbox": [0.1, 0.2, 0.3, 0.4]}


def _lines(name: str, count: int) -> bytes:
    rows = [lines.detections(Item(f"{name}/{n}.jpg"), [FOUND]) for n in range(count)]
    return b"".join([lines.encoded(HEADER), *rows])


def _job(store: Any, items: list[Item], missing: dict[str, str]) -> Job[CombineSettings]:
    packed = [[item.name, dict(item.details), f"t-{item.name}"] for item in items]
    scope = {"sequence": "cameras", "folder": "", "subject": {}, "extent": {}}
    details = {"sequences": [{"scope": scope, "items": packed}]}
    job = Job(Scope("combine"), Item("all", details), CombineSettings(), store, missing)
    CombineDetections().run(job)
    return job


def test_a_shard_without_result_has_its_images_all_the_same() -> None:
    store = MemoryStore()
    images = [Item(f"b/{n}.jpg", {"input": "x", "size": 1, "version": "1"}) for n in range(3)]
    (shard,) = shards.shards_of(images, 10, "count")
    lost = Item("b", shard.item({}).details)
    shards.write_lists([shard], store, [lost])
    gone = Item("c", {"list": "0" * 64, "count": 5})  # never listed
    good = Item("a", {"list": "1" * 64, "count": 2})
    store.write(detections_key(SCOPE, good), _lines("a", 2))
    job = _job(store, [good, lost, gone], {"t-b": "its worker died", "t-c": "blocked"})
    assert job.notes == {"images": 6, "failed_images": 4, "num_failed_shards": 2}
    made = json.loads(store.read("combine/detections.json"))
    assert made["info"]["detector"] == "d"
    assert made["detection_categories"] == {"1": "animal"}
    assert [one["file"] for one in made["images"]] == [
        *("a/0.jpg", "a/1.jpg"),
        *("b/0.jpg", "b/1.jpg", "b/2.jpg"),
        "c",
    ]
    assert made["images"][3]["failure"] == "its shard failed: its worker died"
    assert made["images"][5]["failure"].startswith("5 images: its shard failed: blocked")
    rows = store.read("combine/failures.csv").decode().splitlines()
    assert rows[:2] == ["file,reason", "b/0.jpg,its shard failed: its worker died"]
    assert len(rows) == 5


def test_nothing_at_all_is_a_file_too() -> None:
    store = MemoryStore()
    lost = Item("b", {"list": "0" * 64, "count": 0})
    _job(store, [lost], {"t-b": "gone"})
    made = json.loads(store.read("combine/detections.json"))
    assert made["info"]["detector"] == "unknown"
    assert made["detection_categories"] == {}


class _Endless(MemoryStore):
    """Has shards of any length, and forgets what is written to it."""

    @contextmanager
    def open_read(self, key: str) -> Iterator[IO[bytes]]:
        count = int(key.split("/")[1])
        if key.endswith(BEST):
            raise KeyMissingError(key, "here")
        found = (lines.detections(Item(f"{n}.jpg"), [FOUND]) for n in range(count))
        yield cast("IO[bytes]", chain([lines.encoded(HEADER)], found))

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        del key

        class Nowhere:
            def write(self, data: bytes) -> int:
                return len(data)

        yield cast("IO[bytes]", Nowhere())


def _peak(shards_: int) -> int:
    items = [Item("500", {"list": "x", "count": 500})] * shards_
    tracemalloc.start()
    _job(_Endless(), items, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_images() -> None:
    _peak(1)
    assert _peak(10) < 1.5 * _peak(2)


@given(st.floats(0, 1), st.sampled_from([3, 4]))
def test_numbers_are_cut_and_never_rounded_up(value: float, digits: int) -> None:
    found = cut(value, digits)
    assert isinstance(found, float)
    assert found <= value + 1e-9
    assert value - found < 10**-digits + 1e-9
    assert len(str(found)) <= digits + 2 or "e" in str(found)


@given(st.integers(0, 1000))
def test_numbers_of_three_digits_stay(number: int) -> None:
    assert cut(number / 1000, 3) == number / 1000


ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ['x,"failure":"', '","detections":[', 'a\\",\\"conf\\":1', "two\nlines"]
)


META = st.none() | st.dictionaries(ODD | st.sampled_from(["failure", "conf", "detections"]), ODD)


@given(st.lists(st.tuples(ODD, st.none() | ODD, st.integers(0, 2), META), max_size=8))
def test_lines_are_joined_as_if_they_were_parsed(
    rows: list[tuple[str, str | None, int, dict[str, str] | None]],
) -> None:
    """Whatever stands in names, reasons and metadata."""
    surest = [FOUND, {**FOUND, "conf": 0.25}]
    block = []
    for name, why, count, meta in rows:
        image = Item(name, {} if meta is None else {"meta": meta})
        found = lines.detections(image, surest[:count])
        block.append(found if why is None else lines.failure(image, why))
    assert lines.failures(block) == [(name, why) for name, why, *_ in rows if why is not None]
    expected: list[dict[str, Any]] = [json.loads(line) for line in block]
    assert [one.get("meta") for one in expected] == [meta for *_, meta in rows]
    assert json.loads(b"[" + lines.joined(block, "1.6") + b"]") == expected
    for one in expected:
        if "failure" not in one:
            one["max_detection_conf"] = 0.5 if one["detections"] else 0.0
    assert json.loads(b"[" + lines.joined(block, "1.1") + b"]") == expected
