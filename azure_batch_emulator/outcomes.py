"""How a task ended, and what its exit conditions say about that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Document = dict[str, Any]
Phase = Literal["before", "command", "upload"]

KILLED = 137
"""Exit code of what was killed: 128 + SIGKILL. That of the service is not documented for Linux."""


@dataclass(frozen=True)
class Failure:
    """Why a task failed, in the service's words.

    Parameters
    ----------
    code : str
        ``FailureExitCode``, ``TaskEnded``, ``BlobNotFound`` ...
    message : str
        For people.
    category : str
        ``usererror`` or ``servererror``.
    phase : str
        Before the command, by the command, or when its files were uploaded.
    details : tuple of pairs
        Names and values.
    """

    code: str
    message: str
    category: str = "usererror"
    phase: Phase = "command"
    details: tuple[tuple[str, str], ...] = ()

    def document(self) -> Document:
        """As it stands in a reply."""
        return {
            "category": self.category,
            "code": self.code,
            "message": self.message,
            "details": [{"name": name, "value": value} for name, value in self.details],
        }


@dataclass(frozen=True)
class Outcome:
    """The end of one run of a command.

    Parameters
    ----------
    exit_code : int or None
        None where the command never ran.
    failure : Failure or None
        None is success.
    """

    exit_code: int | None = None
    failure: Failure | None = None

    @property
    def result(self) -> str:
        """``success`` or ``failure``."""
        return "failure" if self.failure else "success"

    def info(self) -> Document:
        """What the information on an execution says of its end."""
        info: Document = {"result": self.result}
        if self.exit_code is not None:
            info["exitCode"] = self.exit_code
        if self.failure is not None:
            info["failureInfo"] = self.failure.document()
        return info

    @property
    def may_be_retried(self) -> bool:
        """Only a non-zero exit code is tried again; trouble with files is not."""
        return self.failure is not None and self.failure.code == "FailureExitCode"


def of_exit_code(code: int) -> Outcome:
    """The outcome of a command by itself."""
    if code == 0:
        return Outcome(0)
    message = "The task exited with an exit code representing a failure"
    details = (("Message", f"The task exited with exit code {code}"),)
    return Outcome(code, Failure("FailureExitCode", message, details=details))


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
