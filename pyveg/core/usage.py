"""What a Task takes: when it began and where, how long each part was, CPU time and memory.

`pyveg.core.execute.run_task` measures by a `Meter`. What it calls can say by `part` what it is
busy with, and by `add_program` what a program took that it has run.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from pyveg.core.clock import is_time

Part = Literal["start", "read", "write"]
"""What a Task does besides computing: it sets something up, or moves data in or out."""


@dataclass(frozen=True)
class Usage:
    """What one Task took, retries of its program included.

    Examples
    --------
    >>> usage = Usage(began=1769860800.0, seconds=9.0, read_seconds=2.0, write_seconds=1.0)
    >>> usage.compute_seconds, Usage.from_json(usage.to_json()) == usage
    (6.0, True)
    """

    began: float = 0.0
    """When its machine took it up, seconds since 1970 (UTC) by the clock of that machine."""
    seconds: float = 0.0
    """From then to its end."""
    queued: float = 0.0
    """When it could have begun: it was with its engine and waited for no other Task, seconds since
    1970 by the clock of the process that started the run; 0 where nobody knows."""
    start_seconds: float = 0.0
    """Of `seconds`, until Python was there, and environments of programs were made."""
    read_seconds: float = 0.0
    """Of `seconds`, those in which data came in, from the Store or a Source."""
    write_seconds: float = 0.0
    """Of `seconds`, those in which results went out."""
    cpu_seconds: float | None = None
    """CPU time of its process, or of its thread where others ran beside it, and of its programs;
    None where the system does not tell."""
    peak_memory_mb: float | None = None
    """Largest resident size, MiB, of its process while it ran or of one of its programs' processes;
    None where the system does not tell."""
    read_bytes: int = 0
    """From the Store."""
    write_bytes: int = 0
    """To the Store."""
    node: str = ""
    """The machine: its host name, or the id of a node."""
    tries: int = 1
    """How often it was begun, also on nodes that were taken away."""

    @property
    def compute_seconds(self) -> float:
        """What is left of `seconds`."""
        other = self.start_seconds + self.read_seconds + self.write_seconds
        return max(0.0, self.seconds - other)

    @property
    def queue_seconds(self) -> float:
        """How long it waited for a worker, as far as two clocks agree."""
        return max(0.0, self.began - self.queued) if self.queued else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        return {name: getattr(self, name) for name in _NAMES}

    @classmethod
    def from_json(cls, data: Any) -> Usage | None:
        """Read what `to_json` wrote, without names that are not known; None for anything else.

        Examples
        --------
        >>> Usage.from_json({"began": "noon"}) is Usage.from_json(None) is None
        True
        """
        if not isinstance(data, Mapping):
            return None
        given = {name: data[name] for name in _NAMES if name in data}
        numbers = {name: value for name, value in given.items() if name != "node"}
        fine = isinstance(given.get("node", ""), str) and all(
            (value is None and name in _UNKNOWN)
            or (isinstance(value, int | float) and is_time(value))
            for name, value in numbers.items()
        )
        return cls(**given) if fine else None


_NAMES = tuple(one.name for one in fields(Usage))
_UNKNOWN = ("cpu_seconds", "peak_memory_mb")


@dataclass
class _Span:
    """Time in which at least one thread was at something."""

    seconds: float = 0.0
    busy: int = 0
    since: float = 0.0


@dataclass(eq=False)
class Meter:
    """Measures one Task from the moment it is made."""

    alone: bool = True
    """Whether no other Task has run in this process meanwhile."""
    read_bytes: int = 0
    write_bytes: int = 0
    _spans: dict[str, _Span] = field(
        default_factory=lambda: {name: _Span() for name in ("start", "read", "write")}
    )
    _program_cpu: float = 0.0
    _program_peak: float = 0.0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        with _active_guard:
            for other in _active:
                other.alone = self.alone = False
            _active.add(self)
        if self.alone:
            _forget_peak()
        self._at, self._begin = time.time(), time.perf_counter()
        self._process, self._thread = time.process_time(), time.thread_time()

    @contextmanager
    def current(self) -> Iterator[None]:
        """Let `part` and `add_program` of this thread speak to it; it is done when that ends."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            with _active_guard:
                _active.discard(self)

    @contextmanager
    def part(self, name: Part) -> Iterator[None]:
        """Count the time of what is done in it; any number of threads may, at once."""
        span = self._spans[name]
        with self._guard:
            if not span.busy:
                span.since = time.perf_counter()
            span.busy += 1
        try:
            yield
        finally:
            with self._guard:
                span.busy -= 1
                if not span.busy:
                    span.seconds += time.perf_counter() - span.since

    def moved(self, *, read: int = 0, written: int = 0) -> None:
        """Count bytes."""
        with self._guard:
            self.read_bytes += read
            self.write_bytes += written

    def add_program(self, cpu_seconds: float, peak_memory_mb: float) -> None:
        """Count what a program took that has ended."""
        with self._guard:
            self._program_cpu += cpu_seconds
            self._program_peak = max(self._program_peak, peak_memory_mb)

    def usage(self) -> Usage:
        """What it took so far."""
        if self.alone:
            cpu = time.process_time() - self._process
        else:
            cpu = time.thread_time() - self._thread
        peak = peak_memory_mb()
        return Usage(
            began=round(self._at, 3),
            seconds=round(time.perf_counter() - self._begin, 6),
            start_seconds=round(self._spans["start"].seconds, 6),
            read_seconds=round(self._spans["read"].seconds, 6),
            write_seconds=round(self._spans["write"].seconds, 6),
            cpu_seconds=round(cpu + self._program_cpu, 3),
            peak_memory_mb=None if peak is None else max(peak, round(self._program_peak, 1)),
            read_bytes=self.read_bytes,
            write_bytes=self.write_bytes,
            node=platform.node(),
        )


_active: set[Meter] = set()
"""Of the Tasks that run in this process."""
_active_guard = threading.Lock()
_current: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def part(name: Part) -> Iterator[None]:
    """Count time as that part of the Task that this thread runs; outside of one, nothing happens.

    Parameters
    ----------
    name : {"start", "read", "write"}

    Examples
    --------
    >>> with part("read"):
    ...     data = b"what a service sends"
    """
    meter = _current.get()
    if meter is None:
        yield
        return
    with meter.part(name):
        yield


def add_program(cpu_seconds: float, peak_memory_mb: float) -> None:
    """Count what a program took that this thread's Task has run.

    Parameters
    ----------
    cpu_seconds : float
        Of all its processes.
    peak_memory_mb : float
        Of the largest of them, MiB.
    """
    meter = _current.get()
    if meter is not None:
        meter.add_program(cpu_seconds, peak_memory_mb)


def peak_memory_mb() -> float | None:
    """Largest resident size that this process had, MiB; None where the system does not tell.

    On Linux since the last Task that had the process to itself began.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return round(peak / 2**20, 1)


def _forget_peak() -> None:
    """Have the system count the largest size anew; proc(5), ``clear_refs``."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError):
        file = os.open("/proc/self/clear_refs", os.O_WRONLY)
        try:
            os.write(file, b"5")
        finally:
            os.close(file)
