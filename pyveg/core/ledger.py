"""The ledger: how every input of a run ended, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from pyveg.core.secrets import redacted
from pyveg.core.tasks import Task, TaskGraph, TaskResult
from pyveg.core.texts import cell
from pyveg.core.usage import Usage

COLUMNS = (
    "item",
    "state",
    "reason",
    "exit_code",
    "seconds",
    "attempts",
    "cpu_seconds",
    "peak_memory_mb",
    "outputs",
    "input",
    "sequence",
)


def make_ledger(graph: TaskGraph, results: Mapping[str, TaskResult]) -> bytes | None:
    """A CSV table with a row for each Item of the Modules that tell of their Items by name.

    Parameters
    ----------
    graph : TaskGraph
    results : mapping of str to TaskResult
        By id of the Task.

    Returns
    -------
    bytes or None
        UTF-8 text without escapes, secrets, or anything that a spreadsheet would take for a
        formula (such texts begin with an apostrophe); None where there is no such Module.
        ``exit_code``, ``seconds`` (of the last try), ``attempts`` and ``outputs`` (keys below the
        Item's folder, with ";" between them) are empty where no program was run. ``cpu_seconds``
        is that of the Task and its programs in all tries, and ``peak_memory_mb`` (MiB) that of the
        largest process of it; both are empty where the Task did not run.
    """
    rows = [_row(task, results[task.id]) for task in graph if task.step.listed]
    if not rows:
        return None
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(text: str) -> str:
    return cell(redacted(text))


def _row(task: Task, result: TaskResult) -> dict[str, Any]:
    notes, usage = result.notes, result.usage or Usage()
    return {
        "item": _cell(task.item.name),
        "state": str(result.state),
        "reason": _cell(result.reason),
        "exit_code": notes.get("exit_code", ""),
        "seconds": notes.get("seconds", ""),
        "attempts": notes.get("attempts", ""),
        "cpu_seconds": "" if usage.cpu_seconds is None else usage.cpu_seconds,
        "peak_memory_mb": "" if usage.peak_memory_mb is None else usage.peak_memory_mb,
        "outputs": _cell(";".join(notes.get("outputs", ()))),
        "input": _cell(task.item.details.get("input", "")),
        "sequence": _cell(task.step.scope.sequence),
    }
