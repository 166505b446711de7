"""Options that keep a run in bounds, and have it tell of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

Command = Callable[..., Any]

_OPTIONS = (
    click.option("--max_hours", type=click.FloatRange(0), help="Hours that the run may last."),
    click.option(
        "--max_node_hours", type=click.FloatRange(0), help="Node-hours that the run may use."
    ),
    click.option(
        "--max_cost", type=click.FloatRange(0), help="What the run may cost, by the prices."
    ),
    click.option(
        "--at_limit",
        type=click.Choice(["finish", "cancel"]),
        help="What becomes of tasks that have begun when a limit is reached.",
    ),
    click.option("--prices", metavar="FILE", help="JSON file with what you pay; docs/costs.md."),
    click.option(
        "--webhook",
        type=click.Choice(["json", "teams", "slack"]),
        help="Tell of the run by the webhook in PYVEG_WEBHOOK, in that form.",
    ),
)
NAMES = ("max_hours", "max_node_hours", "max_cost", "at_limit", "prices", "webhook")


def operating_options(command: Command) -> Command:
    """All of them; the command takes them as ``**operating``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def operating_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some options that were given."""
    return {name: given[name] for name in NAMES if given.get(name) is not None}
