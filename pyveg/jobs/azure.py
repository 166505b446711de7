"""The file azure_config.py: where it is, what it says, and the Stores that it opens."""

from __future__ import annotations

import base64
import binascii
import os
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pyveg.core import params, registry
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.params import setting
from pyveg.storage.azure_access import SAS_VARIABLE, Access, check_account_url
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.azure_names import container_name, is_container_name

if TYPE_CHECKING:
    from pyveg.core.ports import Store

FILE_NAME = "azure_config.py"
FILE_VARIABLE = "PYVEG_AZURE_CONFIG"
PREFIX = "PYVEG_AZURE_"
"""Begins the environment variable of every setting."""

_NUMBER = re.compile(r"[0-9.]+|.*:.*|localhost")
_ACCOUNT = re.compile("[a-z0-9]{3,24}")
_MEND = "mend that line, or write the file anew with pyveg_azure_config"


IMAGE = {
    "publisher": "microsoft-dsvm",
    "offer": "ubuntu-hpc",
    "sku": "2204",
    "version": "latest",
}
"""The system of a node where nothing else is asked for."""


def _secret(doc: str) -> Any:
    """Declare a setting that no text shows."""
    return field(default="", repr=False, metadata={"doc": doc, "secret": True})


@dataclass(frozen=True, kw_only=True)
class AzureConfig:
    """What azure_config.py says. Its text has no keys."""

    storage_account_name: str = setting("", doc="the storage account")
    storage_account_key: str = _secret("its key; empty to log in with Entra ID")
    storage_account_url: str = setting("", doc="its address, where it is not the usual one")
    sas_hours: float = setting(168.0, doc="life of a SAS, hours", low=0.1, high=8760)
    batch_account_name: str = setting("", doc="the Batch account")
    batch_account_key: str = _secret("its key; empty to log in with Entra ID")
    batch_account_url: str = setting("", doc="its address")
    batch_pool_id: str = setting("pyveg", doc="the pool of nodes")
    pool_vm_size: str = setting("Standard_D2s_v5", doc="size of its nodes")
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
    poll_seconds: float = setting(
        1.0, doc="least seconds between two looks at the service", low=0.05, high=30
    )
    node_environment: tuple[str, ...] = setting(
        (), doc="names of your environment variables that tasks get too"
    )
    keep_pool: bool = setting(False, doc="leave the pool there when the run ends")
    container_image: str = setting("", doc="image that tasks run in")
    container_registry: str = setting("", doc="where the image is")
    source: str = field(default="", metadata={"doc": "the file that it was read from"})

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
    config = params.build(AzureConfig, {**given_or_set, "source": where}, where)
    _check(config, where)
    return config


def open_store(container: str, account_url: str | None = None) -> AzureBlobStore:
    """Open the container of a run, with what this process has of credentials.

    It is the part "azure" among the Stores: it opens what `AzureBlobStore.spec` describes, in
    every process and in the way of `pyveg.core.registry`.

    Parameters
    ----------
    container : str
        Its name; any other text is made one by Azure's rules.
    account_url : str, optional
        The storage account; that of azure_config.py or the environment where left out. A key is
        used for its own account only.
    """
    config = load()
    # A key must not be sent to another account than its own.
    if account_url is None or _same(account_url, config):
        access = Access.from_environment(config.storage_account_key)
        account_url = account_url or config.blob_url
    else:
        access = Access.from_environment()
    return AzureBlobStore(account_url, container_name(container.rstrip("/")), access)


def container_named(text: str) -> AzureBlobStore | None:
    """The container of that name, where a text names no folder but may name a container."""
    if "://" in text or not is_container_name(text) or Path(text).exists():
        return None
    config = load()
    if not (config.storage_account_url or config.storage_account_name):
        return None
    opened: AzureBlobStore = registry.load("store", "azure")(text)  # or says what pip must install
    return opened


