"""`pyveg_generate_config`: write a config that runs as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pyveg.core.errors import ConfigError
from pyveg.scripts import answers, asking
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, say, version_option
from pyveg.scripts.shell import command_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyveg.jobs.choices import Choices
    from pyveg.jobs.places import GivenPlace

T = TypeVar("T")
DAY = answers.Typed("YYYY-MM-DD", answers.day)
DEGREES = answers.Typed("degrees", answers.number)
SIZE = answers.Typed("degrees", answers.size)


@click.command(context_settings=CONTEXT)
@click.option("--collection_name", help="Imagery, such as Sentinel2; see --list_collections.")
@click.option("--source", type=click.Choice(["folder"]), help="Images of your own, with --path.")
@click.option("--path", help="The folder of the images; it is looked at.")
@click.option("--latitude", type=DEGREES, help="Latitude of the centre, degrees north.")
@click.option("--longitude", type=DEGREES, help="Longitude of the centre, degrees east.")
@click.option("--place", help="Id of a place of the study, or of a row of --coordinates_file.")
@click.option("--coordinates_file", help="CSV with columns latitude and longitude.")
@click.option("--geojson", help="The place is the square around what this file holds.")
@click.option(
    "--region_size",
    type=SIZE,
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

    It proposes imagery that needs no account, says what there is, and asks again where an answer
    cannot be used; nothing is written before the last one. With --source folder --path DIR it looks
    at the images in a folder instead, and needs nothing else. The file is named after what is in
    it, and runs as it is.

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
            _ask_or_generate(options)


def _ask_or_generate(options: dict[str, Any]) -> None:
    """Ask for the imagery first, as all else depends on it."""
    if options["collection_name"] is None and asking.somebody_answers():
        options["collection_name"] = asking.imagery()
        if options["collection_name"] == asking.OWN_IMAGES:
            _look_at_folder(options)
            return
    _generate(options)


def _look_at_folder(options: dict[str, Any]) -> None:
    from pyveg.jobs.generate_folder import look, path_of, write

    asked = options["collection_name"] == asking.OWN_IMAGES
    if asked:
        images, found = asking.folder_of_images()
    elif not (options["source"] and options["path"]):
        raise ConfigError(
            "--source and --path go together", "write --source folder --path DIR for own images"
        )
    else:
        images = Path(options["path"])
        found = look(images)
    named = ("latitude", "place", "coordinates_file", "geojson")
    given = any(options[name] is not None for name in named)
    place = _place(options) if given or (asked and found.place is None) else None
    folder = Path(options["configs_dir"])
    force = _may_replace(path_of(images, folder), options)
    made = write(images, place, folder, output_dir=options["output_dir"], force=force, found=found)
    for sentence in made.found:
        say(f"found: {sentence}")
    _tell_next(made.path)


def _generate(options: dict[str, Any]) -> None:
    from pyveg.jobs import choices as all_of
    from pyveg.jobs.choices import FIRST_CHOICE, Choices
    from pyveg.jobs.generate import file_name, write

    collection = all_of.check_collection(options["collection_name"] or FIRST_CHOICE)
    place = _place(options)
    start = _given(options, "start_date", asking.first_day(collection))
    end = _given(options, "end_date", asking.last_day(start))
    step = _given(options, "time_per_point", asking.step, default="1m")
    run_mode = _given(options, "run_mode", asking.run_mode, default="local")
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
    folder = Path(options["configs_dir"])
    force = _may_replace(folder / file_name(choices), options)
    _tell_next(write(choices, folder, force=force), *_needs(choices))


def _may_replace(path: Path, options: dict[str, Any]) -> bool:
    """Whether a config that is there may go; asked where somebody can answer."""
    if options["force"] or not path.exists() or not asking.somebody_answers():
        return bool(options["force"])
    return click.confirm(f"{path} is there already. Replace it?")  # a no is refused by who writes


def _needs(choices: Choices) -> list[str]:
    """What has to be done before such a config runs."""
    from pyveg.core.installing import how_to_install
    from pyveg.jobs.choices import missing_extras, needs_account

    lines = []
    extras = missing_extras(choices)
    if extras:
        cure = how_to_install(f"pyveg[{','.join(extras)}]")
        lines.append(f"install first:    {cure}")
    account = needs_account(choices.collection)
    if account:
        lines.append(f"it needs {account}; pyveg_doctor says whether it is found")
    return lines


def _tell_next(path: Path, *needs: str) -> None:
    """Say where the config is, and how it is used."""
    say(f"written: {path}")
    for line in needs:
        say(line)
    say(f"look at the plan: {command_line('run', str(path), '--dry_run')}")
    say(f"run it:           {command_line('run', str(path))}")


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
        latitude = _given(options, "latitude", asking.latitude)
        longitude = _given(options, "longitude", asking.longitude)
        place = places.GivenPlace(longitude, latitude)
    if options["region_size"] is not None:
        place = replace(place, region_size=options["region_size"])
    return replace(place, country=options["country"] or place.country)


def _given(
    options: dict[str, Any], name: str, question: Callable[[], T], default: T | None = None
) -> T:
    """An option, else the answer to a question where somebody can answer, else its default."""
    if options[name] is not None:
        value: T = options[name]
        return value
    # A program that calls this one must not wait for an answer that never comes.
    if asking.somebody_answers():
        return question()
    if default is None:
        raise ConfigError(
            f"--{name} is missing", "give it, or run the command in a terminal, where it asks"
        )
    return default


def _list_collections() -> None:
    from pyveg.jobs.choices import collections, needs_account, proposed
    from pyveg.scripts.tables import aligned

    rows = [["collection", "type", "from", "to", "source", "account", "data"]]
    for kind, known in (("vegetation", proposed()), ("weather", collections("weather"))):
        for name, record in known.items():
            begin, end = record.get("min_date", "-"), record.get("max_date", "-")
            account = "yes" if needs_account(name) else "none"
            data = record["collection_name"]
            rows.append([name, kind, begin, end, record["source"], account, data])
    click.echo(aligned(rows))


def _list_places() -> None:
    from pyveg.coordinates import PLACES
    from pyveg.scripts.tables import aligned

    rows = [["id", "country", "pattern", "latitude", "longitude"]]
    rows += [[p.id, p.country, p.pattern, f"{p.latitude}", f"{p.longitude}"] for p in PLACES]
    click.echo(aligned(rows))


if __name__ == "__main__":
    main()
