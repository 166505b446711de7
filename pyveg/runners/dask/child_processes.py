"""Tasks in a process of their own below a worker, which can be ended without harm to others.

Dask runs its tasks in threads. Where a Task has a time limit, or was in hand when a worker died,
it runs in a child of the worker instead: that child alone is ended, and it is known which Task did
it. A child stays for the next Task, and leaves by itself when there is none.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from typing import IO, Any

from pyveg.core import memory
from pyveg.core.execute import run_task
from pyveg.core.tasks import Task, TaskResult
from pyveg.runners import reasons
from pyveg.runners.dask.opening import Opening, open_store

IDLE = 30.0
"""How long a child waits for its next Task, seconds."""

_idle: dict[str, list[_Child]] = {}
"""Token of a run -> children that wait."""
_guard = threading.Lock()


class _ChildGoneError(Exception):
    """A child that was gone before it began."""


class _Child:
    """The worker's end of a process that runs Tasks."""

    def __init__(self, opening: Opening) -> None:
        # The paths of this process, so that it finds the same packages wherever they are.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            "from pyveg.runners.dask.child_processes import serve; serve()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is not for it
        )
        self._send(opening)  # by the pipe: secrets stand on no command line, and in no log

    def run(self, task: Task) -> TaskResult:
        """Run a Task to its end, or to the end of the process.

        Raises
        ------
        _ChildGoneError
            If it was gone before it began.
        """
        self._send(task)
        if self._receive() is None:
            raise _ChildGoneError
        late = threading.Event()
        timer = self._timer(task, late)
        try:
            result: TaskResult | None = self._receive()
        finally:
            timer.cancel()
        if result is not None:
            return result
        self.end()
        return reasons.overdue(task) if late.is_set() else reasons.process_died(task)

    def _timer(self, task: Task, late: threading.Event) -> threading.Timer:
        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer((task.step.timeout or 0) * 60, end)
        timer.daemon = True
        if task.step.timeout is not None:
            timer.start()
        return timer

    def _send(self, message: Any) -> None:
        try:
            pickle.dump(message, _pipe(self._process.stdin))
            _pipe(self._process.stdin).flush()
        except OSError as error:
            self.end()
            raise _ChildGoneError from error

    def _receive(self) -> Any:
        """The next answer; None where the process has ended."""
        try:
            return pickle.load(_pipe(self._process.stdout))
        except (EOFError, OSError, pickle.UnpicklingError):  # also half an answer
            return None

    @property
    def alive(self) -> bool:
        """Whether it can take another Task."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the process and free what it held."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:  # what was not sent cannot be sent any more
                continue


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TypeError("the process was started without pipes")
    return pipe


def run(task: Task, opening: Opening) -> TaskResult:
    """Run a Task in a child of this process.

    Parameters
    ----------
    task : Task
    opening : Opening
    """
    while True:
        waiting = _take(opening.token)
        child = waiting or _Child(opening)
        try:
            result = child.run(task)
        except _ChildGoneError:
            child.end()
            if waiting is None:  # a new one that cannot even begin
                return reasons.process_died(task)
            continue
        if child.alive:
            with _guard:
                _idle.setdefault(opening.token, []).append(child)
        return result


def _take(token: str) -> _Child | None:
    """A child of that run that waits; those of others that have left are forgotten."""
    with _guard:
        for key, children in list(_idle.items()):
            for child in [child for child in children if not child.alive]:
                children.remove(child)
                child.end()
            if not children:
                del _idle[key]
        return _idle[token].pop() if token in _idle else None


def end_idle() -> None:
    """End the children that wait."""
    with _guard:
        for children in _idle.values():
            for child in children:
                child.end()
        _idle.clear()


# In the child


def serve() -> None:
    """Run Tasks that come by standard input, until none comes or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between answers
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(inbox,), daemon=True).start()
    store = open_store(inbox.get())
    memory.keep_limits()
    while True:
        try:
            task = inbox.get(timeout=IDLE)
        except queue.Empty:
            return
        _answer(answers, "begun")
        _answer(answers, run_task(task, store))


def _listen(inbox: queue.SimpleQueue[Any]) -> None:
    """Take messages; the end of them is the end of the parent, and of whatever runs here."""
    try:
        while True:
            inbox.put(pickle.load(sys.stdin.buffer))
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(1)


def _answer(answers: IO[bytes], message: Any) -> None:
    pickle.dump(message, answers)
    answers.flush()
