"""What a station is, as its owner gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyveg.cameras.masks import ROI
from pyveg.cameras.names import SITE
from pyveg.cameras.roistats import Camera
from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.service.refusals import Refusal, wrong_inputs

BLUR, DROP, KEEP = "blur", "drop", "keep"
PEOPLE = (BLUR, DROP, KEEP)


@dataclass(frozen=True, kw_only=True)
class StationSettings:
    """The settings of a station."""

    longitude: float = setting(doc="of the camera, degrees east", low=-180, high=180)
    latitude: float = setting(doc="degrees north", low=-90, high=90)
    utc_offset: float = setting(
        doc="hours that local standard time is ahead of UTC; no daylight saving", low=-14, high=14
    )
    elevation: float | None = setting(None, doc="metres above the sea", low=-500, high=9_000)
    roi: str = setting("XX_0001", doc="region of interest whose greenness is answered")
    scorer: str = setting("", doc="name of one of the service's scorers; none where empty")
    people: str = setting("", doc='"blur", "drop" or "keep"; "blur" where there is a scorer')
    person_threshold: float = setting(0.2, doc="least confidence of a person", low=0.01, high=0.99)
    silent_hours: float = setting(24.0, doc="hours after which a station is silent", low=0.1)

    def camera(self, station: str, roi: str = "") -> Camera:
        """The camera, for tables."""
        return Camera(
            station, roi or self.roi, self.latitude, self.longitude, self.elevation, self.utc_offset
        )


def checked_name(station: str) -> str:
    """The name of a station, which is a part of paths and names of files.

    Raises
    ------
    Refusal
        422
    """
    if not SITE.fullmatch(station):
        raise Refusal(
            422,
            f"{station[:80]!r} cannot be the name of a station",
            "give up to 63 letters, digits and hyphens, the first no hyphen",
        )
    return station


def checked_roi(roi: str) -> str:
    """The name of a region of interest.

    Raises
    ------
    Refusal
        422
    """
    if not ROI.fullmatch(roi):
        raise Refusal(422, f"{roi[:80]!r} is no region of interest", "write it as DB_0001")
    return roi


def read(given: Any, scorers: Mapping[str, Any]) -> StationSettings:
    """Check settings as they came from JSON.

    Parameters
    ----------
    given : object
    scorers : mapping
        Those of the service, by name.

    Raises
    ------
    Refusal
        422
    """
    if not isinstance(given, Mapping):
        raise Refusal(422, "the settings of a station are no object", "write {...}", pointer="")
    try:
        found = params.build(StationSettings, given, "station")
    except ConfigError as error:
        raise wrong_inputs(error, "") from None
    checked_roi(found.roi)
    if found.scorer and found.scorer not in scorers:
        raise Refusal(
            422,
            f"this service has no scorer {found.scorer!r}",
            f"give one of {', '.join(scorers) or 'none: station_scorers is empty'}",
            pointer="/scorer",
        )
    if found.people not in ("", *PEOPLE):
        raise Refusal(
            422,
            f"people = {found.people!r} is not known",
            "give blur, drop or keep",
            pointer="/people",
        )
    if not found.scorer and found.people != KEEP:
        raise Refusal(
            422,
            "without a scorer nobody can find people on images"
            + ("" if found.people else ", so it must be said what is done with them"),
            'give a scorer, or "people": "keep" where nobody can be on them',
            pointer="/people",
        )
    return found


def policy(settings: StationSettings) -> str:
    """What is done with people."""
    return settings.people or (BLUR if settings.scorer else KEEP)
