"""Runs as they may have been carried out, made up."""

from __future__ import annotations

from pyveg.core.records import Kind, Record
from pyveg.core.usage import Usage
from pyveg.runs.execution import Execution

BEGIN = 1_769_860_800.0


def ended_task(
    number: int, *, nodes: int = 3, state: str = "succeeded", reason: str = ""
) -> Record:
    """The event of the end of a Task that took 1.5 s; each node ends one in two seconds."""
    began = BEGIN + 2 * (number // nodes)
    usage = Usage(
        began=began,
        seconds=1.5,
        queued=began - 0.5,
        start_seconds=0.1,
        read_seconds=0.2,
        write_seconds=0.3,
        cpu_seconds=1.0,
        peak_memory_mb=100.0 + number,
        read_bytes=1000,
        write_bytes=500,
        node=f"node-{number % nodes}",
        tries=1 + (number % 50 == 7),
    )
    task = f"job/{'Read' if number % 2 else 'Work'}/{number:05}"
    return Record(Kind.ENDED, began + 1.6, task=task, state=state, text=reason, usage=usage)


def made_execution(count: int, nodes: int = 3) -> Execution:
    """How a run of so many Tasks was carried out, of which all succeeded."""
    execution = Execution()
    execution.take(Record(Kind.RUN, BEGIN, text="runs/a"))
    for number in range(count):
        execution.take(ended_task(number, nodes=nodes))
    return execution
