"""`pyveg_daily_summary`: tell people what services did in a day."""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from pyveg.core.report import EXIT_FAILED
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, say, version_option

if TYPE_CHECKING:
    from pyveg.jobs.daily_summary import Summary


@click.command(context_settings=CONTEXT)
@click.option("--config", metavar="FILE", help="The services; else ./summary_config.py.")
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="Which day of UTC, YYYY-MM-DD; yesterday if left out.",
)
@click.option(
    "--webhook_file",
    metavar="FILE",
    help="File with the address of the webhook; else the variable PYVEG_WEBHOOK.",
)
@click.option("--csv", "table", metavar="FILE", help="Table that gets a row for each instance.")
@click.option("--dry_run", is_flag=True, help="Only print; nothing is sent or written.")
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    config: str | None,
    day: datetime | None,
    webhook_file: str | None,
    table: str | None,
    dry_run: bool,
    debug: bool,
) -> None:
    """Tell what services did in a day: images, countries, organisations.

    Prints a text for an e-mail, whose first line is the subject; adds a row for each service and
    instance to a table; and sends a card to a webhook. Where no image came in, nothing is printed,
    added or sent.

    Exit code 0: done; 1: a service or the webhook did not answer; 2: the command line or the
    config is wrong; 130: it was stopped.
    """
    with plain_errors(debug=debug):
        from pyveg.jobs import daily_summary, webhook

        settings = daily_summary.read(config)
        address = None if dry_run else webhook.find_address(webhook_file)
        chosen: date = day.date() if day else daily_summary.yesterday()
        found = daily_summary.gather(settings, chosen)
        for trouble in found.troubles:
            say(f"Error: {trouble}", err=True)
        if found.has_news or dry_run:
            say(found.text().rstrip("\n"))
        if found.has_news and not dry_run:
            _hand_on(found, address, table or settings.csv)
        sys.exit(EXIT_FAILED if found.troubles else 0)


def _hand_on(found: Summary, address: str | None, table: str) -> None:
    """Into the table, then to people: what was told is in the table too."""
    from pyveg.core.errors import ServiceError
    from pyveg.jobs import daily_summary, webhook

    if table:
        daily_summary.write_table(table, found.rows)
    if address is None:
        return
    try:
        webhook.send(address, found.card())
    except ServiceError as error:
        say(f"Error: {error}", err=True)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
