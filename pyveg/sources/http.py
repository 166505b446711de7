"""Asking services over HTTP: with time-outs, repetition, and advice where it does not help.

Answers 429 and 5xx, and connections that fail, are tried again after 1, 2, 4 ... seconds, or after
what the service asks for. What still fails becomes one error with a cure.
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
        raise DataError(f"{what} gave something that is no JSON", "check its address") from error
    except requests.RequestException as error:
        raise failure(what, None, str(error)) from error
    raise failure(what, answer.status_code, _reason(answer))


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


def status_in(text: str) -> int | None:
    """The HTTP status in an error message of GDAL or urllib3."""
    match = _STATUS.search(text)
    return int(match[1]) if match else None


def failure(what: str, status: int | None, text: str = "") -> DataError:
    """A failed request as an error: what is wrong, and what a user can do about it.

    Parameters
    ----------
    what : str
        The service, as the user knows it.
    status : int or None
        HTTP status; None where no answer came.
    text : str
        What the service or the library says. Queries of addresses, which may hold tokens, are
        left out.

    Returns
    -------
    DataError
        To be raised.

    Examples
    --------
    >>> print(failure("the archive", 503))
    the archive is in trouble (HTTP 503); finish the run later
    """
    said = " ".join(without_queries(text).split())[:300]
    wrong, cure = _meaning(status)
    number = "" if status is None else f" (HTTP {status})"
    return DataError(f"{what} {wrong}{number}{f' ({said})' if said else ''}", cure)


def _meaning(status: int | None) -> tuple[str, str]:
    """What a status says of a service, and the cure."""
    if status is None:
        return "cannot be reached", "check the network, and finish the run later"
    if status in (401, 403):
        return (
            "refuses access: it needs an account, which pyveg does not use, or its signed links "
            "have expired",
            "finish the run, which signs them anew, or use another catalogue",
        )
    if status in (404, 410):
        return "does not have it", "check catalogue and collection"
    if status == 429:
        return "has had too many requests", "use fewer n_workers, and finish the run later"
    if status >= 500:
        return "is in trouble", "finish the run later"
    return "does not accept the request", "check the settings"


def without_queries(text: str) -> str:
    """A text whose addresses have lost what stands behind ``?``, which may be a token."""
    return re.sub(r"\?[^\s'\")]+", "", text)


def host_of(url: str) -> str:
    """The host of an address, to call a service by."""
    return urlsplit(url).netloc or url
