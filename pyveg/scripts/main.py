"""`pyveg`: all commands below one name."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.commands import GROUPS, find, spelt, subcommands
from pyveg.scripts.edge import CONTEXT, version_option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Map(click.Group):
    """A group that imports only the subcommand that is called, and lists all in groups."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the help."""
        del ctx
        return [one.name for one in subcommands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a subcommand."""
        del ctx
        one = find(cmd_name)
        if one is None:
            return None
        command: click.Command = import_module(f"pyveg.scripts.{one.module}").main
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a subcommand; its name in usages is the one of the help, however it was spelt."""
        given = args[0]
        one = find(given)
        if one is None:
            if ctx.resilient_parsing:
                return None, None, args[1:]
            raise click.UsageError(f'there is no command "{given}"; {_nearest(given)}', ctx)
        return one.name, self.get_command(ctx, one.name), args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the map: a heading for each group, a line for each subcommand."""
        del ctx
        width = max(len(one.name) for one in subcommands())
        for heading, group in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(one.name.ljust(width), one.line) for one in group])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of subcommands without importing them."""
        from click.shell_completion import CompletionItem

        named = [one for one in subcommands() if spelt(one.name).startswith(spelt(incomplete))]
        items = [CompletionItem(one.name, help=one.line) for one in named]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


def _nearest(given: str) -> str:
    """What may have been meant."""
    names = {spelling: one.name for one in subcommands() for spelling in one.spellings}
    near = get_close_matches(spelt(given), names, n=3, cutoff=0.6)
    meant = list(dict.fromkeys(names[spelling] for spelling in near))
    if meant:
        return f"did you mean {' or '.join(f'pyveg {name}' for name in meant)}?"
    return "pyveg --help lists them all"


@click.group(cls=Map, context_settings={**CONTEXT, "max_content_width": 80})
@version_option
def main(**_: Any) -> None:
    """From satellite imagery of a place to early-warning signals of its vegetation.

    "pyveg COMMAND --help" says more of each. Every command is there by its older name too, as
    pyveg_run_pipeline is "pyveg run". Options take "-" for "_".
    """


if __name__ == "__main__":
    main()
