"""When Tasks ran, and where: a row for each machine, and how many were at work at once.

Drawn as SVG that stretches to the width of the page. However many Tasks there are, a picture stays
small: many are drawn as how busy their machine was.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from pyveg.core.tasks import State
from pyveg.jobs.execution_report.html import keys, seconds, text
from pyveg.runs.execution import Execution, Row

WIDTH = 1000
"""Units of a picture, from the first moment of the run to the last."""
MOST_BARS = 1_500
"""Tasks that are drawn one by one; of more it is drawn how busy each machine was."""
MOST_NODES = 40
"""Machines that have a row of their own."""
MOST_LANES = 24
"""Tasks of one machine at once that are drawn one by one."""
COLOURS = 8
_BAR = 10
_BINS = 250


def timeline(execution: Execution) -> str:
    """The pictures, and what to see in them."""
    rows = execution.ran
    if not rows:
        return "<p>No task ran.</p>\n"
    span = _Span(rows)
    groups = execution.by_node()
    most = sorted(groups, key=lambda node: -sum(row.usage.seconds for row in groups[node]))
    labels = list(execution.by_module())
    colours = {label: f"c{min(number, COLOURS - 1)}" for number, label in enumerate(labels)}
    single = len(rows) <= MOST_BARS and all(
        _lanes(group)[1] <= MOST_LANES for group in groups.values()
    )
    shown = most[:MOST_NODES]
    pictures = [_node(node, groups[node], span, colours, single=single) for node in shown]
    left = len(most) - len(shown)
    more = f"<p>{left} more machines ran less than these.</p>\n" if left else ""
    named = [*labels[: COLOURS - 1], *(["others"] if len(labels) >= COLOURS else [])]
    legend = keys(named if len(labels) > COLOURS else labels, "Colours of modules")
    how = (
        "Each bar is a task; those that failed have a frame."
        if single
        else "The height is how many tasks a machine had at once."
    )
    return (
        f"<h3>Tasks at once</h3>\n{_at_once(rows, span)}"
        f"<h3>Machines</h3>\n<p>{how}</p>\n{legend if single else ''}"
        f"{''.join(pictures)}{span.axis()}{more}"
    )


class _Span:
    """Moments -> units of a picture."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.first = min(min(row.usage.began, row.usage.queued or row.usage.began) for row in rows)
        self.last = max(row.ended for row in rows)
        self.length = max(self.last - self.first, 1e-3)

    def x(self, moment: float) -> float:
        return WIDTH * (moment - self.first) / self.length

    def axis(self) -> str:
        marks = "".join(f"<span>{seconds(self.length * k / 4)}</span>" for k in range(5))
        return f'<div class="axis" aria-hidden="true">{marks}</div>\n'


def _lanes(rows: Sequence[Row]) -> tuple[list[int], int]:
    """A lane for each Task so that none covers another, and how many lanes that takes."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    chosen, count = [], 0
    for row in rows:
        while busy and busy[0][0] <= row.usage.began + 0.002:  # clocks are told to the millisecond
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            heapq.heappush(free, count)
            count += 1
        lane = heapq.heappop(free)
        chosen.append(lane)
        heapq.heappush(busy, (row.ended, lane))
    return chosen, count


def _node(
    node: str, rows: Sequence[Row], span: _Span, colours: Mapping[str, str], *, single: bool
) -> str:
    busy = sum(row.usage.seconds for row in rows)
    name = text(node or "machine not known")
    about = f"{name}: {len(rows)} tasks, {seconds(busy)} in all"
    if single:
        lanes, count = _lanes(rows)
        height = _BAR * max(count, 1)
        inner = "".join(
            _bar(row, lane, span, colours[row.label]) for row, lane in zip(rows, lanes, strict=True)
        )
    else:
        levels = _levels([(row.usage.began, row.ended) for row in rows], span)
        height = 30
        inner = f'<path class="c0" d="{_area(levels, max(*levels, 1e-9), height)}"/>'
        most = _most([(row.usage.began, row.ended) for row in rows])
        about += f", {most} at once at most"
    return (
        f'<div class="lane"><p>{about}</p>'
        f'<svg viewBox="0 0 {WIDTH} {height}" height="{height}" preserveAspectRatio="none" '
        f'role="img" aria-label="{about}">{inner}</svg></div>\n'
    )


def _bar(row: Row, lane: int, span: _Span, colour: str) -> str:
    begin = span.x(row.usage.began)
    width = max(span.x(row.ended) - begin, 0.5)
    bad = " bad" if row.state == State.FAILED else ""
    title = text(f"{row.task}: {row.state}, {seconds(row.usage.seconds)}")
    return (
        f'<rect class="{colour}{bad}" x="{begin:.1f}" y="{lane * _BAR + 1}" width="{width:.1f}" '
        f'height="{_BAR - 2}"><title>{title}</title></rect>'
    )


def _at_once(rows: Sequence[Row], span: _Span) -> str:
    """How many Tasks ran, and how many waited for a machine."""
    runs = [(row.usage.began, row.ended) for row in rows]
    waits = [(row.usage.queued, row.usage.began) for row in rows if row.usage.queued]
    run, wait = _levels(runs, span), _levels(waits, span)
    top, waiting = max(run), max(wait)
    about = (
        f"{_most(runs)} tasks ran at once at most, {sum(run) / len(run):.1f} on average; "
        f"{_most(waits)} waited for a worker at most"
    )
    height = 80
    lines = [f'<path class="c0" d="{_area(run, max(top, 1e-9), height)}"/>']
    if waiting:
        lines.append(f'<path class="waits" d="{_line(wait, waiting, height)}"/>')
    return (
        f"<p>{about}.</p>\n{keys(('running', 'waiting, on a scale of its own'), 'Colours')}"
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" height="{height}" '
        f'preserveAspectRatio="none" role="img" aria-label="{about}">{"".join(lines)}</svg>\n'
        f"{span.axis()}"
    )


def _most(spans: Sequence[tuple[float, float]]) -> int:
    """How many spans cover one moment at most; one that ends as another begins does not."""
    edges = sorted(
        edge for begin, end in spans if end > begin for edge in ((begin + 0.002, 1), (end, -1))
    )
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def _levels(spans: Sequence[tuple[float, float]], span: _Span) -> list[float]:
    """Mean number of spans that cover each of `_BINS` equal parts of the time."""
    # Each edge adds to a running sum, so the work does not grow with the length of spans.
    slope = [0.0] * (_BINS + 2)
    level = [0.0] * (_BINS + 2)
    for begin, end in spans:
        for moment, sign in ((begin, 1.0), (max(begin, end), -1.0)):
            at = min(max((moment - span.first) / span.length, 0.0), 1.0) * _BINS
            whole = min(int(at), _BINS)
            slope[whole] += sign * (1 - (at - whole))
            level[whole + 1] += sign
    found, now = [], 0.0
    for number in range(_BINS):
        now += level[number]
        found.append(max(0.0, now + slope[number]))
    return found


def _points(levels: Sequence[float], top: float, height: int) -> list[str]:
    wide = WIDTH / len(levels)
    return [
        f"{number * wide:.0f} {height - (height - 2) * level / top:.1f}H{(number + 1) * wide:.0f}"
        for number, level in enumerate(levels)
    ]


def _area(levels: Sequence[float], top: float, height: int) -> str:
    return f"M0 {height}L{'L'.join(_points(levels, top, height))}V{height}Z"


def _line(levels: Sequence[float], top: float, height: int) -> str:
    return f"M{'L'.join(_points(levels, top, height))}"
