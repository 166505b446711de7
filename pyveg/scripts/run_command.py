"""`pyveg_run_command`: a program over files, without writing a config."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import (
    CONTEXT,
    debug_option,
    ended_in_order,
    plain_errors,
    trust_option,
    version_option,
)
from pyveg.scripts.engine_options import TakesOlderOptions, engine_option
from pyveg.scripts.running import on_interrupt_option, print_plan, run_and_tell, warn

if TYPE_CHECKING:
    from pyveg.jobs.run import OnInterrupt, PreparedRun

_TOP = ("output_location", "output_location_type", "runner", "n_workers")
_NOT_OF_THE_CONFIG = ("from_cache", "write_config", "azure_config", "name", "engine", "trust")


class CommandAfterDashes(TakesOlderOptions):
    """A command of which all that stands behind ``--`` belongs to another program."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split there; click itself forgets where it was."""
        here, there = args, []
        if "--" in args:
            at = args.index("--")
            here, there = args[:at], args[at + 1 :]
        ctx.obj = tuple(there)
        return super().parse_args(ctx, here)


@click.command(cls=CommandAfterDashes, context_settings=CONTEXT)
@click.argument("stray", nargs=-1, metavar="-- PROGRAM [ARGUMENT]...")
@click.option("--application", help="Folder of your program, with its requirements.txt.")
@click.option("--repository", help="A git repository, instead of --application.")
@click.option("--commit", help="Commit, tag or branch of the repository.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    help="Files: a quoted pattern, a folder, a file, @LIST, azure://CONTAINER/PREFIX, any URL. "
    "May be given more than once.",
)
@click.option("--output_location", help="Where to write to; a date stamp is added.")
@click.option(
    "--output_location_type", help='"local", "azure", "s3" ...; what fits --run_mode if left out.'
)
@click.option("--run_mode", help='Where tasks run: "local" (if left out), or an engine.')
@click.option("--outputs", multiple=True, help="Pattern of files in {output_dir} to keep. [all]")
@click.option(
    "--allow_no_output", is_flag=True, default=None, help="An item without output has not failed."
)
@click.option(
    "--link_inputs", is_flag=True, default=None, help="Give links to large inputs, not copies."
)
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="Set a variable of the program.")
@click.option("--pass_env", multiple=True, metavar="NAME", help="Pass on a variable of yours.")
@click.option("--timeout", type=float, help="Limit for one item, minutes.")
@click.option("--retries", type=int, help="Tries after the first that failed. [0]")
@click.option("--items_per_task", type=int, help="Items that one task of a service does.")
@click.option("--runner", help="processes (if left out), threads or serial.")
@click.option("--n_workers", type=click.IntRange(1), help="Items at once, on this machine.")
@engine_option
@click.option("--name", help="Name of the job; that of the application if left out.")
@click.option("--from_cache", help="Folder, URL or container of a run to finish.")
@click.option("--write_config", metavar="FILE", help="Write all of this to a config too.")
@click.option("--azure_config", help="Your accounts at Azure; else ./azure_config.py.")
@trust_option
@on_interrupt_option
@click.option("--dry_run", is_flag=True, help="Print the plan and stop.")
@debug_option
@version_option
@click.pass_obj
def main(
    command: tuple[str, ...],
    /,
    stray: tuple[str, ...],
    on_interrupt: OnInterrupt,
    dry_run: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Run a program over files, each by itself; get its outputs and a table of what failed.

    \b
    pyveg_run_command --application my_app --input 'data/*.csv' --output_location results \\
        -- python app.py {input} {output_dir}

    Your command stands behind --. In it, {input} is the path of a file and {output_dir} a folder
    for its outputs; {item}, {name}, {stem}, {url} and {application} can be used too. No shell
    takes part.

    With --run_mode and the name of an engine it runs elsewhere, such as on nodes in a cloud or the
    workers of a cluster; results go where that engine reaches them.

    Exit code 0: all fine; 1: some items failed; 2: the command line is wrong; 130: interrupted.
    """  # noqa: D301 - click wants the character
    _check_stray(stray)
    with plain_errors(debug=debug), ended_in_order():
        from pyveg.azure_config import use_file

        use_file(given["azure_config"])
        prepared = _prepared(command, given)
        warn(prepared)
        if dry_run:
            print_plan(prepared)
            return
        accounts = given["azure_config"]
        code = run_and_tell(
            prepared, on_interrupt, "run-command", azure_config=accounts, debug=debug
        )
        sys.exit(code)


def _check_stray(stray: tuple[str, ...]) -> None:
    if stray:
        raise click.UsageError(
            f'"{stray[0]}" belongs to no option; put your command behind --, and quote patterns: '
            "--input 'data/*.csv'"
        )


def _prepared(command: tuple[str, ...], given: dict[str, Any]) -> PreparedRun:
    from pyveg.jobs.command import keep, make_settings, to_text
    from pyveg.jobs.engines import from_options
    from pyveg.jobs.resolve import resolve
    from pyveg.jobs.run import prepare

    finishes = given["from_cache"] is not None
    if not command:
        _check_alone(given)
        again = {name: given[name] for name in ("runner", "n_workers")}
        engines = from_options(given["engine"])
        return prepare(
            from_cache=given["from_cache"], engines=engines, trust_record=given["trust"], **again
        )
    if not given["inputs"]:
        raise click.UsageError("name the files: --input 'data/*.csv'")
    if given["output_location"] is None and not finishes:
        raise click.UsageError("say where results go: --output_location FOLDER")
    top = {name: given[name] for name in _TOP}
    top["engines"] = from_options(given["engine"]) or None
    # A run that is finished stays where it is; the setting only has to be there.
    top["output_location"] = top["output_location"] or "results"
    top["output_location_type"] = top["output_location_type"] or location_type(given["run_mode"])
    rest = {k: v for k, v in given.items() if k not in (*_TOP, *_NOT_OF_THE_CONFIG, "env")}
    settings = make_settings(
        top, {"command": command, **rest, "env": _variables(given["env"])}, given["name"]
    )
    # Before the config is written: one that cannot work is not worth a file.
    pipeline = resolve(settings, given["write_config"])
    if given["write_config"]:
        keep(settings, given["write_config"])
    prepared = prepare(pipeline, from_cache=given["from_cache"])
    return replace(prepared, config_text=to_text(settings))


def location_type(run_mode: str | None) -> str | None:
    """What suits the engine of that name; None where it does not matter."""
    if run_mode in (None, "local"):
        return None
    from pyveg.core.registry import runner_class

    wanted = runner_class(run_mode, "--run_mode").location_type
    return None if wanted == "local" else wanted


def _check_alone(given: dict[str, Any]) -> None:
    """Without a command, a run is finished as it was begun."""
    if given["from_cache"] is None:
        raise click.UsageError("put your command behind --, such as: -- python app.py {input}")
    fine = ("from_cache", "runner", "n_workers", "engine", "azure_config", "trust")
    other = next((name for name, value in given.items() if value and name not in fine), None)
    if other:
        raise click.UsageError(
            f"--{other.removesuffix('s') if other == 'inputs' else other} changes nothing in a run "
            "that is finished as it was begun; give the whole command, or leave it out"
        )


def _variables(given: tuple[str, ...]) -> dict[str, str]:
    variables = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--env {text} is no variable; write NAME=VALUE")
        variables[name] = value
    return variables


if __name__ == "__main__":
    main()
