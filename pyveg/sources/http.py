"""Asking services over HTTP: with time-outs, repetition, and advice where it does not help.

Answers that pass (`pyveg.core.answers`), and connections that fail, are tried again after 1, 2, 4
... seconds, or after what the service asks for. What still fails becomes one error with a cure.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError
from urllib3.util.retry import Retry

from pyveg.core import answers, transfers, waiting
from pyveg.core.answers import Answer, Lost, Reply
from pyveg.core.errors import DataError, ServiceAwayError, ServiceError
from pyveg.core.loopback import asks_directly
from pyveg.sources.circuit import CIRCUIT, host_of

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
LARGEST = 256 * 2**20
"""Bytes of an answer; what is asked for of any service has less."""
_PIECE = 2**20
"""Seconds between two attempts, whatever the service asks for."""
CONNECT_TIMEOUT = 15.0
"""Seconds until a service that does not answer at all counts as out of reach."""
LOST_PATIENCE = 30.0
"""Seconds after its first failure in which a connection is tried again; with the usual waits all
attempts fit into them, where they fail at once."""
FIRST_LOOK = 4.0
"""The same when it is looked at for the first time, before a run begins."""
LONGEST_LOOK = 6.0
"""Seconds that this may take in all: names that are looked up, and hosts with many addresses,
take more than one time-out."""

_STATUS = re.compile(r"(?:HTTP (?:response|error) code ?:? ?|Response_code=|too many )(\d{3})")
_QUOTA = re.compile(r"(?i)quota|(daily|monthly|yearly) .*limit")
"""In the words of a service that has had too many requests: not for a moment only."""
LATER = "finish the run later"


class Patience(Retry):
    """urllib3's own repetition: tells of its waits, which a service may make a minute long."""

    DEFAULT_BACKOFF_MAX = int(LONGEST_WAIT)
    host = ""
    failed_at: float | None = None
    """When the first attempt of a request failed, by the monotonic clock."""

    def new(self, **changes: Any) -> Patience:
        """A copy after one more attempt."""
        made = super().new(**changes)
        made.host = self.host
        made.failed_at = time.monotonic() if self.failed_at is None else self.failed_at
        return made

    def increment(self, *about: Any, **more: Any) -> Patience:
        """What is left of it after one more attempt; raises where nothing is."""
        lost, since = more.get("error"), self.failed_at
        # Where packets are dropped each attempt takes its whole time-out.
        if lost is not None and since is not None and time.monotonic() - since > LOST_PATIENCE:
            raise MaxRetryError(more["_pool"], "", lost)
        return super().increment(*about, **more)

    def get_retry_after(self, response: Any) -> float | None:
        """Seconds that the service asks us to wait, a minute at most."""
        wait = super().get_retry_after(response)
        return None if wait is None else min(wait, LONGEST_WAIT)

    def sleep(self, response: Any = None) -> None:
        """Wait for the next attempt, and say so.

        Raises
        ------
        ServiceAwayError
            If others have found that the host cannot be reached.
        """
        if response is None and CIRCUIT.is_open(self.host):
            CIRCUIT.check(self.host)
        asked = None if response is None else self.get_retry_after(response)
        seconds = asked or self.get_backoff_time()
        why = "no connection" if response is None else f"HTTP {response.status}"
        with waiting.told(self.host, why, seconds):
            time.sleep(seconds)


def patience(retries: int, first_wait: float = FIRST_WAIT, url: str = "") -> Patience:
    """How often to ask again, and how long to wait between.

    Parameters
    ----------
    retries : int
        After the first attempt.
    first_wait : float
        Seconds before the second repetition; it doubles each time, and a little chance is added
        so that many workers do not come back at once.
    url : str
        Who is asked.
    """
    made = Patience(
        total=retries,
        backoff_factor=first_wait,
        backoff_jitter=first_wait,
        status_forcelist=answers.PASSING,
        allowed_methods=None,  # searches are POST and change nothing
        raise_on_status=False,  # the last answer tells more than that there were many
    )
    made.host = host_of(url)
    return made


def bounded(answer: requests.Response, *_: Any, **__: Any) -> None:
    """Read an answer, and give up where it is larger than anything that is asked for.

    Raises
    ------
    DataError
    """
    data = bytearray()
    for piece in answer.iter_content(_PIECE):
        data += piece
        if len(data) > LARGEST:
            answer.close()
            raise DataError(
                f"{host_of(answer.url)} answers with more than {LARGEST // 2**20} MiB",
                "check its address, or ask for less at once",
            )
    answer._content = bytes(data)
    retries = getattr(answer.raw, "retries", None)
    requests_made = 1 + len(retries.history if retries is not None else ())
    body = answer.request.body
    transfers.count(requests_made, len(data), len(body) if isinstance(body, bytes | str) else 0)


def session(retries: int, first_wait: float = FIRST_WAIT, url: str = "") -> requests.Session:
    """A session that is patient with every address; `url` is who it mostly asks."""
    made = asks_directly(requests.Session())
    made.hooks["response"] = [bounded]
    adapter = HTTPAdapter(max_retries=patience(retries, first_wait, url))
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


