"""A small STAC service of its own: scenes with a known truth, and an HTTP server for them.

The real clients can be driven against it offline. Scenes are COGs on disk with STAC items beside
them; the server answers searches, hands out files by ranges, signs links, counts requests and fails
on demand. ::

    world = StacWorld(folder, Place(27.95, 11.57, 0.008))
    world.add("2021-12-05", baseline="03.01")
    with world.serve() as server:
        ...  # catalogue = server.url
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine

from pyveg import formats
from pyveg.earth.types import Place
from pyveg.sources.stac.trust import VARIABLE
from pyveg.sources.utm import utm_grid

BANDS = ("blue", "green", "red", "nir")
CLEAR, CLOUD = 5, 9
"""Classes of the scl band: bare soil, and cloud."""
QA_CLEAR, QA_CLOUD = 1 << 6, 1 << 3
_HLS_NIR = {"L30": "B05", "S30": "B8A"}
_NODATA = {"qa_pixel": 1, "Fmask": 255}
PAGE_LIMIT = 4
"""Scenes on a page of the server, however many are asked for, so that clients must turn pages."""
BLOB_HOST = "pyvegtest.blob.core.windows.net"
TOKEN = "sig=test"

Truth = dict[str, NDArray[np.float64]]
Fault = Callable[[int, str], int | None]
"""Number of the request (from 1) and its path -> status to answer with, or None to be good."""


def truth(x: NDArray[np.float64], y: NDArray[np.float64], green: float = 0.5) -> Truth:
    """True reflectance at places in metres: stripes of plants on bare soil.

    Multiples of 1e-4, so that 16-bit products can hold it exactly.
    """
    wave = (np.sin(x / 90) * np.cos(y / 70) + 1) / 2 * green
    ground = {"blue": 0.12, "green": 0.16, "red": 0.24, "nir": 0.32}
    plants = {"blue": 0.03, "green": 0.07, "red": 0.04, "nir": 0.42}
    return {
        band: np.rint(1e4 * (ground[band] + (plants[band] - ground[band]) * wave)) / 1e4
        for band in BANDS
    }


@dataclass
class StacWorld:
    """Scenes in a folder.

    Parameters
    ----------
    folder : Path
    place : Place
        Scenes cover it with some room around.
    scale : float
        Length of a pixel's side, metres.
    collection : str
    green : float
        Share of plants where they are thickest.
    """

    folder: Path
    place: Place
    scale: float = 10.0
    collection: str = "sentinel-2-l2a"
    green: float = 0.5
    items: list[dict[str, Any]] = field(default_factory=list)
    empty: tuple[str, ...] = ()
    """Ids of collections without a scene."""

    def truth(self) -> Truth:
        """True reflectance on the pixels of the place."""
        grid = utm_grid(self.place, self.scale)
        return truth(*_centres(grid.transform, grid.shape), self.green)

    def add(
        self,
        day: str,
        *,
        tile: str = "whole",
        baseline: str | None = "03.01",
        added: int | None = None,
        cloud: float = 0.0,
        cloud_percent: float | None = None,
        shift: float = 0.0,
        stated: tuple[float, float] | None = None,
        mask: bool = True,
        bands: tuple[str, ...] = BANDS,
        properties: Mapping[str, Any] | None = None,
        time: str = "08:30:00",
        name: str | None = None,
    ) -> dict[str, Any]:
        """Make one scene.

        Parameters
        ----------
        day : str
        tile : {"whole", "west", "east"}
            The two halves overlap in the middle third.
        baseline : str, optional
            Decides on `added`, unless that is given.
        added : int, optional
            What the stored numbers have been raised by.
        cloud : float
            Share of the rows, from the north, that is under cloud: bright, and masked.
        cloud_percent : float, optional
            What the item says; 100 x `cloud` where left out.
        shift : float
            Added to the true reflectance, to tell scenes apart.
        stated : (float, float), optional
            Scale and offset that the item states.
        mask : bool
            Whether it has its mask band.
        bands : tuple of str
        properties : mapping, optional
            More of them, or others.
        time : str
            UTC.
        name : str, optional
            Its id.
        """
        name = name or f"S2A_{tile}_{day}"
        if added is None:
            added = 1000 if baseline is not None and baseline >= "04.00" else 0
        transform, shape = self._extent(tile)
        true = truth(*_centres(transform, shape), self.green)
        cloudy = np.zeros(shape, bool)
        cloudy[: round(cloud * shape[0])] = True
        arrays: dict[str, NDArray[Any]] = {}
        for band in bands:
            numbers = np.rint(1e4 * (true[band] + shift)) + added
            arrays[band] = np.where(cloudy, 8000 + added, numbers).astype(np.uint16)
        if mask:
            arrays["scl"] = np.where(cloudy, CLOUD, CLEAR).astype(np.uint8)
        about = {
            "datetime": f"{day}T{time}Z",
            "platform": "sentinel-2a",
            "eo:cloud_cover": 100 * cloud if cloud_percent is None else cloud_percent,
            **({"s2:processing_baseline": baseline} if baseline else {}),
            **(properties or {}),
        }
        return self.put(name, arrays, transform, about, stated)

    def add_landsat(
        self, day: str, *, platform: str = "landsat-8", cloud: float = 0.0, saturated: int = 0
    ) -> dict[str, Any]:
        """Make one scene of Landsat Collection 2; saturated: rows of red, from the south."""
        transform, shape = self._extent("whole")
        true = truth(*_centres(transform, shape), self.green)
        cloudy = np.zeros(shape, bool)
        cloudy[: round(cloud * shape[0])] = True
        arrays: dict[str, NDArray[Any]] = {}
        for band, values in true.items():
            numbers = np.rint((np.where(cloudy, 0.8, values) + 0.2) / 2.75e-5)
            arrays["nir08" if band == "nir" else band] = numbers.astype(np.uint16)
        arrays["qa_pixel"] = np.where(cloudy, QA_CLOUD, QA_CLEAR).astype(np.uint16)
        arrays["qa_radsat"] = np.zeros(shape, np.uint16)
        arrays["qa_radsat"][shape[0] - saturated :] = 1 << 3  # band 4 of OLI: red
        about = {
            "datetime": f"{day}T08:30:00Z",
            "platform": platform,
            "eo:cloud_cover": 100 * cloud,
            "landsat:collection_number": "02",
        }
        item = self.put(f"LC08_{platform}_{day}", arrays, transform, about, (2.75e-5, -0.2))
        item["assets"]["red"]["eo:bands"] = [{"name": "OLI_B4", "common_name": "red"}]
        return item

    def add_hls(
        self, day: str, *, code: str = "L30", bits: NDArray[Any] | None = None, shift: float = 0.0
    ) -> dict[str, Any]:
        """Make one scene of HLS: int16 with -9999 for none, and nothing stated in the item.

        Parameters
        ----------
        day : str
        code : {"L30", "S30"}
            Landsat, whose near infrared is band 5, or Sentinel-2, whose band 5 is red edge.
        bits : ndarray of integers, optional
            Fmask, shape of the scene; clear where left out. Where bit 1 (cloud) is set, the ground
            is bright; where it is 255, nothing was seen.
        shift : float
            Added to the true reflectance.
        """
        transform, shape = self._extent("whole")
        true = truth(*_centres(transform, shape), self.green)
        fmask = np.full(shape, 1 << 6, np.uint8) if bits is None else bits.astype(np.uint8)
        names = {"blue": "B02", "green": "B03", "red": "B04", "nir": _HLS_NIR[code]}
        arrays: dict[str, NDArray[Any]] = {}
        for band, values in true.items():
            numbers = np.where(fmask & 2, 8000, np.rint(1e4 * (values + shift)))
            arrays[names[band]] = np.where(fmask == 255, -9999, numbers).astype(np.int16)
        if code == "S30":
            arrays["B05"] = (arrays["B04"] + arrays["B8A"]) // 2  # a red edge, to be mistaken for
        arrays["Fmask"] = fmask
        platform = {"L30": "landsat-8", "S30": "sentinel-2a"}[code]
        about = {"datetime": f"{day}T08:30:00Z", "platform": platform, "eo:cloud_cover": 10}
        moment = f"{datetime.fromisoformat(day):%Y%j}T083000"
        name = f"HLS.{code}.T35PNN.{moment}.v2.0"
        return self.put(name, arrays, transform, about, collection=f"hls2-{code.lower()}")

    def put(
        self,
        name: str,
        arrays: Mapping[str, NDArray[Any]],
        transform: tuple[float, ...],
        properties: Mapping[str, Any],
        stated: tuple[float, float] | None = None,
        *,
        collection: str = "",
    ) -> dict[str, Any]:
        """Write a scene's files and its item, in the world's collection or in another one."""
        crs = utm_grid(self.place, self.scale).crs
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        shape = next(iter(arrays.values())).shape
        assets = {}
        for band, array in arrays.items():
            _write_cog(folder / f"{band}.tif", array, crs, transform)
            asset: dict[str, Any] = {"href": f"./{name}/{band}.tif", "roles": ["data"]}
            asset["type"] = "image/tiff; application=geotiff; profile=cloud-optimized"
            if stated and band not in ("scl", "qa_pixel", "qa_radsat"):
                about = {"nodata": 0, "data_type": "uint16"}
                asset["raster:bands"] = [{**about, "scale": stated[0], "offset": stated[1]}]
            assets[band] = asset
        ring = _ring(crs, transform, shape)
        code = int(crs.partition(":")[2])
        item = {
            "type": "Feature",
            "stac_version": "1.0.0",
            "stac_extensions": [],
            "id": name,
            "collection": collection or self.collection,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "bbox": [
                min(lon for lon, _ in ring),
                min(lat for _, lat in ring),
                max(lon for lon, _ in ring),
                max(lat for _, lat in ring),
            ],
            "properties": {
                "proj:epsg": code,
                "proj:code": crs,
                "proj:shape": list(shape),
                "proj:transform": list(transform),
                **properties,
            },
            "assets": assets,
            "links": [],
        }
        self.items.append(item)
        return item

    def write_static(self) -> Path:
        """Write a static catalogue of all scenes; return its catalog.json."""
        import pystac

        catalogue = pystac.Catalog("test", "a test")
        extent = pystac.Extent(
            pystac.SpatialExtent([-180.0, -90.0, 180.0, 90.0]),
            pystac.TemporalExtent([[datetime(2015, 1, 1, tzinfo=UTC), None]]),
        )
        collections = {name: pystac.Collection(name, "scenes", extent) for name in self.names}
        catalogue.add_children(collections.values())
        for item in self.items:
            plain = json.loads(json.dumps(item))
            for asset in plain["assets"].values():
                asset["href"] = str((self.folder / asset["href"]).resolve())
            collections[item["collection"]].add_item(pystac.Item.from_dict(plain))
        target = self.folder / "static"
        catalogue.normalize_hrefs(str(target))
        catalogue.make_all_asset_hrefs_relative()
        catalogue.save(pystac.CatalogType.SELF_CONTAINED)
        return target / "catalog.json"

    @property
    def names(self) -> list[str]:
        """Ids of the collections, the world's own first."""
        used = (item["collection"] for item in self.items)
        return list(dict.fromkeys([self.collection, *used, *self.empty]))

    @contextmanager
    def serve(self, fault: Fault | None = None, *, signed: bool = False) -> Iterator[StacServer]:
        """Serve the scenes until the context ends.

        Parameters
        ----------
        fault : callable, optional
            Says which requests fail.
        signed : bool
            Links lead to a blob host that refuses requests without a token. Clients reach it by
            taking the server for their proxy.
        """
        server = StacServer(self, fault, signed)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        trusted = os.environ.get(VARIABLE)
        if signed:  # links over http to another host, which is this server, are meant here
            os.environ[VARIABLE] = BLOB_HOST
        try:
            yield server
        finally:
            os.environ.pop(VARIABLE, None)
            os.environ.update({} if trusted is None else {VARIABLE: trusted})
            server.shutdown()
            server.server_close()
            thread.join()

    def _extent(self, tile: str) -> tuple[tuple[float, ...], tuple[int, int]]:
        """Transform and shape of a tile: the place and 20 pixels around, or part of it."""
        grid = utm_grid(self.place, self.scale)
        room = 20
        width, height = grid.width + 2 * room, grid.height + 2 * room
        left = grid.transform[2] - room * self.scale
        top = grid.transform[5] + room * self.scale
        if tile == "east":
            left += width // 3 * self.scale
        if tile != "whole":
            width -= width // 3
        return (self.scale, 0.0, left, 0.0, -self.scale, top), (height, width)


