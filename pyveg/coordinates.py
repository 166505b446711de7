"""The places of the study that the older pyveg was made for.

67 drylands with patterned vegetation, one row each; `pyveg_generate_config --place ID` takes them
by their id. They are the places that the older program listed (pyveg 1.1.0, MIT licence), whose
study asked how such patterns change along rainfall.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StudyPlace:
    """A place of the study."""

    id: str
    continent: str
    country: str
    pattern: str
    """The kind of pattern: spots, labyrinths, gaps and others."""
    latitude: float
    """Degrees north."""
    longitude: float
    """Degrees east."""
    region_size: float
    """Length of a side, degrees."""


PLACES: tuple[StudyPlace, ...] = (
    StudyPlace("00", "Africa", "Sudan", "spots", 11.58, 27.94, 0.08),
    StudyPlace("01", "Africa", "Sudan", "labyrinths", 11.12, 28.37, 0.08),
    StudyPlace("02", "Africa", "Sudan", "gaps", 10.96, 28.2, 0.08),
    StudyPlace("03", "Africa", "Niger", "labyrinths", 13.12, 2.59, 0.08),
    StudyPlace("04", "Africa", "Niger", "labyrinths", 13.17, 1.58, 0.08),
    StudyPlace("05", "Africa", "Senegal", "labyrinths", 15.2, -15.2, 0.08),
    StudyPlace("06", "Africa", "Senegal", "labyrinths", 15.09, -15.04, 0.08),
    StudyPlace("07", "Africa", "Senegal", "gaps", 15.8, -14.36, 0.08),
    StudyPlace("08", "Africa", "Senegal", "gaps", 15.11, -14.53, 0.08),
    StudyPlace("09", "Africa", "Zambia", "gaps", -15.34, 22.22, 0.08),
    StudyPlace("10", "Africa", "Kenya", "spots", 0.43, 40.3, 0.08),
    StudyPlace("11", "Africa", "Somalia", "labyrinths", 8.09, 47.44, 0.08),
    StudyPlace("12", "Australia", "Australia", "gaps", -15.71, 133.1, 0.08),
    StudyPlace("13", "America", "Mexico", "labyrinths", 26.82, -112.86, 0.08),
    StudyPlace("14", "America", "USA", "labyrinths", 31.05, -103.09, 0.08),
    StudyPlace("15", "Africa", "Niger", "labyrinths", 14.91, -0.66, 0.08),
    StudyPlace("16", "Africa", "Niger", "spots-labyrinths", 15.03, -0.87, 0.08),
    StudyPlace("17", "Africa", "Niger", "declining", 15.23, -0.97, 0.08),
    StudyPlace("18", "Africa", "Niger", "spots-labyrinths", 15.34, -1.15, 0.08),
    StudyPlace("19", "Africa", "Mali", "declining", 15.14, -1.16, 0.08),
    StudyPlace("20", "Africa", "Mali", "spots-labyrinths", 14.85, -1.43, 0.08),
    StudyPlace("21", "Africa", "Mali", "spots-labyrinths", 14.92, -0.99, 0.08),
    StudyPlace("22", "Africa", "Mali", "labyrinths", 15.14, -1.56, 0.08),
    StudyPlace("23", "Africa", "Niger", "spots-labyrinths", 15.02, -1.35, 0.08),
    StudyPlace("24", "Africa", "Mali", "degraded", 16.26, -1.83, 0.08),
    StudyPlace("25", "Africa", "Mali", "spots-labyrinths", 16.19, -1.83, 0.08),
    StudyPlace("26", "Africa", "Mali", "spots-labyrinths", 16.17, -2.03, 0.08),
    StudyPlace("27", "Africa", "Mali", "spots-labyrinths", 16.48, -1.87, 0.08),
    StudyPlace("28", "Africa", "Mali", "spots-labyrinths", 15.95, -1.52, 0.08),
    StudyPlace("29", "Africa", "Mali", "spots-labyrinths", 15.86, -2.05, 0.08),
    StudyPlace("30", "Africa", "Mali", "labyrinths", 14.8, -3.38, 0.08),
    StudyPlace("31", "Africa", "Mali", "labyrinths", 14.94, -3.56, 0.08),
    StudyPlace("32", "Africa", "Namibia", "declining", -18.05, 12.76, 0.08),
    StudyPlace("33", "America", "Mexico", "labyrinths", 26.77, -112.92, 0.08),
    StudyPlace("34", "Australia", "Australia", "labyrinths", -23.35, 133.36, 0.08),
    StudyPlace("35", "Australia", "Australia", "labyrinths", -22.98, 119.89, 0.08),
    StudyPlace("36", "Australia", "Australia", "labyrinths", -25.0, 119.99, 0.08),
    StudyPlace("37", "Africa", "Somalia", "labyrinths", 9.34, 48.64, 0.08),
    StudyPlace("38", "Africa", "Somalia", "bands", 9.63, 47.93, 0.08),
    StudyPlace("39", "Africa", "Somalia", "labyrinths", 9.98, 48.44, 0.08),
    StudyPlace("40", "Africa", "Somalia", "labyrinths", 4.64, 43.26, 0.08),
    StudyPlace("41", "Africa", "Ethiopia", "gaps", 4.69, 43.21, 0.08),
    StudyPlace("42", "Africa", "Ethiopia", "labyrinths", 7.43, 42.9, 0.08),
    StudyPlace("43", "Africa", "Kenya", "gaps", 0.96, 40.37, 0.08),
    StudyPlace("44", "Africa", "Mali", "labyrinths", 14.8, -3.38, 0.08),
    StudyPlace("45", "America", "Mexico", "labyrinths", 27.19, -103.92, 0.08),
    StudyPlace("46", "Africa", "Chad", "gaps", 12.0, 19.99, 0.08),
    StudyPlace("47", "Africa", "Chad", "gaps", 12.05, 20.08, 0.08),
    StudyPlace("48", "Africa", "Mali", "labyrinths", 15.48, -5.83, 0.08),
    StudyPlace("49", "Africa", "Mauritania", "labyrinths", 15.57, -5.92, 0.08),
    StudyPlace("50", "Africa", "Mauritania", "gaps", 15.58, -13.0, 0.08),
    StudyPlace("51", "Africa", "Nigeria", "gaps", 12.58, 3.75, 0.08),
    StudyPlace("52", "Africa", "Niger", "gaps", 12.7, 2.63, 0.08),
    StudyPlace("53", "Africa", "Niger", "gaps", 12.54, 2.26, 0.08),
    StudyPlace("54", "Africa", "Niger", "labyrinths", 13.12, 2.17, 0.08),
    StudyPlace("55", "Africa", "Sudan", "gaps", 11.07, 27.93, 0.08),
    StudyPlace("56", "Africa", "Sudan", "gaps", 11.28, 27.96, 0.08),
    StudyPlace("57", "Africa", "Sudan", "spots", 11.27, 27.55, 0.08),
    StudyPlace("58", "Africa", "Sudan", "spots", 11.47, 27.97, 0.08),
    StudyPlace("59", "Africa", "Sudan", "spots", 11.51, 27.87, 0.08),
    StudyPlace("60", "Africa", "Sudan", "spots", 11.22, 27.73, 0.08),
    StudyPlace("61", "Africa", "Sudan", "spots", 11.62, 27.86, 0.08),
    StudyPlace("62", "Africa", "Sudan", "spots", 11.32, 27.88, 0.08),
    StudyPlace("63", "Africa", "Sudan", "spots", 11.37, 27.68, 0.08),
    StudyPlace("64", "Africa", "Sudan", "spots", 11.6, 27.73, 0.08),
    StudyPlace("65", "Africa", "Sudan", "spots", 11.46, 27.68, 0.08),
    StudyPlace("66", "Africa", "Sudan", "spots", 11.71, 27.91, 0.08),
)
"""All of them, by id."""

BY_ID = {place.id: place for place in PLACES}
