"""`pyveg_cancel`: have a run stop that goes on somewhere else."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from pyveg.core.report import EXIT_FAILED, EXIT_FINE, EXIT_WRONG
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
    from pyveg.core.types import StopHow
    from pyveg.runs.run import Run
    from pyveg.runs.watch import RunStatus

_POLL = 0.5


@click.command(context_settings=CONTEXT)
@click.argument("run", shell_complete=files_for)
@click.option(
    "--detach",
    is_flag=True,
    help="End only the process of the run; leave running what runs elsewhere.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for its end.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
@azure_config_option
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    run: str,
    detach: bool,
    wait: float,
    as_json: bool,
    azure_config: str | None,
    debug: bool,
) -> None:
    """Ask a run to stop, as Ctrl-C does where it was started, and wait until it has.

    RUN is the folder, the URL or the container of a run. What is done stays done; --from_cache
    does the rest later.

    Exit code 0: it has stopped, or had ended before; 1: it was asked and is still running; 2: there
    is no such run, it cannot be reached, or it had died, so that nobody could be asked.
    """
    with plain_errors(debug=debug):
        from pyveg.azure_config import use_file
        from pyveg.jobs.locations import find_run

        use_file(azure_config)
        opened = find_run(run)
        before = opened.status()
        if before.may_go_on:
            status, asked = _stopped(opened, "detach" if detach else "cancel", wait), True
        else:
            status, asked = before, False
        with whether_heard_or_not():
            _tell(opened, status, asked=asked, as_json=as_json)
        sys.exit(_code(status, asked=asked))


def _stopped(run: Run, how: StopHow, wait: float) -> RunStatus:
    """Ask it, and wait until nobody writes to it any more."""
    end = time.monotonic() + wait
    attempt = run.ask_to_stop(how)
    while True:
        status = run.status()
        holder = status.holder
        if holder is None or holder.alive is False or holder.epoch != attempt:
            return status
        if time.monotonic() > end:
            return status
        _ask_again(run, status, attempt, how)
        time.sleep(_POLL)


def _ask_again(run: Run, status: RunStatus, attempt: int, how: StopHow) -> None:
    """A run that has just begun removes what earlier attempts were asked, and this with it."""
    from pyveg.core import stop

    asked = stop.read(run.store)
    if status.may_go_on and (asked is None or asked.epoch != attempt):
        stop.ask(run.store, attempt, how)


def _code(status: RunStatus, *, asked: bool) -> int:
    from pyveg.runs.watch import RunState

    if status.may_go_on:
        return EXIT_FAILED
    return EXIT_WRONG if status.state is RunState.DIED and not asked else EXIT_FINE


def _tell(run: Run, status: RunStatus, *, asked: bool, as_json: bool) -> None:
    from pyveg.core.texts import shown
    from pyveg.scripts.status import finishing

    command = finishing(run, status)
    if as_json:
        document = {**status.to_json(), "asked": asked, "finish_with": command}
        click.echo(json.dumps(document, indent=1))
        return
    if status.may_go_on:
        click.echo(f"{shown(run.url)} was asked to stop and is still {status.state}", err=True)
        if status.note:
            click.echo(f"note: {shown(status.note)}", err=True)
        return
    verb = "" if asked else "nothing to stop: "
    click.echo(f"{verb}{shown(run.url)} has {_WORDS.get(str(status.state), str(status.state))}")
    if command:
        click.echo(f"finish it with: {shown(command)}")


_WORDS = {"stopped": "been stopped"}


if __name__ == "__main__":
    main()
