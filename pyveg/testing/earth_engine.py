"""A stand-in for Earth Engine's servers behind the service's real client.

It answers the client's HTTP requests: with the descriptions of the API that lie in the client's
own package, and with what `pyveg.testing.ee_graphs` computes from GeoTIFFs. Faults can be put in::

    service = StandIn(scenes)
    with service.instead():
        EarthEngineSource(settings).fetch(request)
    assert service.count("pixels") == 1

The fixtures in the client's package are private to it and may move; `fixture` says so then.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from pyveg.sources.earth_engine import credentials, session
from pyveg.sources.earth_engine.tiles import MAX_BYTES
from pyveg.sources.grid import MAX_SIDE, Grid
from pyveg.testing.ee_graphs import Evaluator, GraphError, StandInScene, pixels_of

PROFILING, PROFILE = "x-earth-engine-computation-profiling", "x-earth-engine-computation-profile"
"""Headers: asks for a profile, and names it."""
KINDS = {"value:compute": "value", "image:computePixels": "pixels"}


@dataclass(frozen=True)
class Fault:
    """An answer that is none."""

    status: int
    message: str = "Service unavailable"
    headers: dict[str, str] = field(default_factory=dict)


class _Switch:
    """The transport of a client that several stand-ins share: leads to the newest session."""

    meter: Any = None

    def request(self, *args: Any, **kwargs: Any) -> tuple[Any, bytes]:
        """Pass on."""
        answer: tuple[Any, bytes] = self.meter.request(*args, **kwargs)
        return answer


_SWITCH = _Switch()


def _share_client(client: session.Session) -> None:
    """Instead of starting the client, where a stand-in has done so before."""
    import ee

    _SWITCH.meter = client.meter
    if not ee.data.is_initialized():
        ee.data.setMaxRetries(0)
        ee.Initialize(credentials=None, project="stand-in", http_transport=_SWITCH)
    ee.data.setDefaultWorkloadTag(client.terms.tag)
    ee.data.resetWorkloadTag()


@dataclass(frozen=True)
class Call:
    """One request that came in."""

    kind: str
    """``value``, ``pixels`` or ``setup``."""
    uri: str
    body: Any


def fixture(name: str) -> bytes:
    """A description of the API from the client's own package."""
    import ee

    path = Path(ee.__file__).parent / "tests" / name
    if not path.is_file():
        raise FileNotFoundError(
            f"earthengine-api {ee.__version__} has no tests/{name} any more; find where it went"
        )
    return path.read_bytes()


