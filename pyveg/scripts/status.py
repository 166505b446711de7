"""`pyveg_status`: how runs are, from any machine that reaches them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import (
    CONTEXT,
    azure_config_option,
    debug_option,
    plain_errors,
    version_option,
    whether_heard_or_not,
)
from pyveg.scripts.given import files_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyveg.core.ports import EngineView
    from pyveg.runs.run import Run
    from pyveg.runs.watch import RunStatus

_TASKS_SHOWN = 3
"""Tasks of a node that are named."""


@click.command(context_settings=CONTEXT)
@click.argument("where", nargs=-1, metavar="[RUN|LOCATION]...", shell_complete=files_for)
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
@azure_config_option
@debug_option
@version_option
def main(
    where: tuple[str, ...],
    as_json: bool,
    azure_config: str | None,
    debug: bool,
) -> None:
    """Show how runs are: how far, what failed and why, whether their process lives.

    RUN is a folder, a URL or a container of a run. LOCATION is where runs are: a folder that holds
    some, what their names begin with (the output_location of their config), a URL, or azure:// for
    all containers of the account. Without any, the runs in the working directory are listed.

    A single RUN is shown in full (--json: one object), anything else as a table (--json: a list).

    Nothing is changed by looking, and no process is asked: only what the runs have written is read.

    Exit code 0, however the runs are; 2: there is no run, or it cannot be reached.
    """
    with plain_errors(debug=debug):
        from pyveg.azure_config import use_file
        from pyveg.jobs.watching import run_at, runs_at, statuses

        use_file(azure_config)
        runs = [run for place in where or (".",) for run in runs_at(place)]
        found = statuses(runs)
        one = len(where) == 1 and run_at(where[0]) is not None
        with whether_heard_or_not():
            if as_json:
                documents = [_document(*pair) for pair in zip(runs, found, strict=True)]
                click.echo(json.dumps(documents[0] if one else documents, indent=1))
            elif one:
                click.echo("\n".join(_in_full(runs[0], found[0])))
            else:
                click.echo(_table(found))


def _document(run: Run, status: RunStatus) -> dict[str, Any]:
    return {**status.to_json(), "finish_with": finishing(run, status)}


def finishing(run: Run, status: RunStatus) -> str:
    """The command that does what is left of a run; empty where nothing is, or it goes on."""
    if status.may_go_on or status.is_finished:
        return ""
    from pyveg.scripts.shell import command_line, larger_limit

    larger = larger_limit(status.told.error if status.told else "")
    return command_line("run", "--from_cache", run.url, *larger)


def _table(found: Sequence[RunStatus]) -> str:
    """A line for each run."""
    from pyveg.core.texts import shown
    from pyveg.scripts.tables import aligned

    rows = [["run", "state", "done", "tasks", "failed", "last sign of life"]]
    for status in found:
        told = status.told
        rows.append(
            [
                shown(status.url),
                str(status.state),
                str(told.done) if told else "-",
                str(told.tasks) if told else "-",
                str(told.counts.get("failed", 0)) if told else "-",
                _ago(status.last_sign),
            ]
        )
    return aligned(rows)


def _in_full(run: Run, status: RunStatus) -> list[str]:
    from pyveg.core.texts import shown

    lines = [f"run: {shown(status.url)}", f"state: {_state(status)}"]
    if status.note:
        lines.append(f"note: {shown(status.note)}")
    if status.holder is not None and status.may_go_on:
        lines.append(f"process: {status.holder.pid} on host {shown(status.holder.host)}")
    lines.append(f"last sign of life: {_ago(status.last_sign)}")
    lines += _progress(status)
    if status.may_go_on:
        lines += _elsewhere(run)
    command = finishing(run, status)
    if command:
        lines.append(f"finish it with: {shown(command)}")
    return lines


def _state(status: RunStatus) -> str:
    code = status.told.exit_code if status.told else None
    return str(status.state) if code is None else f"{status.state} (exit code {code})"


def _progress(status: RunStatus) -> list[str]:
    """How far it is, and what has failed."""
    from pyveg.core.texts import shown
    from pyveg.scripts.tables import aligned, columns

    told = status.told
    if told is None:
        return []
    counts = ", ".join(f"{count} {state}" for state, count in told.counts.items())
    running = f", {told.running} running" if told.running and status.may_go_on else ""
    lines = [f"tasks: {told.done} of {told.tasks}{f' ({counts})' if counts else ''}{running}"]
    if told.rows:
        rows = [["module", "done", "tasks", "failed"]]
        rows += [[shown(r.label), str(r.done), str(r.total), str(r.failed)] for r in told.rows]
        lines.append(aligned(rows, width=columns()))
    if told.more_rows:
        lines.append(f"... and {told.more_rows} more modules")
    lines += [f"failed: {shown(one.task)}: {shown(one.reason)}" for one in told.failures]
    more = told.counts.get("failed", 0) - len(told.failures)
    if more > 0:
        lines.append(f"... and {more} more; their reasons: pyveg_logs")
    if told.line:
        lines.append(f"last told: {shown(told.line)}")
    if told.error:
        from pyveg.core.limits import name_in

        kind = "stopped" if name_in(told.error) else "error"
        lines.append(f"{kind}: {shown(told.error)}")
    return lines


def _elsewhere(run: Run) -> list[str]:
    """What works for it on other machines."""
    from pyveg.core.errors import PyvegError
    from pyveg.core.texts import shown
    from pyveg.jobs.watching import engine_views

    lines: list[str] = []
    try:
        views, reasons = engine_views(run)
        for view in views:
            lines += _nodes(view)
    except PyvegError as error:
        reasons = [str(error)]
    return [*lines, *(f"nodes cannot be seen: {shown(reason)}" for reason in reasons)]


def _nodes(view: EngineView) -> list[str]:
    from pyveg.core.texts import shown

    work: dict[str, list[str]] = {}
    for one in view.running():
        work.setdefault(one.node, []).extend(one.task_ids)
    lines = []
    for node in view.nodes():
        tasks = work.get(node.id, [])
        more = f" and {len(tasks) - _TASKS_SHOWN} more" if len(tasks) > _TASKS_SHOWN else ""
        what = f": {shown(', '.join(tasks[:_TASKS_SHOWN]))}{more}" if tasks else ""
        why = f": {shown(node.reason)}" if node.reason else ""
        since = f", for {_long(node.since)}" if node.since else ""
        lines.append(f"node {shown(node.id)}: {node.state}{since}{what}{why}")
    return lines


def _ago(moment: datetime | None) -> str:
    """When something was, as people say it."""
    return "-" if moment is None else f"{_long(moment)} ago"


def _long(moment: datetime) -> str:
    """The time since a moment, in one unit."""
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


if __name__ == "__main__":
    main()
