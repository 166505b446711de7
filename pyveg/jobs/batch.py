"""Settings of the engine Azure Batch, from azure_config.py, the container and the plan."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyveg.core import registry
from pyveg.core.errors import ConfigError, RunLockedError
from pyveg.core.layout import LOCK
from pyveg.core.tasks import Step, TaskGraph
from pyveg.earth.subject import collection_of
from pyveg.jobs import azure
from pyveg.jobs.azure import AzureConfig
from pyveg.storage.azure_access import SAS_VARIABLE
from pyveg.storage.azure_blob import AzureBlobStore

if TYPE_CHECKING:
    from pyveg.core.pipeline import Pipeline
    from pyveg.core.ports import Store
    from pyveg.runners.azure_batch.cleanup import Account
    from pyveg.runners.azure_batch.settings import BatchSettings, PoolSettings

MODE = "batch"
"""The run mode of Tasks on Azure Batch."""

_LONGEST_LOGIN_SAS = 168.0
"""Hours that a SAS of a login (Entra ID) may last."""
_SPARE = 1.0
"""Hours that a SAS outlives the jobs that use it."""


def check(pipeline: Pipeline, graph: TaskGraph) -> list[str]:
    """Refuse what cannot work on Azure Batch, before anything is made there.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    ConfigError
    """
    steps = [step for step in graph.steps if step.run_mode == MODE]
    if not steps:
        return []
    if pipeline.output_location_type != "azure":
        raise ConfigError(
            f'{steps[0].label}: run_mode "batch" is set, but nodes cannot reach files of this '
            "machine",
            'set output_location_type = "azure"',
        )
    config = azure.load()
    _check_account(config)
    tuple(_plugins(steps))  # for their checks: what they give is needed when the run starts
    _sent(config)
    if config.pool_identity:
        return []
    # Azure signs a SAS with a login's key, which itself ends after seven days.
    if not config.storage_account_key and config.sas_hours > _LONGEST_LOGIN_SAS:
        raise ConfigError(
            f"{config.source}: sas_hours = {config.sas_hours:g}, but the SAS of a login lasts "
            f"{_LONGEST_LOGIN_SAS:g} hours at most",
            "lower it or set storage_account_key",
        )
    return _check_times(config, graph)


def settings(store: Store, graph: TaskGraph) -> BatchSettings:
    """Everything that the engine needs to know; issues new SAS tokens."""
    from pyveg.runners.azure_batch.settings import BatchSettings

    if not isinstance(store, AzureBlobStore):
        raise TypeError("nodes of Azure Batch reach containers only")
    config = azure.load()
    life = timedelta(hours=config.sas_hours)
    if config.pool_identity:
        client = config.pool_identity_client_id
        environment = {"AZURE_CLIENT_ID": client} if client else {}
        environment |= _sent(config)
        read = write = ""
    else:
        environment = {SAS_VARIABLE: _token(store, life), **_sent(config)}
        read, write = _token(store, life, "r"), _token(store, life, "cw")
    steps = [step for step in graph.steps if step.run_mode == MODE]
    return BatchSettings(
        account_url=config.batch_account_url,
        credential=credential(config),
        run=store.container,
        pool=_pool(config),
        blob_url=f"{store.account_url}/{store.container}",
        environment=environment,
        read_sas=read,
        write_sas=write,
        totals=Counter(task.step.label for task in graph),
        plugins=tuple(_plugins(steps)),
        extras=tuple(_extras(steps)),
        hours=config.sas_hours - min(_SPARE, config.sas_hours / 10),
        task_retries=config.task_retries,
        node_start_minutes=config.node_start_minutes,
        poll_seconds=config.poll_seconds,
    )


def credential(config: AzureConfig) -> Callable[[], Any]:
    """Makes what the SDK signs requests to the Batch account with."""

    def make() -> Any:
        if config.batch_account_key:
            from azure.core.credentials import AzureNamedKeyCredential

            return AzureNamedKeyCredential(config.batch_account_name, config.batch_account_key)
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential()

    return make


def account(config: AzureConfig) -> Account:
    """The Batch account, to look at and to tidy."""
    from pyveg.runners.azure_batch.cleanup import Account

    _check_account(config)
    return Account(config.batch_account_url, credential(config)())


def is_busy(run: str) -> bool:
    """Whether a process works on the run in that container now."""
    store = azure.open_store(run)
    if not store.exists():
        return False
    try:
        with store.lock(LOCK):
            return False
    except RunLockedError:
        return True


def _check_account(config: AzureConfig) -> None:
    for name in ("batch_account_name", "batch_account_url"):
        if not getattr(config, name):
            raise ConfigError(
                f"{config.source}: {name} is missing",
                "write an azure_config.py with pyveg_azure_config and fill it in",
            )
    if not config.batch_account_key and urlsplit(config.batch_account_url).scheme != "https":
        raise ConfigError(
            f"{config.source}: a login works with https only",
            "set batch_account_key, or write batch_account_url with https",
        )
    nodes = config.pool_dedicated_node_count + config.pool_low_priority_node_count
    if not nodes and not config.pool_autoscale_formula:
        raise ConfigError(
            f"{config.source}: a pool without nodes runs nothing",
            "set pool_dedicated_node_count, pool_low_priority_node_count or pool_autoscale_formula",
        )


def _check_times(config: AzureConfig, graph: TaskGraph) -> list[str]:
    """Whether a SAS lasts for the Tasks that it is for."""
    hours = _hours(config, graph)
    limited = [task for task in graph if hours.get(task.step.label)]
    longest: dict[str, float] = {}
    for task in limited:  # in an order in which they can be done
        before = max((longest.get(id_, 0.0) for id_ in task.after), default=0.0)
        longest[task.id] = before + hours[task.step.label]
    needed = max(longest.values(), default=0.0)
    if needed > config.sas_hours - _SPARE:
        raise ConfigError(
            f"{config.source}: sas_hours = {config.sas_hours:g} is too short: the time limits of "
            f"a date's tasks make {needed:.1f} hours with retries",
            "raise sas_hours or lower timeout",
        )
    nodes = config.pool_dedicated_node_count + config.pool_low_priority_node_count
    slots = max(1, nodes * config.task_slots_per_node)
    total = sum(_minutes(task.step) for task in limited) / 60 / slots
    if total > config.sas_hours - _SPARE:
        return [
            f"if every task took as long as its time limit, the run would need {total:.0f} hours "
            f"on {slots} task slots, but its SAS lasts {config.sas_hours:g} (sas_hours); a run "
            "that is not done by then can be finished with --from_cache"
        ]
    return []


def _hours(config: AzureConfig, graph: TaskGraph) -> dict[str, float]:
    """Label of a Module on Azure Batch -> how long one task of the service may take by limits."""
    totals = Counter(task.step.label for task in graph)
    hours = {}
    for step in (step for step in graph.steps if step.run_mode == MODE):
        if step.timeout:
            hours[step.label] = step.timeout * (config.task_retries + 1) / 60
        else:  # one that keeps its own time does several of its Tasks in a row
            tries = step.settings.get("retries", 0) + 1
            hours[step.label] = _minutes(step) * tries * step.together(totals[step.label]) / 60
    return hours


def _minutes(step: Step) -> float:
    """The time limit of one try, by the engine or by the Module itself; 0 for none."""
    return step.timeout or step.settings.get("timeout") or 0.0


def _pool(config: AzureConfig) -> PoolSettings:
    from pyveg.runners.azure_batch.settings import PoolSettings

    return PoolSettings(
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
    )


def _token(store: AzureBlobStore, life: timedelta, permissions: str = "racwdl") -> str:
    """A SAS of the run's container, signed by the key or by the login."""
    return store.sas(life, permissions) or store.user_delegation_sas(life, permissions)