def read_url(url: str) -> bytes:
    """A blob by its address, with what this process has of credentials.

    Parameters
    ----------
    url : str
        ``https://NAME.blob.core.windows.net/CONTAINER/KEY``; on an emulator, which is called by
        its number, ``http://127.0.0.1:PORT/NAME/CONTAINER/KEY``.
    """
    parts = urlsplit(url)
    path = parts.path.strip("/").split("/")
    in_path = 1 if _NUMBER.fullmatch(parts.hostname or "") else 0
    if len(path) < in_path + 2:
        raise ConfigError(
            f"{parts.scheme}://{parts.netloc}{parts.path} is no address of a blob",
            "write https://NAME.blob.core.windows.net/CONTAINER/KEY",
        )
    account = "/".join([f"{parts.scheme}://{parts.netloc}", *path[:in_path]])
    store: Store = registry.load("store", "azure")(path[in_path], account)
    return store.read("/".join(unquote(part) for part in path[in_path + 1 :]))


def open_container(name: str) -> AzureBlobStore:
    """A container that is there, by its name as a run printed it, with or without ``azure://``.

    Raises
    ------
    ConfigError
        If no storage account is set, or that can be no container.
    StoreError
        If it is not there; with the nearest names.
    """
    plain = name.removeprefix("azure://").rstrip("/")
    if not is_container_name(plain):
        raise ConfigError(
            f'"{name}" cannot be the name of a container',
            "give the one that the run printed: 3 to 63 of the characters a-z, 0-9 and single "
            "hyphens between them",
        )
    opened: AzureBlobStore = registry.load("store", "azure")(plain)
    refuse_missing(opened)
    return opened


def refuse_missing(store: Store) -> None:
    """Raise `StoreError` with the nearest names where the container of a Store is not there."""
    if isinstance(store, AzureBlobStore) and not store.exists():
        raise store.missing()


def environment_for(store: Store) -> dict[str, str]:
    """Environment variables by which other processes may open a Store; secrets among them.

    They go from process to process, never to a file or a command line.
    """
    if not isinstance(store, AzureBlobStore):
        return {}
    path = find()
    variables = {FILE_VARIABLE: str(path)} if path else {}
    # A SAS and not the key, which would open the whole account for as long as it exists.
    sas = store.sas(timedelta(hours=load().sas_hours))
    return {**variables, SAS_VARIABLE: sas} if sas else variables


def use(given: str | Path | None) -> None:
    """Let this process and its children find the file at `given`."""
    if given is not None:
        os.environ[FILE_VARIABLE] = str(find(given))


def _same(account_url: str, config: AzureConfig) -> bool:
    named = config.storage_account_url or config.storage_account_name
    return bool(named) and config.blob_url.rstrip("/") == account_url.rstrip("/")


def _empty(value: Any) -> bool:
    return value is None or value in ("", {})


def _run(path: Path) -> dict[str, Any]:
    """Run the file; errors show no line of it, as that may hold a key."""
    names: dict[str, Any] = {"__file__": str(path), "__name__": "azure_config"}
    try:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
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
    spec = next(spec for spec in fields(AzureConfig) if spec.name == name)
    try:
        if spec.type == "int":
            return int(text)
        if spec.type == "float":
            return float(text)
    except ValueError:
        raise ConfigError(
            f"{PREFIX}{name.upper()} = {text!r} is no number", "set it to a number"
        ) from None
    if spec.type == "bool":
        if text.lower() not in ("true", "false", "1", "0"):
            raise ConfigError(
                f"{PREFIX}{name.upper()} = {text!r} is neither true nor false",
                "set it to one of them",
            )
        return text.lower() in ("true", "1")
    if str(spec.type).startswith("dict"):
        raise ConfigError(
            f"{PREFIX}{name.upper()}: a variable cannot hold this setting",
            f"set {name} in {FILE_NAME} instead",
        )
    return text


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
    unknown = set(config.pool_image) - {"publisher", "offer", "sku", "version", "id"}
    if unknown:
        known = ("publisher", "offer", "sku", "version", "id")
        raise UnknownNameError("part of pool_image", min(unknown), known, where)


def _is_key(text: str) -> bool:
    """Whether it can be a key, which is base64; an empty one too."""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
