"""`pyveg_run_pipeline`: run a config, or finish a run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import (
    CONTEXT,
    debug_option,
    ended_in_order,
    plain_errors,
    trust_option,
    version_option,
)
from pyveg.scripts.engine_options import TakesOlderOptions, engine_option
from pyveg.scripts.given import configs_for, one_of
from pyveg.scripts.operating_options import operating_of, operating_options
from pyveg.scripts.running import on_interrupt_option, print_plan, run_and_tell, warn

if TYPE_CHECKING:
    from pyveg.jobs.run import OnInterrupt


@click.command(cls=TakesOlderOptions, context_settings=CONTEXT)
@click.argument("config", required=False, metavar="[CONFIG]", shell_complete=configs_for)
@click.option("--config_file", help="The same as CONFIG.")
@click.option("--from_cache", help="Folder, URL or container of a run to finish; needs no CONFIG.")
@click.option("--output_location", help="Where to write to, instead of the config's.")
@click.option("--runner", help="processes, threads, serial ..., instead of the config's.")
@click.option("--n_workers", type=click.IntRange(1), help="Tasks that may run at once.")
@engine_option
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@trust_option
@on_interrupt_option
@click.option("--project", help="Google Cloud project for Earth Engine, where the config has none.")
@operating_options
@click.option("--dry_run", is_flag=True, help="Print the plan and what it will use, and stop.")
@click.option("--measure", is_flag=True, help="With --dry_run: do two items first, to know that.")
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    config: str | None,
    config_file: str | None,
    from_cache: str | None,
    output_location: str | None,
    runner: str | None,
    n_workers: int | None,
    engine: tuple[str, ...],
    azure_config: str | None,
    trust: bool,
    on_interrupt: OnInterrupt,
    project: str | None,
    dry_run: bool,
    measure: bool,
    debug: bool,
    **operating: Any,
) -> None:
    """Run a pipeline: fetch imagery and weather, measure each date, join the results.

    CONFIG is a Python file, or the name of a config that comes with pyveg, such as demo.

    Everything is written to a new folder (or container) named after the config's output_location
    and the time. A run that was interrupted is finished with --from_cache FOLDER; what is done
    already is not done again.

    Exit code 0: all fine; 1: some tasks failed; 2: the config or command line is wrong;
    3: a limit was reached (--max_hours and the like); 130: interrupted.
    """
    chosen = one_of(CONFIG=config, config_file=config_file)
    if chosen is None and from_cache is None:
        raise click.UsageError(
            "name a config, such as demo (with or without --config_file), or a run to finish: "
            "--from_cache FOLDER"
        )
    if measure and not dry_run:
        raise click.UsageError("--measure goes with --dry_run")
    if project is not None:
        os.environ["EE_PROJECT"] = project  # so that worker processes have it too
    with plain_errors(debug=debug), ended_in_order():
        from pyveg.azure_config import use_file
        from pyveg.jobs.engines import from_options
        from pyveg.jobs.run import prepare

        use_file(azure_config)
        prepared = prepare(
            chosen,
            from_cache=from_cache,
            output_location=output_location,
            runner=runner,
            n_workers=n_workers,
            engines=from_options(engine),
            trust_record=trust,
            operating=operating_of(operating),
        )
        warn(prepared)
        if dry_run:
            print_plan(prepared, measure=measure)
            return
        code = run_and_tell(prepared, on_interrupt, "run", azure_config=azure_config, debug=debug)
        sys.exit(code)


if __name__ == "__main__":
    main()
