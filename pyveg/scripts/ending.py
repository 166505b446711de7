"""What a command prints when a run has ended."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyveg.scripts.next_steps import in_lines, next_steps
from pyveg.scripts.progress import closing_table
from pyveg.scripts.shell import from_here

if TYPE_CHECKING:
    from pyveg.core.report import RunReport


def ending(report: RunReport, width: int | None) -> Iterator[str]:
    """How the run ended, and where its results are.

    Parameters
    ----------
    report : RunReport
    width : int, optional
        Columns of the terminal; None where nobody looks at one, and a line may be of any length.
    """
    yield closing_table(report, width)
    for line in report.failures():
        yield f"    failed: {line}" if not line.startswith("...") else f"    {line}"
    for what, where in (
        ("items", report.ledger),
        ("results", report.summary),
        ("picture", report.figure),
        ("execution", report.execution),
    ):
        if where:
            yield f"{what}: {where if width is None else from_here(where)}"
    for text in report.analyses:
        yield _analysis(text, report.reports, width)
    yield from report.used
    if report.limit:
        yield f"stopped: {report.limit}; nothing goes on, and what is done is kept"
    yield f"run: {report.url} ({report.seconds:.1f} s)"


def _analysis(text: str, reports: tuple[str, ...], width: int | None) -> str:
    """What an analysis says, as a paragraph; where its report is stands among the next steps."""
    if width is None:
        return f"analysis: {text}"
    for path in reports:
        text = text.removesuffix(path).rstrip()
    return "\n".join(
        textwrap.wrap(f"analysis: {text}", width, subsequent_indent="  ", break_long_words=False)
    )


def next_lines(report: RunReport, azure_config: str | None) -> list[str]:
    """What can be done now, below a heading; nothing where there is nothing."""
    steps = in_lines(next_steps(report, azure_config))
    return ["next:", *steps] if steps else []
