"""What became of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pyveg.core import html
from pyveg.core.secrets import redacted
from pyveg.core.tasks import State, Task, TaskGraph, TaskResult
from pyveg.core.texts import LONGEST_REPR, cut, shown

EXIT_FINE = 0
EXIT_FAILED = 1
EXIT_WRONG = 2
EXIT_LIMIT = 3
EXIT_INTERRUPTED = 130
DOUBTS = "doubts"
"""Name of the notes of a Task that say, in sentences, what may be wrong with its Item."""

SHOWN_NAMES = 3
"""Items that a line names of those that share a reason."""


@dataclass(frozen=True)
class ModuleRow:
    """One line of the closing table."""

    label: str
    """``<sequence>/<module>``."""
    counts: Mapping[State, int]
    reasons: tuple[str, ...]
    """The first reasons why Tasks were skipped or failed, or what is doubtful about those that were
    done, with the Items they are about."""


@dataclass(frozen=True, repr=False)
class RunReport:
    """How every Task of a run ended.

    Attributes
    ----------
    url : str
        Where the run is.
    results : mapping of str to TaskResult
        By id of the Task.
    seconds : float
        Wall-clock time.
    interrupted : bool
    warnings : tuple of str
        What the user should know about the config.
    summary, figure : str or None
        Where `results_summary.json` and the picture of the series are, if they were made.
    analyses : tuple of str
        What the analysis of each collection said, and where its report is.
    reports : tuple of str
        Where the report of each analysis is.
    analysis_failed : str
        Why there is no analysis though the config asks for one.
    ledger : str or None
        Where the table of all inputs is, for Modules that work on files.
    execution : str or None
        Where the page is that tells how the run was carried out.

    Examples
    --------
    >>> import pyveg
    >>> days = ["2016-01-01", "2016-02-01"]
    >>> job = pyveg.load_pipeline("demo", date_range=days, runner="serial", analysis=False)
    >>> report = pyveg.run_pipeline(job)
    >>> report.counts[pyveg.State.SUCCEEDED], report.exit_code
    (7, 0)
    """

    url: str
    graph: TaskGraph
    results: Mapping[str, TaskResult]
    seconds: float
    interrupted: bool = False
    warnings: tuple[str, ...] = ()
    summary: str | None = None
    figure: str | None = None
    analyses: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    analysis_failed: str = ""
    ledger: str | None = None
    used: tuple[str, ...] = ()
    limit: str = ""
    execution: str | None = None

    def __repr__(self) -> str:
        return cut(f"<RunReport of {redacted(self.url)}: {_counted(self.counts)}>", LONGEST_REPR)

    def _repr_html_(self) -> str:
        rows = [(row.label, _counted(row.counts), "; ".join(row.reasons)) for row in self.rows()]
        notes = [*self.warnings, *self.analyses, self.analysis_failed]
        ended = "interrupted" if self.interrupted else f"{self.seconds:.1f} s"
        title = f"Run {self.url}, {ended}"
        return html.table(title, ["module", "tasks", "why"], rows, filter(None, notes))

    @property
    def counts(self) -> Counter[State]:
        """How many Tasks ended in each state."""
        return Counter(result.state for result in self.results.values())

    @property
    def exit_code(self) -> int:
        """0 all fine, 1 some failed or blocked, 3 a limit has ended it, 130 interrupted."""
        if self.limit:
            return EXIT_LIMIT
        if self.interrupted:
            return EXIT_INTERRUPTED
        bad = self.counts[State.FAILED] + self.counts[State.BLOCKED]
        return EXIT_FAILED if bad or self.analysis_failed else EXIT_FINE

    def _inherited(self, task: Task) -> bool:
        """Whether a Task ended as it did only because one that it comes after did."""
        return any(not self.results[before].state.good for before in task.after)

    def failures(self, most: int = 20) -> list[str]:
        """A line for each reason by which Items failed, of Modules that tell of them by name.

        Parameters
        ----------
        most : int
            Reasons that are told; of the others only how many Items failed by them.
        """
        items: dict[str, list[str]] = {}
        for task in self.graph:
            result = self.results[task.id]
            if task.step.listed and result.state is State.FAILED:
                items.setdefault(shown(redacted(result.reason)), []).append(shown(task.item.name))
        lines = [f"{_some(names)}: {reason}" for reason, names in items.items()]
        left = sum(map(len, list(items.values())[most:]))
        return [*lines[:most], *([f"... and {left} more"] if left else [])]

    def rows(self, most_reasons: int = 2) -> list[ModuleRow]:
        """The closing table: one row per Module, in the order of the plan."""
        counts: dict[str, Counter[State]] = {step.label: Counter() for step in self.graph.steps}
        reasons: dict[str, dict[str, list[str]]] = {label: {} for label in counts}
        for task in self.graph:
            result = self.results[task.id]
            counts[task.step.label][result.state] += 1
            told_by_name = task.step.listed and result.state is State.FAILED
            lines = [f"doubtful: {doubt}" for doubt in result.notes.get(DOUBTS, ())]
            if result.reason and not told_by_name and not self._inherited(task):
                lines.insert(0, f"{result.state}: {result.reason}")
            for line in lines:
                reasons[task.step.label].setdefault(line, []).append(task.item.name)
        return [
            ModuleRow(label, counts[label], _first(reasons[label], most_reasons))
            for label in counts
        ]


def _counted(counts: Mapping[State, int]) -> str:
    """How many Tasks ended in each state, as text."""
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "no tasks"


def _some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    if len(names) <= SHOWN_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:SHOWN_NAMES])} and {len(names) - SHOWN_NAMES} more"


def _first(reasons: Mapping[str, list[str]], most: int) -> tuple[str, ...]:
    """The first reasons, each with the Items that share it."""
    lines = []
    for reason, items in list(reasons.items())[:most]:
        more = f" and {len(items) - 1} more" if len(items) > 1 else ""
        lines.append(f"{shown(items[0])}{more} {shown(redacted(reason))}")
    if len(reasons) > most:
        lines.append(f"... {len(reasons) - most} other reasons in the run's log")
    return tuple(lines)
