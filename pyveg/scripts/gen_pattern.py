"""`pyveg_gen_pattern`: a pattern of vegetation from the model of Rietkerk et al. (2002)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option


@click.command(context_settings=CONTEXT)
@click.option(
    "--rainfall", type=float, help="Rain, mm per day; goes before that of --config_file. [1.0]"
)
@click.option("--config_file", help="Parameters of the model, a JSON object; older names too.")
@click.option("--starting_pattern_file", help="Begin with this pattern: csv, txt, png or tif.")
@click.option(
    "--steps", type=click.IntRange(0), default=1000, show_default=True, help="Days to simulate."
)
@click.option("--size", type=click.IntRange(1, 10_000), help="Cells along the side. [50]")
@click.option("--seed", type=click.IntRange(0), help="Seed of the plants at the start. [0]")
@click.option("--transpose", is_flag=True, help="Write columns as rows.")
@click.option("--output_csv", help="Write the biomass, g/m2, to this file.")
@click.option("--output_png", help="Write a picture of the biomass.")
@click.option(
    "--output_binary_png", help="Write the pattern, white where it is bare, a pixel per cell."
)
@debug_option
@version_option
def main(**options: Any) -> None:
    """Simulate how plants on dry ground arrange themselves.

    Begins with plants on cells drawn at random, or with a given pattern, which is scaled to the
    biomass that random plants have. The same seed gives the same pattern. One step is one day.

    Exit code 0: done; 2: something is wrong.
    """
    if options["starting_pattern_file"] and options["size"]:
        raise click.UsageError("--starting_pattern_file has a size of its own; leave out --size")
    if options["starting_pattern_file"] and options["seed"] is not None:
        raise click.UsageError("--seed has no effect with --starting_pattern_file; leave it out")
    with plain_errors(debug=options["debug"]):
        _generate(options)


def _generate(options: dict[str, Any]) -> None:
    from pyveg.core.errors import ConfigError
    from pyveg.jobs import pattern
    from pyveg.scripts.calc_EC import read_image, write

    settings = pattern.read_settings(
        options["config_file"],
        rainfall=options["rainfall"],
        size=options["size"],
        seed=options["seed"],
    )
    path = options["starting_pattern_file"]
    given = None if path is None else read_image(Path(path))
    try:
        state = pattern.starting_plants(settings, given)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.wrong}" if path else error.wrong, error.cure) from error
    steps = options["steps"]
    # On stderr and in terminals only: stdout has the one line of the result.
    with click.progressbar(
        length=steps, label="days", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        state = pattern.simulate(state, settings, steps, bar.update)
    plants = state.plants.T if options["transpose"] else state.plants
    outputs = {
        "output_csv": pattern.csv_of,
        "output_png": pattern.picture_of,
        "output_binary_png": pattern.binary_picture_of,
    }
    for name, made in outputs.items():
        if options[name]:
            write(options[name], made(plants))
    half = settings.parameters.infiltration_half
    click.echo(
        f"{steps} days of {settings.rainfall:g} mm on {plants.shape[0]} x {plants.shape[1]} cells: "
        f"{plants.mean():.4g} g/m2 of plants on average, {100 * (plants >= half).mean():.1f} % of "
        f"the cells with {half:g} or more"
    )


if __name__ == "__main__":
    main()
