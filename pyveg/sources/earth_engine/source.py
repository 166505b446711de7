"""Google Earth Engine as a Source: composites and weather of a place, one request per date.

Every period takes two questions: which scenes there are (their ids, shares of cloud and processing
baselines), and the pixels of what is made of them on our own grid. Both answers are stored in
a cache, so that nothing is asked for twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyveg.core import params
from pyveg.core.errors import ConfigError, DataError, PyvegError, SkipItem
from pyveg.core.params import setting
from pyveg.core.types import Item
from pyveg.earth import periods
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources.earth_engine import cache, credentials, graphs, session, tiles
from pyveg.sources.earth_engine.grids import about, native_grid, pixel_grid, ring_of
from pyveg.sources.earth_engine.listing import Listing
from pyveg.sources.grid import Grid
from pyveg.sources.products import NativeGrid, Product, life, product_of
from pyveg.sources.utm import utm_grid

SETTLED = timedelta(days=90)
"""After the end of a period; scenes are added, and weather is made final, until then (ERA5-Land
becomes final two to three months later)."""
FRESH = timedelta(days=1)
"""How long an answer about a period that is not settled is believed."""


@dataclass(frozen=True, kw_only=True)
class EarthEngineSettings:
    """Settings of `EarthEngineSource`."""

    project: str = setting(
        "",
        doc="Google Cloud project that pays; empty: EE_PROJECT, or that of the credentials",
        results=False,
    )
    credentials_file: str = setting(
        "",
        doc="JSON key of a service account; empty: EE_SERVICE_ACCOUNT_FILE, or your own sign-in",
        results=False,
    )
    cloud_score: float = setting(
        0.60, doc="pixels of Sentinel-2 with a lower Cloud Score+ are masked", low=0, high=1
    )
    with_collections: tuple[str, ...] = setting(
        (), doc="ids of more collections whose scenes go into the same composites"
    )
    mixed_sensors: bool = setting(
        False, doc="allow with_collections of other sensors or levels; recorded per date"
    )
    max_requests: int = setting(
        20, doc="requests on their way at once, of each process", low=1, high=40, results=False
    )
    max_wait: float = setting(
        300.0, doc="seconds after which a request is not tried again", low=0, results=False
    )
    request_timeout: float = setting(
        330.0, doc="seconds to wait for one answer", low=1, results=False
    )
    max_request_bytes: int = setting(
        tiles.MAX_BYTES,
        doc="larger answers are fetched in tiles",
        low=64,
        high=tiles.MAX_BYTES,
        results=False,
    )
    cache: str = setting(
        "",
        doc='folder to store answers in; "none" to store none, empty for the usual folder',
        results=False,
    )
    measure_compute: bool = setting(
        False,
        doc="ask what each image cost and record it as eecu_seconds; one more request per image",
        results=False,
    )
    workload_tag: str = setting(
        "pyveg", doc="label of the compute in your project's bill", results=False
    )


class EarthEngineSource:
    """Imagery and weather of Google Earth Engine.

    Imagery is the median of cloud-masked scenes, made by the service and fetched on the pixels of
    `pyveg.sources.utm.utm_grid`. Weather is summed (rain) or averaged (temperature) over the
    period, on the cells that it has.

    Parameters
    ----------
    settings : EarthEngineSettings

    Raises
    ------
    ConfigError
        For a workload tag that the service would refuse.
    """

    Settings: ClassVar[type] = EarthEngineSettings
    by_period: ClassVar[bool] = True
    must_agree: ClassVar[tuple[str, ...]] = ("project", "credentials_file", "workload_tag")
    ignores: ClassVar[tuple[str, ...]] = ()
    lays_grid: ClassVar[bool] = True
    waits: ClassVar[bool] = True

    def __init__(self, settings: EarthEngineSettings) -> None:
        self.settings = settings
        self._cache = cache.Cache(settings.cache)
        tag = settings.workload_tag
        if tag and not re.fullmatch(r"[a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?", tag):
            raise ConfigError(
                f'workload_tag = "{tag}" is no label that Google Cloud takes',
                'write 1 to 63 lower-case letters, digits, "-" and "_", with a letter or digit at '
                "both ends",
            )

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """Whole periods of the date range inside the collection's life.

        Raises
        ------
        ConfigError
            For a collection that is retired or not known, a mixture that was not asked for, or
            periods that are shorter than the collection's own.
        """
        del place
        main, *_ = self._products(collection)
        if main.every == "month" and periods.parse_step(collection.time_per_point).days < 28:
            raise ConfigError(
                f'collection "{collection.key}": "{main.id}" has one image per month, and '
                f'time_per_point = "{collection.time_per_point}" is shorter',
                "use the daily one",
            )
        limits = life(main.id, collection.min_date, collection.max_date, self._others())
        return periods.items(dates.clip(*limits), collection.time_per_point)

    def fingerprint(self, request: Request) -> str:
        """Settings that change results, the records of the datasets, and the graphs' version."""
        products = [repr(product) for product in self._products(request.collection)]
        chosen = params.to_json(self.settings, results_only=True)
        return cache.key_of([graphs.VERSION, chosen, products])

    def fetch(self, request: Request) -> Scene:
        """Get one period.

        Raises
        ------
        SkipItem
            If there is no image, or clouds mask every pixel.
        ConfigError
            For a band that the collection has not, or without a sign-in.
        ServiceError
            If the service does not give it, with what to do.
        """
        products = self._products(request.collection)
        native = products[0].grid
        if native is not None:
            return self._weather(request, products[0], native)
        return self._imagery(request, products)

    def has(self, request: Request) -> bool:
        """Whether the answer is stored, and the service need not be asked."""
        if self._cache.empty:
            return False
        try:
            _Ahead(self.settings).fetch(request)
        except _NotStoredError:
            return False
        except (_StoredError, PyvegError, SkipItem):
            return True
        return True

    def reach(self) -> None:
        """Look whether the service is there, and lets this user in.

        Raises
        ------
        ConfigError, ServiceAwayError
            With what to do, where it does not.
        """
        chosen = self._terms()
        credentials.find(chosen.project, chosen.key_file)  # costs no time, and no network
        session.open_wire(chosen).reach()
        session.session_of(chosen)

    def check(self) -> str:
        """Ask the service for the least there is, to see whether it answers.

        Returns
        -------
        str
            What answered, and by which sign-in.

        Raises
        ------
        ConfigError, ServiceError
            With what to do.
        """
        import ee

        client = self._session()
        client.value(ee.Number(1))
        state = "; in restricted mode" if client.meter.restricted else ""
        return f"Earth Engine answers ({client.sign_in.kind}, {client.sign_in.project}{state})"

    def _products(self, collection: Collection) -> list[Product]:
        """The collection's dataset, and those that are mixed into it."""
        where = f'collection "{collection.key}"'
        main = product_of(collection.collection_name, where)
        others = [product_of(name, f"{where}: with_collections") for name in self._others()]
        for other in others:
            if other.id == main.id or other.data_type == "weather":
                raise ConfigError(
                    f'{where}: with_collections cannot have "{other.id}"',
                    "name other collections of imagery there",
                )
            same = (other.sensor, other.level) == (main.sensor, main.level)
            if not same and not self.settings.mixed_sensors:
                raise ConfigError(
                    f"{where}: {other.title} and {main.title} are not of one sensor and level, and "
                    "a change between them looks like a trend",
                    "leave it out of with_collections, or set mixed_sensors = True",
                )
        return [main, *others]

    def _others(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.settings.with_collections))

    def _session(self) -> session.Session:
        return session.session_of(self._terms())

    def _terms(self) -> session.Terms:
        chosen = self.settings
        return session.Terms(
            chosen.project,
            chosen.credentials_file,
            chosen.max_requests,
            chosen.max_wait,
            chosen.request_timeout,
            chosen.workload_tag,
        )

    def _imagery(self, request: Request, products: list[Product]) -> Scene:
        names = _bands(request, products[0])
        wanted = sorted(set(names.values()))
        grid = utm_grid(request.place, request.scale)
        ask = graphs.Ask(period_of(request.item), ring_of(grid))
        listing = self._listing(request, products, ask)
        days = listing.days(products, float(request.place.longitude))
        masking = graphs.Masking(request.mask_cloud, float(self.settings.cloud_score))
        for product in products:  # before anything is asked: a wrong band is the config's fault
            graphs.bands_in(product, products[0], wanted)
        # Scenes by their indices and not the period: an answer is reused exactly as long as no
        # scene was added to the period, whatever its name.
        question = {
            "version": graphs.VERSION,
            "products": [repr(product) for product in products],
            "days": [[day.product.id, *day.indices] for day in days],
            "bands": wanted,
            "masking": asdict(masking),
        }

        def image() -> Any:
            return graphs.composite(days, wanted, ask, products[0], masking)

        pixels, cost = self._pixels(question, image, grid, ["uint16"] * len(wanted))
        arrays = {name: np.ascontiguousarray(pixels[band]) for name, band in names.items()}
        valid = np.all([array > 0 for array in arrays.values()], axis=0)
        if not valid.any():
            raise SkipItem(f"no image: clouds mask every pixel of {listing.count} scenes")
        seen = {"n_days": len(days), "valid_fraction": float(valid.mean()), "grid": about(grid)}
        record = listing.record() | seen | cost
        return Scene({name: grid.raster(array, 0.0) for name, array in arrays.items()}, record)

    def _listing(self, request: Request, products: list[Product], ask: graphs.Ask) -> Listing:
        """The scenes of a period, and which of them are clear enough.

        Raises
        ------
        SkipItem
            If none is.
        DataError
            If no scene has the property that should tell its cloud.
        """
        flags = _flags(request, products)
        rows, _ = self._answer(
            {
                "listing": graphs.VERSION,
                "products": [graphs.facts_of(product, flags) for product in products],
                "ids": [product.id for product in products],
                "period": str(ask.period),
                "ring": ask.ring,
            },
            ask.period,
            lambda: graphs.listing(products, ask, flags),
        )
        listing = Listing()
        for product in products:
            names = graphs.facts_of(product, flags)
            scenes = [dict(zip(names, row, strict=True)) for row in rows[product.id] or []]
            _check_flag(scenes, product, request.cloudy_pix_flag)
            listing.add(product, scenes, flags.get(product.id, ""), request, rows.get("scored"))
        if not listing.count:
            raise SkipItem(listing.why_none(request))
        if request.mask_cloud and listing.unscored == listing.count:
            raise SkipItem(f"no image: none of {listing.count} scenes has a cloud score yet")
        return listing

    def _weather(self, request: Request, product: Product, native: NativeGrid) -> Scene:
        names = _bands(request, product)
        wanted = sorted(set(names.values()))
        bands = [band for band in product.bands if band.name in wanted]
        grid = native_grid(request.place, native, product.title)
        ask = graphs.Ask(period_of(request.item), ())
        days, as_of = self._answer(
            {"listing": graphs.VERSION, "id": product.id, "period": str(ask.period)},
            ask.period,
            lambda: graphs.listing([product], ask, {}),
        )
        images = sorted(row[0] for row in days[product.id] or [])
        _check_complete(images, product, ask.period)
        question = {
            "version": graphs.VERSION,
            "product": repr(product),
            "images": images,
            "bands": wanted,
            "period": str(ask.period),
            "as_of": as_of,
        }

        def image() -> Any:
            return graphs.weather(product, bands, ask)

        pixels, cost = self._pixels(question, image, grid, ["float32"] * len(bands))
        arrays = {name: _without_marks(pixels[band]) for name, band in names.items()}
        valid = np.all([np.isfinite(array) for array in arrays.values()], axis=0)
        if not valid.any():
            raise SkipItem(f"no image: {product.title} has no value here, as over the sea")
        record = {
            "source": "earth_engine",
            "collections": {product.id: len(images)},
            "n_scenes": len(images),
            "scenes": [{"id": f"{product.id}/{index}"} for index in images],
            "valid_fraction": float(valid.mean()),
            "grid": about(grid),
            **cost,
        }
        nan = float("nan")
        return Scene({name: grid.raster(array, nan) for name, array in arrays.items()}, record)

    def _answer(
        self, question: dict[str, Any], period: DateRange, expression: Callable[[], Any]
    ) -> tuple[Any, str]:
        """Plain data, from the cache or from the service; and its day, if more may come yet."""
        key = cache.key_of(question)
        stored = self._cache.read_json(key)
        if not _believed(stored, period):
            client = self._session()
            # The time before the request: what arrives while it runs is not in its answer.
            asked = datetime.now(tz=UTC).isoformat()
            stored = {"asked": asked, "answer": client.value(expression())}
            self._cache.write_json(key, stored)
        day = datetime.fromisoformat(stored["asked"]).date()
        return stored["answer"], "" if day >= period.end + SETTLED else str(day)

    def _pixels(
        self, question: dict[str, Any], image: Callable[[], Any], grid: Grid, dtypes: list[str]
    ) -> tuple[NDArray[np.void], dict[str, float]]:
        """Pixels of the whole grid, in as few requests as allowed; and what they cost, if known."""
        parts = tiles.split(grid, tiles.bytes_per_pixel(dtypes), self.settings.max_request_bytes)
        answers, costs, expression = [], [], None
        for part in parts:
            key = _key_of(question, part)
            pixels = self._cache.read_array(key)
            if pixels is None:
                client = self._session()
                # Only now: graphs can be built only by a client that has started.
                expression = image() if expression is None else expression
                pixels, cost = client.pixels(
                    expression, pixel_grid(part.grid), measure=self.settings.measure_compute
                )
                self._cache.write_array(key, pixels)
                if cost is not None:
                    self._cache.write_json(key, cost)
                    costs.append(cost)
            elif isinstance(cost := self._cache.read_json(key), float):
                costs.append(cost)
            answers.append(pixels)
        whole = answers[0] if len(parts) == 1 else tiles.join(grid.shape, parts, answers)
        return whole, {"eecu_seconds": sum(costs)} if len(costs) == len(parts) else {}


