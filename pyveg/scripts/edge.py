"""What all commands share: how errors reach the user, and the version."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from pyveg.core.errors import PyvegError
from pyveg.core.report import EXIT_INTERRUPTED, EXIT_WRONG


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--debug``."""
    return click.option("--debug", is_flag=True, help="Show the traceback of errors.")(command)


def version_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--version``, looked up only when it is asked for."""
    return click.version_option(package_name="pyveg", message="pyveg %(version)s")(command)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Take a request to end (SIGTERM) for an interrupt, so that nothing is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def told_plainly(*, debug: bool) -> Iterator[None]:
    """Turn pyveg's errors into one message and exit code 2; an interrupt into 130."""
    try:
        yield
    except PyvegError as error:
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_WRONG)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
