"""The vegetation index of a collection: NDVI, another one by its name, or a formula of one's own.

`spyndex` knows the formulas of some 250 indices; letters stand for bands there: B, G, R, N for
blue, green, red and near infrared, S1 and S2 for short-wave infrared, RE1 to RE3 for the red edge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pyveg.core import module
from pyveg.core.errors import ConfigError, MissingPackageError, UnknownNameError
from pyveg.core.params import setting
from pyveg.earth.metrics import Metric
from pyveg.kernels import formulas

NDVI = "NDVI"
NDVI_FORMULA = "(N - R) / (N + R)"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
_KERNEL = re.compile(r"k([NRGB])([NRGB])")

T = TypeVar("T", bound="IndexSettings")


@dataclass(frozen=True, kw_only=True)
class IndexSettings(module.Settings):
    """What all Modules that work on the index of a collection are told of it."""

    RGB_bands: tuple[str, ...] = setting(
        (),
        doc='names of the red, green and blue band, such as ["B4", "B3", "B2"]; none where the '
        "collection is an index alone",
        shared=True,
    )
    NIR_band: str = setting(
        "",
        doc='name of the near-infrared band, such as "B8"; none where the collection is an index '
        "alone",
        shared=True,
    )
    index: str = setting(
        NDVI,
        doc="vegetation index that is measured: NDVI, a name that spyndex knows, such as MSAVI, "
        "EVI2 or kNDVI, or a name of your own with an index_formula",
        shared=True,
    )
    index_formula: str = setting(
        "",
        doc='formula of your own, such as "(N - R) / (N + R + 0.5)"; its letters are those of '
        "spyndex or of index_bands, and bands are reflectance, 0 to 1",
        shared=True,
    )
    index_bands: dict[str, Any] = setting(
        {}, doc='letter in the formula -> name of a band, such as {"S1": "B11"}', shared=True
    )
    index_constants: dict[str, Any] = setting(
        {}, doc="constant in the formula -> its value, where not that of spyndex", shared=True
    )
    index_range: tuple[float, float] = setting(
        (-1.0, 1.0),
        doc="values between which the index must lie, shown as black and as white; a date with "
        "more than 5 % beyond is refused",
        shared=True,
    )

    @property
    def is_given(self) -> bool:
        """Whether the collection holds the index itself, and no bands."""
        return not (self.RGB_bands or self.NIR_band or self.index_bands)

    @property
    def picture(self) -> str:
        """Kind of its black-and-white picture."""
        return f"BW{self.index}"

    @property
    def letters(self) -> dict[str, str]:
        """Letter in formulas -> name of a band."""
        rgb = dict(zip("RGB", self.RGB_bands, strict=False))
        near = {"N": self.NIR_band} if self.NIR_band else {}
        return {**rgb, **near, **{str(k): str(v) for k, v in self.index_bands.items()}}

    @property
    def told(self) -> str:
        """How the index is made, in words for a meaning."""
        if self.is_given or not self.index_formula:
            return f"{self.index} as the collection gives it"
        return f"{self.index} = {self.index_formula}"


def settled(settings: T, where: str) -> T:
    """Settings with the formula of the index, its constants as numbers.

    Parameters
    ----------
    settings : IndexSettings
    where : str
        Begins messages.

    Raises
    ------
    ConfigError
        For a name that nobody knows, and a formula that is none.
    MissingPackageError
        If the name is one for `spyndex`, and that is not installed.
    """
    _check(settings, where)
    if settings.is_given:
        return settings
    if settings.index == NDVI:
        return replace(settings, index_formula=NDVI_FORMULA)
    formula, constants = settings.index_formula, dict(settings.index_constants)
    if not formula:
        formula, known = _published(settings.index, where)
        constants = {**known, **constants}
    try:
        used = set(formulas.names_in(formula))
        kernels = {name: _kernel(name) for name in used if _KERNEL.fullmatch(name)}
        free = {name: value for name, value in constants.items() if name not in settings.letters}
        filled = formulas.with_values(formula, {**free, **kernels})
    except ValueError as error:
        raise ConfigError(
            f'{where}: the formula "{formula}" of {settings.index} is none: {error}',
            'write it as "(N - R) / (N + R + 0.5)"',
        ) from None
    return replace(settings, index_formula=filled)


def _check(settings: IndexSettings, where: str) -> None:
    name, (low, high) = settings.index, settings.index_range
    if not _NAME.fullmatch(name) or name.upper() in ("RGB", "BWNDVI"):
        raise ConfigError(
            f'{where}: index = "{name}" is no name', "take letters, digits and _, such as MSAVI"
        )
    own = bool(settings.index_formula) and settings.index_formula != NDVI_FORMULA
    if own and name.upper() == NDVI:
        raise ConfigError(
            f'{where}: index_formula is given, and index = "{name}" has a formula',
            "give your index a name of its own",
        )
    if not low < high:
        raise ConfigError(f"{where}: index_range = {(low, high)} is empty", "give (least, most)")
    if (low, high) != (-1, 1) and name == NDVI:
        raise ConfigError(f"{where}: index_range is given for NDVI", "leave it out: it is -1 to 1")
    for constant, value in settings.index_constants.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(
                f'{where}: index_constants["{constant}"] = {value!r} is no number', "give a number"
            )


def _published(name: str, where: str) -> tuple[str, dict[str, float]]:
    """Formula and constants of an index by its name."""
    try:
        import spyndex
    except ImportError:
        raise MissingPackageError(f'{where}: index = "{name}"', "pyveg[indices]") from None
    known = {one: about for one, about in spyndex.indices.items() if _usable(about.bands)}
    if name not in known:
        raise UnknownNameError("index", name, [NDVI, *known], where)
    constants = spyndex.constants.items()
    numbers = {key: float(one.default) for key, one in constants if one.default is not None}
    return known[name].formula, numbers


def _usable(letters: Any) -> bool:
    """Whether an index is made of reflectance alone, as kernels of pairs of bands are too."""
    kernels = [one for one in letters if one.startswith("k") and len(one) == 3]
    return all(_KERNEL.fullmatch(one) for one in kernels) and not {"PAR", "lambdaN"} & {*letters}


def _kernel(name: str) -> str:
    """The radial basis function of two bands, with half their sum for sigma.

    So has the paper of kNDVI (Camps-Valls et al. 2021) it: kNDVI is tanh(NDVI ** 2) then.
    """
    first, second = name[1], name[2]
    if first == second:
        return "1.0"
    return f"exp(-2.0 * (({first} - {second}) / ({first} + {second})) ** 2)"


def of_index(metric: Metric, settings: IndexSettings) -> Metric:
    """A metric with the index that it was measured on, where that is not NDVI."""
    if settings.index == NDVI:
        return metric
    formula = "" if settings.is_given else settings.index_formula
    meaning = f"{metric.meaning}; {settings.told}"
    return replace(metric, meaning=meaning, index=settings.index, formula=formula)


def bands_of(settings: IndexSettings, where: str) -> Mapping[str, str]:
    """Name in the formula of the index -> name of a band.

    Raises
    ------
    ConfigError
        For a name that no band is known for.
    """
    letters = settings.letters
    found = {}
    for name in formulas.names_in(settings.index_formula or NDVI_FORMULA):
        if name not in letters:
            raise ConfigError(
                f'{where}: {settings.index} = {settings.index_formula} needs "{name}", and no band '
                "is named for it",
                f'name it, as in index_bands = {{"{name}": "B11"}}',
            )
        found[name] = letters[name]
    return found
