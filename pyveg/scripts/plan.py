"""`pyveg_plan`: what a run would do, use and cost."""

from __future__ import annotations

from typing import Any

import click

from pyveg.scripts.edge import CONTEXT
from pyveg.scripts.engine_options import TakesOlderOptions
from pyveg.scripts.run_pipeline import main as run

OF_RUNS_ALONE = {"dry_run", "on_interrupt"}
"""Options that mean nothing where nothing is run."""


@click.command(
    cls=TakesOlderOptions,
    context_settings=CONTEXT,
    params=[one for one in run.params if one.name not in OF_RUNS_ALONE],
)
@click.pass_context
def main(context: click.Context, /, **given: Any) -> None:
    """Say what a run would do, use and cost, and do nothing.

    CONFIG is a Python file, or the name of a config that comes with pyveg, such as demo. It is the
    same as "pyveg run CONFIG --dry_run": tasks of each module, requests, bytes, node-hours and
    cost, as far as earlier runs of the kind, or two items that --measure does first, tell.

    Exit code 0: this can be run; 2: the config or command line is wrong.
    """
    context.invoke(run, dry_run=True, **given)


if __name__ == "__main__":
    main()
