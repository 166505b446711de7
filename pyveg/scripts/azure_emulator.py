"""`pyveg_azure_emulator`: blob storage and Azure Batch on this machine, to rehearse a run."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyveg.core.errors import ConfigError
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, version_option
from pyveg.scripts.shell import command_line

if TYPE_CHECKING:
    from azure_batch_emulator import Faults
    from pyveg.testing.azure_cloud import LocalCloud

SHARE = click.FloatRange(0, 1)


@click.command(context_settings=CONTEXT)
@click.option(
    "--nodes", type=click.IntRange(1, 1000), default=2, show_default=True, help="Nodes of the pool."
)
@click.option("--location", help="Folder for blobs and nodes; a temporary one if left out.")
@click.option(
    "--write_config", default="azure_config.py", show_default=True, help="The config to write."
)
@click.option(
    "--node_start_seconds",
    type=click.FloatRange(0),
    default=0.0,
    help="Seconds until a node runs tasks.",
)
@click.option(
    "--preempt_rate",
    type=SHARE,
    default=0.0,
    help="Share of task runs that lose their node; makes Spot nodes.",
)
@click.option(
    "--throttle_rate", type=SHARE, default=0.0, help="Share of requests answered by 429 or 503."
)
@click.option("--fail_rate", type=SHARE, default=0.0, help="Share of task runs that die.")
@click.option("--core_quota", type=click.IntRange(0), help="Cores that the account may have.")
@click.option("--job_quota", type=click.IntRange(0), help="Active jobs that the account may have.")
@click.option("--seed", type=int, default=0, help="Seed of the faults.")
@click.option(
    "--autoscale_minute",
    type=click.FloatRange(0.001, 60),
    default=1.0,
    show_default=True,
    help="Seconds that a minute lasts for formulas of pools.",
)
@click.option(
    "--containers",
    is_flag=True,
    help="Let pools have containers; their tasks run in this Python environment.",
)
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    nodes: int,
    location: str | None,
    write_config: str,
    node_start_seconds: float,
    preempt_rate: float,
    throttle_rate: float,
    fail_rate: float,
    core_quota: int | None,
    job_quota: int | None,
    seed: int,
    autoscale_minute: float,
    containers: bool,
    debug: bool,
) -> None:
    """Run blob storage (Azurite) and an emulator of Azure Batch on this machine, until stopped.

    Nodes are folders, tasks are processes of yours, and nothing leaves this machine. It writes an
    azure_config.py and prints what to try in another terminal.

    Exit code 0: stopped; 2: it cannot start.
    """
    with plain_errors(debug=debug):
        from azure_batch_emulator import Faults

        faults = Faults(
            seed=seed,
            node_start_seconds=node_start_seconds,
            preempt_rate=preempt_rate,
            throttle_rate=throttle_rate,
            fail_rate=fail_rate,
            core_quota=core_quota,
            job_quota=job_quota,
        )
        _check(Path(write_config))
        with ExitStack() as stack:
            folder = Path(location or stack.enter_context(tempfile.TemporaryDirectory()))
            more = {"autoscale_minute": autoscale_minute, "containers_as_processes": containers}
            cloud = _start(stack, folder.absolute(), faults, more)
            config = Path(write_config).absolute()
            spot = preempt_rate > 0
            text = cloud.config(
                pool_dedicated_node_count=0 if spot else nodes,
                pool_low_priority_node_count=nodes if spot else 0,
                task_slots_per_node=1,
                poll_seconds=0.5,
            )
            _write(config, text)
            # Its accounts end with this process.
            stack.callback(config.unlink, missing_ok=True)
            _greet(config, cloud)
            # An exit closes the stack, and with it Azurite and the nodes; the default would leave
            # them.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            try:
                signal.pause() if hasattr(signal, "pause") else _wait()
            except KeyboardInterrupt:
                click.echo("stopped")


def _check(config: Path) -> None:
    """A config of real accounts is not for us to replace."""
    from pyveg.testing.azure_cloud import MARK

    if config.exists() and MARK not in config.read_text(encoding="utf-8", errors="replace"):
        raise ConfigError(
            f"{config} is there and was not written by pyveg_azure_emulator",
            "name another file with --write_config",
        )


def _start(stack: ExitStack, folder: Path, faults: Faults, more: Mapping[str, Any]) -> LocalCloud:
    from pyveg.testing.azure_cloud import LocalCloud
    from pyveg.testing.azurite import AzuriteError

    try:
        return stack.enter_context(LocalCloud(folder, faults, emulator=more))
    except AzuriteError as error:
        raise ConfigError(str(error)) from error


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)  # before its keys are in it
    path.write_text(text, encoding="utf-8")


def _greet(config: Path, cloud: LocalCloud) -> None:
    click.echo(f"blobs: {cloud.azurite.url}")
    click.echo(f"batch: {cloud.batch.url}")
    click.echo(f"config: {config}")
    usual = config == Path("azure_config.py").absolute()
    accounts = () if usual else ("--azure_config", str(config))
    click.echo("in another terminal, in this folder:")
    where = ("--container", "NAME", "--output_zipfile", "results.zip")
    click.echo(f"  {command_line('run', 'test_Sentinel2_batch', *accounts)}")
    click.echo(f"  {command_line('azure-download', *where, *accounts)}")
    click.echo("Ctrl-C stops it.")


def _wait() -> None:
    """Sleep until a signal comes, where the system has no call for that."""
    import threading

    threading.Event().wait()


if __name__ == "__main__":
    main()
