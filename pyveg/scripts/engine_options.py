"""How commands take settings of engines: ``--engine NAME.SETTING=VALUE``, and older options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from pyveg.scripts.edge import underscored


def engine_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--engine``, which may be given more than once."""
    return click.option(
        "--engine",
        multiple=True,
        callback=lambda _ctx, _param, texts: tuple(map(_spelt, texts)),
        metavar="NAME.SETTING=VALUE",
        help="A setting of an engine, as in the config's engines. May be given more than once.",
    )(command)


def _spelt(text: str) -> str:
    """A setting that was typed as options may be, with ``-`` for ``_``."""
    path, equals, value = text.partition("=")
    name, dot, setting = path.rpartition(".")
    return f"{name}{dot}{underscored(setting) if dot else setting}{equals}{value}"


class TakesOlderOptions(click.Command):
    """A command with `engine_option`, and with options that were its own before they were those.

    Which they are is known to the engines alone, and these are asked only when somebody gives an
    option that the command does not have.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put an older option in today's words."""
        try:
            return super().parse_args(ctx, list(_renewed(self._takes_value(ctx), args)))
        except click.NoSuchOption as error:
            near = _nearest_older(error.option_name)
            if error.possibilities or not near:
                raise
            name = error.option_name
            raise click.NoSuchOption(name, possibilities=near, ctx=ctx) from None

    def _takes_value(self, ctx: click.Context) -> dict[str, bool]:
        """Option -> whether a value follows it."""
        options = [spec for spec in self.get_params(ctx) if isinstance(spec, click.Option)]
        return {
            name: not (spec.is_flag or spec.count)
            for spec in options
            for name in (*spec.opts, *spec.secondary_opts)
        }


def _renewed(takes_value: dict[str, bool], args: Sequence[str]) -> Iterator[str]:
    rest = iter(args)
    for word in rest:
        if word == "--":
            yield word
            yield from rest
            return
        typed, equals, value = word.partition("=")
        name = f"--{underscored(typed[2:])}" if typed.startswith("--") else typed
        now = None if name in takes_value else _now(name)
        if now is not None:
            yield from ("--engine", f"{now}={value if equals else _following(name, rest)}")
            continue
        yield word
        if takes_value.get(name) and not equals:
            yield from (value for value in [next(rest, None)] if value is not None)


def _now(name: str) -> str | None:
    """``NAME.SETTING`` of an older option; None where it is none."""
    if not name.startswith("--"):
        return None
    from pyveg.jobs.engines import option_of

    return option_of(name.removeprefix("--"))


def _nearest_older(name: str) -> list[str]:
    """Older options that may have been meant."""
    from difflib import get_close_matches

    from pyveg.jobs.engines import older_options

    return get_close_matches(name, [f"--{old}" for old in older_options()])


def _following(name: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise click.UsageError(f"Option '{name}' requires an argument.")
    return value
