"""Everything that the engine needs to know, from the accounts, the Store and the Tasks of a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from pyveg.azure_config import AzureConfig, pool_record
from pyveg.core import registry, secrets
from pyveg.core.errors import ConfigError
from pyveg.core.module import settings_of
from pyveg.core.ports import Rights, Store, Work
from pyveg.core.tasks import Step
from pyveg.earth.subject import collection_of
from pyveg.runners.azure_batch import capacity
from pyveg.runners.azure_batch.account import credential
from pyveg.runners.azure_batch.packages import distribution_of
from pyveg.runners.azure_batch.settings import BatchSettings, PoolSettings

SPARE = 1.0
"""Hours that a SAS outlives the jobs that use it."""


def make_settings(config: AzureConfig, work: Work, lane: str = "") -> BatchSettings:
    """Put it together; issues new SAS tokens, which may ask the service of the Store."""
    life = timedelta(hours=config.sas_hours)
    if config.pool_identity:
        client = config.pool_identity_client_id
        environment = {"AZURE_CLIENT_ID": client} if client else {}
        read = write = ""
    else:
        environment = dict(work.store.grant("all", life).variables)
        read, write = (_token(work.store, rights, life) for rights in ("read", "add"))
    return BatchSettings(
        account_url=config.batch_account_url,
        credential=credential(config),
        run=work.store.address.rpartition("/")[2],
        pool=pool_settings(config),
        lane=lane,
        blob_url=work.store.address,
        environment={**environment, **sent_variables(config)},
        read_sas=read,
        write_sas=write,
        totals=Counter(task.step.label for task in work.graph),
        plugins=tuple(plugins(work.steps)),
        extras=tuple(dict.fromkeys(_extras(work))),
        hours=config.sas_hours - min(SPARE, config.sas_hours / 10),
        task_retries=config.task_retries,
        node_start_minutes=config.node_start_minutes,
        waiting_minutes=config.waiting_minutes,
        poll_seconds=config.poll_seconds,
        wait_seconds=capacity.seconds_in(config.wait_for_quota, config.source),
        dedicated_after_seconds=capacity.seconds_in(
            config.dedicated_after, config.source, "dedicated_after"
        ),
        labels=config.labels,
    )


def _token(store: Store, rights: Rights, life: timedelta) -> str:
    """What stands behind the address of the container for those who have no more than that."""
    return urlsplit(store.grant(rights, life).address).query


def pool_settings(config: AzureConfig) -> PoolSettings:
    """What nodes to ask for; the password of a registry comes from the environment.

    Raises
    ------
    ConfigError
        If the variable that should have it is not set.
    """
    user, password = _registry_login(config)
    return PoolSettings(
        registry_user=user,
        registry_password=password,
        id=config.batch_pool_id,
        vm_size=config.pool_vm_size,
        dedicated=config.pool_dedicated_node_count,
        spot=config.pool_low_priority_node_count,
        autoscale_formula=config.pool_autoscale_formula,
        slots=config.task_slots_per_node,
        image=config.pool_image,
        node_agent=config.pool_node_agent,
        container_image=config.container_image,
        container_registry=config.container_registry,
        identity=config.pool_identity,
        identity_client_id=config.pool_identity_client_id,
        keep=config.keep_pool,
        price=_price(config),
    )


def _price(config: AzureConfig) -> float | None:
    """What is said of a node of that pool; nothing where nobody has."""
    if config.batch_pool_id not in config.pools:
        return None
    return pool_record(config, config.batch_pool_id).price or None


def _registry_login(config: AzureConfig) -> tuple[str, str]:
    if config.batch_pool_id not in config.pools:
        return "", ""
    record = pool_record(config, config.batch_pool_id)
    variable = record.registry_password_variable
    if variable and not os.environ.get(variable):
        raise ConfigError(
            f'{config.source}: pools["{config.batch_pool_id}"] takes the password of its registry '
            f"from {variable}, which is not set here",
            "set it, or give the pool an identity that may pull",
        )
    if variable:
        secrets.know(os.environ[variable])
    return record.registry_user, os.environ.get(variable, "") if variable else ""


def sent_variables(config: AzureConfig) -> dict[str, str]:
    """What the user has chosen to send to tasks, such as the token of a service.

    Raises
    ------
    ConfigError
        If one of the variables is not set here.
    """
    missing = [name for name in config.node_environment if name not in os.environ]
    if missing:
        raise ConfigError(
            f"{config.source}: node_environment names {missing[0]}, which is not set here",
            "set it, or take it out of node_environment",
        )
    return {name: os.environ[name] for name in config.node_environment}


def _extras(work: Work) -> Iterator[str]:
    """Extras of pyveg that nodes need: for the Store, Sources that they ask, other parts."""
    parts = [("store", str(work.store.spec()["type"]))]
    for step in work.steps:
        collection = collection_of(step.scope)
        if collection is not None and registry.load("module", step.module).role == "start":
            parts.append(("source", collection.source))
        parts += _parts(step)
    for kind, name in parts:
        package, extras = registry.extras_of(kind, name)
        if package == "pyveg":
            yield from extras


def _parts(step: Step) -> Iterator[tuple[str, str]]:
    """Kind and name of the parts that Tasks of a Module load."""
    module = registry.load("module", step.module)
    yield from module.parts(settings_of(module, step.settings))


def plugins(steps: Sequence[Step]) -> Iterator[str]:
    """Distributions, other than pyveg, that hold what the nodes run.

    Raises
    ------
    ConfigError
        For a Module, Source or other part that belongs to none, so that nodes cannot get it.
    """
    for step in steps:
        parts = [registry.load("module", step.module)]
        collection = collection_of(step.scope)
        if collection is not None:
            parts.append(registry.load("source", collection.source))
        parts += [registry.load(kind, name) for kind, name in _parts(step)]
        for part in parts:
            top = part.__module__.partition(".")[0]
            if top == "pyveg":
                continue
            name = distribution_of(top)
            if name is None:
                raise ConfigError(
                    f"{step.label}: {part.__module__} belongs to no installed package, so nodes "
                    "cannot get it",
                    "give it a pyproject.toml and pip install it",
                )
            yield name
