"""`pyveg_run_command`: a program over files, without writing a config."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import CONTEXT, ended_in_order, plain_errors
from pyveg.scripts.engine_options import TakesOlderOptions
from pyveg.scripts.job_options import as_begun, job_options, top_of, where_options
from pyveg.scripts.running import print_plan, run_and_tell, warn

if TYPE_CHECKING:
    from pyveg.jobs.run import OnInterrupt, PreparedRun

_COMMAND = (
    "application",
    "repository",
    "commit",
    "inputs",
    "run_mode",
    "outputs",
    "allow_no_output",
    "link_inputs",
    "pass_env",
    "timeout",
    "retries",
    "items_per_task",
)
"""Options that are settings of `CommandModule`."""
_SPELT = {"inputs": "input"}


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
@where_options
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
@job_options(name="Name of the job; that of the application if left out.", at_once="Items")
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

    Exit code 0: all fine; 1: some items failed; 2: the command line is wrong;
    3: a limit was reached; 130: interrupted.
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

    engines, finishes = from_options(given["engine"]), given["from_cache"] is not None
    if not command:
        if not finishes:
            raise click.UsageError("put your command behind --, such as: -- python app.py {input}")
        return as_begun(given, engines, _SPELT, "the whole command")
    if not given["inputs"]:
        raise click.UsageError("name the files: --input 'data/*.csv'")
    if given["output_location"] is None and not finishes:
        raise click.UsageError("say where results go: --output_location FOLDER")
    own = {**{name: given[name] for name in _COMMAND}, "env": _variables(given["env"])}
    settings = make_settings(top_of(given, engines), {"command": command, **own}, given["name"])
    # Before the config is written: one that cannot work is not worth a file.
    pipeline = resolve(settings, given["write_config"])
    if given["write_config"]:
        keep(settings, given["write_config"])
    prepared = prepare(pipeline, from_cache=given["from_cache"])
    return replace(prepared, config_text=to_text(settings))


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
