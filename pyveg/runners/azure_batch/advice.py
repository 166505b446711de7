"""What went wrong at the service, in one sentence with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyveg.core import answers
from pyveg.core.answers import Answer, Reply
from pyveg.core.errors import EngineError

if TYPE_CHECKING:
    from azure.batch import models as m

_RESUME = "finish the run with --from_cache"

_CODES: dict[str, tuple[str, str]] = {
    "AuthenticationFailed": (
        "the key of the Batch account is wrong",
        "copy it anew from the portal (Keys) to batch_account_key, or leave it empty to log in "
        "with Entra ID",
    ),
    "InsufficientAccountPermissions": (
        "this login may not use the Batch account",
        "give it the role Azure Batch Data Contributor",
    ),
    "AccountIsDisabled": ("the Batch account is disabled", "see the portal"),
    "JobNotFound": ("the job was deleted by somebody", _RESUME),
    "JobBeingDeleted": ("the job was deleted by somebody", _RESUME),
    "JobBeingTerminated": ("the job was ended by somebody", _RESUME),
    "JobCompleted": ("the job was ended by somebody", _RESUME),
    "PoolNotFound": ("the pool was deleted by somebody", _RESUME),
    "PoolBeingDeleted": ("the pool was deleted by somebody", _RESUME),
    "ActiveJobAndScheduleQuotaReached": (
        "the account may not have more active jobs",
        "remove old ones (pyveg_azure_cleanup) or ask for a higher quota in the portal",
    ),
    "PoolQuotaReached": (
        "the account may not have more pools",
        "remove old ones (pyveg_azure_cleanup), use one that is there (batch_pool_id), or ask for "
        "a higher quota",
    ),
    "AccountCoreQuotaReached": (
        "the account may not have more dedicated cores",
        "lower pool_dedicated_node_count, choose a smaller pool_vm_size, or ask for a higher quota",
    ),
    "AccountLowPriorityCoreQuotaReached": (
        "the account may not have more Spot cores",
        "lower pool_low_priority_node_count or ask for a higher quota",
    ),
    "AllocationFailed": (
        "Azure has no such machines to give now",
        "try again later, another pool_vm_size or another region",
    ),
    "AllocationTimedOut": (
        "Azure has not given the machines in time",
        "try again later, another pool_vm_size or another region",
    ),
    "InvalidPropertyValue": (
        "Azure does not take a setting of the pool",
        "check pool_image, pool_node_agent and pool_vm_size",
    ),
    "NodeAgentSKUNotFound": (
        "there is no such pool_node_agent",
        "leave it empty to ask the service",
    ),
    "AutoScalingFormulaSyntaxError": (
        "pool_autoscale_formula is wrong",
        "check its syntax in Azure's documentation of autoscale formulas",
    ),
    "FailureExitCode": ("the command ended with an error", ""),
    "TaskEnded": ("it was ended from outside", _RESUME),
    "CommandProgramNotFound": ("pyveg is not on the node", "see the log of its start task"),
    "BlobAccessDenied": (
        "the node may not read the container, perhaps because its SAS has run out",
        "finish the run with --from_cache, which issues a new one",
    ),
    "BlobNotFound": ("a file of the run's container is gone", ""),
    "FileUploadAccessDenied": (
        "the node may not write to the container, perhaps because its SAS has run out",
        "finish the run with --from_cache, which issues a new one",
    ),
    "DiskFull": (
        "the disk of the node is full",
        "choose a larger pool_vm_size or fewer task_slots_per_node",
    ),
    "ContainerInvalidImage": ("container_image cannot be used", "check its name and registry"),
    "ContainerInvalidRegistry": (
        "container_registry cannot be reached",
        "check it and the pool's identity",
    ),
    "TooManyRequests": ("the service is busy", ""),
    "ServerBusy": ("the service is busy", ""),
}
"""The service's code of an error -> what is wrong, and the cure where there is one."""