class _NotStoredError(Exception):
    """The service would have to be asked."""


class _StoredError(Exception):
    """All pixels are stored."""


class _Ahead(EarthEngineSource):
    """Goes the way of a download, as far as that needs neither the service nor any pixels."""

    def _session(self) -> session.Session:
        raise _NotStoredError

    def _pixels(
        self, question: dict[str, Any], image: Callable[[], Any], grid: Grid, dtypes: list[str]
    ) -> tuple[NDArray[np.void], dict[str, float]]:
        del image
        parts = tiles.split(grid, tiles.bytes_per_pixel(dtypes), self.settings.max_request_bytes)
        there = all(self._cache.has_array(_key_of(question, part)) for part in parts)
        raise _StoredError if there else _NotStoredError


def _key_of(question: dict[str, Any], part: tiles.Tile) -> str:
    """Under which the pixels of a tile are stored."""
    return cache.key_of([question, about(part.grid)])


def _bands(request: Request, product: Product) -> dict[str, str]:
    """Raster -> band, without optional ones that there are not."""
    bands = {}
    for name, band in request.bands.items():
        if product.band(band) is not None:
            bands[name] = band
        elif name not in request.optional:
            known = ", ".join(band.name for band in product.bands)
            raise ConfigError(
                f'collection "{request.collection.key}": "{product.id}" has no band "{band}"',
                f"it has {known}",
            )
    return bands


