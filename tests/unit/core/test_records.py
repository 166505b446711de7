from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.events import (
    ClosingStep,
    EngineStatus,
    RunEnded,
    RunStarted,
    TaskEnded,
    TaskStarted,
)
from pyveg.core.records import Kind, Record, plain_bytes, record_of
from pyveg.core.runlog import Drawing
from pyveg.core.segments import Writer, decoded, encoded, segment_keys
from pyveg.core.tasks import State, TaskResult
from pyveg.core.texts import cut
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline

ANY_TEXT = st.text(st.characters())  # lone surrogates included
MILLISECONDS = st.integers(0, 2**42).map(lambda number: number / 1000)


def records() -> st.SearchStrategy[Record]:
    return st.builds(
        Record,
        kind=st.sampled_from(Kind),
        at=MILLISECONDS,
        task=ANY_TEXT,
        state=st.sampled_from([*map(str, State), ""]),
        seconds=st.floats(0, 1e9),
        text=ANY_TEXT,
        details=ANY_TEXT,
        counts=st.dictionaries(ANY_TEXT, st.integers(0, 2**40), max_size=4),
        flag=st.booleans(),
    )


@given(records())
def test_a_record_is_read_back(record: Record) -> None:
    line = record.to_line()
    assert line == plain_bytes(record.to_json())
    assert b"\n" not in line
    assert Record.from_json(json.loads(line.decode())) == record


@given(st.lists(records(), max_size=5), st.integers(-720, 840))
def test_a_segment_is_read_back(given_records: list[Record], offset: int) -> None:
    writer = Writer(3, 1769860800.125, "häuschen", 77, offset)
    data = encoded(writer, [plain_bytes(record.to_json()) for record in given_records])
    segment = decoded(writer.key(12), data)
    assert segment.writer == writer
    assert list(segment.records) == given_records
    assert segment.next_key == writer.key(13)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange_for_a_reader(data: bytes) -> None:
    segment = decoded("_pyveg/events/00002-abcd/000001.jsonl", data)
    assert segment.writer.epoch == 2


def test_what_is_damaged_or_newer_is_passed_over() -> None:
    writer = Writer(1, 5.0)
    good = Record(Kind.NOTE, 6.0, text="good")
    lines = [b"{", b'{"e":"new kind","t":1}', b"[]", plain_bytes({**good.to_json(), "zz": 1})]
    assert decoded(writer.key(1), encoded(writer, lines)).records == (good,)
    with pytest.raises(ValueError, match="another type"):
        Record.from_json({"e": "note", "t": 1, "m": 5})


@pytest.mark.parametrize(
    "line",
    [
        {"e": "note", "t": 1e300},
        {"e": "note", "t": float("nan")},
        {"e": "note", "t": 10**400},
        {"e": "end", "t": 1, "d": float("inf")},
        {"e": "run", "t": 1, "n": {"a": "many"}},
    ],
)
def test_what_is_no_number_or_time_is_passed_over(line: dict[str, Any]) -> None:
    """Whoever reads it would fall over it, or write what is no JSON."""
    writer = Writer(1, 5.0)
    assert decoded(writer.key(1), encoded(writer, [json.dumps(line).encode()])).records == ()


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300, 10**30, "x", None])
@pytest.mark.parametrize("name", ["start", "pid", "z"])
def test_a_first_line_with_odd_numbers(name: str, value: Any) -> None:
    header = {**Writer(1, 5.0, offset=60).header(), name: value}
    record = Record(Kind.NOTE, 6.0, text="good").to_line()
    segment = decoded(Writer(1, 5.0).key(1), json.dumps(header).encode() + b"\n" + record)
    assert list(Drawing().lines(segment))[-1].endswith(" good")


def test_every_event_becomes_a_record() -> None:
    graph = fake_pipeline().plan().graph
    task = next(iter(graph))
    result = TaskResult(task.id, State.FAILED, "bad", 1.23456, "Traceback", shared=True)
    table: list[tuple[Any, Record]] = [
        (
            RunStarted(graph, "runs/a"),
            Record(
                Kind.RUN,
                9.0,
                text="runs/a",
                counts={"A/Start": 3, "A/Follow": 3, "B/Start": 2, "combine/Gather": 1},
            ),
        ),
        (TaskStarted(task), Record(Kind.STARTED, 9.0, task=task.id)),
        (
            TaskEnded(task, result),
            Record(Kind.ENDED, 9.0, task.id, "failed", 1.235, "bad", "Traceback", flag=True),
        ),
        (EngineStatus("nodes", urgent=True), Record(Kind.ENGINE, 9.0, text="nodes", flag=True)),
        (ClosingStep("analysis"), Record(Kind.STEP, 9.0, text="analysis")),
        (RunEnded(interrupted=True), Record(Kind.OVER, 9.0, flag=True)),
    ]
    for event, record in table:
        assert record_of(event, 9.0001) == record


@given(ANY_TEXT, st.integers(8, 50))
def test_a_cut_text_counts_what_is_left_out(text: str, most: int) -> None:
    short = cut(text, most)
    assert len(short) <= most + 45
    if len(text) <= most:
        assert short == text
    else:
        assert f"{len(text) - most} characters left out" in short


def test_only_segments_are_taken_for_such() -> None:
    store = MemoryStore()
    keys = [Writer(epoch, 0.0, token="a").key(number) for epoch in (1, 2, 10) for number in (1, 2)]
    for key in [*keys, "_pyveg/events/notes.txt", "_pyveg/events/00001-a/readme.jsonl"]:
        store.write(key, b"")
    assert segment_keys(store) == keys
    assert segment_keys(store, 2) == keys[2:4]
