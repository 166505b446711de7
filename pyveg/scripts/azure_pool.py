"""`pyveg_azure_pool`: make, list and remove pools that last."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import click

from pyveg.scripts.edge import CONTEXT, azure_config_option, debug_option, plain_errors
from pyveg.scripts.edge import version_option as version

if TYPE_CHECKING:
    from pyveg.runners.azure_batch.lasting import LastingPool


@click.command(context_settings=CONTEXT)
@click.argument(
    "act", type=click.Choice(["create", "list", "delete"]), metavar="create|list|delete"
)
@click.argument("name", required=False)
@azure_config_option
@debug_option
@version
def main(
    act: Literal["create", "list", "delete"],
    name: str | None,
    azure_config: str | None,
    debug: bool,
) -> None:
    """Make, list or remove pools of Azure Batch that stay when a run ends.

    "pools" in azure_config.py describes them by name. A run uses one that is named by
    --engine batch.batch_pool_id=NAME. Nodes of a pool cost money while they stand.

    Exit code 0: done; 1: the service refused; 2: the command line or the account is wrong.
    """
    if (name is None) != (act == "list"):
        raise click.UsageError("name the pool" if name is None else "list takes no name")
    with plain_errors(debug=debug):
        from pyveg.azure_config import load, use_file
        from pyveg.runners.azure_batch.lasting import LastingPools

        use_file(azure_config)
        pools = LastingPools(load())
        if name is None:
            for one in pools.all():
                click.echo(_line(one))
        elif act == "create":
            click.echo(_line(pools.create(name)))
        else:
            gone = not pools.delete(name)
            click.echo(f"pool {name}: {'was gone already' if gone else 'removed'}")
    sys.exit(0)


def _line(pool: LastingPool) -> str:
    return f"pool {pool.name}: {pool.state}, {pool.vm_size}, {pool.nodes} nodes; {pool.cost}"


if __name__ == "__main__":
    main()
