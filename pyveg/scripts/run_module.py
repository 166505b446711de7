"""`pyveg_run_module`: run one Task, as every engine does."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from pyveg.core.errors import ConfigError
from pyveg.core.report import EXIT_FAILED, EXIT_FINE
from pyveg.core.tasks import State
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, say, version_option
from pyveg.scripts.given import files_for, one_of

if TYPE_CHECKING:
    from pyveg.core.ports import Store
    from pyveg.core.tasks import Task, TaskResult

_BAD = (State.FAILED, State.BLOCKED, State.CANCELLED)


@click.command(context_settings=CONTEXT)
@click.argument("task", required=False, metavar="[TASK]", shell_complete=files_for)
@click.option("--config_file", help="The same as TASK.")
@debug_option
@version_option
def main(task: str | None, config_file: str | None, debug: bool) -> None:
    """Run one task of a run, or a few, and write the results where they belong.

    TASK is a JSON file that pyveg wrote, or the address of one in a container of Azure. A failed
    task leaves its file under _pyveg/failed/ in the run's folder. Nodes in a cloud
    run all their tasks by this command.

    Exit code 0: succeeded or skipped; 1: failed; 2: the file is wrong.
    """
    file = one_of(TASK=task, config_file=config_file)
    if file is None:
        raise click.UsageError("name the file of a task, such as one in _pyveg/failed/ of a run")
    with plain_errors(debug=debug):
        tasks, store = _read(file)
        from pyveg.core import memory
        from pyveg.core.execute import run_task

        memory.keep_limits()
        again = len(tasks) > 1  # a node may begin its tasks anew: another was taken away
        results = []
        for one in tasks:
            done = _done(one, store) if again else None
            result = done or run_task(one, store, partial(_epoch, file, one.id))
            _tell(result, debug=debug)
            results.append(result)
        bad = any(result.state in _BAD for result in results)
        sys.exit(EXIT_FAILED if bad else EXIT_FINE)


def _read(config_file: str) -> tuple[list[Task], Store]:
    from pyveg.core.execute import read_task_file
    from pyveg.core.reading import read_whole

    try:
        if config_file.startswith(("https://", "http://")):
            from pyveg.storage.azure import read_url

            data = read_url(config_file)
        else:
            data = read_whole(config_file)
    except OSError as error:
        raise ConfigError(
            f"the task file {config_file} cannot be read: {error}", "check its path"
        ) from error
    try:
        return read_task_file(data)
    except ConfigError as error:
        raise ConfigError(f"{config_file}: {error.wrong}", error.cure) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{config_file} is no task file of pyveg: {error!r}",
            "give one from _pyveg/failed/ of a run",
        ) from error


def _epoch(config_file: str, task_id: str) -> int:
    """The attempt that a Task belongs to now: one that takes over a run writes the file anew."""
    tasks, _ = _read(config_file)
    return next((task.epoch for task in tasks if task.id == task_id), 0)


def _done(task: Task, store: Store) -> TaskResult | None:
    """How a Task that need not be done again has ended."""
    from pyveg.core import manifest
    from pyveg.core.tasks import TaskResult

    earlier = manifest.valid(store, task)
    if earlier is None:
        return None
    state = State.SKIPPED if earlier.state is State.SKIPPED else State.CACHED
    return TaskResult(task.id, state, earlier.reason, notes=earlier.notes)


def _tell(result: TaskResult, *, debug: bool) -> None:
    reason = f": {result.reason}" if result.reason else ""
    bad = result.state in _BAD
    say(f"{result.task_id} {result.state} in {result.seconds:.2f} s{reason}", err=bad)
    if result.details and debug:
        say(result.details, err=True)


if __name__ == "__main__":
    main()
