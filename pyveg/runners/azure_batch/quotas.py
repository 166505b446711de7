"""What an account may have against what is asked of it.

The service tells its quotas to those who manage accounts and not to those who run jobs in them, so
the user copies them from the portal: ``quotas`` in azure_config.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pyveg.azure_config import AzureConfig

if TYPE_CHECKING:
    from azure.batch import models as m

_CORES = re.compile(r"(?:standard|basic)_[a-z]+(\d+)(?!\d*-)", re.IGNORECASE)
_OLD = re.compile(r"(?:standard|basic)_(?:([ad])s?(\d+)|(d)s?(\d+)_v2)(?:_promo)?", re.IGNORECASE)
_OLD_CORES = {
    "d": {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20},
    "a": {0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 2, 6: 4, 7: 8, 8: 8, 9: 16, 10: 8, 11: 16},
}
"""Letter of the first series -> number in a name -> cores: there it only counts the sizes."""


def cores_of(vm_size: str) -> int | None:
    """Cores of a node, as the name of its size says; None where it says none.

    Examples
    --------
    >>> cores_of("Standard_D2s_v5"), cores_of("STANDARD_NC24ADS_A100_V4"), cores_of("my_own2")
    (2, 24, None)
    >>> cores_of("Standard_D3_v2"), cores_of("Standard_A2_v2"), cores_of("Standard_M64-32ms")
    (4, 2, None)
    """
    old = _OLD.fullmatch(vm_size)
    if old is not None:
        letter, number = old[1] or old[3], old[2] or old[4]
        return _OLD_CORES[letter.lower()].get(int(number))
    found = _CORES.match(vm_size)
    return int(found[1]) if found else None


def asked_too_much(configs: Sequence[AzureConfig]) -> Iterator[str]:
    """What the pools of a run ask for that their account may not have; a sentence for each quota.

    Parameters
    ----------
    configs : sequence of AzureConfig
        One for each pool. One with a formula, or of a size whose cores are not known, is left out.
    """
    counted = [
        (config, cores)
        for config in configs
        if (cores := cores_of(config.pool_vm_size)) is not None
        and not config.pool_autoscale_formula
    ]
    for name, setting in (
        ("dedicated_cores", "pool_dedicated_node_count"),
        ("spot_cores", "pool_low_priority_node_count"),
    ):
        asked = [(getattr(config, setting), config.pool_vm_size, n) for config, n in counted]
        quota = next((config.quotas[name] for config in configs if name in config.quotas), None)
        total = sum(nodes * cores for nodes, _, cores in asked)
        if quota is not None and total > quota:
            nodes = " and ".join(f"{nodes} nodes of {size}" for nodes, size, _ in asked if nodes)
            yield (
                f"{nodes} have {total} cores, and the account may have {quota} (quotas: {name}); "
                "fewer will come up"
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
