"""One client per process: started on first use, retried by our own rules, throttled and counted."""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyveg.core import waiting
from pyveg.core.answers import Reply
from pyveg.core.errors import ConfigError, ServiceError, SkipItem
from pyveg.sources.earth_engine import credentials
from pyveg.sources.earth_engine.advice import Failure, understand, unreachable
from pyveg.sources.earth_engine.compute import eecu_seconds
from pyveg.sources.earth_engine.retry import Backoff, draw
from pyveg.sources.earth_engine.transport import Meter, Wire

T = TypeVar("T")

LOG = logging.getLogger(__name__)
PATIENCE = 60.0
"""Seconds after a request was given up in which others are tried only once: a hundred dates must
not each find out for themselves that the network is down."""
RESTRICTED = (
    "Earth Engine: the project has used up its compute units of this month and is in restricted "
    "mode; requests are slow until the next month"
)


@dataclass(frozen=True)
class Terms:
    """How a process talks to the service; does not change results."""

    project: str
    key_file: str
    max_requests: int
    max_wait: float
    timeout: float
    tag: str


class Session:
    """The initialised client.

    Parameters
    ----------
    terms : Terms
    wire : object
        HTTP, like `pyveg.sources.earth_engine.transport.Wire`.

    Raises
    ------
    ConfigError
        Without a sign-in or a project.
    ServiceError
        If the service refuses them, or does not answer.
    """

    def __init__(self, terms: Terms, wire: Any) -> None:
        self.terms = terms
        self.meter = Meter(wire)
        self.retries = 0
        self._backoff = Backoff(terms.max_wait)
        self._gate = threading.BoundedSemaphore(terms.max_requests)
        self._lock = threading.Lock()
        self._resume_at = 0.0
        self._hopeless_until = 0.0
        self._warned = False
        self.sign_in = credentials.find(terms.project, terms.key_file)
        self.call(self._initialise)

    def _initialise(self) -> None:
        import ee

        # The waits are ours, so that all threads of the process heed them.
        ee.data.setMaxRetries(0)
        ee.data.setDefaultWorkloadTag(self.terms.tag)
        ee.data.resetWorkloadTag()
        ee.Initialize(
            credentials=self.sign_in.open(),
            project=self.sign_in.project,
            http_transport=self.meter,
        )

    def value(self, expression: Any) -> Any:
        """Let the service compute a value, and get it as plain data."""
        import ee

        def ask() -> Any:
            try:
                return ee.data.computeValue(expression)
            except ValueError as error:
                raise ConnectionError(f"the answer is cut off: {error}") from error

        return self.call(ask)

    def pixels(
        self, expression: Any, grid: Mapping[str, Any], *, measure: bool = False
    ) -> tuple[NDArray[np.void], float | None]:
        """Let the service compute an image on a grid.

        Parameters
        ----------
        expression : ee.Image
        grid : mapping
            ``PixelGrid`` of the service: dimensions, affineTransform, crsCode.
        measure : bool
            Whether to ask, by another request, what it cost.

        Returns
        -------
        pixels : structured array
            One field per band.
        eecu_seconds : float or None
            What it cost, where that was asked and is told.
        """
        import ee

        # With our own grid and not a scale alone, so that the service cannot choose other pixels.
        question = {
            "expression": expression,
            "fileFormat": "NUMPY_NDARRAY",
            "grid": dict(grid),
            "workloadTag": self.terms.tag,
        }
        shape = (grid["dimensions"]["height"], grid["dimensions"]["width"])
        profiles: list[str] = []

        def ask() -> NDArray[np.void]:
            try:
                with ee.data.profiling(profiles.append if measure else None):
                    pixels: NDArray[np.void] = ee.data.computePixels(question)
            except (ValueError, EOFError) as error:
                raise ConnectionError(f"the answer is cut off: {error}") from error
            if pixels.shape != shape:
                raise ConnectionError(f"{pixels.shape} pixels came instead of {shape}")
            return pixels

        pixels = self.call(ask)
        return pixels, self._cost(profiles) if profiles else None

    def _cost(self, profiles: list[str]) -> float | None:
        """What requests cost; not knowing it is no reason to fail."""
        import ee

        try:
            table = self.value(ee.ApiFunction.lookup("Profile.getProfiles").call(ids=profiles))
        except (ServiceError, SkipItem) as error:
            LOG.warning("the compute of a request is not known: %s", error)
            return None
        return eecu_seconds(str(table))

    def call(self, ask: Callable[[], T]) -> T:
        """Send a request, again and again while that may help.

        Raises
        ------
        SkipItem
            If there is nothing to compute from.
        ServiceError
            In the end, with what to do.
        """
        begin, tries = 0.0, 0
        while True:
            try:
                with self._gate:
                    self._wait_for_others()
                    # From the first try on: the wait for other threads is none of its own time.
                    begin, tries = begin or time.monotonic(), tries + 1
                    answer = ask()
            except _answers() as error:
                failure = self._clocked(_understand(error))
            else:
                # One answer shows that the service is there again.
                self._hopeless_until = 0.0
                self._warn_once()
                return answer
            waited = time.monotonic() - begin
            if failure.advice.empty:
                raise SkipItem(f"no image: {failure.advice.meaning}")
            wait = self._backoff.wait(tries, waited, failure.wait, draw())
            if failure.passes and wait is None:
                self._hopeless_until = time.monotonic() + PATIENCE
            if not failure.passes or time.monotonic() < self._hopeless_until or wait is None:
                raise self._ended(failure, tries)
            LOG.info("%s; try %d in %.1f s", failure, tries + 1, wait)
            self._pause(wait, failure.status)

    def _clocked(self, failure: Failure) -> Failure:
        """A refusal whose cause is this machine's clock, which the service's replies tell."""
        if not failure.not_authentic:
            return failure
        clock = Reply(headers={"Date": self.meter.date}).clock()
        return failure.by_clock(clock) if clock else failure

    def _ended(self, failure: Failure, tries: int) -> ServiceError:
        # All that are given up say the same, whatever number of tries that took them.
        again = failure.passes and tries > 1 and not failure.advice.shared
        return failure.error(f"given up after {self.terms.max_wait:g} s" if again else "")

    def _pause(self, seconds: float, status: int | None) -> None:
        """Wait; where the service is asked too often, nobody of this process asks meanwhile."""
        with self._lock:
            self.retries += 1
            if status == http.client.TOO_MANY_REQUESTS:
                self._resume_at = max(self._resume_at, time.monotonic() + seconds)
        why = "no connection" if status is None else f"HTTP {status}"
        with waiting.told("Earth Engine", why, seconds):
            time.sleep(seconds)

    def _wait_for_others(self) -> None:
        while (left := self._resume_at - time.monotonic()) > 0:
            time.sleep(left)

    def _warn_once(self) -> None:
        with self._lock:
            warned, self._warned = self._warned, self._warned or self.meter.restricted
        if self.meter.restricted and not warned:
            LOG.warning(RESTRICTED)

    def close(self) -> None:
        """Free the connections."""
        self.meter.close()