def _flags(request: Request, products: Sequence[Product]) -> dict[str, str]:
    """Id of a product -> property that tells a scene's share of cloud."""
    main, *others = products
    flags = {product.id: product.cloud_property for product in others}
    return {main.id: request.cloudy_pix_flag or main.cloud_property, **flags}


def _check_flag(scenes: list[dict[str, Any]], product: Product, flag: str) -> None:
    """A misspelt property must not let every cloudy scene pass."""
    if flag in {"", product.cloud_property} or not scenes:
        return
    if all(scene.get(flag, 0) is None for scene in scenes):
        raise DataError(
            f'cloudy_pix_flag = "{flag}" is no property of the {len(scenes)} scenes of '
            f"{product.title}",
            f'leave it out for "{product.cloud_property}"',
        )


def _believed(stored: Any, period: DateRange) -> bool:
    """Whether a stored answer still holds: forever once all data of its period are there."""
    try:
        asked = datetime.fromisoformat(stored["asked"])
        age = datetime.now(tz=UTC) - asked
    except (TypeError, KeyError, ValueError):
        return False
    return "answer" in stored and (asked.date() >= period.end + SETTLED or age < FRESH)


def _check_complete(images: Sequence[str], product: Product, period: DateRange) -> None:
    """A sum over some of the days would be a drought that never was."""
    days = [period.start + timedelta(days=n) for n in range((period.end - period.start).days)]
    wanted = len(days) if product.every == "day" else sum(day.day == 1 for day in days)
    if len(images) < max(wanted, 1):
        raise SkipItem(
            f"no image: {product.title} has {len(images)} of the {wanted} {product.every}s "
            f"of {period}"
        )


def _without_marks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cells without weather as NaN."""
    return np.where(values == graphs.NO_WEATHER, np.nan, values).astype(np.float32)
