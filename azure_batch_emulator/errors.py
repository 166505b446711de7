"""The service's errors: a code, an HTTP status, a text, and the body that carries them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from azure_batch_emulator import times

ERRORS: dict[str, tuple[int, str]] = {
    "NotModified": (304, "The resource has not been modified."),
    "InvalidQueryParameterValue": (400, "Value for one of the query parameters is invalid."),
    "OutOfRangeQueryParameterValue": (400, "A query parameter is outside the permissible range."),
    "MissingRequiredQueryParameter": (400, "A query parameter that is required is missing."),
    "InvalidPropertyValue": (400, "The value for one of the properties is invalid."),
    "MissingRequiredProperty": (400, "A required property was not specified."),
    "InvalidRequestBody": (400, "The specified request body is not syntactically valid."),
    "AutoScalingFormulaSyntaxError": (400, "The autoscale formula has a syntax error."),
    "AutoScaleFormulaTooLong": (400, "The autoscale formula is too long."),
    "InvalidUri": (400, "The requested URI does not represent any resource on the server."),
    "InvalidHeaderValue": (400, "The value for one of the HTTP headers is invalid."),
    "UnsupportedRequestVersion": (400, "The specified api-version is not supported."),
    "TaskDependenciesNotSpecifiedOnJob": (400, "The job does not use task dependencies."),
    "TaskDependencyListTooLong": (400, "The list of task ids is too long."),
    "TaskDependencyRangesTooLong": (400, "The list of task id ranges is too long."),
    "AuthenticationFailed": (403, "Server failed to authenticate the request."),
    "AccountIsDisabled": (403, "The specified account is disabled."),
    "PoolNotFound": (404, "The specified pool does not exist."),
    "JobNotFound": (404, "The specified job does not exist."),
    "TaskNotFound": (404, "The specified task does not exist."),
    "NodeNotFound": (404, "The specified node does not exist."),
    "FileNotFound": (404, "The specified file does not exist."),
    "UnsupportedHttpVerb": (405, "The resource doesn't support the specified HTTP verb."),
    "PoolExists": (409, "The specified pool already exists."),
    "JobExists": (409, "The specified job already exists."),
    "TaskExists": (409, "The specified task already exists."),
    "PoolBeingDeleted": (409, "The specified pool is being deleted."),
    "PoolBeingResized": (409, "The specified pool is being resized."),
    "OperationNotValidOnPool": (409, "The specified operation is not valid on the pool."),
    "PoolNotEligibleForRemoveNodes": (409, "Nodes cannot be removed from the pool now."),
    "JobBeingTerminated": (409, "The specified job is being terminated."),
    "JobBeingDeleted": (409, "The specified job is being deleted."),
    "JobDisabled": (409, "The specified job is disabled."),
    "JobNotDisabled": (409, "The specified job is not disabled."),
    "JobCompleted": (409, "The specified job is already in a completed state."),
    "TaskCompleted": (409, "The specified task is already in a completed state."),
    "TaskNotCompleted": (409, "The specified task has not completed."),
    "TaskSucceeded": (409, "The specified task has completed successfully."),
    "JobPreparationTaskNotSpecified": (409, "The job has no preparation or release task."),
    "TaskIdSameAsJobPreparationTask": (409, "The job's preparation task has the same id."),
    "TaskFilesUnavailable": (409, "The node that ran the task is not there."),
    "TaskFilesCleanedup": (409, "The files of the task have been cleaned up."),
    "NodeStateUnusable": (409, "The node is not in a state in which this can be done."),
    "ActiveJobAndScheduleQuotaReached": (409, "The account has reached its quota of active jobs."),
    "PoolQuotaReached": (409, "The account has reached its quota of pools."),
    "ConditionNotMet": (412, "The condition specified in the headers is not met."),
    "RequestBodyTooLarge": (413, "The size of the request body exceeds the maximum permissible."),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "TooManyRequests": (429, "Too many requests. Try again later."),
    "InternalError": (500, "Server encountered an internal error."),
    "NotImplemented": (501, "This emulator does not support the request."),
    "ServerBusy": (503, "The server is busy. Try again later."),
}
"""Code -> HTTP status and the text that is used where there is no better one."""


class BatchError(Exception):
    """An answer that is an error of the service.

    Parameters
    ----------
    code : str
        One of `ERRORS`.
    message : str
        What is wrong, for people; the text of the code by default.
    headers : mapping, optional
        Further headers of the answer.
    **values : str
        Details, which the client sees as ``error.details``.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> None:
        self.code = code
        self.status, text = ERRORS[code]
        self.message = message or text
        self.headers = dict(headers or {})
        self.values = values
        super().__init__(f"{code}: {self.message}")

    def detail(self) -> dict[str, Any]:
        """The form inside the results of a bulk request."""
        body: dict[str, Any] = {
            "code": self.code,
            "message": {"lang": "en-US", "value": self.message},
        }
        if self.values:
            body["values"] = [{"key": k, "value": str(v)} for k, v in self.values.items()]
        return body

    def body(self, url: str) -> dict[str, Any]:
        """The form of a whole answer, of a service at some address."""
        detail = self.detail()
        mark = f"\nRequestId:{uuid.uuid4()}\nTime:{times.now()}"
        detail["message"]["value"] += mark
        return {
            "odata.metadata": f"{url}/$metadata#Microsoft.Azure.Batch.Protocol"
            ".Entities.Container.errors/@Element",
            **detail,
        }


def invalid_property(name: str, value: object, reason: str) -> BatchError:
    """The service's error for a value that a property cannot have."""
    return BatchError(
        "InvalidPropertyValue",
        f"The value provided for the property {name!r} is invalid. {reason}",
        PropertyName=name,
        PropertyValue=value,
        Reason=reason,
    )


def invalid_parameter(name: str, value: object, reason: str) -> BatchError:
    """The error for a query parameter that cannot be used."""
    return BatchError(
        "InvalidQueryParameterValue",
        QueryParameterName=name,
        QueryParameterValue=value,
        Reason=reason,
    )


def not_supported(what: str) -> BatchError:
    """The refusal of what the service does and the emulator does not."""
    return BatchError("NotImplemented", f"This emulator does not support {what}.")
