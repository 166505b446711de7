"""What the Azure SDK raises, as errors that say what to do; never with a secret in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyveg.core import answers
from pyveg.core.answers import Answer, Lost, Reply
from pyveg.core.errors import StoreError, StoreGoneError

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

GONE = {
    "ContainerNotFound": "somebody deleted it",
    "ContainerBeingDeleted": "somebody deleted it",
    "ContainerDisabled": "somebody disabled it",
    "AccountIsDisabled": "its storage account is disabled",
}
"""Codes of the service which say that a container that was there is no more, and why."""

_SECRET = re.compile(r"(?i)((?:sig|accountkey|sharedaccesssignature)=)[^&\s;'\"]+")


def scrubbed(text: str) -> str:
    """A text without signatures and keys."""
    return _SECRET.sub(r"\1***", text)


def code_of(error: BaseException) -> str:
    """The service's own code of an error, such as ``"BlobNotFound"``; may be empty."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def reply_of(error: BaseException) -> Reply:
    """What an error of the SDK tells of the service's answer."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    return Reply(getattr(error, "status_code", None), code_of(error), headers or {})


def answer_of(error: Exception) -> Answer:
    """Whether what the SDK raised passes, is final, or our own fault."""
    from azure.core.exceptions import ClientAuthenticationError

    if type(error).__name__ == "AzureSigningError":
        return Answer.OURS
    if isinstance(error, ClientAuthenticationError) and error.status_code is None:
        return Answer.FINAL  # nothing was sent: there is no login any more
    return answers.classified(reply_of(error))


def is_gone(error: Exception) -> bool:
    """Whether the whole container is out of reach for good, whatever is asked of it."""
    shut = code_of(error) in GONE or getattr(error, "status_code", None) in answers.NOT_AUTHENTIC
    return shut and answer_of(error) is not Answer.PASSING


def advice(error: Exception) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    from azure.core import exceptions as azure

    reply = reply_of(error)
    if isinstance(error, azure.ServiceRequestError):
        return _unreached(answers.lost(error))
    if isinstance(error, azure.ServiceResponseError):
        return "it broke off the connection or did not answer in time", "run it again"
    # By its name: the class is private to the SDK, and is raised before anything is sent.
    if type(error).__name__ == "AzureSigningError":
        return "storage_account_key is no key (base64)", "copy it again from the portal"
    if isinstance(error, azure.ClientAuthenticationError) and not reply.code:
        return (
            "there are no credentials that work",
            "log in (az login), or set storage_account_key in azure_config.py or a SAS in the "
            "variable PYVEG_AZURE_SAS",
        )
    wrong, cure = _meaning(reply) or (_first_line(error), _LOOK_UP)
    name = reply.code or type(error).__name__
    return (f"{name}: {wrong}" if wrong else name), cure


def _meaning(reply: Reply) -> _Advice | None:
    """What a refusal means, where that is known."""
    if reply.status in answers.NOT_AUTHENTIC and (clock := reply.clock()):
        return clock, answers.CLOCK_CURE
    known = _ADVICE.get(reply.code) or _BY_STATUS.get(reply.status or 0)
    if known is None and reply.status and answers.classified(reply) is Answer.PASSING:
        return _BUSY
    return known


def _unreached(why: Lost) -> _Advice:
    """A request that was not sent."""
    cure = "check storage_account_name and the network" if why is Lost.NAME else why.cure
    return f"it cannot be reached: {why}", cure


def _first_line(error: Exception) -> str:
    lines = scrubbed(str(error)).strip().splitlines()
    return lines[0] if lines else ""


@contextmanager
def explained(where: str, container: str = "") -> Iterator[None]:
    """Turn an error of the SDK into a `StoreError`, `StoreGoneError` where nothing will help.

    What concerns the whole `container` is told of that and not of the key in it, `where`, so that
    all who meet it say the same.

    The SDK's own is not kept as its cause: its text may hold the signature of a SAS, and
    tracebacks are written to logs.
    """
    from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError

    try:
        yield
    except AzureError as error:
        wrong, cure = advice(error)
        kind = StoreGoneError if is_gone(error) else StoreError
        lost = isinstance(error, (ServiceRequestError, ServiceResponseError))
        what = container if container and (lost or kind is StoreGoneError) else where
        raise kind(f"{what}: {wrong}", cure) from None
