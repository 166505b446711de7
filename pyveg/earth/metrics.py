"""What Modules measure: names, units, meanings and labels, each declared once, by its Module.

The combiner, `series.csv`, the analysis, figures, the report and the docs take it from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any, Literal, get_args

from pyveg.core import registry
from pyveg.core.errors import ConfigError, DataError
from pyveg.core.texts import brief

Support = Literal["chip", "place"]
"""What a number belongs to: one chip of an image, or the whole region."""
Test = Literal["memory", "level", "none"]
"""How the analysis looks at a metric unless its settings say otherwise: its indicators of
resilience and its level, its level alone, or not at all."""

OWN_FAMILIES = ("spatial", "state", "memory", "spread", "break")
"""Groups of tests that the analysis makes itself: of images, levels, memory, noise and breaks."""

OFFSET50 = "offset50"
"""The number that stands for the network centrality of a chip (Mander et al. 2017)."""
PRECIPITATION, TEMPERATURE = "total_precipitation", "mean_2m_air_temperature"
"""Names and units (m per period, K) that weather has in all results, those of the older pyveg."""


_LONGEST = 1_000
"""Characters of what a metric says of itself."""
_MAY_BE_EMPTY = ("index", "formula", "plain")


@dataclass(frozen=True)
class Metric:
    """A number that a Module measures.

    Parameters
    ----------
    name : str
        In records and tables; an identifier.
    unit : str
        As tables show it; ``"1"`` for none.
    meaning : str
        One sentence without a full stop: what the number is.
    label : str
        On axes and in headings.
    support : {"chip", "place"}
        What it belongs to.
    test : {"memory", "level", "none"}
        How the analysis looks at it unless its settings say otherwise.
    in_series : bool
        Whether `series.csv` has it: the median over chips with its quartiles, or the place's value.
    low, high : float
        Limits of what it can be, both allowed.
    family : str
        Group that its indicators form in the verdict; none of `OWN_FAMILIES`.
    colour : str
        Of its lines in figures, as matplotlib takes it; one of the palette where empty.
    replaces : str
        Another metric that it is tested in place of, where that one was not measured.
    void_without : str
        Another metric of the same record; where that is zero this one is no measurement.
    index, formula : str
        The vegetation index that it was measured on, and how that is made, where it is not NDVI.
    plain : str
        What it tells, in a word that everybody knows, for sentences; empty where the label does.

    Examples
    --------
    >>> brightness = Metric("brightness", "1", "mean of the red band", "Brightness")
    >>> brightness.check(0.3)
    0.3
    """

    name: str
    unit: str
    meaning: str
    label: str
    support: Support = "chip"
    test: Test = "memory"
    in_series: bool = True
    low: float = -math.inf
    high: float = math.inf
    family: str = "temporal"
    colour: str = ""
    replaces: str = ""
    void_without: str = ""
    index: str = ""
    formula: str = ""
    plain: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(
                f'"{self.name}" cannot be the name of a metric', 'take letters, digits and "_"'
            )
        for field, known in (("support", get_args(Support)), ("test", get_args(Test))):
            if getattr(self, field) not in known:
                raise ConfigError(
                    f'the metric "{self.name}" has {field} = {getattr(self, field)!r}',
                    f"give one of {', '.join(known)}",
                )
        if self.family in OWN_FAMILIES:
            raise ConfigError(
                f'the metric "{self.name}" has family = "{self.family}", which the analysis makes '
                "itself",
                "give another one",
            )

    @property
    def unit_behind(self) -> str:
        """Its unit as it stands behind its label: nothing for a number without one."""
        return "" if self.unit in ("", "1", "?") else f", {self.unit}"

    def check(self, value: Any) -> float:
        """A measured value as a float.

        Parameters
        ----------
        value : number
            Of Python or NumPy; NaN where nothing could be measured.

        Raises
        ------
        DataError
            If it is no number, infinite, or beyond the limits.
        """
        # True is an int in Python, and never a measurement.
        if isinstance(value, bool) or not isinstance(value, Real):
            raise DataError(
                f"{self.name} = {value!r} is not a number",
                "give a float, or NaN for no measurement",
            )
        number = float(value)
        # NaN passes: it compares false with everything, and stands for no measurement.
        if math.isinf(number) or number < self.low or number > self.high:
            raise DataError(
                f"{self.name} = {number:g} cannot be; it lies between {self.low:g} and "
                f"{self.high:g} ({self.meaning})",
                "mend the Module, or the limits that it declares",
            )
        return number

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back; limits that are none are left out."""
        return {
            name: value
            for name, value in asdict(self).items()
            if not (isinstance(value, float) and math.isinf(value))
            and not (name in _MAY_BE_EMPTY and not value)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Metric:
        """Read what `to_json` wrote; what a later version may say of a metric is left out.

        Raises
        ------
        ConfigError, TypeError, ValueError
            If it is no metric, as results that somebody has changed may say.
        """
        given = {name: value for name, value in data.items() if name in cls.__annotations__}
        for name, value in given.items():
            _check_told(name, value)
        return cls(**given)


def _check_told(name: str, value: Any) -> None:
    """Refuse what no metric would say of itself under that name."""
    if name in ("low", "high"):
        if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
            raise TypeError(f"a metric has {name} = {brief(value)}, which is no number")
    elif name == "in_series":
        if not isinstance(value, bool):
            raise TypeError(
                f"a metric has {name} = {brief(value)}, which is neither true nor false"
            )
    elif not isinstance(value, str) or not value.isprintable() or len(value) > _LONGEST:
        raise ValueError(
            f"a metric has {name} = {brief(value)}, which is no text that can be shown"
        )


def declared(modules: Iterable[Any]) -> dict[str, Metric]:
    """Metrics of some Module classes by name, in their order; see `merged`."""
    return merged((cls.__name__, getattr(cls, "metrics", ())) for cls in modules)


def merged(parts: Iterable[tuple[str, Iterable[Metric]]]) -> dict[str, Metric]:
    """Metrics by name, in their order.

    Parameters
    ----------
    parts : iterable of (str, iterable of Metric)
        Name of a Module and what it measures.

    Raises
    ------
    ConfigError
        If two Modules declare one name for different things.
    """
    metrics: dict[str, Metric] = {}
    for name, part in parts:
        for metric in part:
            if metrics.setdefault(metric.name, metric) != metric:
                raise ConfigError(
                    f'{name} declares the metric "{metric.name}" otherwise than another '
                    "Module of this job does",
                    "rename one of them",
                )
    return metrics


def installed() -> dict[str, Metric]:
    """Metrics of all Modules that are installed: what results without declarations may hold.

    Of two that share a name the first is taken, in the order of the names of their Modules.
    """
    metrics: dict[str, Metric] = {}
    for _, module in registry.importable("module"):  # one may need an extra that is not here
        for metric in getattr(module, "metrics", ()):
            metrics.setdefault(metric.name, metric)
    return metrics


def metrics_for(
    known: Mapping[str, Metric], there: Iterable[str], tests: Iterable[Test] = ("memory",)
) -> list[Metric]:
    """Metrics that the analysis looks at where none are named.

    Parameters
    ----------
    known : mapping of str to Metric
    there : iterable of str
        Names that have been measured.
    tests : iterable of {"memory", "level"}
        How they are looked at.

    Returns
    -------
    list of Metric
        As they were declared, those that a pattern of pixels makes behind those of the pixels
        themselves; one that only replaces another is left out where that one is there.
    """
    names, wanted = set(there), set(tests)
    chosen = [
        metric
        for metric in known.values()
        if metric.name in names and metric.test in wanted and metric.replaces not in names
    ]
    return sorted(chosen, key=lambda metric: metric.family == "network")


WEATHER = (
    Metric(PRECIPITATION, "m per period", "rain and snow that fell, mean over the region",
           "Rain", "place", test="none", low=0, colour="#4477AA"),
    Metric(TEMPERATURE, "K", "air temperature two metres above the ground, mean over the region",
           "Temperature", "place", test="none", low=0, colour="#CC3311"),
)  # fmt: skip
"""What all results call the weather; tables of other programs have it under these names too."""
