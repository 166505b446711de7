"""`pyveg_create_analysis_report`: figures and report of an analysis that was made before."""

from __future__ import annotations

import click

from pyveg.scripts.edge import debug_option, plain_errors, version_option


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--input_dir",
    required=True,
    help="Folder, URL or container of an analysis, or of a run that holds one.",
)
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@debug_option
@version_option
def main(input_dir: str, azure_config: str | None, debug: bool) -> None:
    """Draw the figures and write the report of an analysis anew; nothing is computed again."""
    with plain_errors(debug=debug):
        from pyveg.azure_config import use_file
        from pyveg.jobs import analyses
        from pyveg.scripts.gee_analysis import print_verdicts

        use_file(azure_config)
        print_verdicts(analyses.report_again(input_dir, tell=click.echo))


if __name__ == "__main__":
    main()
