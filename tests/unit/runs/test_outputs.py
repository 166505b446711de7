"""What a run leaves for people, by key."""

from __future__ import annotations

from typing import Any

from pyveg.runs import outputs
from pyveg.runs.run import Run, open_run
from pyveg.storage.memory import MemoryStore

SUMMARY = "gee_27.95_11.57_combine/results_summary.json"


def copied(small_run: Any) -> Run:
    """The small run in memory, so that something can be added."""
    before = open_run(small_run.folder)
    store = MemoryStore()
    for key in before.store.list():
        store.write(key, before.store.read(key))
    return open_run(store)


def test_results_are_listed_with_their_lengths_and_types(small_run: Any) -> None:
    run = copied(small_run)
    run.store.write("analysis/a/report.html", b"<p>")
    found = {one.key: one for one in outputs.outputs_of(run)}
    assert {one.name for one in found.values()} == {
        "results_summary.json", "series.csv", "series.png", "series_columns.csv", "report.html",
    }  # fmt: skip
    assert found[SUMMARY].length == len(run.store.read(SUMMARY))
    assert [found[key].type for key in (SUMMARY, "analysis/a/report.html")] == [
        "application/json", "text/html",
    ]  # fmt: skip
    assert len(outputs.outputs_of(run, most=2)) == 2


def test_the_table_of_inputs_is_a_result_of_jobs_without_a_place(small_run: Any) -> None:
    run = copied(small_run)
    run.store.write("items.csv", b"input\n")
    assert outputs.outputs_of(run)[0] == outputs.Output("items.csv", 6)


def test_files_are_paged_and_what_is_pyvegs_own_is_left_out(small_run: Any) -> None:
    run = copied(small_run)
    known = [key for key in run.store.list() if not key.startswith("_pyveg/")]
    assert len(known) > 40
    found: list[str] = []
    while page := outputs.files_of(run, after=found[-1] if found else "", most=7):
        assert len(page) <= 7
        found += page
    assert found == known


def test_the_last_pictures_are_given_in_order_of_time(small_run: Any) -> None:
    run = copied(small_run)
    pictures = outputs.pictures_of(run)
    assert [one.date for one in pictures] == sorted(f"{date:%Y-%m-%d}" for date in run.dates())
    assert all(run.store.read(one.key).startswith(b"\x89PNG") for one in pictures)
    assert outputs.pictures_of(run, most=2) == pictures[-2:]


def test_the_type_of_a_file_is_told_by_the_end_of_its_name() -> None:
    names = ("a/b.PNG", "b.tif", "c.svg", "d", "a.b/c", ".csv", "e.exe")
    assert [outputs.media_type(name) for name in names] == [
        "image/png", "image/tiff", "image/svg+xml", *[outputs.UNKNOWN_TYPE] * 2, "text/csv",
        outputs.UNKNOWN_TYPE,
    ]  # fmt: skip
    assert outputs.is_private("_pyveg/run.json")
    assert outputs.is_private(".locks/a")
    assert not outputs.is_private("_pyvegs/a")
