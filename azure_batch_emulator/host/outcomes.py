"""How a command ended."""

from __future__ import annotations

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
