"""`pyveg_generate_config`: write a config that runs as it is."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyveg.core.errors import ConfigError
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option

if TYPE_CHECKING:
    from pyveg.jobs.places import GivenPlace

DAY = click.DateTime(["%Y-%m-%d"])


@click.command(context_settings=CONTEXT)
@click.option("--collection_name", help="Imagery, such as Sentinel2; see --list_collections.")
@click.option("--source", type=click.Choice(["folder"]), help="Images of your own, with --path.")
@click.option("--path", help="The folder of the images; it is looked at.")
@click.option("--latitude", type=float, help="Latitude of the centre, degrees north.")
@click.option("--longitude", type=float, help="Longitude of the centre, degrees east.")
@click.option("--place", help="Id of a place of the study, or of a row of --coordinates_file.")
@click.option("--coordinates_file", help="CSV with columns latitude and longitude.")
@click.option("--geojson", help="The place is the square around what this file holds.")
@click.option(
    "--region_size",
    type=click.FloatRange(min=0, min_open=True),
    help="Side of the square region, degrees. [0.08]",
)
@click.option("--country", default="", help="Country, for the file's name.")
@click.option("--start_date", type=DAY, help="First day.")
@click.option("--end_date", type=DAY, help="The day after the last.")
@click.option("--time_per_point", help='Length of a period, such as "1m", "2w" or "dekad".')
@click.option("--run_mode", help="local, or the name of an engine that works elsewhere.")
@click.option("--weather", help='Weather collection, or "none"; by default one that suits.')
@click.option("--output_dir", default="", help="The output_location of runs.")
@click.option("--configs_dir", default=".", show_default=True, help="Where the config goes.")
@click.option("--test_mode", is_flag=True, help="A few chips of each date only.")
@click.option("--n_threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--force", is_flag=True, help="Replace a config that is there.")
@click.option("--list_collections", is_flag=True, help="List them and stop.")
@click.option("--list_places", is_flag=True, help="List the places of the study and stop.")
@debug_option
@version_option
def main(**options: Any) -> None:
    """Write a config from a collection, a place and dates; it asks for what is missing.

    With --source folder --path DIR it looks at the images in a folder instead, and needs nothing
    else. The file is named after what is in it, and runs with pyveg_run_pipeline --config_file.

    Exit code 0: written; 2: something is wrong or missing.
    """
    with plain_errors(debug=options["debug"]):
        if options["list_collections"]:
            _list_collections()
        elif options["list_places"]:
            _list_places()
        elif options["source"] or options["path"]:
            _look_at_folder(options)
        else:
            _generate(options)


def _look_at_folder(options: dict[str, Any]) -> None:
    from pyveg.jobs.generate_folder import write

    if not (options["source"] and options["path"]):
        raise ConfigError(
            "--source and --path go together", "write --source folder --path DIR for own images"
        )
    named = ("latitude", "place", "coordinates_file", "geojson")
    place = _place(options) if any(options[name] is not None for name in named) else None
    made = write(
        Path(options["path"]),
        place,
        Path(options["configs_dir"]),
        output_dir=options["output_dir"],
        force=options["force"],
    )
    for sentence in made.found:
        click.echo(f"found: {sentence}")
    _tell_next(made.path)


def _generate(options: dict[str, Any]) -> None:
    from pyveg.jobs.generate import Choices, write

    collection = _given(options, "collection_name", "Collection", default="Sentinel2")
    place = _place(options)
    start = _day(options, "start_date", "First day")
    end = _day(options, "end_date", "Day after the last")
    step = _given(options, "time_per_point", "Length of a period", default="1m")
    run_mode = _given(options, "run_mode", "Run mode", default="local")
    weather = options["weather"]
    choices = Choices(
        collection=collection,
        place=place,
        start=start,
        end=end,
        time_per_point=step,
        run_mode=run_mode,
        weather="" if weather == "none" else weather,
        output_location=options["output_dir"],
        test=options["test_mode"],
        n_threads=options["n_threads"],
    )
    _tell_next(write(choices, Path(options["configs_dir"]), force=options["force"]))


def _tell_next(path: Path) -> None:
    """Say where the config is, and how it is used."""
    click.echo(f"written: {path}")
    click.echo(f"look at the plan: pyveg_run_pipeline --config_file {path} --dry_run")
    click.echo(f"run it:           pyveg_run_pipeline --config_file {path}")


def _place(options: dict[str, Any]) -> GivenPlace:
    from dataclasses import replace

    from pyveg.jobs import places

    named, table = options["place"], options["coordinates_file"]
    by_hand = options["latitude"] is not None or options["longitude"] is not None
    ways = [bool(named or table), bool(options["geojson"]), by_hand]
    if sum(ways) > 1:
        raise ConfigError(
            "the place is given in more than one way",
            "use --latitude and --longitude, --place (with --coordinates_file), or --geojson",
        )
    if table:
        if not named:
            raise ConfigError("--coordinates_file is given alone", "name a row of it with --place")
        place = places.from_table(Path(table), named)
    elif named:
        place = places.from_study(named)
    elif options["geojson"]:
        place = places.from_geojson(Path(options["geojson"]))
    else:
        latitude = _degrees(options, "latitude", "Latitude, degrees north")
        longitude = _degrees(options, "longitude", "Longitude, degrees east")
        place = places.GivenPlace(longitude, latitude)
    if options["region_size"] is not None:
        place = replace(place, region_size=options["region_size"])
    return replace(place, country=options["country"] or place.country)


def _given(options: dict[str, Any], name: str, question: str, default: str | None = None) -> Any:
    """An option, else the answer to a question where somebody can answer, else its default."""
    if options[name] is not None:
        return options[name]
    # A program that calls this one must not wait for an answer that never comes.
    if sys.stdin.isatty():
        return click.prompt(question, default=default)
    if default is None:
        raise ConfigError(
            f"--{name} is missing", "give it, or run the command in a terminal, where it asks"
        )
    return default


def _degrees(options: dict[str, Any], name: str, question: str) -> float:
    given = _given(options, name, question)
    try:
        return float(given)
    except ValueError:  # an answer that somebody typed
        raise ConfigError(f'--{name} "{given}" is no number', "write degrees as 11.57") from None


def _day(options: dict[str, Any], name: str, question: str) -> date:
    day = _given(options, name, f"{question} (YYYY-MM-DD)")
    if isinstance(day, datetime):
        return day.date()
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise ConfigError(f'--{name} "{day}" is no day', "write it as 2020-01-31") from None


def _list_collections() -> None:
    from pyveg.jobs.generate import collections
    from pyveg.scripts.progress import aligned

    rows = [["collection", "type", "source", "from", "to", "data"]]
    for kind in ("vegetation", "weather"):
        for name, record in collections(kind).items():
            begin, end = record.get("min_date", "-"), record.get("max_date", "-")
            rows.append([name, kind, record["source"], begin, end, record["collection_name"]])
    click.echo(aligned(rows))


def _list_places() -> None:
    from pyveg.coordinates import PLACES
    from pyveg.scripts.progress import aligned

    rows = [["id", "country", "pattern", "latitude", "longitude"]]
    rows += [[p.id, p.country, p.pattern, f"{p.latitude}", f"{p.longitude}"] for p in PLACES]
    click.echo(aligned(rows))


if __name__ == "__main__":
    main()
