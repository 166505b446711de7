"""Pools that last: made and removed by name, and not by a run."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyveg.azure_config import AzureConfig, of_its_pool, pool_record
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.runners.azure_batch import advice, models
from pyveg.runners.azure_batch.account import check_account, credential
from pyveg.runners.azure_batch.plan import pool_settings
from pyveg.runners.azure_batch.service import BatchService, state_of
from pyveg.runners.azure_batch.settings import PoolSettings

if TYPE_CHECKING:
    from azure.batch import models as m

LASTING = "pyveg_pool"
"""Name of the metadata that tells a pool which was made by name; its value is that name."""


@dataclass(frozen=True)
class LastingPool:
    """A pool that was made by name."""

    name: str
    state: str
    vm_size: str
    nodes: int
    """That there are now, which cost money."""
    price: float = 0.0
    """Of a node in an hour; 0 where nobody has said it."""

    @property
    def cost(self) -> str:
        """What it costs while it stands, in words."""
        if not self.nodes:
            return "costs nothing now"
        if not self.price:
            return f"{self.nodes} nodes cost money while they stand (set price to see how much)"
        hour = self.nodes * self.price
        return f"costs {hour:.2f} an hour, {24 * hour:.2f} a day, while it stands"


class LastingPools:
    """The pools of a Batch account that were made by name.

    Parameters
    ----------
    config : AzureConfig

    Raises
    ------
    ConfigError
        If it names no account, or not enough to log in.
    """

    def __init__(self, config: AzureConfig) -> None:
        check_account(config)
        self._config = config
        made = credential(config)()
        self._service = BatchService(config.batch_account_url, made, threading.Event())

    def create(self, name: str) -> LastingPool:
        """Make the pool of that name, as ``pools`` of the config describes it.

        Nodes set themselves up with pyveg for the first job of a run that is given to them.

        Raises
        ------
        ConfigError
            If nothing is said of it, or there is one already.
        EngineError
            If the account gives none.
        """
        from azure.core.exceptions import AzureError

        pool_record(self._config, name)
        wanted = pool_settings(of_its_pool(replace(self._config, batch_pool_id=name)))
        if wanted.identity:
            raise ConfigError(
                f"the pool {name} has an identity",
                "make such a pool by hand, as docs/azure.md says: this program may not",
            )
        try:
            if self._service.pool(name) is not None:
                raise ConfigError(f"there is a pool {name} already", "delete it first")
            self._service.add_pool(body(name, wanted, *self._image(wanted)))
        except AzureError as error:
            raise advice.engine_error(f"pool {name}", error) from error
        # The list of the service may not have it yet.
        new = LastingPool(name, "active", wanted.vm_size, 0, pool_record(self._config, name).price)
        return next((one for one in self.all() if one.name == name), new)

    def all(self) -> list[LastingPool]:
        """Those that there are."""
        from azure.core.exceptions import AzureError

        try:
            found = self._service.pools()
        except AzureError as error:
            raise advice.engine_error(self._config.batch_account_url, error) from error
        return [self._shown(pool) for pool in found if name_of(pool.metadata)]

    def delete(self, name: str) -> bool:
        """Remove one; False where it was gone already. Its tasks are ended.

        Raises
        ------
        UnknownNameError
            If the pool was not made by name.
        """
        from azure.core.exceptions import AzureError

        known = [one.name for one in self.all()]
        if name not in known:
            raise UnknownNameError("lasting pool", name, known)
        try:
            return self._service.delete_pool(name)
        except AzureError as error:
            raise advice.engine_error(f"pool {name}", error) from error

    def _shown(self, pool: Any) -> LastingPool:
        name = name_of(pool.metadata)
        price = pool_record(self._config, name).price if name in self._config.pools else 0.0
        nodes = (pool.current_dedicated_nodes or 0) + (pool.current_low_priority_nodes or 0)
        return LastingPool(name, state_of(pool), pool.vm_size or "", nodes, price)

    def _image(self, wanted: PoolSettings) -> tuple[m.BatchVmImageReference, str]:
        from azure.batch import models as m

        image = dict(wanted.image)
        known = self._service.image(image)
        if known is None:
            raise ConfigError(
                f"Azure Batch knows no image {image}", "choose one with the help of docs/azure.md"
            )
        reference = m.BatchVmImageReference(**{"version": "latest", **image})
        return reference, wanted.node_agent or known.node_agent_sku_id


def name_of(metadata: Sequence[m.BatchMetadataItem] | None) -> str:
    """The name that a pool was made by; empty where it was made otherwise."""
    return next((item.value for item in metadata or () if item.name == LASTING), "")


def body(
    name: str, wanted: PoolSettings, image: m.BatchVmImageReference, agent: str
) -> m.BatchPoolCreateOptions:
    """What asks the service for the pool."""
    from azure.batch import models as m

    machine = m.VirtualMachineConfiguration(image_reference=image, node_agent_sku_id=agent)
    if wanted.container_image:
        machine.container_configuration = models.containers(wanted)
    options = m.BatchPoolCreateOptions(
        id=name,
        vm_size=wanted.vm_size,
        virtual_machine_configuration=machine,
        task_slots_per_node=wanted.slots,
        task_scheduling_policy=m.BatchTaskSchedulingPolicy(node_fill_type="pack"),
        metadata=[m.BatchMetadataItem(name=LASTING, value=name)],
    )
    models.scale(options, wanted)
    return options
