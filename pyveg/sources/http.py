"""Asking services over HTTP: with time-outs, patience, and advice where it is of no use.

Answers 429 and 5xx, and connections that fail, are tried again after 1, 2, 4 ... seconds, or after
what the service asks for. What still fails becomes one sentence for the user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from pyveg.core.errors import DataError

AGAIN = (429, 500, 502, 503, 504)
"""Answers that may be better next time."""
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between two attempts, whatever the service asks for."""
CONNECT_TIMEOUT = 15.0
"""Seconds until a service that does not answer at all counts as out of reach."""

_STATUS = re.compile(r"(?:HTTP (?:response|error) code ?:? ?|Response_code=|too many )(\d{3})")


class Patience(Retry):
    """urllib3's own repetition, with a limit on how long a service may make us wait."""

    DEFAULT_BACKOFF_MAX = int(LONGEST_WAIT)

    def get_retry_after(self, response: Any) -> float | None:
        """Seconds that the service asks us to wait, a minute at most."""
        wait = super().get_retry_after(response)
        return None if wait is None else min(wait, LONGEST_WAIT)


def patience(retries: int, first_wait: float = FIRST_WAIT) -> Patience:
    """How often to ask again, and how long to wait between.

    Parameters
    ----------
    retries : int
        After the first attempt.
    first_wait : float
        Seconds before the second repetition; it doubles each time, and a little chance is added
        so that many workers do not come back at once.
    """
    return Patience(
        total=retries,
        backoff_factor=first_wait,
        backoff_jitter=first_wait,
        status_forcelist=AGAIN,
        allowed_methods=None,  # searches are POST and change nothing
        raise_on_status=False,  # the last answer tells more than that there were many
    )


def session(retries: int, first_wait: float = FIRST_WAIT) -> requests.Session:
    """A session that is patient with every address."""
    made = requests.Session()
    adapter = HTTPAdapter(max_retries=patience(retries, first_wait))
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
    DataError
        With advice, if the service does not give it.
    """
    limits = (min(CONNECT_TIMEOUT, timeout), timeout)
    try:
        answer = made.get(url, params=dict(parameters or {}), headers=headers, timeout=limits)
        if answer.ok:
            return answer.json()
    except requests.exceptions.JSONDecodeError as error:
        raise DataError(f"{what} gave something that is no JSON; check its address") from error
    except requests.RequestException as error:
        raise DataError(advice(what, None, str(error))) from error
    raise DataError(advice(what, answer.status_code, _reason(answer)))


def _reason(answer: requests.Response) -> str:
    """What the service says of a refusal."""
    try:
        told = answer.json()
    except requests.exceptions.JSONDecodeError:
        return ""
    if not isinstance(told, dict):
        return ""
    return str(next((told[key] for key in ("reason", "detail", "description") if key in told), ""))


def status_in(text: str) -> int | None:
    """The HTTP status that an error message of GDAL or urllib3 tells of."""
    found = _STATUS.search(text)
    return int(found[1]) if found else None


def advice(what: str, status: int | None, text: str = "") -> str:
    """What a user can do about a failure, in one sentence.

    Parameters
    ----------
    what : str
        The service, as the user knows it.
    status : int or None
        HTTP status; None where no answer came.
    text : str
        What the service or the library says. Queries of addresses, which may hold tokens, are
        left out.
    """
    told = " ".join(without_queries(text).split())[:300]
    more = f" ({told})" if told else ""
    if status is None:
        return f"{what} cannot be reached: check the network, and finish the run later{more}"
    if status in (401, 403):
        cure = "it needs an account that pyveg has no use of, or its signed links have expired"
        return f"{what} refuses access (HTTP {status}): {cure}{more}"
    if status in (404, 410):
        return f"{what} does not have it (HTTP {status}): check catalogue and collection{more}"
    if status == 429:
        cure = "use fewer n_workers, and finish the run later"
        return f"{what} has had too many requests (HTTP 429): {cure}{more}"
    if status >= 500:
        return f"{what} is in trouble (HTTP {status}): finish the run later{more}"
    return f"{what} does not accept the request (HTTP {status}): check the settings{more}"


def without_queries(text: str) -> str:
    """A text whose addresses have lost what stands behind ``?``."""
    return re.sub(r"\?[^\s'\")]+", "", text)


def host_of(url: str) -> str:
    """The host of an address, to call a service by."""
    return urlsplit(url).netloc or url
