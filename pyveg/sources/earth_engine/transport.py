"""HTTP for the service's client: time limits, one pool of connections, and a look at headers."""

from __future__ import annotations

import threading
from typing import Any

from pyveg.core.loopback import asks_directly

QUOTA_HEADER = "x-earth-engine-quota-status"
RESTRICTED = "parallelism_restricted=true"
"""In that header, once the compute units of the month are spent."""
SERVICE = "https://earthengine.googleapis.com"
CONNECT_TIMEOUT = 15.0
"""Seconds until a service that does not answer at all counts as out of reach."""
POOL = 40
"""Connections that are kept open; the service answers so many requests of a project at once."""


class Wire:
    """Sends requests by `requests`, in the form that the client knows (that of httplib2).

    Parameters
    ----------
    timeout : float
        Seconds without an answer.
    """

    def __init__(self, timeout: float) -> None:
        import requests
        from requests.adapters import HTTPAdapter

        self.timeout = timeout
        self._session = asks_directly(requests.Session())
        self._session.mount("https://", HTTPAdapter(pool_connections=4, pool_maxsize=POOL))

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: dict[str, str] | None = None,
        **_: Any,
    ) -> tuple[Any, bytes]:
        """Send one request; `ConnectionError` or `TimeoutError` where there is no answer."""
        import httplib2
        import requests

        try:
            answer = self._session.request(
                method, uri, data=body, headers=headers, timeout=(CONNECT_TIMEOUT, self.timeout)
            )
        except requests.ReadTimeout as error:
            raise TimeoutError(f"no answer within {self.timeout:g} s") from error
        except requests.RequestException as error:
            raise ConnectionError(str(error)) from error
        # httplib2 gives names in lower case, and the client looks for them so.
        named = {name.lower(): value for name, value in answer.headers.items()}
        return httplib2.Response({**named, "status": str(answer.status_code)}), answer.content

    def reach(self) -> None:
        """Look whether the service is there; `ServiceAwayError` where it is not."""
        from pyveg.sources import http

        http.reach(SERVICE, "Earth Engine")

    def close(self) -> None:
        """Free the connections."""
        self._session.close()


class Meter:
    """Counts what goes through another transport, and sees when the quota is spent.

    Parameters
    ----------
    inner : object
        Has ``request`` and ``close`` like `Wire`.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self.requests = 0
        self.bytes = 0
        self.date = ""
        """When the last answer was sent, by the service's clock, as HTTP writes it."""
        self.restricted = False
        """Whether the service said that the compute units of the month are spent."""

    def request(self, uri: str, *args: Any, **kwargs: Any) -> tuple[Any, bytes]:
        """Pass on one request and its answer."""
        with self._lock:
            self.requests += 1
        response, content = self._inner.request(uri, *args, **kwargs)
        # Taken out, because the client would warn once for each answer.
        status = str(response.pop(QUOTA_HEADER, ""))
        with self._lock:
            self.bytes += len(content)
            self.date = str(response.get("date", ""))
            self.restricted |= RESTRICTED in status
        return response, content

    def close(self) -> None:
        """Free the connections."""
        self._inner.close()
