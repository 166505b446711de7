"""What the Azure SDK raises, as errors that say what to do; never with a secret in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyveg.core.errors import StoreError

_Advice = tuple[str, str]
"""What is wrong, and the cure."""

_KEY: _Advice = (
    "the account key or the SAS is wrong or has expired",
    "copy the key again (portal: storage account, Access keys), or get a new SAS",
)
_ROLE: _Advice = (
    "you may not do that",
    "give your identity the role Storage Blob Data Contributor on the storage account, or use a "
    "SAS with the permissions racwdl",
)
_SCOPE: _Advice = (
    "the SAS is not meant for this",
    "use one of this container with the permissions racwdl",
)
_BUSY: _Advice = (
    "the storage account is busy or throttled, also after some retries",
    "run it again later",
)
_NOBODY: _Advice = ("no credentials were sent", "set a key or a SAS, or log in")

_ADVICE: dict[str, _Advice] = {
    "AuthenticationFailed": _KEY,
    "InvalidAuthenticationInfo": ("the login is not valid", "log in again (az login)"),
    "NoAuthenticationInformation": _NOBODY,
    "AuthorizationFailure": (  # emulators say so of a wrong key too
        "you may not do that, or the key is wrong, or the firewall of the account keeps this "
        "machine out",
        _ROLE[1],
    ),
    "AuthorizationPermissionMismatch": _ROLE,
    "InsufficientAccountPermissions": _ROLE,
    "AuthorizationProtocolMismatch": ("the SAS is for https only", "use the https address"),
    "AuthorizationSourceIPMismatch": (
        "the SAS is for another address than that of this machine",
        "get one without a range of addresses, or for this one",
    ),
    "AuthorizationServiceMismatch": _SCOPE,
    "AuthorizationResourceTypeMismatch": _SCOPE,
    "KeyBasedAuthenticationNotPermitted": (
        "the account takes no keys",
        "leave storage_account_key empty and log in (az login)",
    ),
    "PublicAccessNotPermitted": _NOBODY,
    "AccountIsDisabled": ("the storage account is disabled", "look at its subscription"),
    "ContainerNotFound": (
        "there is no such container",
        "check its name and the storage account",
    ),
    "ContainerBeingDeleted": (
        "the container is being deleted",
        "wait a minute or use another name",
    ),
    "ContainerDisabled": ("the container is disabled", "use another one"),
    "InvalidResourceName": ("Azure does not take this name", "use another one"),
    "OutOfRangeInput": (
        "Azure does not take a name or value that long or short",
        "use another one",
    ),
    "LeaseIdMissing": ("another process has a lease on it", "wait for it or stop it"),
    "ConditionNotMet": ("it was changed by another process meanwhile", "run it again"),
    "BlobImmutableDueToPolicy": (
        "a policy of the container forbids changes",
        "use another one",
    ),
    "InvalidHeaderValue": (
        "the service is older than the SDK",
        "start Azurite with --skipApiVersionCheck",
    ),
    "ServerBusy": _BUSY,
    "OperationTimedOut": _BUSY,
    "InternalError": _BUSY,
}
"""The service's code of an error -> advice."""

_BY_STATUS: dict[int, _Advice] = {
    401: _KEY,
    403: _ROLE,
    404: ("it is not there", "check the names of the storage account and the container"),
    429: _BUSY,
}
_LOOK_UP = "look it up by that name"

_UNKNOWN_HOST = re.compile(
    "getaddrinfo|NameResolution|Name or service not known|nodename nor servname|"
    "Temporary failure in name|Failed to resolve",
    re.IGNORECASE,
)
_SECRET = re.compile(r"(?i)((?:sig|accountkey|sharedaccesssignature)=)[^&\s;'\"]+")


def scrubbed(text: str) -> str:
    """A text without signatures and keys."""
    return _SECRET.sub(r"\1***", text)


def code_of(error: BaseException) -> str:
    """The service's own code of an error, such as ``"BlobNotFound"``; may be empty."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def advice(error: Exception) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    from azure.core import exceptions as azure

    code, status = code_of(error), getattr(error, "status_code", None)
    if isinstance(error, azure.ServiceRequestError):
        if _UNKNOWN_HOST.search(str(error)):
            return (
                "its address is not known",
                "check storage_account_name and your connection to the internet",
            )
        return "it cannot be reached", "check its address, your connection and proxy"
    if isinstance(error, azure.ServiceResponseError):
        return "it broke off the connection or did not answer in time", "run it again"
    # By its name: the class is private to the SDK, and is raised before anything is sent.
    if type(error).__name__ == "AzureSigningError":
        return "storage_account_key is no key (base64)", "copy it again from the portal"
    if isinstance(error, azure.ClientAuthenticationError) and not code:
        return (
            "there are no credentials that work",
            "log in (az login), or set storage_account_key in azure_config.py or a SAS in the "
            "variable PYVEG_AZURE_SAS",
        )
    known = _ADVICE.get(code) or _BY_STATUS.get(status or 0)
    if known is None and status is not None and status >= 500:
        known = _BUSY
    wrong, cure = known or (_first_line(error), _LOOK_UP)
    name = code or type(error).__name__
    return (f"{name}: {wrong}" if wrong else name), cure


def _first_line(error: Exception) -> str:
    lines = scrubbed(str(error)).strip().splitlines()
    return lines[0] if lines else ""


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn an error of the SDK into a `StoreError`.

    The SDK's own is not kept as its cause: its text may hold the signature of a SAS, and
    tracebacks are written to logs.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        wrong, cure = advice(error)
        raise StoreError(f"{where}: {wrong}", cure) from None
