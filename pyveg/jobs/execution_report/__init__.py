"""The execution report: one HTML file that tells how a run was carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

from pyveg.core.layout import EXECUTION
from pyveg.core.ports import Store
from pyveg.jobs.execution_report.html import (
    Cell,
    Html,
    facts,
    keys,
    mebibytes,
    seconds,
    size,
    table,
    text,
)
from pyveg.jobs.execution_report.timeline import timeline
from pyveg.runs.execution import Execution, Row, Totals

__all__ = ["execution_html", "write_execution"]

MOST_ROWS = 15
"""Tasks in a table of the slowest or largest."""
MOST_REASONS = 50
MOST_NODES = 100
NAMED = 5
"""Tasks that are named of those that failed for one reason."""
_PARTS = ("start", "read", "compute", "write")
_SECTIONS = {
    "summary": "In short",
    "timeline": "Timeline",
    "failures": "Failures",
    "modules": "Modules",
    "slowest": "Slowest and largest",
    "machines": "Machines",
    "words": "What the words mean",
}


def write_execution(store: Store, execution: Execution) -> str:
    """Write the report into the run.

    Returns
    -------
    str
        Where it is.
    """
    store.write(EXECUTION, execution_html(execution).encode("utf-8", "replace"))
    return f"{store.url}/{EXECUTION}"


def execution_html(execution: Execution) -> str:
    """The report, with nothing beside it and no address that is loaded.

    Parameters
    ----------
    execution : Execution
        Of any run; its size does not grow with the number of Tasks beyond some thousand.

    Examples
    --------
    >>> "No task ran" in execution_html(Execution(url="runs/a"))
    True
    """
    parts = {
        "summary": _summary(execution),
        "timeline": timeline(execution),
        "failures": _failures(execution),
        "modules": _modules(execution),
        "slowest": _slowest(execution),
        "machines": _machines(execution),
        "words": _WORDS,
    }
    shown = {name: inner for name, inner in parts.items() if inner}
    links = "".join(f'<li><a href="#{name}">{_SECTIONS[name]}</a></li>' for name in shown)
    sections = "".join(
        f'<section class="{name}" aria-labelledby="{name}">\n'
        f'<h2 id="{name}">{_SECTIONS[name]}</h2>\n{inner}</section>\n'
        for name, inner in shown.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>How {text(execution.url)} was carried out</title>\n"
        f'<link rel="icon" href="data:,">\n<style>\n{_style()}</style>\n</head>\n<body>\n'
        '<a class="skip" href="#main">Skip to the contents</a>\n'
        f"<header>\n<h1>How the run was carried out</h1>\n<p><bdi>{text(execution.url)}</bdi></p>\n"
        f'</header>\n<nav aria-label="Contents"><ul>{links}</ul></nav>\n'
        f'<main id="main" tabindex="-1">\n{sections}</main>\n</body>\n</html>\n'
    )


@cache
def _style() -> str:
    return files("pyveg.jobs.execution_report").joinpath("style.css").read_text(encoding="utf-8")


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "not known"


def _summary(execution: Execution) -> str:
    total, counts = execution.total, execution.counts
    wall = max(0.0, execution.ended - execution.began)
    nodes = execution.by_node()
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items()) or "none"
    pairs = [
        ("Tasks", told),
        ("Begun", _moment(execution.began)),
        ("From begin to end", seconds(wall)),
        ("Time of all tasks", seconds(total.seconds)),
        ("Waited for a worker", seconds(total.queue_seconds)),
        *((f"Of that time: {name}", seconds(_part(total, name))) for name in _PARTS),
        ("CPU time", seconds(total.cpu_seconds)),
        ("Largest task", mebibytes(total.peak_memory_mb) or "not known"),
        ("Read from the store", size(total.read_bytes)),
        ("Written to the store", size(total.write_bytes)),
        ("Machines", f"{len(nodes):,}"),
        ("Begun again", f"{total.more_tries:,} times"),
    ]
    if execution.attempts > 1:
        pairs.append(("Attempts at the run", f"{execution.attempts:,}"))
    silent = sum(not row.measured for row in execution.ran)
    note = (
        f"<p>{silent:,} tasks could not say what they took, as their process died or they never "
        "began; only when their engine saw them begin and end counts.</p>\n"
        if silent
        else ""
    )
    return facts(pairs) + note


def _part(total: Totals, name: str) -> float:
    value: float = getattr(total, f"{name}_seconds")
    return value


def _failures(execution: Execution) -> str:
    groups = execution.failures()
    if not groups:
        return ""
    rows: list[Sequence[Cell]] = [
        (reason or "no reason was given", len(members), _named(members))
        for reason, members in groups[:MOST_REASONS]
    ]
    left = sum(len(members) for _, members in groups[MOST_REASONS:])
    more = f"<p>{left:,} more tasks failed for other reasons.</p>\n" if left else ""
    return table("Failed tasks by reason", ("Reason", "Tasks", "Which"), rows) + more


def _named(members: Sequence[Row]) -> str:
    names = ", ".join(row.task for row in members[:NAMED])
    left = len(members) - NAMED
    return f"{names} and {left:,} more" if left > 0 else names


_SUMS = ("Tasks", "Median", "Longest", "Sum", "Waited", "Start", "Read", "Compute", "Write",
         "CPU", "Largest", "Shares")  # fmt: skip


def _sums(rows: Sequence[Row]) -> list[Cell]:
    total = Totals.of(rows)
    median = sorted(row.usage.seconds for row in rows)[len(rows) // 2]
    return [
        total.tasks,
        *map(seconds, (median, total.longest, total.seconds, total.queue_seconds)),
        *(seconds(_part(total, name)) for name in _PARTS),
        seconds(total.cpu_seconds),
        mebibytes(total.peak_memory_mb),
        _shares([_part(total, name) for name in _PARTS]),
    ]


def _shares(values: Sequence[float]) -> Html:
    """A bar of the parts of a time."""
    whole = sum(values)
    if not whole:
        return Html("")
    rects, x = [], 0.0
    for number, value in enumerate(values):
        wide = 100 * value / whole
        rects.append(f'<rect class="c{number}" x="{x:.1f}" width="{wide:.1f}" height="10"/>')
        x += wide
    words = ", ".join(f"{n} {100 * v / whole:.0f} %" for n, v in zip(_PARTS, values, strict=True))
    return Html(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{words}"><title>{words}</title>{"".join(rects)}</svg>'
    )


def _modules(execution: Execution) -> str:
    groups = execution.by_module()
    if not groups:
        return ""
    rows = [(label, *_sums(members)) for label, members in groups.items()]
    rows.append(("all", *_sums(execution.ran)))
    return keys(_PARTS, "Colours of shares") + table("Modules", ("Module", *_SUMS), rows)


def _machines(execution: Execution) -> str:
    groups = execution.by_node()
    if not groups:
        return ""
    by_time = sorted(groups.items(), key=lambda pair: -sum(row.usage.seconds for row in pair[1]))
    rows = [
        (name or "not known", *_sums(members), sum(row.usage.tries - 1 for row in members))
        for name, members in by_time[:MOST_NODES]
    ]
    left = len(by_time) - len(rows)
    more = f"<p>{left:,} more machines are not shown.</p>\n" if left else ""
    return table("Machines", ("Machine", *_SUMS, "Begun again"), rows) + more


def _slowest(execution: Execution) -> str:
    ran = execution.ran
    orders: Iterable[tuple[str, Callable[[Row], float]]] = (
        ("Slowest tasks", lambda row: row.usage.seconds),
        ("Tasks that took most memory", lambda row: row.usage.peak_memory_mb or 0.0),
        ("Tasks that waited longest for a worker", lambda row: row.usage.queue_seconds),
    )
    tables = []
    for caption, value in orders:
        first = [row for row in sorted(ran, key=value, reverse=True)[:MOST_ROWS] if value(row)]
        if first:
            tables.append(table(caption, _TASK_COLUMNS, map(_task, first)))
    return "".join(tables)


_TASK_COLUMNS = ("Task", "State", "Machine", "Waited", "Start", "Read", "Compute", "Write", "All",
                 "CPU", "Memory", "Begun", "Shares")  # fmt: skip


def _task(row: Row) -> Sequence[Cell]:
    usage = row.usage
    parts = (usage.start_seconds, usage.read_seconds, usage.compute_seconds, usage.write_seconds)
    return (
        row.task,
        row.state,
        usage.node or "not known",
        *map(seconds, (usage.queue_seconds, *parts, usage.seconds)),
        "" if usage.cpu_seconds is None else seconds(usage.cpu_seconds),
        mebibytes(usage.peak_memory_mb),
        f"{usage.tries} times" if usage.tries > 1 else "once",
        _shares(parts),
    )


_WORDS = """<dl>
<dt>Waited</dt><dd>From when a task could have begun (its engine had it, and all before it was done) to when a machine took it up. Where machines differ in their clocks, so does this.</dd>
<dt>Start</dt><dd>From then until Python had begun, and at last until it had ended, where an engine starts it for each task; and environments of your programs.</dd>
<dt>Read, write</dt><dd>Data on their way from and to the store of the run, and from a source of imagery.</dd>
<dt>Compute</dt><dd>What is left: the work, also that of your programs.</dd>
<dt>CPU</dt><dd>Of the task's process and of its programs. Where several tasks share a process, of the task's thread.</dd>
<dt>Memory</dt><dd>The largest resident size of the task's process while it ran, or of one process of its program.</dd>
<dt>Begun again</dt><dd>Tries beyond the first of an engine elsewhere: after an error, or since a node was taken away. Times are those of the last try.</dd>
</dl>
"""  # noqa: E501
