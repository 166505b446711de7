"""What to do when a run has ended, as commands that can be copied into a shell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyveg.core.layout import failed_task_key
from pyveg.core.tasks import State
from pyveg.scripts.shell import command_line, from_here, quoted

if TYPE_CHECKING:
    from pyveg.core.report import RunReport

_CONTAINER = "azure://"


def next_steps(report: RunReport, azure_config: str | None = None) -> list[tuple[str, str]]:
    """What can be done with a run, and the command or the file for it.

    Parameters
    ----------
    report : RunReport
    azure_config : str, optional
        The file of accounts that the run was told of, which the next commands need too.
    """
    accounts = () if azure_config is None else ("--azure_config", azure_config)
    return [*_results(report, accounts), *_failures(report, accounts)]


def _results(report: RunReport, accounts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for path in report.reports:
        yield "report", quoted(from_here(path))
    if report.summary and not report.reports:
        yield "analyse", command_line("analyse", from_here(report.url), *accounts)
    if report.url.startswith(_CONTAINER):
        name = report.url.removeprefix(_CONTAINER)
        where = ("--container", name, "--output_dir", name, "--all")
        yield "download", command_line("azure-download", *where, *accounts)


def _failures(report: RunReport, accounts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """How to see why the first Task failed, and how to do it again by itself."""
    bad = (id_ for id_, result in report.results.items() if result.state is State.FAILED)
    failed = next(bad, None)
    if failed is None:
        return
    where = from_here(report.url)
    yield "why one failed", command_line("logs", where, "--task", failed, *accounts)
    if "://" not in report.url:
        file = f"{where}/{failed_task_key(failed)}"
        yield "it once more", command_line("run-module", file)


def in_lines(steps: list[tuple[str, str]]) -> list[str]:
    """The steps as they are printed."""
    width = max((len(what) for what, _ in steps), default=0)
    return [f"  {what + ':':{width + 1}}  {command}" for what, command in steps]
