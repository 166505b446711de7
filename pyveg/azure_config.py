"""The file azure_config.py: where it is and what it says of your accounts at Azure.

The Store and the engine that work there both ask it, and neither knows the other.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import types
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyveg.core import params, secrets
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.loopback import is_loopback
from pyveg.core.params import setting
from pyveg.core.reading import read_text

FILE_NAME = "azure_config.py"
FILE_VARIABLE = "PYVEG_AZURE_CONFIG"
PREFIX = "PYVEG_AZURE_"
"""Begins the environment variable of every setting."""
SAS_VARIABLE = "PYVEG_AZURE_SAS"
"""Environment variable with a SAS token, which goes before every other credential."""

_ACCOUNT = re.compile("[a-z0-9]{3,24}")
_MEND = "mend that line, or write the file anew with pyveg_azure_config"


IMAGE = {
    "publisher": "microsoft-dsvm",
    "offer": "ubuntu-hpc",
    "sku": "2204",
    "version": "latest",
}
"""The system of a node where nothing else is asked for."""


QUOTAS = ("dedicated_cores", "spot_cores", "pools", "jobs")
"""What an account has a quota of, as the portal shows them."""
LONGEST_LABEL = 64


@dataclass(frozen=True, kw_only=True)
class AzureConfig:
    """What azure_config.py says. Its text has no keys."""

    storage_account_name: str = setting("", doc="the storage account")
    storage_account_key: str = setting(
        "", doc="its key, in azure_config.py; empty to log in with Entra ID", secret=True
    )
    storage_account_url: str = setting("", doc="its address, where it is not the usual one")
    sas_hours: float = setting(168.0, doc="life of a SAS, hours", low=0.1, high=8760)
    batch_account_name: str = setting("", doc="the Batch account")
    batch_account_key: str = setting(
        "", doc="its key, in azure_config.py; empty to log in with Entra ID", secret=True
    )
    batch_account_url: str = setting("", doc="its address")
    batch_pool_id: str = setting("pyveg", doc="the pool of nodes")
    pool_vm_size: str = setting("Standard_D2s_v5", doc="size of its nodes")
    pool_vm_sizes: tuple[str, ...] = setting(
        (), doc="sizes of which the smallest is taken that has what Modules need (resources)"
    )
    vm_sizes: dict[str, Any] = setting(
        {}, doc="size -> its cpus, memory_gb and gpus, where its name does not tell"
    )
    pool_low_priority_node_count: int = setting(0, doc="Spot nodes", low=0)
    pool_dedicated_node_count: int = setting(
        1, doc="dedicated nodes, which are not taken away", low=0
    )
    pool_autoscale_formula: str = setting("", doc="formula instead of the two numbers")
    task_slots_per_node: int = setting(2, doc="tasks on a node at once", low=1, high=256)
    pool_image: dict[str, Any] = setting(IMAGE, doc="publisher, offer, sku and version")
    pool_node_agent: str = setting("", doc="agent that goes with the image")
    pool_identity: str = setting("", doc="resource id of the pool's managed identity")
    pool_identity_client_id: str = setting("", doc="its client id")
    task_retries: int = setting(1, doc="tries after a task's first that failed", low=0, high=100)
    node_start_minutes: float = setting(60.0, doc="minutes to wait for the first node", low=0.01)
    waiting_minutes: float = setting(
        1.0, doc="minutes that tasks may wait while nodes idle before it is told why", low=0.01
    )
    wait_for_quota: str = setting(
        "", doc='how long to wait where a quota is used up or there are no machines, such as "2h"'
    )
    dedicated_after: str = setting(
        "", doc='how long Spot nodes may be missing before dedicated ones replace them, as "10m"'
    )
    poll_seconds: float = setting(
        1.0, doc="least seconds between two looks at the service", low=0.05, high=30
    )
    node_environment: tuple[str, ...] = setting(
        (), doc="names of your environment variables that tasks get too"
    )
    keep_pool: bool = setting(False, doc="leave the pool there when the run ends")
    container_image: str = setting("", doc="image that tasks run in")
    container_registry: str = setting("", doc="where the image is")
    pools: dict[str, Any] = setting(
        {}, doc="name -> settings of a pool, which batch_pool_id chooses; docs/azure.md"
    )
    module_pools: dict[str, Any] = setting(
        {}, doc="Module, or SEQUENCE/MODULE -> name in pools, for those that batch_pool_id is not"
    )
    labels: dict[str, str] = setting(
        {}, doc="your own name -> value, which pools and jobs of a run carry as metadata"
    )
    quotas: dict[str, int] = setting(
        {}, doc="what the account may have: dedicated_cores, spot_cores, pools, jobs"
    )
    source: str = setting("", doc="the file that it was read from")

    @property
    def blob_url(self) -> str:
        """Address of the storage account.

        Raises
        ------
        ConfigError
            If nothing names the account.
        """
        if self.storage_account_url:
            return self.storage_account_url
        if not self.storage_account_name:
            raise ConfigError(
                f"{self.source or 'no azure_config.py was found'}: storage_account_name is missing",
                f"write the file with pyveg_azure_config and fill it in, or set {PREFIX}"
                "STORAGE_ACCOUNT_NAME",
            )
        return f"https://{self.storage_account_name}.blob.core.windows.net"


@dataclass(frozen=True, kw_only=True)
class PoolRecord:
    """What is said of one pool by its name; it goes before the settings of all pools."""

    vm_size: str = setting(doc="size of its nodes")
    dedicated: int = setting(0, doc="nodes that stay, where max_nodes is 0", low=0)
    spot: int = setting(0, doc="Spot nodes, likewise", low=0)
    max_nodes: int = setting(
        0, doc="nodes at most, by a formula that goes to none when no task waits", low=0, high=1000
    )
    slots: int = setting(1, doc="tasks on a node at once", low=1, high=256)
    image: dict[str, Any] = setting(IMAGE, doc="publisher, offer, sku and version")
    node_agent: str = setting("", doc="agent that goes with the image")
    container_image: str = setting("", doc="image that tasks run in")
    container_registry: str = setting("", doc="where the image is")
    registry_user: str = setting("", doc="name at the registry, where no identity is used")
    registry_password_variable: str = setting(
        "", doc="variable of your environment that has the password"
    )
    identity: str = setting("", doc="resource id of the pool's managed identity")
    identity_client_id: str = setting("", doc="its client id")
    price: float = setting(0.0, doc="what a node costs in an hour, in your currency", low=0)


_OF_RECORD = {
    "vm_size": "pool_vm_size",
    "dedicated": "pool_dedicated_node_count",
    "spot": "pool_low_priority_node_count",
    "slots": "task_slots_per_node",
    "image": "pool_image",
    "node_agent": "pool_node_agent",
    "container_image": "container_image",
    "container_registry": "container_registry",
    "identity": "pool_identity",
    "identity_client_id": "pool_identity_client_id",
}
"""What a record says -> the setting of all pools that it stands for."""


def pool_record(config: AzureConfig, name: str) -> PoolRecord:
    """What is said of a pool.

    Raises
    ------
    UnknownNameError
        If nothing is.
    """
    if name not in config.pools:
        raise UnknownNameError("pool", name, config.pools, f"{config.source}: pools")
    return params.build(PoolRecord, config.pools[name], f'{config.source}: pools["{name}"]')


def autoscale(max_nodes: int, slots: int) -> str:
    """A formula of Azure Batch for as many nodes as tasks need, and none when no task waits.

    Parameters
    ----------
    max_nodes : int
        Nodes at most.
    slots : int
        Tasks on a node at once.

    Notes
    -----
    It takes the largest number of pending tasks of the last five minutes, so that a pool does not
    shrink between two tasks, and lets tasks that run end before their node goes. How the service
    rounds is not documented, so no pending task gives exactly no node, and one or more give
    one node at least. The emulator has evaluated it, the service never.

    Examples
    --------
    >>> print(autoscale(4, 2))
    $pending = max(0, $PendingTasks.GetSample(TimeInterval_Minute * 5));
    $TargetDedicatedNodes = $pending > 0 ? min(4, ($pending + 1) / 2) : 0;
    $NodeDeallocationOption = taskcompletion;
    """
    nodes = f"min({max_nodes}, ($pending + {slots - 1}) / {slots})"
    return "\n".join(
        (
            "$pending = max(0, $PendingTasks.GetSample(TimeInterval_Minute * 5));",
            f"$TargetDedicatedNodes = $pending > 0 ? {nodes} : 0;",
            "$NodeDeallocationOption = taskcompletion;",
        )
    )


def of_its_pool(config: AzureConfig) -> AzureConfig:
    """The same with what is said of the pool that it names, where something is."""
    if config.batch_pool_id not in config.pools:
        return config
    record = pool_record(config, config.batch_pool_id)
    given = {name: getattr(record, part) for part, name in _OF_RECORD.items()}
    formula = ""
    if record.max_nodes:
        formula = autoscale(record.max_nodes, record.slots)
        given["pool_dedicated_node_count"] = record.max_nodes  # by which times are judged
    return replace(config, **given, pool_autoscale_formula=formula)


SETTINGS = tuple(spec.name for spec in fields(AzureConfig) if spec.name != "source")
_SECRETS = frozenset(spec.name for spec in fields(AzureConfig) if spec.metadata.get("secret"))


def find(given: str | Path | None = None) -> Path | None:
    """Where the file is: as given, as PYVEG_AZURE_CONFIG says, or in the working directory.

    Raises
    ------
    ConfigError
        If a file that was named is not there.
    """
    for named, by in ((given, "--azure_config"), (os.environ.get(FILE_VARIABLE), FILE_VARIABLE)):
        if named:
            path = Path(named).expanduser()
            if not path.is_file():
                raise ConfigError(
                    f"{by}: there is no file {path.absolute()}", "write one with pyveg_azure_config"
                )
            return path.absolute()
    path = Path(FILE_NAME).absolute()
    return path if path.is_file() else None


def load(given: str | Path | None = None) -> AzureConfig:
    """Read and check the file; where there is none, the environment alone.

    Parameters
    ----------
    given : str or Path, optional
        The file; else it is looked for as `find` does.

    Raises
    ------
    ConfigError
        If it is missing or wrong. The message names the setting, and never shows a key.
    """
    path = find(given)
    where = str(path) if path else "environment"
    settings = _run(path) if path else {}
    if path:
        secrets.know_file(path)
    for name in settings:
        if name not in SETTINGS:
            raise UnknownNameError("setting", name, SETTINGS, where)
    given_or_set = {name: value for name, value in settings.items() if not _empty(value)}
    for name in SETTINGS:
        text = os.environ.get(PREFIX + name.upper())
        # The file goes before the environment.
        if name not in given_or_set and text:
            given_or_set[name] = _from_text(name, text)
    for name in _SECRETS & given_or_set.keys():
        if not isinstance(given_or_set[name], str):
            raise ConfigError(
                f"{where}: {name} is no text (its value is not shown here)", "write it in quotes"
            )
    config = params.build(AzureConfig, {**given_or_set, "source": where}, where, kept=False)
    secrets.know(*(getattr(config, name) for name in _SECRETS))
    _check(config, where)
    return of_its_pool(config)


def learn() -> None:
    """Have this process know the file and its keys, if there are any, so that none gets out."""
    with suppress(ConfigError):  # whoever needs it says what is wrong with it
        path = find()
        if path is not None:
            secrets.know_file(path)
        load()


def with_given(config: AzureConfig, given: Mapping[str, Any], where: str) -> AzureConfig:
    """The same with settings that were given elsewhere, which go before it.

    Parameters
    ----------
    config : AzureConfig
    given : mapping
        Name of a setting -> its value, of the right type.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If they do not go together.
    """
    changed = replace(config, **given)
    _check(changed, where)
    return of_its_pool(changed)


def accounts(config: AzureConfig) -> Iterator[tuple[str, str, str]]:
    """Each kind of account, its name and how one logs in to it; the name may be empty."""
    for kind in ("storage", "batch"):
        way = "its key" if getattr(config, f"{kind}_account_key") else "Entra ID"
        yield kind, getattr(config, f"{kind}_account_name"), way


def use_file(given: str | Path | None) -> None:
    """Let this process and its children find the file at `given`."""
    if given is not None:
        os.environ[FILE_VARIABLE] = str(find(given))


def check_account_url(account_url: str) -> str:
    """Give the address of a storage account back, or refuse it.

    Raises
    ------
    ConfigError
        If it is none, holds a query (which may be a SAS), or would send secrets unprotected.
    """
    parts = urlsplit(account_url)
    plain = f"{parts.scheme}://{parts.hostname or '...'}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f'"{plain}" is no address of a storage account',
            "write it as https://NAME.blob.core.windows.net",
        )
    if parts.query or parts.username or parts.password:
        raise ConfigError(
            f"{plain} was given with more behind it, which may be a secret",
            f"leave that out of the address; a SAS goes to the variable {SAS_VARIABLE}",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError(f"{plain}: http is for emulators on this machine", "write https")
    return account_url.rstrip("/")


def _empty(value: Any) -> bool:
    return value is None or value in ("", {})


def _run(path: Path) -> dict[str, Any]:
    """Run the file; errors show no line of it, as that may hold a key."""
    names: dict[str, Any] = {"__file__": str(path), "__name__": "azure_config"}
    try:
        exec(compile(read_text(path), str(path), "exec"), names)
    except SyntaxError as error:
        raise ConfigError(f"{path}, line {error.lineno}: {error.msg}", _MEND) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {type(error).__name__}",
            "give yourself permission to read it, and save it as UTF-8",
        ) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the file is anyone's code
        number = _line(error, path)
        raise ConfigError(f"{path}, line {number}: {type(error).__name__}", _MEND) from None
    return _settings_in(names)


def _line(error: BaseException, path: Path) -> int:
    """Line of the file that raised it."""
    number, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            number = trace.tb_lineno
        trace = trace.tb_next
    return number


def _settings_in(names: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in names.items()
        if not (name.startswith("_") or isinstance(value, types.ModuleType) or callable(value))
    }


def _from_text(name: str, text: str) -> Any:
    """The value of an environment variable."""
    return params.from_text(AzureConfig, name, text, PREFIX + name.upper())


def _check(config: AzureConfig, where: str) -> None:
    name = config.storage_account_name
    if name and not _ACCOUNT.fullmatch(name):
        raise ConfigError(
            f"{where}: storage_account_name = {name!r} is no name of a storage account",
            "it has 3 to 24 of the characters a-z and 0-9",
        )
    for secret in sorted(_SECRETS):
        if not _is_key(getattr(config, secret)):
            raise ConfigError(
                f"{where}: {secret} is no key", "copy it from the portal (Access keys) as a whole"
            )
    for url in ("storage_account_url", "batch_account_url"):
        if getattr(config, url):
            try:
                check_account_url(getattr(config, url))
            except ConfigError as error:
                raise ConfigError(f"{where}: {url}: {error.wrong}", error.cure) from None
    _check_labels(config, where)
    unknown = set(config.pool_image) - {"publisher", "offer", "sku", "version", "id"}
    if unknown:
        known = ("publisher", "offer", "sku", "version", "id")
        raise UnknownNameError("part of pool_image", min(unknown), known, where)


def _check_labels(config: AzureConfig, where: str) -> None:
    """Labels are metadata of the service, and those of pyveg are no user's."""
    for name, value in config.labels.items():
        short = 0 < len(name) <= LONGEST_LABEL and len(value) <= LONGEST_LABEL
        if not short or name.startswith("pyveg_"):
            raise ConfigError(
                f"{where}: labels: {name[:40]!r} cannot be one",
                f'give names of up to {LONGEST_LABEL} characters that do not begin with "pyveg_"',
            )
    for name, quota in config.quotas.items():
        if name not in QUOTAS:
            raise UnknownNameError("quota", name, QUOTAS, f"{where}: quotas")
        if quota < 0:
            raise ConfigError(f"{where}: quotas: {name} = {quota}", "give what the portal shows")


def _is_key(text: str) -> bool:
    """Whether it can be a key, which is base64; an empty one too."""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
