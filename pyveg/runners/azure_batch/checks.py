"""What is refused, or told, before anything is made at Azure Batch."""

from __future__ import annotations

from collections import Counter

from pyveg.azure_config import AzureConfig
from pyveg.core.errors import ConfigError
from pyveg.core.ports import Work
from pyveg.core.tasks import Step
from pyveg.runners.azure_batch import capacity
from pyveg.runners.azure_batch.account import check_account
from pyveg.runners.azure_batch.plan import SPARE, plugins, pool_settings, sent_variables

_LONGEST_LOGIN_SAS = 168.0
"""Hours that a SAS of a login (Entra ID) may last."""


def check(config: AzureConfig, work: Work) -> list[str]:
    """Refuse what cannot work.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    ConfigError
    """
    if not work.store.address:
        step = work.steps[0]
        raise ConfigError(
            f'{step.label}: run_mode "{step.run_mode}" is set, but nodes cannot reach files of '
            "this machine",
            'set output_location_type = "azure"',
        )
    check_account(config)
    _check_nodes(config)
    capacity.seconds_in(config.wait_for_quota, config.source)
    _check_spot_first(config)
    pool_settings(config)  # for its checks
    tuple(plugins(work.steps))  # for their checks: what they give is needed when the run starts
    sent_variables(config)
    if config.pool_identity:
        return []
    # Azure signs a SAS with a login's key, which itself ends after seven days.
    if not config.storage_account_key and config.sas_hours > _LONGEST_LOGIN_SAS:
        raise ConfigError(
            f"{config.source}: sas_hours = {config.sas_hours:g}, but the SAS of a login lasts "
            f"{_LONGEST_LOGIN_SAS:g} hours at most",
            "lower it or set storage_account_key",
        )
    return _check_times(config, work)


def _check_nodes(config: AzureConfig) -> None:
    nodes = config.pool_dedicated_node_count + config.pool_low_priority_node_count
    if not nodes and not config.pool_autoscale_formula:
        raise ConfigError(
            f"{config.source}: a pool without nodes runs nothing",
            "set pool_dedicated_node_count, pool_low_priority_node_count or pool_autoscale_formula",
        )


def _check_spot_first(config: AzureConfig) -> None:
    after = capacity.seconds_in(config.dedicated_after, config.source, "dedicated_after")
    if after and config.pool_autoscale_formula:
        raise ConfigError(
            f"{config.source}: dedicated_after is set, but pool_autoscale_formula decides how many "
            "nodes of which kind there are",
            "unset one of the two",
        )


def _check_times(config: AzureConfig, work: Work) -> list[str]:
    """Whether a SAS lasts for the Tasks that it is for."""
    hours = _hours(config, work)
    limited = [task for task in work.graph if hours.get(task.step.label)]
    longest: dict[str, float] = {}
    for task in limited:  # in an order in which they can be done
        before = max((longest.get(id_, 0.0) for id_ in task.after), default=0.0)
        longest[task.id] = before + hours[task.step.label]
    needed = max(longest.values(), default=0.0)
    if needed > config.sas_hours - SPARE:
        raise ConfigError(
            f"{config.source}: sas_hours = {config.sas_hours:g} is too short: the time limits of "
            f"a date's tasks make {needed:.1f} hours with retries",
            "raise sas_hours or lower timeout",
        )
    nodes = config.pool_dedicated_node_count + config.pool_low_priority_node_count
    slots = max(1, nodes * config.task_slots_per_node)
    total = sum(_minutes(task.step) for task in limited) / 60 / slots
    if total > config.sas_hours - SPARE:
        return [
            f"if every task took as long as its time limit, the run would need {total:.0f} hours "
            f"on {slots} task slots, but its SAS lasts {config.sas_hours:g} (sas_hours); a run "
            "that is not done by then can be finished with --from_cache"
        ]
    return []


def _hours(config: AzureConfig, work: Work) -> dict[str, float]:
    """Label of a Module on the nodes -> how long one task of the service may take by limits."""
    totals = Counter(task.step.label for task in work.graph)
    hours = {}
    for step in work.steps:
        if step.timeout:
            hours[step.label] = step.timeout * (config.task_retries + 1) / 60
        else:  # one that keeps its own time does several of its Tasks in a row
            tries = step.settings.get("retries", 0) + 1
            hours[step.label] = _minutes(step) * tries * step.together(totals[step.label]) / 60
    return hours


def _minutes(step: Step) -> float:
    """The time limit of one try, by the engine or by the Module itself; 0 for none."""
    return step.timeout or step.settings.get("timeout") or 0.0