def _answers() -> tuple[type[BaseException], ...]:
    """What a request may end with."""
    import ee
    import google.auth.exceptions
    import googleapiclient.errors
    import httplib2

    return (
        ee.EEException,
        googleapiclient.errors.Error,
        google.auth.exceptions.GoogleAuthError,
        httplib2.HttpLib2Error,
        http.client.HTTPException,
        OSError,
    )


def _understand(error: BaseException) -> Failure:
    """From an exception of the client to what it means."""
    import ee
    import google.auth.exceptions
    import googleapiclient.errors

    # The client drops status and headers; Python keeps the error that it was handling.
    source = error.__context__ if isinstance(error, ee.EEException) else error
    if isinstance(source, googleapiclient.errors.HttpError):
        text = str(source.reason or "no message")
        return understand(text, source.resp.status, Reply(headers=source.resp).asked_to_wait())
    if isinstance(error, google.auth.exceptions.TransportError):
        return unreachable(error)
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return understand(f"{type(error).__name__}: {error}")
    if isinstance(error, ee.EEException | googleapiclient.errors.Error):
        return understand(str(error))
    return unreachable(error)


_LOCK = threading.Lock()
_current: Session | None = None
_refused: tuple[float, Terms, ServiceError] | None = None
"""When a client could not be started, by which terms, and why."""


def open_wire(terms: Terms) -> Any:
    """HTTP to the service; tests put a stand-in here."""
    return Wire(terms.timeout)


def session_of(terms: Terms) -> Session:
    """The client of this process, made when it is first asked for.

    Raises
    ------
    ConfigError
        If the process has one with another project or sign-in: the service's client has room for
        one.
    """
    global _current, _refused  # noqa: PLW0603 - so is the state of the service's client
    with _LOCK:
        if _current is None:
            # Each date would try to start a client, and wait its whole time for it.
            if _refused and _refused[1] == terms and time.monotonic() < _refused[0] + PATIENCE:
                raise _copy(_refused[2])
            try:
                # Under the lock: a process starts one client, however many threads ask.
                _current = Session(terms, open_wire(terms))
            except ServiceError as error:
                _refused = (time.monotonic(), terms, _copy(error))
                raise
        current = _current.terms
        if (current.project, current.key_file) != (terms.project, terms.key_file):
            raise ConfigError(
                "Earth Engine: one process can use one project",
                'give all collections the same "project" and "credentials_file"',
            )
        return _current


def _copy(error: ServiceError) -> ServiceError:
    """Without its traceback, which holds on to what was there when it was raised."""
    return type(error)(error.wrong, error.cure)


def close() -> None:
    """Forget the client of this process."""
    global _current, _refused  # noqa: PLW0603
    with _LOCK:
        _refused = None
        if _current is None:
            return
        import ee

        _current.close()
        _current = None
        ee.Reset()
