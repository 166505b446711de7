"""Options of commands that make a job of their own: where it runs and writes, and its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import azure_config_option, debug_option, trust_option, version_option
from pyveg.scripts.engine_options import engine_option
from pyveg.scripts.operating_options import NAMES as OPERATING
from pyveg.scripts.operating_options import operating_of, operating_options
from pyveg.scripts.running import on_interrupt_option

if TYPE_CHECKING:
    from pyveg.jobs.run import PreparedRun

Command = Callable[..., Any]

_TOP = ("output_location", "output_location_type", "runner", "n_workers", *OPERATING)
"""Options that are settings at the top of a config."""
_AGAIN = ("from_cache", "runner", "n_workers", "engine", "azure_config", "trust", *OPERATING)
"""What may be said of a run that is finished as it was begun."""


def where_options(command: Command) -> Command:
    """``--output_location``, ``--output_location_type`` and ``--run_mode``."""
    return _with(
        command,
        click.option("--output_location", help="Where to write to; a date stamp is added."),
        click.option(
            "--output_location_type",
            help='"local", "azure", "s3" ...; what fits --run_mode if left out.',
        ),
        click.option("--run_mode", help='Where tasks run: "local" (if left out), or an engine.'),
    )


def job_options(*, name: str, at_once: str) -> Callable[[Command], Command]:
    """All other options of such a command.

    Parameters
    ----------
    name : str
        Help of ``--name``.
    at_once : str
        What ``--n_workers`` is the number of.
    """
    workers = f"{at_once} at once, on this machine."

    def decorate(command: Command) -> Command:
        return _with(
            command,
            click.option("--runner", help="processes (if left out), threads or serial."),
            click.option("--n_workers", type=click.IntRange(1), help=workers),
            engine_option,
            click.option("--name", help=name),
            click.option("--from_cache", help="Folder, URL or container of a run to finish."),
            click.option(
                "--write_config", metavar="FILE", help="Write all of this to a config too."
            ),
            azure_config_option,
            trust_option,
            on_interrupt_option,
            operating_options,
            click.option("--dry_run", is_flag=True, help="Print the plan and stop."),
            debug_option,
            version_option,
        )

    return decorate


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    """A command with options, in the order in which its help is to show them."""
    for option in reversed(options):
        command = option(command)
    return command


def top_of(given: Mapping[str, Any], engines: Mapping[str, Any]) -> dict[str, Any]:
    """The settings at the top of the config that says the same.

    Parameters
    ----------
    given : mapping
        Options by name.
    engines : mapping
        What ``--engine`` has said.
    """
    top = {name: given[name] for name in _TOP}
    top["engines"] = engines or None
    # A run that is finished stays where it is; the setting only has to be there.
    top["output_location"] = top["output_location"] or "results"
    top["output_location_type"] = top["output_location_type"] or location_type(given["run_mode"])
    return top


def location_type(run_mode: str | None) -> str | None:
    """What suits the engine of that name; None where it does not matter."""
    if run_mode in (None, "local"):
        return None
    from pyveg.core.registry import runner_class

    wanted = runner_class(run_mode, "--run_mode").location_type
    return None if wanted == "local" else wanted


def as_begun(
    given: Mapping[str, Any], engines: dict[str, Any], spelt: Mapping[str, str], whole: str
) -> PreparedRun:
    """A run that is finished as it was begun.

    Parameters
    ----------
    given : mapping
        Options by name.
    engines : dict
        What ``--engine`` has said.
    spelt : mapping of str to str
        Name -> its option, where they differ.
    whole : str
        What would have to be given too, for messages.

    Raises
    ------
    click.UsageError
        If more is said than goes for such a run.
    """
    _check_alone(given, spelt, whole)
    from pyveg.jobs.run import prepare

    return prepare(
        from_cache=given["from_cache"],
        engines=engines,
        trust_record=given["trust"],
        runner=given["runner"],
        n_workers=given["n_workers"],
        operating=operating_of(given),
    )


def _check_alone(given: Mapping[str, Any], spelt: Mapping[str, str], whole: str) -> None:
    other = next((name for name, value in given.items() if value and name not in _AGAIN), None)
    if other:
        raise click.UsageError(
            f"--{spelt.get(other, other)} changes nothing in a run that is finished as it was "
            f"begun; give {whole} too, or leave it out"
        )
