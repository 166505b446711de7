"""What a command takes by its place or by an option, whichever somebody types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def one_of(**given: str | None) -> str | None:
    """The one that was given of an argument and the options that say the same.

    Parameters
    ----------
    **given : str or None
        Name of an option (in lower case), or of an argument (in capitals) -> what was given.

    Returns
    -------
    str or None
        None where none was given.

    Raises
    ------
    click.UsageError
        If more than one was.
    """
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) > 1:
        shown = [name if name.isupper() else f"--{name}" for name in named]
        raise click.UsageError(f"{' and '.join(shown)} say the same; give one of them")
    return next(iter(named.values()), None)


def configs_for(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a config that is built in, or of a file."""
    del ctx, param
    from click.shell_completion import CompletionItem

    from pyveg.jobs.built_in import built_in

    named = [name for name in built_in() if name.startswith(incomplete)]
    return [*map(CompletionItem, named), CompletionItem(incomplete, type="file")]


def files_for(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a file or folder."""
    del ctx, param
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]
