"""`pyveg_run_module`: run one Task, as every engine does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pyveg.core.errors import ConfigError
from pyveg.core.report import EXIT_FAILED, EXIT_FINE
from pyveg.scripts.edge import debug_option, told_plainly, version_option


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config_file", required=True, help="The Task, a JSON file that pyveg wrote.")
@debug_option
@version_option
def main(config_file: str, debug: bool) -> None:
    """Run one task of a run and write its results where they belong.

    A failed task leaves its file under _pyveg/failed/ in the run's folder. Batch nodes run all
    their tasks by this command.

    Exit code 0: succeeded or skipped; 1: failed; 2: the file is wrong.
    """
    with told_plainly(debug=debug):
        from pyveg.core.execute import read_task_file, run_task
        from pyveg.core.tasks import State

        try:
            task, store = read_task_file(Path(config_file).read_bytes())
        except OSError as error:
            raise ConfigError(f"the task file {config_file} cannot be read: {error}") from error
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ConfigError(f"{config_file} is no task file of pyveg: {error!r}") from error
        result = run_task(task, store)
        reason = f": {result.reason}" if result.reason else ""
        failed = result.state is State.FAILED
        text = f"{task.id} {result.state} in {result.seconds:.2f} s{reason}"
        click.echo(text, err=failed)
        if failed and debug:
            click.echo(result.details, err=True)
        sys.exit(EXIT_FAILED if failed else EXIT_FINE)


if __name__ == "__main__":
    main()