def get_json(
    made: requests.Session,
    url: str,
    timeout: float,
    *,
    what: str,
    parameters: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Ask for JSON.

    Raises
    ------
    ServiceError
        With advice, if the service does not give it; `ServiceAwayError` where it gives nobody
        anything.
    """
    limits = (min(CONNECT_TIMEOUT, timeout), timeout)
    CIRCUIT.check(host_of(url))
    try:
        answer = made.get(url, params=dict(parameters or {}), headers=headers, timeout=limits)
        CIRCUIT.answered(host_of(url))
        if answer.ok:
            return answer.json()
    except requests.exceptions.JSONDecodeError as error:
        raise ServiceError(f"{what} gave something that is no JSON", "check its address") from error
    except requests.RequestException as error:
        raise unreached(what, url, error) from error
    raise failure(what, answer.status_code, _reason(answer), answer.headers)


def reach(url: str, what: str) -> None:
    """Look once whether a host can be reached, by the way that requests take.

    Whatever it answers, and even if it is slow to, it is there. Takes six seconds at most.

    Raises
    ------
    ServiceAwayError
        If it cannot be reached.
    """
    try:
        _within(LONGEST_LOOK, lambda: _head(url))
    except (requests.RequestException, TimeoutError) as error:
        why = Lost.SILENT if isinstance(error, TimeoutError) else answers.lost(error)
        if why.shared:
            raise away(what, url, why, "try again") from error
    else:
        CIRCUIT.answered(host_of(url))


def _head(url: str) -> None:
    with session(0) as made:
        made.head(url, timeout=FIRST_LOOK, allow_redirects=False)


def head_of(url: str) -> Mapping[str, str]:
    """The headers of an answer from the host of an address; none where there is no answer."""
    try:
        with session(0) as made:
            return made.head(url, timeout=FIRST_LOOK, allow_redirects=False).headers
    except requests.RequestException:
        return {}


def _within(seconds: float, act: Callable[[], None]) -> None:
    """Do it in a thread that is left alone when it takes longer: a name that is looked up, say."""
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            ended.append(error)
        else:
            ended.append(None)

    thread = threading.Thread(target=run, name="pyveg-reach", daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        raise TimeoutError
    if ended[0] is not None:
        raise ended[0]


def unreached(what: str, url: str, error: BaseException | str) -> ServiceError:
    """A request without an answer as an error, in words that are the same for all such requests."""
    why = answers.lost(error)
    if why.shared:
        return away(what, url, why)
    return ServiceError(f"{what}: {why}", f"check the network, and {LATER}")


def away(what: str, url: str, why: Lost, then: str = LATER) -> ServiceAwayError:
    """A host that cannot be reached as an error; others of this process will not wait for it."""
    host = host_of(url)
    name = what if not host or host in what else f"{what} ({host})"
    wrong, cure = f"{name} cannot be reached: {why}", f"{why.cure}, and {then}"
    CIRCUIT.fell(host, wrong, cure)
    return ServiceAwayError(wrong, cure)


def _reason(answer: requests.Response) -> str:
    """What the service says of a refusal."""
    try:
        body = answer.json()
    except requests.exceptions.JSONDecodeError:
        return ""
    if not isinstance(body, dict):
        return ""
    # By turns the keys of Open-Meteo, of FastAPI (token services) and of STAC APIs.
    return str(next((body[key] for key in ("reason", "detail", "description") if key in body), ""))


def failure(
    what: str, status: int, text: str = "", headers: Mapping[str, str] | None = None
) -> ServiceError:
    """A refusal as an error: what is wrong, and what a user can do about it.

    Parameters
    ----------
    what : str
        The service, as the user knows it.
    status : int
        Of HTTP.
    text : str
        What the service or the library says. Queries of addresses, which may hold tokens, and what
        differs from request to request are left out.
    headers : mapping, optional
        Of the answer.

    Returns
    -------
    ServiceError
        To be raised; a `ServiceAwayError` where nobody would be given anything.

    Examples
    --------
    >>> print(failure("the archive", 503))
    the archive is in trouble (HTTP 503); finish the run later
    """
    reply = Reply(status, headers=headers or {})
    said = answers.without_ids(without_queries(text))[:300]
    wrong, cure, kind = _meaning(reply, said)
    return kind(f"{what} {wrong} (HTTP {status}){f' ({said})' if said else ''}", cure)


def _meaning(reply: Reply, said: str) -> tuple[str, str, type[ServiceError]]:
    """What a refusal says of a service, the cure, and whether it concerns all requests."""
    if reply.status in answers.NOT_AUTHENTIC:
        return *_not_let_in(reply), ServiceAwayError
    if reply.status == 429:
        return _too_many(said)
    if reply.status in (404, 410):
        return "does not have it", "check catalogue and collection", ServiceError
    wrong, cure = {
        Answer.PASSING: ("is in trouble", LATER),
        Answer.OURS: ("does not accept the request", "check the settings"),
        Answer.FINAL: ("refuses it for good", "check the settings, or use another service"),
    }[answers.classified(reply)]
    return wrong, cure, ServiceError


def _not_let_in(reply: Reply) -> tuple[str, str]:
    if clock := reply.clock():
        return f"refuses access, and {clock}", answers.CLOCK_CURE
    return (
        "refuses access: it needs an account, which pyveg does not use, or its signed links have "
        "expired",
        "finish the run, which signs them anew, or use another catalogue",
    )


def _too_many(said: str) -> tuple[str, str, type[ServiceError]]:
    if _QUOTA.search(said):  # nobody gets more, however long this run waits
        return "has had as many requests as it takes from one user", LATER, ServiceAwayError
    return "has had too many requests", f"use fewer n_workers, and {LATER}", ServiceError


def status_in(text: str) -> int | None:
    """The HTTP status in an error message of GDAL or urllib3."""
    match = _STATUS.search(text)
    return int(match[1]) if match else None


def without_queries(text: str) -> str:
    """A text whose addresses have lost what stands behind ``?``, which may be a token."""
    return re.sub(r"\?[^\s'\")]+", "", text)