class StacServer(ThreadingHTTPServer):
    """The service; made by `StacWorld.serve`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, world: StacWorld, fault: Fault | None, signed: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.world = world
        self.fault = fault
        self.signed = signed
        self.methods = ["GET", "POST"]
        """By which it can be searched."""
        self.tokens = [TOKEN]
        """The last one opens the blobs."""
        self.requests: list[tuple[str, str, str, int]] = []
        """Method, path, what was asked for (range or search), status."""
        self.refuses = False
        """Whether blobs are closed to all tokens."""
        self.keys: list[str | None] = []
        """Subscription keys that came with requests for tokens."""
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The STAC API."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def failed(self) -> int:
        """How many requests were answered with a failure."""
        return sum(status >= 400 for *_, status in self.requests)

    def note(self, method: str, path: str, asked: str) -> int | None:
        """Count a request; the status that it shall fail with, if it shall."""
        with self._lock:
            number = len(self.requests) + 1
            status = self.fault(number, path) if self.fault else None
            self.requests.append((method, path, asked, status or 200))
        return status

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up."""

    def item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An item with addresses of this server."""
        plain: dict[str, Any] = json.loads(json.dumps(item))
        base = f"http://{BLOB_HOST}/scenes" if self.signed else f"{self.url}/files"
        for asset in plain["assets"].values():
            asset["href"] = f"{base}/{asset['href'].removeprefix('./')}"
        return plain

    def search(self, asked: Mapping[str, Any], method: str) -> dict[str, Any]:
        """Answer a search, by pages."""
        start, end = str(asked["datetime"]).split("/")
        west, south, east, north = (float(value) for value in asked["bbox"])
        items = [
            item
            for item in self.world.items
            if item["collection"] in asked["collections"]
            and _in_range(item["properties"], start, end)
            and item["bbox"][0] <= east
            and item["bbox"][2] >= west
            and item["bbox"][1] <= north
            and item["bbox"][3] >= south
        ]
        first = int(asked.get("token", 0))
        page = items[first : first + PAGE_LIMIT]
        links = []
        if first + PAGE_LIMIT < len(items):
            links.append(self._next({**asked, "token": first + PAGE_LIMIT}, method))
        features = [self.item(item) for item in page]
        return {"type": "FeatureCollection", "features": features, "links": links}

    def _next(self, asked: Mapping[str, Any], method: str) -> dict[str, Any]:
        """The link to another page."""
        if method == "POST":
            return {"rel": "next", "href": f"{self.url}/search", "method": method, "body": asked}
        joined = {k: ",".join(map(str, v)) if isinstance(v, list) else v for k, v in asked.items()}
        return {"rel": "next", "href": f"{self.url}/search?{urlencode(joined)}"}

    def root(self) -> dict[str, Any]:
        """The landing page."""
        return {
            "type": "Catalog",
            "id": "test",
            "description": "a test",
            "stac_version": "1.0.0",
            "conformsTo": [
                "https://api.stacspec.org/v1.0.0/core",
                "https://api.stacspec.org/v1.0.0/item-search",
                "https://api.stacspec.org/v1.0.0/collections",
                "https://api.stacspec.org/v1.0.0/ogcapi-features",
            ],
            "links": [
                {"rel": "self", "href": self.url},
                {"rel": "root", "href": self.url},
                {"rel": "data", "href": f"{self.url}/collections"},
                *(
                    {
                        "rel": "search",
                        "href": f"{self.url}/search",
                        "type": "application/geo+json",
                        "method": method,
                    }
                    for method in self.methods
                ),
            ],
        }

    def collection(self, name: str) -> dict[str, Any]:
        """One of the collections."""
        return {
            "type": "Collection",
            "id": name,
            "description": "scenes",
            "license": "other",
            "stac_version": "1.0.0",
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [["2015-01-01T00:00:00Z", None]]},
            },
            "links": [],
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StacServer

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = self.headers.get("Range") or parts.query
        status = self.server.note(self.command, parts.path, asked)
        if status is not None:
            self._send(status, b"fault", "text/plain")
        elif parts.hostname == BLOB_HOST:
            self._blob(parts.path, parts.query)
        elif parts.path.startswith("/files/"):
            self._file(parts.path.removeprefix("/files/"))
        elif parts.path.startswith("/token/"):
            self.server.keys.append(self.headers.get("Ocp-Apim-Subscription-Key"))
            until = datetime.now(UTC) + timedelta(hours=1)
            self._json({"token": self.server.tokens[-1], "msft:expiry": until.isoformat()})
        elif parts.path.removeprefix("/collections/") in self.server.world.names:
            self._json(self.server.collection(parts.path.removeprefix("/collections/")))
        elif parts.path == "/v1/archive":
            self._json(weather(parts.query))
        elif parts.path in ("", "/"):
            self._json(self.server.root())
        elif parts.path == "/search":
            given = {key: values[0] for key, values in parse_qs(parts.query).items()}
            lists = {key: given[key].split(",") for key in ("bbox", "collections")}
            self._json(self.server.search({**given, **lists}, "GET"))
        else:
            self._send(404, b'{"description": "not here"}', "application/json")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.note("POST", self.path, body.decode())
        if status is not None:
            self._send(status, b"fault", "text/plain")
        else:
            self._json(self.server.search(json.loads(body), "POST"))

    def _blob(self, path: str, query: str) -> None:
        if query == self.server.tokens[-1] and not self.server.refuses:
            self._file(path.removeprefix("/scenes/"))
        else:
            self._send(403, b"signature", "text/plain")

    def _file(self, name: str) -> None:
        path = self.server.world.folder / name
        if not path.is_file():
            self._send(404, b"no such file", "text/plain")
            return
        data, wanted = path.read_bytes(), self.headers.get("Range")
        if not wanted:
            self._send(200, data, "image/tiff", {"Accept-Ranges": "bytes"})
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data)), len(data) - 1)
        part = data[start : end + 1]
        span = {"Content-Range": f"bytes {start}-{end}/{len(data)}", "Accept-Ranges": "bytes"}
        self._send(206, part, "image/tiff", span)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), "application/json")

    def _send(
        self, status: int, data: bytes, kind: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has above
        pass


def weather(query: str) -> dict[str, Any]:
    """Answer for the weather archive of Open-Meteo: rain and warmth that depend on the day."""
    asked = {key: values[0] for key, values in parse_qs(query).items()}
    first, last = (date.fromisoformat(asked[f"{end}_date"]) for end in ("start", "end"))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    units = {"precipitation_sum": "mm", "temperature_2m_mean": "°C"}
    known = {
        "precipitation_sum": [day.toordinal() % 7 / 2 for day in days],
        "temperature_2m_mean": [20 + day.toordinal() % 10 / 4 for day in days],
    }
    bands = asked["daily"].split(",")
    return {
        "latitude": round(float(asked["latitude"]) * 4) / 4,
        "longitude": round(float(asked["longitude"]) * 4) / 4,
        "daily_units": {"time": "iso8601", **{band: units[band] for band in bands}},
        "daily": {"time": [str(day) for day in days], **{band: known[band] for band in bands}},
    }


def every(number: int, statuses: tuple[int, ...] = (429, 503)) -> Fault:
    """Every so many requests one fails, with each of the statuses in turn."""

    def fault(count: int, path: str) -> int | None:
        del path
        return statuses[count // number % len(statuses)] if count % number == 0 else None

    return fault


def _in_range(about: Mapping[str, Any], start: str, end: str) -> bool:
    """Whether a moment, or a range, touches what a search asks for; no time is in any."""
    first = about.get("datetime") or about.get("start_datetime")
    last = about.get("datetime") or about.get("end_datetime")
    return first is None or last is None or (start <= last and first <= end)


def _centres(
    transform: tuple[float, ...], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of the centres of pixels."""
    x = transform[2] + (np.arange(shape[1]) + 0.5) * transform[0]
    y = transform[5] + (np.arange(shape[0]) + 0.5) * transform[4]
    return np.broadcast_to(x, shape), np.broadcast_to(y[:, None], shape)


def _ring(crs: str, transform: tuple[float, ...], shape: tuple[int, ...]) -> list[list[float]]:
    columns = np.array([0.0, 1, 1, 0, 0]) * shape[1]
    rows = np.array([0.0, 0, 1, 1, 0]) * shape[0]
    a, b, c, d, e, f = transform
    places = formats.lonlat(crs, (a, b, c, d, e, f), columns, rows)
    return [[float(lon), float(lat)] for lon, lat in places]


def _write_cog(path: Path, array: NDArray[Any], crs: str, transform: tuple[float, ...]) -> None:
    profile = {
        "driver": "COG",
        "height": array.shape[0],
        "width": array.shape[1],
        "count": 1,
        "dtype": array.dtype.name,
        "crs": crs,
        "transform": Affine(*transform),
        "nodata": _NODATA.get(path.stem, -9999 if array.dtype == np.int16 else 0),
        "blocksize": 128,
    }
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(array, 1)
