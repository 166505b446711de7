"""Containers of Azure by what people call them, opened with what azure_config.py says."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pyveg.azure_config import AzureConfig, load
from pyveg.core import registry
from pyveg.core.errors import ConfigError
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.azure_names import container_name, is_container_name
from pyveg.storage.lease_life import lease_seconds

if TYPE_CHECKING:
    from pyveg.core.ports import Store

_NUMBER = re.compile(r"[0-9.]+|.*:.*|localhost")
"""A host that is called by its number, as emulators are."""


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
    return AzureBlobStore(
        account_url,
        container_name(container.rstrip("/")),
        access,
        lease_seconds=int(lease_seconds(30, 15, 60)),  # what Azure allows
        grant_life=timedelta(hours=config.sas_hours),
    )


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


def _same(account_url: str, config: AzureConfig) -> bool:
    named = config.storage_account_url or config.storage_account_name
    return bool(named) and config.blob_url.rstrip("/") == account_url.rstrip("/")