def _sent(config: AzureConfig) -> dict[str, str]:
    """What the user has chosen to send to tasks, such as the token of a service."""
    missing = [name for name in config.node_environment if name not in os.environ]
    if missing:
        raise ConfigError(
            f"{config.source}: node_environment names {missing[0]}, which is not set here",
            "set it, or take it out of node_environment",
        )
    return {name: os.environ[name] for name in config.node_environment}


def _extras(steps: list[Step]) -> Iterator[str]:
    """Extras of pyveg that nodes need: for containers, and for Sources that they ask."""
    yield registry.extra_of("store", "azure")
    collections = [collection_of(step.scope) for step in steps]
    for source in {one.source for one in collections if one is not None}:
        extra = registry.extra_of("source", source)
        if extra and any(_asks(step, source) for step in steps):
            yield extra


def _asks(step: Step, source: str) -> bool:
    """Whether the Tasks of a Step fetch from that Source."""
    collection = collection_of(step.scope)
    module = registry.load("module", step.module)
    return collection is not None and collection.source == source and module.role == "start"


def _plugins(steps: list[Step]) -> Iterator[str]:
    """Distributions, other than pyveg, that hold what the nodes run."""
    from pyveg.runners.azure_batch.packages import distribution_of

    for step in steps:
        parts = [registry.load("module", step.module)]
        collection = collection_of(step.scope)
        if collection is not None:
            parts.append(registry.load("source", collection.source))
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
