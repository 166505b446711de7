"""`pyveg_serve --watch`: pages about the runs at a location, read only, without jobs."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from pyveg.azure_config import use_file
from pyveg.core.errors import NotARunError
from pyveg.jobs.watching import runs_at
from pyveg.service.config import ServiceConfig
from pyveg.service.pages.mounting import watch_app
from pyveg.service.serve import address, listen
from pyveg.service.web.guard import Guard, Tally
from pyveg.service.web.server import run_until_stopped

_NO_BODY = 10_000


def watch_runs(config: ServiceConfig, location: str, tell: Callable[[str], None]) -> None:
    """Serve pages about the runs at a location until a signal comes.

    Parameters
    ----------
    config : ServiceConfig
        Its host, port and names are used, and nothing else.
    location : str
        As `pyveg_status` takes it.
    tell : callable
        Takes what the operator should read.

    Raises
    ------
    ConfigError
        If the port is taken.
    NotARunError
        If there is no such folder.
    StoreError
        If the location cannot be reached.
    """
    use_file(config.azure_config)
    _check(location)
    app = watch_app(location)
    guarded = Guard(
        app,
        hosts=[*config.hosts, config.host, urlsplit(config.public_url).hostname or config.host],
        body_limit=_NO_BODY,
        limits={},
        tally=Tally(),
    )
    with listen(config) as listening:
        tell(f"pyveg_serve: {address(config, listening)} (process {os.getpid()})")
        tell(f"runs at {location}, read only; whoever reaches this address can see them")
        run_until_stopped(guarded, listening, config.trusted_proxies, app.state.hub.close)


def _check(location: str) -> None:
    """Refuse what cannot be a location. Where there are no runs yet, some may begin."""
    if "://" in location:
        with suppress(NotARunError):
            runs_at(location)
    elif not Path(location).expanduser().is_dir():
        runs_at(location)
