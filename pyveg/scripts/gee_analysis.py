"""`pyveg_gee_analysis`: from the results of a run to a tested statement."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from pyveg.scripts.edge import CONTEXT, debug_option, ended_in_order, plain_errors, version_option
from pyveg.scripts.given import files_for, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyveg.jobs.analyses import Written


@click.command(context_settings=CONTEXT)
@click.argument("run", required=False, metavar="[RUN]", shell_complete=files_for)
@click.option("--input_dir", help="Folder or URL of a run, or a results_summary.json.")
@click.option("--input_container", help="Container of a run.")
@click.option(
    "--input_file", help="Table of dates and values (CSV), or a results_summary.json by itself."
)
@click.option("--output_dir", help='Where to write to; else "analysis" in the run.')
@click.option("--collection", multiple=True, help="Vegetation collection; all if left out.")
@click.option(
    "--metric", multiple=True, help="Metric to test; all that are declared for it if left out."
)
@click.option(
    "--spatial/--no_spatial", default=True, show_default=True, help="Whether to measure images."
)
@click.option("--surrogates", type=click.IntRange(19), default=999, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--window", default=0.5, show_default=True, help="Rolling window, share of the record."
)
@click.option(
    "--bandwidth",
    default=0.5,
    show_default=True,
    help="Bandwidth of the trend, share of the record.",
)
@click.option("--season", type=click.Choice(["harmonic", "stl", "none"]), default="harmonic",
              show_default=True)  # fmt: skip
@click.option("--trend", type=click.Choice(["loess", "gaussian", "quadratic", "stl", "none"]),
              default="loess", show_default=True)  # fmt: skip
@click.option("--null", type=click.Choice(["ar", "phase", "block"]), default="ar",
              show_default=True, help="Null model of the surrogates.")  # fmt: skip
@click.option(
    "--swap_coordinates", is_flag=True, help="For old files with latitude and longitude exchanged."
)
@click.option(
    "--report/--no_report",
    default=True,
    show_default=True,
    help="Whether to draw figures and write HTML.",
)
@click.option(
    "--n_threads",
    type=click.IntRange(1),
    help="Chips to work on at once; one per core if left out.",
)
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    run: str | None,
    input_dir: str | None,
    input_container: str | None,
    input_file: str | None,
    output_dir: str | None,
    collection: tuple[str, ...],
    metric: tuple[str, ...],
    spatial: bool,
    surrogates: int,
    seed: int,
    window: float,
    bandwidth: float,
    season: str,
    trend: str,
    null: str,
    swap_coordinates: bool,
    report: bool,
    n_threads: int | None,
    azure_config: str | None,
    debug: bool,
) -> None:
    """Test whether a place is losing resilience, and write tables, figures and a report.

    RUN is what one of the first three options takes: the folder, the URL or the container of a run,
    or a table of dates and values.

    It reads results of the older pyveg too. docs/analysis.md describes the methods.
    """
    given = one_of(
        RUN=run, input_dir=input_dir, input_container=input_container, input_file=input_file
    )
    if given is None:
        raise click.UsageError("give one of RUN, --input_dir, --input_container and --input_file")
    with plain_errors(debug=debug), ended_in_order():
        from pyveg.analysis.settings import AnalysisSettings
        from pyveg.azure_config import use_file
        from pyveg.jobs import analyses

        use_file(azure_config)
        settings = AnalysisSettings(
            season=season,
            trend=trend,
            window=window,
            bandwidth=bandwidth,
            null=null,
            surrogates=surrogates,
            seed=seed,
            n_threads=n_threads or os.cpu_count() or 1,
        )
        done = analyses.run_analysis(
            analyses.find(given, output_dir),
            collections=collection,
            metrics=metric or None,
            settings=settings,
            spatial=spatial,
            swap_coordinates=swap_coordinates,
            report=report,
            tell=click.echo,
        )
        print_verdicts(done)


def print_verdicts(done: Iterable[Written]) -> None:
    """Print what happened at each place, the verdict, and where its report is."""
    for one in done:
        click.echo("")
        click.echo(f"{one.collection}:")
        for line in one.statement.happened:
            click.echo(f"  {line}")
        click.echo(f"{one.collection}: {one.verdict.headline}")
        for line in one.statement.resilience or one.verdict.because:
            click.echo(f"  {line}")
        click.echo(f"tables: {one.folder}/tables")
        if one.report:
            click.echo(f"report: {one.report}")


if __name__ == "__main__":
    main()
