"""How a run was carried out: what each Task took, of all its attempts, as its events tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pyveg.core.events import Event, RunStarted, TaskEnded, TaskStarted
from pyveg.core.ports import Store
from pyveg.core.records import Kind, Record, kept
from pyveg.core.secrets import redacted
from pyveg.core.tasks import State
from pyveg.core.usage import Usage
from pyveg.runs import telling

_LONGEST_REASON = 500
_RAN = (State.SUCCEEDED, State.SKIPPED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Row:
    """One Task, as it ended the last time that it was run."""

    task: str
    """Its id."""
    state: str
    usage: Usage
    """All its times are seconds since 1970; `seconds` is 0 where it never ran."""
    reason: str = ""
    measured: bool = True
    """Whether it could say itself what it took; else its times are those of the engine."""

    @property
    def label(self) -> str:
        """Its Module: ``<sequence>/<module>``."""
        return self.task.rpartition("/")[0]

    @property
    def ended(self) -> float:
        """When it ended, seconds since 1970."""
        return self.usage.began + self.usage.seconds


@dataclass(frozen=True)
class Totals:
    """Sums over some Tasks.

    Examples
    --------
    >>> usage = Usage(seconds=3.0, read_seconds=1.0, cpu_seconds=2.0, peak_memory_mb=80.0)
    >>> total = Totals.of([Row("a/B/1", "succeeded", usage), Row("a/B/2", "failed", usage)])
    >>> total.seconds, total.read_seconds, total.compute_seconds, total.peak_memory_mb
    (6.0, 2.0, 4.0, 80.0)
    """

    tasks: int = 0
    seconds: float = 0.0
    """Of all Tasks from when their machines took them up to their ends."""
    longest: float = 0.0
    """Seconds of the longest."""
    queue_seconds: float = 0.0
    start_seconds: float = 0.0
    read_seconds: float = 0.0
    compute_seconds: float = 0.0
    write_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    """The largest."""
    read_bytes: int = 0
    write_bytes: int = 0
    more_tries: int = 0
    """How often Tasks were begun again."""

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Totals:
        """Sums over those rows."""
        found = [row.usage for row in rows]
        return cls(
            tasks=len(found),
            seconds=sum(one.seconds for one in found),
            longest=max((one.seconds for one in found), default=0.0),
            queue_seconds=sum(one.queue_seconds for one in found),
            start_seconds=sum(one.start_seconds for one in found),
            read_seconds=sum(one.read_seconds for one in found),
            compute_seconds=sum(one.compute_seconds for one in found),
            write_seconds=sum(one.write_seconds for one in found),
            cpu_seconds=sum(one.cpu_seconds or 0.0 for one in found),
            peak_memory_mb=max((one.peak_memory_mb or 0.0 for one in found), default=0.0),
            read_bytes=sum(one.read_bytes for one in found),
            write_bytes=sum(one.write_bytes for one in found),
            more_tries=sum(one.tries - 1 for one in found),
        )


@dataclass
class Execution:
    """What became of the Tasks of a run, and what they took. An observer of a run keeps it up."""

    url: str = ""
    began: float = 0.0
    """When the first attempt began, seconds since 1970; 0 where nothing is known."""
    ended: float = 0.0
    """The last that is known, the same way."""
    attempts: int = 0
    rows: dict[str, Row] = field(default_factory=dict)
    """By id; Tasks of which nothing is known but their number are not here."""
    unmeasured: Counter[str] = field(default_factory=Counter)
    """State -> Tasks that are told of by their number alone, as they did not run."""
    _started: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Note an event of a run that goes on."""
        import time

        self.note(event, time.time())

    def note(self, event: Event, at: float) -> None:
        """Note an event that happened then, seconds since 1970."""
        match event:
            case TaskEnded(result=result):
                self._seen(at)
                if result.state is State.CACHED:
                    self.unmeasured[State.CACHED] += 1
                    return
                reason = kept(redacted(result.reason), _LONGEST_REASON)
                self._end(result.task_id, str(result.state), reason, result.usage, at)
            case TaskStarted(task=task):
                self._seen(at)
                self._started[task.id] = at
            case RunStarted(url=url):
                self._begin(redacted(url), at)

    def take(self, record: Record) -> None:
        """Note an event as it was kept."""
        match record.kind:
            case Kind.RUN:
                self._begin(record.text, record.at)
            case Kind.STARTED:
                self._started[record.task] = record.at
            case Kind.ENDED if record.state == State.CACHED:
                self.unmeasured[State.CACHED] += 1
            case Kind.ENDED:
                reason = kept(record.text, _LONGEST_REASON)
                self._end(record.task, record.state, reason, record.usage, record.at)
            case Kind.MANY:
                self.unmeasured[record.state] += sum(record.counts.values())
        if record.kind in (Kind.RUN, Kind.STARTED, Kind.ENDED, Kind.OVER):
            self._seen(record.at)

    def _begin(self, url: str, at: float) -> None:
        """An attempt begins; what the one before gave up is to be done in this one."""
        self.url, self.attempts = url, self.attempts + 1
        self.began = self.began or at
        self.unmeasured.clear()
        self._started.clear()

    def _seen(self, at: float) -> None:
        self.ended = max(self.ended, at)

    def _end(self, task: str, state: str, reason: str, usage: Usage | None, at: float) -> None:
        begun = self._started.pop(task, None)
        if usage is None and state == State.CANCELLED and begun is None:
            self.unmeasured[state] += 1  # it never ran
            return
        # Of what died there is no word: the engine saw it begin and end.
        seen = Usage() if begun is None else Usage(began=begun, seconds=max(0.0, at - begun))
        self.rows[task] = Row(task, state, usage or seen, reason, usage is not None)

    # What is asked of it

    @property
    def ran(self) -> list[Row]:
        """Tasks that ran, by the time when they began."""
        found = [row for row in self.rows.values() if row.usage.began and row.state in _RAN]
        return sorted(found, key=lambda row: (row.usage.began, row.task))

    @property
    def counts(self) -> Counter[str]:
        """State -> Tasks: those that ran in any attempt, and others in the last one."""
        found = Counter(row.state for row in self.rows.values())
        found.update(self.unmeasured)
        if found[State.CACHED]:  # what this attempt found done was run in an earlier one
            found[State.CACHED] = max(0, found[State.CACHED] - self._done_before)
        return +found

    @property
    def _done_before(self) -> int:
        return sum(row.state in (State.SUCCEEDED, State.SKIPPED) for row in self.rows.values())

    @property
    def total(self) -> Totals:
        """Over all Tasks that ran."""
        return Totals.of(self.ran)

    def by_module(self) -> dict[str, list[Row]]:
        """Label of a Module -> its Tasks that ran."""
        return _grouped((row.label, row) for row in self.ran)

    def by_node(self) -> dict[str, list[Row]]:
        """Machine -> the Tasks that it ran; "" for those that nobody knows the machine of."""
        return _grouped((row.usage.node, row) for row in self.ran)

    def failures(self) -> list[tuple[str, list[Row]]]:
        """Each reason of failures, the commonest first, with the Tasks that failed by it."""
        failed = [row for row in self.rows.values() if row.state == State.FAILED]
        groups = _grouped((row.reason, row) for row in failed)
        return sorted(groups.items(), key=lambda pair: -len(pair[1]))


def _grouped(pairs: Iterable[tuple[str, Row]]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for key, row in pairs:
        groups.setdefault(key, []).append(row)
    return groups


def execution_of(store: Store) -> Execution:
    """How a run was carried out, as far as it has told.

    Parameters
    ----------
    store : Store
        Of the run.
    """
    execution = Execution()
    for record in _records(store):
        execution.take(record)
    return execution


def _records(store: Store) -> Iterator[Record]:
    return (told.record for told in telling.events_of(store))
