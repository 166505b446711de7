"""Clients of Azure Blob Storage, and the rights that they come with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyveg.azure_config import SAS_VARIABLE
from pyveg.core.errors import ConfigError
from pyveg.core.loopback import asks_directly
from pyveg.storage.azure_names import account_of

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, UserDelegationKey

PERMISSIONS = "racwdl"
"""What a run does in its container: read, add, create, write, delete, list."""

CONNECTIONS = 64
"""Most connections that one client keeps open."""

CONNECT_TIMEOUT = 3.0
"""Seconds until an account that does not answer at all counts as out of reach; three tries."""

RETRIES: dict[str, Any] = {
    "retry_total": 6,
    "retry_status": 6,  # 503 when throttled: some 30 seconds in all
    "retry_read": 3,
    "retry_connect": 2,
    "initial_backoff": 0,
    "increment_base": 1.5,
    "random_jitter_range": 1,
}
"""The SDK's own setting waits 82 seconds for a server that is not there; this one 4, and 14 where
packets are dropped. What is repeated is the SDK's own choice: 408 and 5xx that pass."""


@dataclass(frozen=True)
class Access:
    """How a process proves who it is: a SAS, a key, or else Entra ID.

    Parameters
    ----------
    account_key : str
        Key of the storage account.
    sas : str
        A SAS token, with or without "?"; goes before the key. Without either,
        ``DefaultAzureCredential`` finds what the machine has: a login, a managed identity, the
        variables of a service principal.
    """

    account_key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, account_key: str = "") -> Access:
        """The SAS of this process's environment, or else that key, or else Entra ID."""
        return cls(account_key, os.environ.get(SAS_VARIABLE, ""))

    def credential(self, account_url: str) -> Any:
        """What the SDK's clients take."""
        from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

        if self.sas:
            return AzureSasCredential(self.sas.lstrip("?"))
        if self.account_key:
            return AzureNamedKeyCredential(account_of(account_url), self.account_key)
        if urlsplit(account_url).scheme != "https":
            raise ConfigError(
                f"{account_url}: a login works with https only",
                "set storage_account_key in azure_config.py, or a SAS in the variable "
                f"{SAS_VARIABLE}",
            )
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential()


def service_client(account_url: str, access: Access) -> BlobServiceClient:
    """A client of a storage account; connects when it is first used."""
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from azure.storage.blob import BlobServiceClient
    from requests.adapters import HTTPAdapter

    from pyveg.storage.azure_counting import CountingPolicy

    session = asks_directly(requests.Session())
    for scheme in ("http://", "https://"):  # no retries here, which would multiply the SDK's
        session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=0))
    return BlobServiceClient(
        account_url,
        access.credential(account_url),
        transport=RequestsTransport(
            session=session, connection_timeout=CONNECT_TIMEOUT, read_timeout=60
        ),
        # Nearly all values are smaller than 32 MiB, and travel in one request.
        max_single_put_size=32 * 2**20,
        max_block_size=8 * 2**20,
        max_single_get_size=32 * 2**20,
        max_chunk_get_size=8 * 2**20,
        _additional_pipeline_policies=[CountingPolicy()],
        **RETRIES,
    )


def container_sas(
    account_url: str,
    container: str,
    lifetime: timedelta,
    *,
    account_key: str | None = None,
    user_delegation_key: UserDelegationKey | None = None,
    permissions: str = PERMISSIONS,
    now: datetime | None = None,
) -> str:
    """Make a SAS token of one container, which expires.

    Parameters
    ----------
    account_url : str
        Address of the storage account.
    container : str
        The only container that it opens.
    lifetime : timedelta
        How long it lasts; begins 15 minutes before `now`, as clocks differ.
    account_key, user_delegation_key
        One of them signs it; a delegation key (Entra ID) lasts 7 days at most.
    permissions : str
        Letters of Azure: read, add, create, write, delete, list.
    now : datetime, optional
        Aware; the present where left out.

    Returns
    -------
    str
        Without "?". A secret: not for logs, files or command lines.
    """
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    if (account_key is None) == (user_delegation_key is None):
        raise TypeError("give account_key or user_delegation_key")
    if lifetime <= timedelta(0):
        raise ValueError(f"a SAS cannot last for {lifetime}")
    now = now or datetime.now(UTC)
    protocol: dict[str, Any] = {"protocol": "https"} if account_url.startswith("https") else {}
    return generate_container_sas(
        account_of(account_url),
        container,
        account_key=account_key,
        user_delegation_key=user_delegation_key,
        permission=ContainerSasPermissions.from_string(permissions),
        start=now - timedelta(minutes=15),  # or the service refuses it where its clock is behind
        expiry=now + lifetime,
        **protocol,
    )
