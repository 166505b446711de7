"""What an account may have against what is asked of it.

The service tells its quotas to those who manage accounts and not to those who run jobs in them, so
the user copies them from the portal: ``quotas`` in azure_config.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pyveg.azure_config import AzureConfig

if TYPE_CHECKING:
    from azure.batch import models as m

_CORES = re.compile(r"_[A-Z]+(\d+)")


def cores_of(vm_size: str) -> int | None:
    """Cores of a node, as the name of its size says; None where it says none.

    Examples
    --------
    >>> cores_of("Standard_D2s_v5"), cores_of("Standard_NC24ads_A100_v4"), cores_of("my_own")
    (2, 24, None)
    """
    found = _CORES.search(vm_size)
    return int(found[1]) if found else None


def asked_too_much(config: AzureConfig) -> Iterator[str]:
    """What a pool asks for that its account may not have; a sentence for each quota."""
    cores = cores_of(config.pool_vm_size)
    if cores is None or config.pool_autoscale_formula:
        return
    for name, nodes in (
        ("dedicated_cores", config.pool_dedicated_node_count),
        ("spot_cores", config.pool_low_priority_node_count),
    ):
        quota = config.quotas.get(name)
        if quota is not None and nodes * cores > quota:
            yield (
                f"{nodes} nodes of {config.pool_vm_size} have {nodes * cores} cores, and the "
                f"account may have {quota} (quotas: {name}); fewer will come up"
            )


def used(config: AzureConfig, pools: Iterable[m.BatchPool], jobs: int) -> str:
    """How much of its quotas an account uses, in words; empty where no quota is told."""
    counted = {"dedicated_cores": 0, "spot_cores": 0, "pools": 0, "jobs": jobs}
    for pool in pools:
        cores = cores_of(pool.vm_size or "") or 0
        counted["pools"] += 1
        counted["dedicated_cores"] += cores * (pool.current_dedicated_nodes or 0)
        counted["spot_cores"] += cores * (pool.current_low_priority_nodes or 0)
    return ", ".join(
        f"{counted[name]} of {quota} {name.replace('_', ' ')}"
        for name, quota in config.quotas.items()
    )
