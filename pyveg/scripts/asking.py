"""The questions of `pyveg_generate_config`, each asked until its answer can be used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyveg.core.texts import brief
from pyveg.scripts.answers import LATITUDE, LONGITUDE, Refused, ask, choice, day

if TYPE_CHECKING:
    from datetime import date

    from pyveg.sources.folder.proposing import Proposal

OWN_IMAGES = "folder"
"""What is answered by those who have images."""


def somebody_answers() -> bool:
    """Whether a person sits there, and not a program that would wait for ever."""
    return sys.stdin.isatty()


def imagery() -> str:
    """Which collection, from a list that begins with those that need no account."""
    from pyveg.jobs.choices import check_collection, needs_account, proposed

    known = proposed()
    names = [*known, OWN_IMAGES]
    width = max(map(len, names))
    click.echo("Which imagery?")
    for number, (name, record) in enumerate(known.items(), 1):
        begin, end = record.get("min_date", ""), record.get("max_date", "")
        years = f"{begin[:4]} to {end[:4] or 'today'}" if begin else "simulated"
        needs = needs_account(name)
        click.echo(f"{number:4}  {name:{width}}  {years:13}  {needs or 'no account'}")
    click.echo(f"{len(names):4}  {OWN_IMAGES:{width}}  images of your own, in a folder")
    return ask("Its number or name", choice(names, _one_of_them(check_collection)), default="1")


def _one_of_them(check: Callable[[str], str]) -> Callable[[str], str]:
    """Refuses what is not in the list above the question, with the nearest that is."""
    from pyveg.core.errors import UnknownNameError

    def read(answer: str) -> str:
        try:
            return check(answer)
        except UnknownNameError as error:
            near = f"; {error.cure}" if error.cure.startswith("did you mean") else ""
            raise Refused(f"{brief(answer)} is none of them{near}") from None

    return read


def folder_of_images() -> tuple[Path, Proposal]:
    """Where the images are, and what is there."""
    from pyveg.jobs.generate_folder import look

    def read(answer: str) -> tuple[Path, Proposal]:
        path = Path(answer.strip("'\""))  # as a file manager writes it into a terminal
        return path, look(path)

    return ask("Folder of the images", read)


def latitude() -> float:
    """Of the centre of the place."""
    click.echo("The place, as degrees: 13.12, or 13,12; S and W are minus.")
    return ask("Latitude of its centre, degrees north", LATITUDE)


def longitude() -> float:
    """Of the centre of the place."""
    return ask("Longitude of its centre, degrees east", LONGITUDE)


def first_day(collection: str) -> Callable[[], date]:
    """Asks for the first day, and says when the collection begins."""
    from pyveg.jobs.choices import collections

    record = collections("vegetation")[collection]
    begin, end = record.get("min_date", ""), record.get("max_date", "")

    def read(answer: str) -> date:
        given = day(answer)
        if end and str(given) >= end:
            raise Refused(f"{collection} ends before {end}")
        return given

    def question() -> date:
        if begin:
            click.echo(f"{collection} begins {begin}{f' and ends before {end}' if end else ''}.")
        return ask("First day (YYYY-MM-DD)", read)

    return question


def last_day(start: date) -> Callable[[], date]:
    """Asks for the day after the last."""

    def read(answer: str) -> date:
        given = day(answer)
        if given <= start:
            raise Refused(f"{given} is not after the first day, {start}")
        return given

    return lambda: ask("Day after the last (YYYY-MM-DD)", read)


def step() -> str:
    """How time is cut into points."""
    from pyveg.earth.periods import parse_step

    def read(answer: str) -> str:
        parse_step(answer)
        return answer

    return ask("One point in time for each: 1m (month), 2w (weeks), dekad ...", read, default="1m")


def run_mode() -> str:
    """Where the work is done; not asked where there is one way only."""
    from pyveg.jobs.choices import check_run_mode, run_modes

    known = run_modes()
    question = f"Where it runs: {', '.join(known)}"
    return ask(question, choice(known, _one_of_them(check_run_mode)), default=known[0])
