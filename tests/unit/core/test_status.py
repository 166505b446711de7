from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core import stop
from pyveg.core.layout import STOP_FILE
from pyveg.core.status import LARGEST, Failure, Phase, Row, Status
from pyveg.core.stop import StopRequest
from pyveg.storage.memory import MemoryStore

ANY_TEXT = st.text(st.characters())
COUNT = st.integers(0, 2**50)


def statuses() -> st.SearchStrategy[Status]:
    return st.builds(
        Status,
        url=ANY_TEXT,
        epoch=COUNT,
        host=ANY_TEXT,
        pid=COUNT,
        phase=st.sampled_from(Phase),
        since=st.floats(0, 1e10),
        at=st.floats(0, 1e10),
        tasks=COUNT,
        running=COUNT,
        counts=st.dictionaries(st.sampled_from(["succeeded", "failed", "skipped"]), COUNT),
        rows=st.lists(st.builds(Row, ANY_TEXT, COUNT, COUNT, COUNT), max_size=9).map(tuple),
        more_rows=COUNT,
        line=ANY_TEXT,
        failures=st.lists(st.builds(Failure, ANY_TEXT, ANY_TEXT), max_size=4).map(tuple),
        exit_code=st.none() | st.integers(0, 255),
        error=ANY_TEXT,
    )


@given(statuses())
def test_a_status_is_read_back(status: Status) -> None:
    data = {**status.to_json(), "new": "unknown here"}
    assert Status.from_json(data) == status
    assert len(status.to_bytes()) <= LARGEST


@pytest.mark.parametrize("monster", ["x" * 10**6, "\0" * 9999, "\udc80" * 9999, "雪" * 9999])
def test_it_stays_small_and_its_counts_exact(monster: str) -> None:
    rows = tuple(Row(f"{monster}{number}", 2**50, 2**50, number % 2) for number in range(200))
    counts = dict.fromkeys(
        ("succeeded", "cached", "skipped", "failed", "blocked", "cancelled"), 2**50
    )
    status = Status(
        url=monster,
        host=monster,
        tasks=2**52,
        counts=counts,
        rows=rows,
        line=monster,
        failures=(Failure(monster, monster),) * 3,
        error=monster,
    )
    data = status.to_bytes()
    assert len(data) <= LARGEST
    read = Status.from_json(json.loads(data))
    assert read.counts == counts
    assert len(read.rows) + read.more_rows == 200
    assert read.failures


def test_modules_that_say_something_go_first() -> None:
    rows = [Row(f"m{number}", 5, 5) for number in range(100)]
    rows[40] = Row("m40", 5, 5, failed=2)
    rows[70] = Row("m70", 3, 5)
    read = Status.from_json(json.loads(Status(rows=tuple(rows)).to_bytes()))
    labels = [row.label for row in read.rows]
    assert {"m40", "m70"} <= set(labels)
    assert labels == sorted(labels, key=lambda label: int(label[1:]))


@pytest.mark.parametrize("data", [None, [], {}, {"state": "running"}, 5])
def test_what_is_no_status_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="no status"):
        Status.from_json(data)


def test_a_request_to_stop_is_left_read_and_forgotten() -> None:
    store = MemoryStore()
    assert stop.read(store) is None
    stop.forget(store)
    asked = stop.ask(store, 4, "detach")
    assert (asked.epoch, asked.how) == (4, "detach")
    assert " on " in asked.by
    assert stop.read(store) == asked
    stop.forget(store)
    assert stop.read(store) is None


@pytest.mark.parametrize("data", [b"", b"\xff", b"[1]", b'{"epoch":1}', b"[" * 10**5])
def test_a_request_that_is_damaged_asks_nothing(data: bytes) -> None:
    store = MemoryStore()
    store.write(STOP_FILE, data)
    assert stop.read(store) is None


def test_a_request_of_a_later_version_is_read() -> None:
    request = StopRequest(1, "kim", 2.0, "cancel")
    assert StopRequest.from_json({**request.to_json(), "why": "tired"}) == request
    with pytest.raises(ValueError, match="explode"):
        StopRequest.from_json({**request.to_json(), "how": "explode"})
