"""`pyveg_station_send`: the sender of a field camera, as a command of pyveg.

Where pyveg is not installed, the one file ``pyveg/cameras/station_send.py`` does the same.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from pyveg.cameras import station_send
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option


@click.command(context_settings=CONTEXT)
@click.option("--watch", required=True, metavar="DIR", help="Folder of images.")
@click.option("--server", required=True, metavar="URL", help="Address of the service.")
@click.option("--key_file", required=True, metavar="F", help="File with the station's key.")
@click.option("--station", help="Name of the station; that of DIR if left out.")
@click.option(
    "--every",
    type=float,
    default=station_send.EVERY,
    show_default=True,
    help="Seconds between looks.",
)
@click.option(
    "--timeout",
    type=float,
    default=station_send.TIMEOUT,
    show_default=True,
    help="Seconds for one file.",
)
@click.option("--once", is_flag=True, help="Send what is there, and end.")
@debug_option
@version_option
def main(debug: bool, **given: Any) -> None:
    """Send the images that come into a folder to a station of pyveg serve.

    Files go to sent/ once they are stored there, to refused/ with the reason beside them if the
    service will never take them, and to later/ if it fails with them while it takes others; those
    are tried again every hour. Stop it and start it as you like: nothing is lost, and
    nothing is there twice.

    Exit code 0: all were sent; 1: with --once, some were not; 2: the command line is wrong; 130:
    it was stopped.
    """
    with plain_errors(debug=debug):
        sys.exit(station_send.run(**given))


if __name__ == "__main__":
    main()
