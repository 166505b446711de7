"""`pyveg_create_analysis_report`: figures and report of an analysis that was made before."""

from __future__ import annotations

import click

from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option
from pyveg.scripts.given import files_for, one_of


@click.command(context_settings=CONTEXT)
@click.argument("where", required=False, metavar="[RUN]", shell_complete=files_for)
@click.option(
    "--input_dir",
    help="Folder, URL or container of an analysis, or of a run that holds one; the same as RUN.",
)
@click.option(
    "--execution",
    is_flag=True,
    help="Instead, the page that tells how the run was carried out: times, machines, memory, "
    "failures.",
)
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@debug_option
@version_option
def main(
    where: str | None, input_dir: str | None, execution: bool, azure_config: str | None, debug: bool
) -> None:
    """Draw the figures and write the report of an analysis anew; nothing is computed again."""
    given = one_of(RUN=where, input_dir=input_dir)
    if given is None:
        raise click.UsageError("name a run that was analysed, or the folder of its analysis")
    with plain_errors(debug=debug):
        from pyveg.azure_config import use_file
        from pyveg.jobs import analyses
        from pyveg.scripts.gee_analysis import print_verdicts

        use_file(azure_config)
        if execution:
            click.echo(_execution(given))
            return
        print_verdicts(analyses.report_again(given, tell=click.echo))


def _execution(where: str) -> str:
    """Write the execution report of a run anew; where it is."""
    from pyveg.jobs.execution_report import write_execution
    from pyveg.jobs.locations import find_run
    from pyveg.runs.execution import execution_of

    store = find_run(where).store
    return write_execution(store, execution_of(store))


if __name__ == "__main__":
    main()
