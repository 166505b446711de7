"""What happens during a run, told to whoever watches: progress bars, the log, tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyveg.core.tasks import Task, TaskGraph, TaskResult


@dataclass(frozen=True)
class RunStarted:
    """The plan is made and the run's folder is locked.

    Examples
    --------
    >>> from pyveg.core.tasks import TaskGraph
    >>> len(RunStarted(TaskGraph([]), "runs/demo").graph)
    0
    """

    graph: TaskGraph
    url: str


@dataclass(frozen=True)
class TaskStarted:
    """An engine has taken up a Task.

    Examples
    --------
    What began, of a run that is going on:

    >>> begun = []
    >>> def watch(event):
    ...     if isinstance(event, TaskStarted):
    ...         begun.append(event.task.id)
    """

    task: Task


@dataclass(frozen=True)
class TaskEnded:
    """A Task has reached the state that it ends in.

    Examples
    --------
    An observer that collects what has failed:

    >>> from pyveg.core.tasks import State
    >>> failed = []
    >>> def watch(event):
    ...     if isinstance(event, TaskEnded) and event.result.state is State.FAILED:
    ...         failed.append((event.task.id, event.result.reason))
    """

    task: Task
    result: TaskResult


@dataclass(frozen=True)
class EngineStatus:
    """How an engine is that works elsewhere.

    Examples
    --------
    >>> EngineStatus("nodes: 2 starting, 3 running").urgent
    False
    """

    text: str
    """One line, such as ``nodes: 2 starting, 3 running``."""
    urgent: bool = False
    """Whether somebody should do something about it."""


@dataclass(frozen=True)
class RunEnded:
    """No Task is left.

    Examples
    --------
    >>> RunEnded(interrupted=False)
    RunEnded(interrupted=False)
    """

    interrupted: bool


@dataclass(frozen=True)
class ClosingStep:
    """Something that is done with the results when no Task is left, as their analysis is.

    Examples
    --------
    >>> ClosingStep("analysis: figures").text
    'analysis: figures'
    """

    text: str


Event = RunStarted | TaskStarted | TaskEnded | EngineStatus | RunEnded | ClosingStep
Observer = Callable[[Event], None]
