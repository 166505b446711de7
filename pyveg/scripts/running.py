"""What the commands that run something share: the plan, the run, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import click

from pyveg.scripts.edge import say, whether_heard_or_not
from pyveg.scripts.shell import command_line, larger_limit

if TYPE_CHECKING:
    from pyveg.core.events import Event
    from pyveg.core.report import RunReport
    from pyveg.jobs.run import OnInterrupt, PreparedRun


class Progress(Protocol):
    """What shows how far a run is."""

    def __call__(self, event: Event) -> None:
        """Something has happened."""
        ...

    def close(self) -> None:
        """Show nothing more."""
        ...


def on_interrupt_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--on_interrupt``."""
    return click.option(
        "--on_interrupt",
        type=click.Choice(["cancel", "detach"]),
        default="cancel",
        show_default=True,
        help="What Ctrl-C does to tasks at a service elsewhere: end them, or let them go on.",
    )(command)


def warn(prepared: PreparedRun) -> None:
    """Print what the user should know before it begins."""
    for warning in prepared.plan.warnings:
        say(f"warning: {warning}", err=True)


def print_plan(prepared: PreparedRun, *, measure: bool = False) -> None:
    """Print what would be done, and what it will use as far as that is known."""
    from pyveg.jobs.estimates import estimate
    from pyveg.scripts.tables import aligned, columns

    table = prepared.plan.states(prepared.resumed)
    modes = {step.label: step.run_mode for step in prepared.plan.graph.steps}
    rows = [["module", "run mode", "tasks", "to do", "cached", "skipped"]]
    for label, counts in table.items():
        numbers = [counts[name] for name in ("to do", "cached", "skipped")]
        rows.append([label, modes[label], str(counts.total()), *map(str, numbers)])
    pipeline = prepared.pipeline
    where = f"{pipeline.output_location}_<date_stamp> ({pipeline.output_location_type})"
    say(f"plan of {pipeline.name}")
    say(f"output: {prepared.resumed.url if prepared.resumed else where}")
    say(aligned(rows, width=columns()))
    for line in estimate(prepared, measure=measure, tell=say).lines():
        say(line)
    measured = " but in a temporary folder" if measure else ""
    say(f"{len(prepared.plan.graph)} tasks; nothing was run or written{measured}")


def run_and_tell(
    prepared: PreparedRun,
    on_interrupt: OnInterrupt,
    command: str,
    *,
    azure_config: str | None = None,
    debug: bool,
    progress: Progress | None = None,
    more: Callable[[RunReport], Iterable[str]] = lambda _: (),
) -> int:
    """Run it, and print how it ended.

    Parameters
    ----------
    prepared : PreparedRun
    on_interrupt : {"cancel", "detach"}
    command : str
        The subcommand that finishes such a run.
    azure_config : str, optional
        The file of accounts that the command was given.
    debug : bool
        Whether to print tracebacks.
    progress : observer, optional
        What shows how far it is; what suits the terminal where left out.
    more : callable
        Gives lines to print behind the table of Modules.

    Returns
    -------
    int
        The exit code.
    """
    from pyveg.jobs.run import start
    from pyveg.scripts.ending import next_lines
    from pyveg.scripts.progress import suited_progress

    progress = progress or suited_progress()
    try:
        report = start(prepared, [progress], on_interrupt)
    finally:
        with whether_heard_or_not():
            progress.close()
    with whether_heard_or_not():
        _tell(report, debug=debug)
        for line in more(report):
            say(line)
        if report.exit_code:
            accounts = () if azure_config is None else ("--azure_config", azure_config)
            larger = larger_limit(report.limit)
            line = command_line(command, "--from_cache", report.url, *accounts, *larger)
            say(f"finish it with: {line}", err=True)
        for line in next_lines(report, azure_config):
            say(line)
    return report.exit_code


def _tell(report: RunReport, *, debug: bool) -> None:
    from pyveg.scripts.ending import ending
    from pyveg.scripts.tables import columns

    for line in ending(report, columns()):
        say(line)
    if debug:
        for result in report.results.values():
            if result.details:
                say(result.details, err=True)
    if report.analysis_failed:
        say(f"there is no analysis: {report.analysis_failed}", err=True)
