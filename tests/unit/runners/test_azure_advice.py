"""What the SDK of Batch raises, whatever was answered: worth asking again, final, or our clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch import models as m
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError

from pyveg.core import answers
from pyveg.runners.azure_batch import advice
from pyveg.testing.http_answers import answering

KEY = "bm8="


def _raised(url: str) -> AzureError:
    client = BatchClient(url, AzureNamedKeyCredential("account", KEY), retry_total=0)
    with pytest.raises(AzureError) as error:
        client.get_job("a")
    return error.value


@contextmanager
def _asked(status: int, code: str, headers: dict[str, str] | None = None) -> Iterator[AzureError]:
    body = {"code": code, "message": {"lang": "en", "value": "It says so.\nRequestId:1\nTime:2"}}
    with answering(status, body if code else None, headers) as url:
        yield _raised(url)


@pytest.mark.parametrize(
    ("status", "code", "final"),
    [
        (400, "InvalidPropertyValue", True),
        (401, "", True),
        (403, "AuthenticationFailed", True),
        (403, "AccountIsDisabled", True),
        (404, "JobNotFound", True),
        (409, "JobDisabled", True),
        (409, "PoolQuotaReached", True),
        (410, "", True),
        (501, "NotImplemented", True),
        (408, "", False),
        (409, "ServerBusy", False),
        (429, "TooManyRequests", False),
        (500, "InternalError", False),
        (503, "ServerBusy", False),
        (504, "", False),
        (529, "", False),
    ],
)
def test_answers(status: int, code: str, final: bool) -> None:
    with _asked(status, code) as error:
        assert advice.is_final(error) is final
        assert "RequestId" not in advice.of_error(error)


def test_lost_connections_pass() -> None:
    for url, told in (
        ("http://127.0.0.1:9", "it refuses connections"),
        ("http://nosuchhost.invalid", "its name is not known"),
    ):
        error = _raised(url)
        assert not advice.is_final(error)
        assert told in advice.of_error(error)
        assert advice.of_error(error) == advice.of_error(_raised(url)), "no ports, no objects"


def test_a_login_that_is_lost_is_final() -> None:
    error = ClientAuthenticationError("DefaultAzureCredential failed to retrieve a token")
    assert advice.is_final(error)
    assert "run az login" in advice.of_error(error)


@pytest.mark.parametrize(("status", "code"), [(401, ""), (403, "AuthenticationFailed")])
def test_a_clock_that_is_wrong_is_not_a_wrong_key(status: int, code: str) -> None:
    ahead: Any = {
        "Date": format_datetime(datetime.now(UTC) - timedelta(hours=2), usegmt=True),
    }
    with _asked(status, code, ahead) as error:
        told = advice.of_error(error)
        assert told.startswith("this machine's clock is 2 h ahead of the service's")
        assert told.endswith(answers.CLOCK_CURE)
        assert advice.is_final(error)
    with _asked(status, code) as error:
        assert "the key of the Batch account is wrong" in advice.of_error(error)


@pytest.mark.parametrize(
    ("status", "code", "thing"),
    [(404, "JobNotFound", "job"), (409, "JobBeingDeleted", "job"), (404, "PoolNotFound", "pool")],
)
def test_what_somebody_has_deleted_is_told_as_such(status: int, code: str, thing: str) -> None:
    """As when a task is added to a job that is gone already."""
    with _asked(status, code) as error:
        assert advice.of_error(error) == (
            f"the {thing} was deleted by somebody ({code}: It says so.); "
            "finish the run with --from_cache"
        )


def test_a_task_that_somebody_has_ended_says_so_in_one_sentence() -> None:
    failure = m.BatchTaskFailureInfo(
        category="userError",
        code="TaskEnded",
        message="The task was ended.",
        details=[m.NameValuePair(name="Reason", value="the job was terminated: budget used up")],
    )
    assert advice.of_failure(failure, 137) == (
        "exit code 137: it was ended from outside (TaskEnded: The task was ended: the job was "
        "terminated: budget used up); finish the run with --from_cache"
    )


LOG_OF_A_NODE = f"""
import sys, threading
from azure.core.credentials import AzureNamedKeyCredential
from pyveg.runners.azure_batch.service import BatchService
service = BatchService(sys.argv[1], AzureNamedKeyCredential("account", "{KEY}"), threading.Event())
print(repr(service.node_log("pool", "node", "startup")))
"""


def test_a_log_that_is_not_there_yet_is_empty_and_nothing_else_is_printed() -> None:
    """The SDK has a traceback for it, which it logs."""
    body = {"code": "FileNotFound", "message": {"lang": "en", "value": "No such file."}}
    with answering(404, body) as url:
        done = subprocess.run(
            [sys.executable, "-c", LOG_OF_A_NODE, url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("''\n", "")
