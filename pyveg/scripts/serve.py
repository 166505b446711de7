"""`pyveg_serve`: the job service, and what its operator does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, say, version_option

if TYPE_CHECKING:
    from pyveg.service.config import ServiceConfig

_RUN = "run"
_OF_GROUP = ("-h", "--help", "--version")


class RunsByItself(click.Group):
    """A group whose command ``run`` need not be named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put it before options of its own."""
        if not args or (args[0].startswith("-") and args[0] not in _OF_GROUP):
            args = [_RUN, *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Tell the options of ``run`` too, as they stand behind the name of the group."""
        of_run = self.commands[_RUN].params
        records = [told for one in of_run if (told := one.get_help_record(ctx)) is not None]
        with formatter.section("Options of serving"):
            formatter.write_dl(records)
        super().format_options(ctx, formatter)


def config_option(command: Any) -> Any:
    """``--config``."""
    text = "The config of the service; else ./service_config.py, or defaults."
    return click.option("--config", "config_file", help=text)(command)


@click.group(cls=RunsByItself, context_settings=CONTEXT)
@version_option
def main() -> None:
    """Serve jobs over HTTP: submit, watch, stop and fetch them with any client or a browser.

    \b
    pyveg_serve config              write service_config.py, with every setting
    pyveg_serve add_caller kim      let somebody in; prints the token once
    pyveg_serve                     serve, at http://127.0.0.1:8470

    Jobs go on when the server ends, and are found again by the next one.

    Exit code 0: it was stopped; 2: the config or the command line is wrong.
    """  # noqa: D301 - click wants the character


@main.command(_RUN)
@config_option
@click.option("--host", help="Address to listen at, instead of the config's.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port, instead of the config's.")
@click.option("--web_workers", type=click.IntRange(1, 64), help="Processes that answer requests.")
@click.option("--stop_jobs", is_flag=True, help="Interrupt running jobs at the end.")
@click.option(
    "--watch", metavar="LOCATION", help="Show the runs at a location, read only, and no jobs."
)
@debug_option
def run(  # noqa: PLR0917 - click passes options by name
    config_file: str | None,
    host: str | None,
    port: int | None,
    web_workers: int | None,
    stop_jobs: bool,
    watch: str | None,
    debug: bool,
) -> None:
    """Serve until Ctrl-C or SIGTERM; jobs go on."""
    with plain_errors(debug=debug):
        from pyveg.service.serve import check_installed, serve

        check_installed()
        config = _config(config_file, host=host, port=port, web_workers=web_workers)
        if watch is not None:
            from pyveg.service.watching import watch_runs

            watch_runs(config, watch, say)
            return
        serve(config, say, stop_jobs=stop_jobs)


@main.command("config")
@click.argument("file", default="service_config.py")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@debug_option
def write_config(file: str, force: bool, debug: bool) -> None:
    """Write FILE with every setting, its meaning and its default; it works as it is."""
    with plain_errors(debug=debug):
        from pyveg.core.errors import ConfigError
        from pyveg.service.config import template

        path = Path(file)
        if path.exists() and not force:
            raise ConfigError(f"{path} is there already", "choose another name, or give --force")
        try:
            path.write_text(template(), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error}", "choose another") from None
        say(f"wrote {path}")


@main.command("add_caller")
@click.argument("name")
@config_option
@click.option("--process", "processes", multiple=True, help="May use this process only; repeat.")
@click.option("--max_active", type=click.IntRange(0), help="Jobs that may wait or run at once.")
@click.option("--admin", is_flag=True, help="Sees and stops the jobs of all.")
@debug_option
def add_caller(  # noqa: PLR0917
    name: str,
    config_file: str | None,
    processes: tuple[str, ...],
    max_active: int | None,
    admin: bool,
    debug: bool,
) -> None:
    """Let NAME in: print a token, which is kept nowhere and cannot be printed again."""
    with plain_errors(debug=debug):
        from pyveg.service.records import ANY, Caller
        from pyveg.service.serve import opened

        caller = Caller(name, processes or (ANY,), max_active, admin)
        # Not through `say`, which would take it out.
        click.echo(opened(_config(config_file)).callers.add(caller))


@main.command("remove_caller")
@click.argument("name")
@config_option
@debug_option
def remove_caller(name: str, config_file: str | None, debug: bool) -> None:
    """Let NAME in no more. Jobs that were submitted stay, and go on."""
    with plain_errors(debug=debug):
        from pyveg.service.serve import opened

        opened(_config(config_file)).callers.remove(name)
        say(f"removed {name}")


@main.command("tidy")
@config_option
@click.option("--dry_run", is_flag=True, help="Say what would be removed, and stop.")
@debug_option
def tidy(config_file: str | None, dry_run: bool, debug: bool) -> None:
    """Remove runs of jobs that ended longer ago than keep_days; a running server does it too."""
    with plain_errors(debug=debug):
        from pyveg.service import tidying
        from pyveg.service.serve import opened

        config = _config(config_file)
        desk = opened(config)
        found = list(tidying.expired(desk.jobs_table, config))
        for job in found:
            say(f"{'would remove' if dry_run else 'remove'} {job.url} ({job.process}, {job.state})")
            if not dry_run:
                desk.jobs_table.ask_to_purge(job.id)
                tidying.remove(job, config)
                desk.jobs_table.purged(job.id)
        if not dry_run:
            desk.callers.forget_old(config.audit_days)
        say(f"{len(found)} jobs")


def _config(path: str | None, **given: Any) -> ServiceConfig:
    from dataclasses import replace

    from pyveg.service.config import read

    chosen = {name: value for name, value in given.items() if value is not None}
    return replace(read(path), **chosen)


if __name__ == "__main__":
    main()
