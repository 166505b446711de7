"""What all commands share: how errors reach the user, and the version."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from pyveg.core.errors import PyvegError
from pyveg.core.report import EXIT_INTERRUPTED, EXIT_WRONG
from pyveg.core.secrets import redacted
from pyveg.core.texts import shown_lines


def underscored(name: str) -> str:
    """The name of an option as it is declared: whoever types ``-`` for ``_`` means the same."""
    return name.replace("-", "_")


CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": underscored,
}
"""What all commands are made with."""


def say(text: str, *, err: bool = False) -> None:
    """Print a text that may hold others' words: without escapes, and without secrets."""
    click.echo(shown_lines(redacted(text)), err=err)


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--debug``."""
    return click.option("--debug", is_flag=True, help="Show the traceback of errors.")(command)


def azure_config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--azure_config``."""
    return click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")(
        command
    )


def trust_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--trust``."""
    text = "Finish a run whose record another user or machine wrote: do what it would execute."
    return click.option("--trust", is_flag=True, help=text)(command)


def version_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--version``, looked up only when it is asked for."""
    return click.version_option(package_name="pyveg", message="pyveg %(version)s")(command)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Take requests to end for an interrupt, so that nothing is left behind.

    They are SIGTERM, and SIGHUP, which comes when the terminal is closed or the connection is lost.
    Whoever started the command under ``nohup`` wants it to outlive its terminal: a SIGHUP that was
    ignored before stays so.
    """
    asked = [signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        asked.append(hangup)
    before = {number: signal.signal(number, signal.default_int_handler) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def whether_heard_or_not() -> Iterator[None]:
    """Let no reader that has gone, such as ``| head`` or a lost terminal, change how this ends."""
    try:
        yield
        sys.stdout.flush()
    except OSError:
        # Whatever is still in the buffers would be tried again when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def plain_errors(*, debug: bool) -> Iterator[None]:
    """Turn pyveg's errors into one message and exit code 2; an interrupt into 130."""
    try:
        yield
    except PyvegError as error:
        if debug:
            raise
        say(f"Error: {error}", err=True)
        sys.exit(EXIT_WRONG)
    except click.Abort as abort:  # of a question
        if isinstance(abort.__context__, EOFError):
            click.echo("\nError: the input ended before all was answered", err=True)
            sys.exit(EXIT_WRONG)
        click.echo("\ninterrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(EXIT_INTERRUPTED)
