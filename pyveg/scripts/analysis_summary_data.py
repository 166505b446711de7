"""`pyveg_analysis_summary_data`: the analyses of many runs in one table."""

from __future__ import annotations

import click

from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option
from pyveg.scripts.given import files_for


@click.command(context_settings=CONTEXT)
@click.argument("where", nargs=-1, metavar="[RUN|LOCATION]...", shell_complete=files_for)
@click.option(
    "--input_location",
    multiple=True,
    help="Folder or URL with analysed runs in it, a run, or a container; may be given repeatedly, "
    "and without its option.",
)
@click.option("--output_dir", required=True, help="Folder for the tables and figures.")
@click.option(
    "--alpha", default=0.05, show_default=True, help="Rate of false discoveries to allow."
)
@click.option("--fdr", type=click.Choice(["bh", "by"]), default="bh", show_default=True)
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    where: tuple[str, ...],
    input_location: tuple[str, ...],
    output_dir: str,
    alpha: float,
    fdr: str,
    azure_config: str | None,
    debug: bool,
) -> None:
    """Compare places: one table of all, tests corrected together, and figures along rainfall.

    Runs are analysed with pyveg_gee_analysis, or with analysis = True in their config.
    """
    places = (*where, *input_location)
    if not places:
        raise click.UsageError("name analysed runs, or a folder that holds some")
    with plain_errors(debug=debug):
        from pyveg.azure_config import use_file
        from pyveg.jobs import analyses

        use_file(azure_config)
        done = analyses.summarise(places, output_dir, alpha=alpha, fdr=fdr)
        told = {"phi_trend": "memory", "noise_trend": "noise", "ar1": "rolling AR(1)",
                "variance": "rolling variance"}  # fmt: skip
        columns = ["site", "rain_mm_per_year", *done.sites.means, "verdict", "warnings"]
        click.echo(done.sites.sites[columns].to_string(index=False, na_rep="-"))
        for row in done.sites.shares.to_dict("records"):
            if row["indicator"] in told:
                click.echo(
                    f"{told[row['indicator']]} of {row['metric']}: "
                    f"{row['small_p']} of {row['sites']} "
                    f"places with p <= {alpha:g}, {row['expected_by_chance']:.1f} by chance; "
                    f"{row['found']} after correction"
                )
        for text in done.left_out:
            click.echo(f"left out: {text}", err=True)
        click.echo(f"written: {done.folder}")


if __name__ == "__main__":
    main()