def of_code(code: str | None, message: str = "") -> str:
    """An error code of the service as a sentence."""
    return _joined(*_meaning(code, message))


def of_error(error: Exception) -> str:
    """An exception of the SDK as a sentence; never with headers or keys in it."""
    return _joined(*_understood(error))


def engine_error(where: str, error: Exception) -> EngineError:
    """An exception of the SDK as an error of pyveg; `where` it happened begins the message."""
    wrong, cure = _understood(error)
    return EngineError(f"{where}: {wrong}", cure)


def _joined(wrong: str, cure: str) -> str:
    return f"{wrong}; {cure}" if cure else wrong


def _meaning(code: str | None, message: str) -> tuple[str, str]:
    """What is wrong, with the service's own words, and the cure."""
    first = message.partition("\n")[0].strip()
    wrong, cure = _CODES.get(code or "", ("", ""))
    said = f"{code}: {first}" if first else str(code or "no reason was given")
    return (f"{wrong} ({said})" if wrong else said), cure


def _understood(error: Exception) -> tuple[str, str]:
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _of_reply(reply_of(error), _message_of(error))
    if isinstance(error, (ServiceRequestError, ServiceResponseError)):
        why = answers.lost(error)
        return f"Azure Batch cannot be reached: {why}", f"check batch_account_url; {why.cure}"
    if isinstance(error, ClientAuthenticationError):
        return f"no login was found ({_short(error)})", "run az login, or set batch_account_key"
    return f"{type(error).__name__}: {_short(error)}", ""


def _of_reply(reply: Reply, message: str) -> tuple[str, str]:
    """A refusal; one whose cause is this machine's clock looks like one of the key."""
    code = reply.code
    if reply.status in answers.NOT_AUTHENTIC:
        code = code or "AuthenticationFailed"
        if clock := reply.clock():
            return f"{clock} ({code})", answers.CLOCK_CURE
    return _meaning(code or f"status {reply.status}", message)


_ANSWERS: dict[str, Answer] = {
    "TooManyRequests": Answer.PASSING,
    "ServerBusy": Answer.PASSING,
    "OperationTimedOut": Answer.PASSING,
    "InternalError": Answer.PASSING,
}
"""Codes that say more than the status that they come with."""


def reply_of(error: BaseException) -> Reply:
    """What an exception of the SDK tells of the service's answer."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    return Reply(getattr(error, "status_code", None), code_of(error) or "", headers or {})


def is_final(error: Exception) -> bool:
    """Whether an exception is an answer, which asking again will not change.

    Not found, forbidden, gone and the like are answers; a service that is busy, and a connection
    that is lost, are not, and neither is anything that is no exception of the SDK.
    """
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return answers.classified(reply_of(error), _ANSWERS) is not Answer.PASSING
    return isinstance(error, ClientAuthenticationError)  # nothing was sent: no login any more


def code_of(error: BaseException) -> str | None:
    """The code that the service gave; None where it gave none."""
    inner: Any = getattr(error, "error", None)
    code = getattr(inner, "code", None)
    return str(code) if code else None


def of_failure(failure: m.BatchTaskFailureInfo | None, exit_code: int | None) -> str:
    """Why a task ended badly, as the service tells it."""
    if failure is None:
        return f"exit code {exit_code}"
    details = "; ".join(str(pair.value) for pair in failure.details or () if pair.name != "Stack")
    said = (text.rstrip(". ") for text in (failure.message, details) if text)
    reason = of_code(str(failure.code), ": ".join(said))
    return reason if exit_code is None else f"exit code {exit_code}: {reason}"


def _message_of(error: Any) -> str:
    message = getattr(getattr(error, "error", None), "message", None)
    return str(getattr(message, "value", message) or "")


def _short(error: Exception) -> str:
    """The first line of an error; those of the SDK go on for pages."""
    return str(error).partition("\n")[0][:200]
