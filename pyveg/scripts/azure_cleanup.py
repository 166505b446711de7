"""`pyveg_azure_cleanup`: list and remove what runs have left at Azure Batch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pyveg.core.report import EXIT_FAILED, EXIT_FINE
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option
from pyveg.scripts.shell import command_line

if TYPE_CHECKING:
    from pyveg.runners.azure_batch.cleanup import Account, Leftover


@click.command(context_settings=CONTEXT)
@click.option("--remove", is_flag=True, help="Remove what is listed.")
@click.option("--run", help="Only what the run of that container has made.")
@click.option("--going_on", is_flag=True, help="Also what belongs to runs that are going on.")
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@debug_option
@version_option
def main(
    remove: bool, run: str | None, going_on: bool, azure_config: str | None, debug: bool
) -> None:
    """List the pools and jobs that runs of pyveg have made and not removed.

    A run removes what it has made when it ends; one that was killed could not. Pools and jobs that
    pyveg has not made are never touched; results stay in their containers.

    Exit code 0: done; 1: something could not be removed; 2: the account cannot be used.
    """
    with plain_errors(debug=debug):
        from pyveg.azure_config import load, use_file
        from pyveg.runners.azure_batch.cleanup import account_of

        use_file(azure_config)
        account = account_of(load())
        leftovers = [item for item in account.leftovers() if run in (None, item.run)]
        runs = set() if going_on else {item.run for item in leftovers}
        # Once per run, not per pool or job, as it takes a request to see whether a run goes on.
        busy = {name for name in runs if _is_busy(name)}
        for item in leftovers:
            click.echo(_line(item, busy=item.run in busy))
        idle = [item for item in leftovers if item.run not in busy]
        for name in account.lasting() if run is None else ():
            line = command_line("azure-pool", "delete", name)
            click.echo(f"pool {name} was made to last, and stays: {line}")
        if not leftovers:
            click.echo("nothing was left behind")
        elif not remove:
            line = command_line("azure-cleanup", "--remove")
            click.echo(f"{len(idle)} of {len(leftovers)} can be removed: {line}")
        else:
            sys.exit(_remove(account, idle))


def _is_busy(run: str) -> bool:
    """Whether a process works on the run in that container now, as far as can be seen."""
    from pyveg.core.layout import LOCK
    from pyveg.storage.azure import open_store

    store = open_store(run)
    holder = store.holder(LOCK) if store.exists() else None
    return holder is not None and holder.alive is not False


def _line(item: Leftover, *, busy: bool) -> str:
    nodes = f", {item.nodes} nodes" if item.kind == "pool" else ""
    made = f", made {item.made:%Y-%m-%d %H:%M} UTC" if item.made is not None else ""
    note = " (its run goes on)" if busy else ""
    return f"{item.kind} {item.id}: {item.state}{nodes}{made}, run {item.run}{note}"


def _remove(account: Account, items: list[Leftover]) -> int:
    from pyveg.core.errors import EngineError

    code = EXIT_FINE
    for item in items:
        try:
            gone = not account.remove(item)
        except EngineError as error:
            click.echo(f"Error: {error}", err=True)
            code = EXIT_FAILED
        else:
            click.echo(f"{item.kind} {item.id}: {'was gone already' if gone else 'removed'}")
    return code


if __name__ == "__main__":
    main()