class StandIn:
    """The servers.

    Parameters
    ----------
    scenes : sequence of StandInScene
        What the collections hold.
    faults : callable, optional
        Is given a request and its number among those of all kinds but ``setup``, from 1, and
        returns a `Fault`, raises an exception, or returns None for the right answer.
    delay : float
        Seconds that each answer takes.
    headers : dict, optional
        Of every answer.
    """

    def __init__(
        self,
        scenes: Sequence[StandInScene] = (),
        faults: Callable[[Call, int], Fault | None] | None = None,
        delay: float = 0.0,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.scenes = list(scenes)
        self.faults = faults
        self.delay = delay
        self.headers = headers or {}
        self.calls: list[Call] = []
        self.most_at_once = 0
        self._now = 0
        self._asked = 0
        self._lock = threading.Lock()

    def count(self, kind: str) -> int:
        """How many requests of a kind came in."""
        return Counter(call.kind for call in self.calls)[kind]

    def bodies(self, kind: str) -> list[Any]:
        """What they asked."""
        return [call.body for call in self.calls if call.kind == kind]

    @contextmanager
    def instead(self, *, fresh: bool = False) -> Iterator[StandIn]:
        """Take the place of the service.

        Parameters
        ----------
        fresh : bool
            Whether the client is started anew, as in a new process; it takes 0.3 s. Otherwise one
            that another stand-in started is used again, with this one behind it.
        """
        import ee

        signed_in = credentials.SignIn("stand-in", "stand-in", lambda: None)
        with (
            patch.object(session, "open_wire", lambda _: self),
            patch.object(credentials, "find", lambda *_: signed_in),
            patch.object(ee.deprecation, "_FetchDataCatalogStac", dict),
            patch.object(session, "_current", None),
            patch.object(session, "_refused", None),
        ):
            if not fresh:
                with patch.object(session.Session, "_initialise", _share_client):
                    yield self
                return
            ee.Reset()
            try:
                yield self
            finally:
                session.close()
                ee.Reset()

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: dict[str, str] | None = None,
        **_: Any,
    ) -> tuple[Any, bytes]:
        """Answer one request, in the form of httplib2."""
        del method
        kind = next((known for part, known in KINDS.items() if part in uri), "setup")
        with self._lock:
            call = Call(kind, uri, json.loads(body) if body else None)
            self.calls.append(call)
            self._asked += kind != "setup"
            number = self._asked
            self._now += kind != "setup"
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            time.sleep(self.delay if kind != "setup" else 0)
            fault = self.faults(call, number) if self.faults and kind != "setup" else None
            answer = self._refuse(fault) if fault else self._answer(call)
        except GraphError as error:
            answer = self._refuse(Fault(400, str(error)))
        finally:
            with self._lock:
                self._now -= kind != "setup"
        if PROFILING in {name.lower() for name in headers or ()}:
            answer[0][PROFILE] = f"profile-{number}"
        return answer

    def reach(self) -> None:
        """It is there."""

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, call: Call) -> tuple[Any, bytes]:
        if call.kind == "value":
            result = Evaluator(self.scenes, call.body["expression"]).result()
            return self._respond(200, json.dumps({"result": result}).encode())
        if call.kind == "pixels":
            return self._respond(200, self._pixels(call.body))
        if "discovery" in call.uri:
            return self._respond(200, fixture("cloud_api_discovery_document.json"))
        if "/algorithms" in call.uri:
            return self._respond(200, fixture("algorithms.json"))
        return self._respond(200, b"{}")

    def _pixels(self, asked: Any) -> bytes:
        grid = _grid(asked["grid"])
        if max(grid.shape) > MAX_SIDE:
            raise GraphError(
                f"Pixel grid dimensions ({grid.width}x{grid.height}) must be less than or equal to "
                f"{MAX_SIDE}."
            )
        if asked["fileFormat"] != "NPY":
            raise GraphError(f"the stand-in cannot write {asked['fileFormat']}")
        pixels = pixels_of(Evaluator(self.scenes, asked["expression"]).result(), grid)
        size = pixels.size * (pixels.dtype.itemsize + len(pixels.dtype.names or ()))
        if size > MAX_BYTES:
            raise GraphError(
                f"Total request size ({size} bytes) must be less than or equal to {MAX_BYTES}."
            )
        buffer = io.BytesIO()
        np.save(buffer, pixels)
        return buffer.getvalue()

    def _refuse(self, fault: Fault) -> tuple[Any, bytes]:
        error = {"error": {"code": fault.status, "message": fault.message}}
        return self._respond(fault.status, json.dumps(error).encode(), fault.headers)

    def _respond(
        self, status: int, content: bytes, headers: dict[str, str] | None = None
    ) -> tuple[Any, bytes]:
        import httplib2

        about = {**self.headers, **(headers or {}), "content-type": "application/json"}
        return httplib2.Response({**about, "status": str(status)}), content


def _grid(asked: dict[str, Any]) -> Grid:
    """The grid of a request; one without a CRS would be in that of the image, degrees."""
    terms = asked["affineTransform"]
    names = ("scaleX", "shearX", "translateX", "shearY", "scaleY", "translateY")
    a, b, c, d, e, f = (float(terms.get(name, 0.0)) for name in names)
    size = asked["dimensions"]
    return Grid(asked["crsCode"], (a, b, c, d, e, f), int(size["width"]), int(size["height"]))
