"""What the exit conditions of a task make of its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from azure_batch_emulator.host.outcomes import Outcome

Document = dict[str, Any]


@dataclass(frozen=True)
class Actions:
    """What the end of a task does to others.

    Parameters
    ----------
    satisfies : bool
        Whether tasks that depend on it may run.
    job : str
        ``none``, ``disable`` or ``terminate``; heeded where the job says so.
    """

    satisfies: bool
    job: str


def actions(conditions: Document, outcome: Outcome) -> Actions:
    """What a task's exit conditions make of its outcome."""
    fine = outcome.failure is None
    options = next(_matching(conditions, outcome), {})
    dependency = options.get("dependencyAction") or ("satisfy" if fine else "block")
    job = options.get("jobAction") or ("none" if fine else "terminate")
    return Actions(dependency.lower() == "satisfy", job.lower())


def _matching(conditions: Document, outcome: Outcome) -> Iterator[Document]:
    """Exit options that apply, the strongest first."""
    code = outcome.exit_code
    if code is not None:
        for rule in conditions.get("exitCodes") or ():
            if rule["code"] == code:
                yield rule["exitOptions"]
        for rule in conditions.get("exitCodeRanges") or ():
            if rule["start"] <= code <= rule["end"]:
                yield rule["exitOptions"]
    if outcome.failure is None:
        return
    special = {"before": "preProcessingError", "upload": "fileUploadError", "command": ""}
    yield from filter(None, [conditions.get(special[outcome.failure.phase])])
    if code != 0:
        yield from filter(None, [conditions.get("default")])
