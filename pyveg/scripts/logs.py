"""`pyveg_logs`: what a run tells, from any machine that reaches it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

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
from pyveg.scripts.shell import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyveg.core.ports import EngineView
    from pyveg.runs.run import Run
    from pyveg.runs.task_view import TaskView

_POLL = 0.5
_LONGEST_LOG = 2_000
"""Bytes of the end of a kept log that are shown."""


@click.command(context_settings=CONTEXT)
@click.argument("run", shell_complete=files_for)
@click.option("--follow", is_flag=True, help="Keep printing until the run has ended or died.")
@click.option("--task", metavar="ID", help="Only this task, by its name in the log.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON, one on each line.")
@azure_config_option
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    run: str,
    follow: bool,
    task: str | None,
    as_json: bool,
    azure_config: str | None,
    debug: bool,
) -> None:
    """Print the log of a run, also while it is running.

    RUN is the folder, the URL or the container of a run. With --task, print all that is known of
    one task: its events, its traceback, and what its program or its machine has said; while it
    runs, too, where the service gives that.

    Exit code 0: done; 2: there is no such run or task, or it cannot be reached.
    """
    if follow and task:
        raise click.UsageError("--follow is for the whole log; leave out --task")
    with plain_errors(debug=debug), whether_heard_or_not():
        from pyveg.azure_config import use_file
        from pyveg.core.texts import shown
        from pyveg.jobs.locations import find_run

        use_file(azure_config)
        opened = find_run(run)
        if task:
            _tell_of_task(opened, task, as_json=as_json)
            return
        for line in _lines(opened, follow=follow, as_json=as_json):
            click.echo(shown(line))  # logs of older versions hold whatever programs said


def _lines(run: Run, *, follow: bool, as_json: bool) -> Iterator[str]:
    from pyveg.core.runlog import log_so_far
    from pyveg.runs.telling import follow_log

    if as_json:
        return _events(run, follow=follow)
    return follow_log(run.store) if follow else log_so_far(run.store)


def _events(run: Run, *, follow: bool) -> Iterator[str]:
    after = ""
    while True:
        over = not follow or not run.status().may_go_on
        for one in run.events(after):
            after = one.place
            yield json.dumps(one.to_json())
        if over:
            return
        time.sleep(_POLL)


def _tell_of_task(run: Run, task_id: str, *, as_json: bool) -> None:
    from pyveg.runs.task_view import look_at_task

    view = look_at_task(run, task_id)
    live = dict(_live_logs(run, task_id)) if run.status().may_go_on else {}
    if as_json:
        click.echo(json.dumps({**view.to_json(), "live": live}, indent=1))
        return
    for line in _in_words(run, view):
        click.echo(line)
    for name, text in live.items():
        click.echo(f"--- {name}, now\n{_printable(text)}")


def _in_words(run: Run, view: TaskView) -> Iterator[str]:
    from pyveg.core.texts import shown

    yield f"task: {shown(view.task_id)}"
    yield f"state: {view.state}"
    for one in view.told:
        yield from one.lines
    if view.failed_key:
        command = command_line("run-module", "--config_file", f"{run.url}/{view.failed_key}")
        yield f"run it again by hand: {command}"
    for key in view.logs:
        yield f"--- {shown(key)}"
        yield _printable(_end_of(run, key))


def _end_of(run: Run, key: str) -> str:
    """The end of a log that is kept in the run."""
    with run.store.open_read(key) as stream:
        size = run.store.size(key) or 0
        stream.seek(max(0, size - _LONGEST_LOG))
        return stream.read().decode("utf-8", "replace").strip()


def _printable(text: str) -> str:
    """Lines as they are, without what would move the cursor or change colours."""
    from pyveg.core.texts import shown

    return "\n".join(shown(line) for line in text.splitlines())


def _live_logs(run: Run, task_id: str) -> Iterator[tuple[str, str]]:
    """What is being said at this moment on machines elsewhere, where their service gives it."""
    from pyveg.core.errors import PyvegError
    from pyveg.jobs.watching import engine_views

    try:
        views, reasons = engine_views(run)
        for view in views:
            yield from _of_view(view, task_id)
    except PyvegError as error:
        reasons = [str(error)]
    for reason in reasons:
        click.echo(f"warning: {reason}", err=True)


def _of_view(view: EngineView, task_id: str) -> Iterator[tuple[str, str]]:
    running = {id_ for one in view.running() for id_ in one.task_ids}
    if task_id in running:
        yield f"the task {task_id}", view.log(task_id)
        return
    for node in view.nodes():  # it may wait for one of these
        text = view.node_log(node.id)
        if text:
            yield f"node {node.id}, {node.state}", text


if __name__ == "__main__":
    main()
