"""What happened at a place, first, and only then whether its memory says anything of resilience.

Every sentence is a claim that rests on one row of one table. `Claim.row_of` finds it, so nothing is
said of a test that was not made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from pyveg.analysis.data.labels import told_label
from pyveg.analysis.states import NOTHING, UNTESTED, decides_beside, states_of, weather_word
from pyveg.analysis.temporal.breaks import BREAK_ALPHA
from pyveg.analysis.temporal.changes import WEATHER_UNITS
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.process import TOLD_FROM
from pyveg.analysis.temporal.surrogate_tests import NO_CHIP, SITE
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE, Metric

TOPICS = ("level", "weather", "break", "memory", "spread")
"""In the order in which they are told."""
HAPPENED = ("level", "weather", "break")
"""Topics of the first paragraph."""


LEAST_RECOVERIES = 3
"""Drops that came back from which their rate is told."""


@dataclass(frozen=True)
class Claim:
    """One sentence, and the row of a table that it rests on."""

    topic: str
    """One of `TOPICS`."""
    text: str
    table: str
    """Name of the table, as in `Analysis.tables`."""
    row: Mapping[str, Any]
    """Columns that tell the row, with their values."""
    rests_on: tuple[str, ...]
    """Columns of that row whose numbers it tells; where it says that there is no test, "reason"."""
    untested: str = ""
    """What of the metric could not be tested; empty where it could."""
    about: str = ""
    """The metric that could not be tested, as sentences name it."""
    reason: str = ""
    """Why it could not."""

    def row_of(self, tables: Mapping[str, pd.DataFrame]) -> Mapping[Any, Any]:
        """The row that the claim rests on.

        Raises
        ------
        LookupError
            If there is not exactly one, or it lacks a number that the claim tells.
        """
        table = tables[self.table]
        for column, value in self.row.items():
            table = table[table[column] == value]
        if len(table) != 1:
            raise LookupError(f'{len(table)} rows of "{self.table}" are behind: {self.text}')
        row: Mapping[Any, Any] = table.to_dict("records")[0]
        for column in self.rests_on:
            if pd.isna(row[column]) or row[column] == "":
                raise LookupError(f'"{column}" of "{self.table}" is empty, behind: {self.text}')
        return row


def sentences(claims: Iterable[Claim]) -> tuple[str, ...]:
    """What claims say, each reason once: what could not be tested for one reason is one sentence.

    Returns
    -------
    tuple of str
        In the order of the claims; those that could not be tested stand last.
    """
    claims = list(claims)
    told = [one for one in claims if not one.untested]
    why: dict[str, dict[str, list[str]]] = {}
    for one in claims:
        if one.untested:
            why.setdefault(one.reason, {}).setdefault(one.untested, []).append(one.about)
    lines = []
    for reason, what in why.items():
        parts = [f"{name} of {listed(list(dict.fromkeys(about)))}" for name, about in what.items()]
        lines.append(f"Not tested: {'; '.join(parts)} ({reason}).")
    return (*(one.text for one in told), *lines)


def listed(names: Sequence[str]) -> str:
    """Names in a row.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _untested(topic: str, what: str, label: str, table: str, row: Mapping[Any, Any]) -> Claim:
    """A claim that something could not be tested; it rests on the reason in the row."""
    reason = _clause(row["reason"])
    where = {name: row[name] for name in ("metric", "chip") if name in row}
    text = f"Not tested: {what} of {label} ({reason})."
    return Claim(topic, text, table, where, ("reason",), what, label, _short(reason))


def _short(reason: str) -> str:
    """A reason without what all of its kind say, so that those that are one are told once."""
    return reason.removeprefix(NO_CHIP).removesuffix(": this series cannot tell")


@dataclass(frozen=True)
class Statement:
    """What can be said of a place, each sentence with its row."""

    claims: tuple[Claim, ...] = ()

    @property
    def happened(self) -> tuple[str, ...]:
        """What happened: levels, weather, abrupt changes."""
        return sentences(one for one in self.claims if one.topic in HAPPENED)

    @property
    def resilience(self) -> tuple[str, ...]:
        """What memory and noise say."""
        return sentences(one for one in self.claims if one.topic not in HAPPENED)

    @property
    def text(self) -> str:
        """All of it, in two paragraphs."""
        return "\n\n".join(" ".join(part) for part in (self.happened, self.resilience) if part)

    def record(self) -> list[dict[str, Any]]:
        """As plain data."""
        return [asdict(one) for one in self.claims]

    @classmethod
    def from_record(cls, record: Iterable[Mapping[str, Any]]) -> Statement:
        """Read what `record` gave."""
        return cls(tuple(Claim(**{**one, "rests_on": tuple(one["rests_on"])}) for one in record))


def make_statement(
    temporal: Temporal,
    changes: pd.DataFrame,
    declared: Mapping[str, Metric],
    rates: pd.DataFrame | None = None,
) -> Statement:
    """Tell what happened, and then what is known of memory.

    Parameters
    ----------
    temporal : Temporal
    changes : DataFrame
        `pyveg.analysis.temporal.changes.changes_table`.
    declared : mapping of str to Metric
        What metrics are called.
    rates : DataFrame, optional
        `pyveg.analysis.temporal.rain.recovery_rates`.
    """
    names = [*changes["metric"], *temporal.memory["metric"]]
    labels = {str(name): told_label(declared, str(name)) for name in names}
    told = _change_claims(changes, labels, temporal.settings.alpha)
    claims = [*told, *tested_claims(temporal, labels)]
    if rates is not None:
        claims += _recovery_claims(rates, labels)
    return Statement(tuple(sorted(claims, key=lambda one: TOPICS.index(one.topic))))


def tested_claims(temporal: Temporal, labels: Mapping[str, str]) -> list[Claim]:
    """Claims of breaks, memory and noise, which the verdict rests on."""
    claims = []
    states = states_of(temporal)
    for row in temporal.breaks.to_dict("records"):
        label = labels[row["metric"]]
        claims += [*_break_claims(row, label), *_scale_claims(row, label)]
    for row in temporal.sides.to_dict("records"):
        claims += _side_claims(row, labels[row["metric"]], temporal.settings.alpha)
    for row in temporal.process.to_dict("records"):
        claims += _process_claims(row, labels[row["metric"]])
    site = temporal.memory[temporal.memory["chip"] == SITE]
    for row in site.to_dict("records"):
        if row["metric"] == PRECIPITATION:
            claims += _rain_claims(row, temporal.settings.alpha)
            continue
        state, label = states[row["metric"]], labels[row["metric"]]
        if state != "abrupt_change":
            claims += _memory_claims(row, label, state)
            claims += _weather_claims(row, label, state, temporal.settings.alpha)
            claims += _spread_claims(row, label, temporal.settings.alpha)
    return claims


def _change_claims(changes: pd.DataFrame, labels: Mapping[str, str], alpha: float) -> list[Claim]:
    claims = []
    for row in changes.to_dict("records"):
        topic = "weather" if row["metric"] in WEATHER_UNITS else "level"
        where = {"metric": row["metric"]}
        label = labels[row["metric"]]
        if not math.isfinite(row["p"]):
            claims.append(_untested(topic, "trends", label, "changes", row))
            continue
        used = ("first", "last", "slope", "p", "q")
        claims.append(Claim(topic, _change_text(row, label, alpha), "changes", where, used))
    return claims


def _change_text(row: Mapping[Any, Any], label: str, alpha: float) -> str:
    """What was measured at both ends, and then whether that is more than chance."""
    unit = "" if row["unit"] in ("1", "?") else f" {row['unit'].replace(' / year', ' a year')}"
    first, last = _same_digits(row["first"], row["last"])
    low, high = _same_digits(row["slope_low"], row["slope_high"])
    share = ""
    if row["first"] > 0 and row["last"] > 0 and row["metric"] != TEMPERATURE:
        percent = round(100 * (row["last"] / row["first"] - 1))
        share = f" ({percent:+d} %)" if percent else ""
    name = f"{label[0].upper()}{label[1:]}"
    if row["p"] > alpha:
        ends = f"was {first}{unit} in the first year and {last}{unit} in the last{share}"
        return f"{name} {ends}: no trend beyond chance ({_p(row['p'])}).{_in_chips(row)}"
    verb = "rose" if row["slope"] > 0 else "fell"
    if row["slope"] < 0:  # the verb tells the direction already
        low, high = _negative(high), _negative(low)
    slope = (
        f"{_inside(abs(row['slope']), low, high)}{unit.removesuffix(' a year')} per year "
        f"(95 % confidence interval {low} to {high}; {_both(row['p'], row['q'])})"
    )
    text = f"{name} {verb} from {first}{unit} in the first year to {last}{unit} in the last{share}"
    doubt = " That may be chance among so many metrics." if row["q"] > alpha else ""
    return f"{text}, by {slope}.{doubt}{_in_chips(row)}"


def _in_chips(row: Mapping[Any, Any]) -> str:
    """In how many chips there is a trend beyond chance."""
    if pd.isna(row["chips"]) or row["chips"] < 2:
        return ""
    falls, rises = int(row["chips_falling"]), int(row["chips_rising"])
    told = [f"falls in {falls}" if falls else "", f"rises in {rises}" if rises else ""]
    said = " and ".join(one for one in told if one) or "changes in none"
    return f" It {said} of the {int(row['chips'])} chips."


def _break_claims(row: Mapping[Any, Any], label: str) -> list[Claim]:
    where = {"metric": row["metric"]}
    if not math.isfinite(row["p"]):
        return [_untested("break", "abrupt changes", label, "breaks", row)]
    if not row["found"]:
        text = f"There is no abrupt change of {label} beyond chance ({_p(row['p'])})."
        return [Claim("break", text, "breaks", where, ("p",))]
    verb = "jumped up" if row["size"] > 0 else "dropped"
    low, high = _same_digits(*sorted((abs(row["size_low"]), abs(row["size_high"]))))
    changed = (
        f"{label[0].upper()}{label[1:]} {verb} abruptly in {pd.Timestamp(row['date']):%B %Y}"
        f"{_between(row)}, by {_number(abs(row['size']))} (95 % confidence interval {low} to "
        f"{high}, {_p(row['p'])})."
    )
    unsaid = (
        f"A jump moves every indicator of memory, so the memory of {label} is not judged over the "
        "whole record."
    )
    used = ("date", "size", "size_low", "size_high", "p")
    return [
        Claim("break", changed, "breaks", where, used),
        Claim("memory", unsaid, "breaks", where, ("p",)),
    ]


def _between(row: Mapping[Any, Any]) -> str:
    """The interval of the date, where it is more than one step."""
    first, last = row["date_low"], row["date_high"]
    if pd.isna(first) or first == last:
        return ""
    return f" (95 % confidence interval {pd.Timestamp(first):%B %Y} to {pd.Timestamp(last):%B %Y})"


def _scale_claims(row: Mapping[Any, Any], label: str) -> list[Claim]:
    """An abrupt change of the spread; nothing where there is none."""
    if not row["scale_p"] <= BREAK_ALPHA:
        return []
    text = (
        f"The spread of {label} changed abruptly in {pd.Timestamp(row['scale_date']):%B %Y}: from "
        f"then on it is {row['scale']:.2f} times what it was (95 % confidence interval "
        f"{row['scale_low']:.2f} to {row['scale_high']:.2f}, {_p(row['scale_p'])})."
    )
    used = ("scale_date", "scale", "scale_low", "scale_high", "scale_p")
    return [Claim("break", text, "breaks", {"metric": row["metric"]}, used)]


def _process_claims(row: Mapping[Any, Any], label: str) -> list[Claim]:
    """Memory without the noise of the observation, where there is such noise."""
    if not row["observed"] >= TOLD_FROM:
        return []
    text = (
        f"Some {100 * row['share']:.0f} % of the variance of {label} is noise of the observation: "
        f"without it AR(1) is {row['memory']:.2f} (95 % confidence interval {row['low']:.2f} to "
        f"{row['high']:.2f}), with it {row['plain']:.2f}."
    )
    used = ("share", "memory", "low", "high", "plain")
    return [Claim("memory", text, "process", {"metric": row["metric"]}, used)]


def _side_claims(row: Mapping[Any, Any], label: str, alpha: float) -> list[Claim]:
    """Memory on the longer side of a jump."""
    where = {"metric": row["metric"]}
    first, last = (pd.Timestamp(row[end]) for end in ("first_date", "last_date"))
    when = f"From {first:%B %Y} to {last:%B %Y}, {row['side']} the jump,"
    if not math.isfinite(row["p"]):
        text = f"{when} it could not be tested by itself: {_clause(row['reason'])}."
        return [Claim("memory", text, "sides", where, ("reason",))]
    if row["p"] > alpha:
        text = f"{when} the memory of {label} does not rise by more than chance ({_p(row['p'])})."
        return [Claim("memory", text, "sides", where, ("p",))]
    text = (
        f"{when} the memory of {label} rises (AR(1) from {row['first']:.2f} to {row['last']:.2f}; "
        f"95 % confidence interval of the change {_signed(row['change_low'])} to "
        f"{_signed(row['change_high'])}; {_p(row['p'])})."
    )
    used = ("first", "last", "change_low", "change_high", "p")
    return [Claim("memory", text, "sides", where, used)]


def _memory_claims(row: Mapping[Any, Any], label: str, state: str) -> list[Claim]:
    where = {"metric": row["metric"], "chip": SITE}
    if state == UNTESTED:
        return [_untested("memory", "the memory", label, "memory", row)]
    tested = _both(row["p"], row["q"])
    if state in {NOTHING, "spread_grows"}:
        text = f"The memory of {label} does not rise by more than chance ({tested})."
        return [Claim("memory", text, "memory", where, ("p", "q"))]
    if state in {"memory_rises", "clearer_view"} and decides_beside(row):
        return [_rise_beside(row, label)]
    fit = (
        f"AR(1) from {row['first']:.2f} to {row['last']:.2f} over the record; 95 % confidence "
        f"interval of the change {_signed(row['change_low'])} to {_signed(row['change_high'])}; "
        f"{tested}"
    )
    used = ("first", "last", "change_low", "change_high", "p", "q", "variance_tau")
    text = f"The memory of {label} rises ({fit}).{_falling_variance(row['variance_tau'])}"
    return [Claim("memory", text, "memory", where, used)]


def _rise_beside(row: Mapping[Any, Any], label: str) -> Claim:
    """A rise that was tested beside the weather."""
    fit = (
        f"AR(1) from {row['beside_first']:.2f} to {row['beside_last']:.2f} over the record; 95 % "
        f"confidence interval of the change {_signed(row['beside_low'])} to "
        f"{_signed(row['beside_high'])}; "
        f"{_both(row['p_beside'], row['q_beside'])}"
    )
    variance = _falling_variance(row["beside_variance_tau"])
    text = f"The memory of {label} rises, {_beside(row)} ({fit}).{variance}"
    used = ("beside_first", "beside_last", "beside_low", "beside_high", "p_beside", "q_beside",
            "beside_variance_tau", "weather")  # fmt: skip
    return Claim("memory", text, "memory", {"metric": row["metric"], "chip": SITE}, used)


def _falling_variance(tau: float) -> str:
    if tau > 0:
        return ""
    return (
        " Its variance falls meanwhile, as it does with a better sensor, with fewer clouds, or "
        "where less vegetation is left to vary: by itself that is no sign."
    )


def _beside(row: Mapping[Any, Any]) -> str:
    """What is fitted beside memory."""
    are = "are" if " and " in row["weather"] else "is"
    return f"where {row['weather']} {are} fitted beside it"


def _weather_claims(row: Mapping[Any, Any], label: str, state: str, alpha: float) -> list[Claim]:
    """What the weather has to do with memory; where it does not rise, only that it was looked at.

    Words promise no more than what was controlled: the form of the answer and the pairs of steps.
    """
    if state == UNTESTED:
        return []
    where = {"metric": row["metric"], "chip": SITE}
    word = weather_word(row, alpha)
    if word == "not compared":
        if state in {NOTHING, "spread_grows"}:
            return []
        text = f"Whether the weather explains it was not tested: {_clause(row['weather_reason'])}."
        return [Claim("memory", text, "memory", where, ("weather_reason",))]
    if word == "no part":
        have = "have" if " and " in row["weather"] else "has"
        text = (
            f"{row['weather'].capitalize()} {have} no part in {label} that could be found "
            f"({_p(row['weather_p'])})."
        )
        return [Claim("memory", text, "memory", where, ("weather", "weather_p"))]
    used = ("weather", "weather_pairs", "p_same", "p_beside", "p_difference", "weather_explained")
    return [Claim("memory", _weather_text(row, word), "memory", where, used)]


def _weather_text(row: Mapping[Any, Any], word: str) -> str:
    pairs = f"on the same {row['weather_pairs']:.0f} pairs of steps"
    beside_it, form = _beside(row), f" (response to rain: {row['weather_form']})"
    share = f"{row['weather'].capitalize()} explain{'' if ' and ' in row['weather'] else 's'} "
    share += f"{100 * row['weather_explained']:.0f} % of what is new in each step"
    share += f"{form if row['weather_form'] else ''}."
    same, beside = _p(row["p_same"]), _p(row["p_beside"])
    difference = _p(row["p_difference"])
    told = {
        "stays": f"Without them, {pairs}, memory rises too ({same}).",
        "shows": f"Without them, {pairs}, no rise is seen beyond chance ({same}): the weather "
        "hides it.",
        "follows": f"Memory does not rise {beside_it}, {pairs} ({beside}; {same} without them), "
        f"and the difference is beyond chance ({difference}): it follows the weather.",
        "unclear": f"Memory does not rise beyond chance {beside_it}, {pairs} ({beside}; {same} "
        f"without them), but the difference may be chance ({difference}): whether the weather "
        "explains the rise cannot be told.",
        "neither": f"Nor does memory rise {beside_it} ({beside}).",
    }[word]
    return f"{share} {told}"


def _recovery_claims(rates: pd.DataFrame, labels: Mapping[str, str]) -> list[Claim]:
    """How fast real drops were made good, beside what AR(1) says; of three drops or more."""
    claims = []
    for row in rates.to_dict("records"):
        if row["recovered"] < LEAST_RECOVERIES or row["metric"] not in labels:
            continue
        label = labels[row["metric"]]
        text = (
            f"After {row['recovered']} large drops, {label} recovered at a median rate of "
            f"{_number(row['rate'])} per year (quartiles {_number(row['rate_low'])} and "
            f"{_number(row['rate_high'])})"
        )
        used: tuple[str, ...] = ("recovered", "rate", "rate_low", "rate_high")
        if math.isfinite(row["rate_ar1"]):
            text += (
                f". Its AR(1) of {row['memory']:.2f} corresponds to a rate of "
                f"{_number(row['rate_ar1'])} per year after small disturbances"
            )
            used = (*used, "memory", "rate_ar1")
        where = {"metric": row["metric"]}
        claims.append(Claim("memory", f"{text}.", "recovery_rates", where, used))
    return claims


def _rain_claims(row: Mapping[Any, Any], alpha: float) -> list[Claim]:
    where = {"metric": row["metric"], "chip": SITE}
    if not math.isfinite(row["p"]) or row["p"] > alpha:
        return []
    text = f"The memory of the rain itself rises ({_p(row['p'])})."
    return [Claim("weather", text, "memory", where, ("p",))]


def _spread_claims(row: Mapping[Any, Any], label: str, alpha: float) -> list[Claim]:
    where = {"metric": row["metric"], "chip": SITE}
    if not math.isfinite(row["noise_p"]):
        return []
    if row["noise_q"] > alpha:
        text = f"The noise of {label} does not grow by more than chance "
        text += f"({_both(row['noise_p'], row['noise_q'])})."
        return [Claim("spread", text, "memory", where, ("noise_p", "noise_q"))]
    text = (
        f"The noise of {label} grows: its standard deviation at the end is {row['noise']:.2f} "
        "times that at the beginning (95 % confidence interval "
        f"{row['noise_low']:.2f} to {row['noise_high']:.2f}, "
        f"{_both(row['noise_p'], row['noise_q'])})."
    )
    used = ("noise", "noise_low", "noise_high", "noise_p", "noise_q")
    return [Claim("spread", text, "memory", where, used)]


def _clause(reason: Any) -> str:
    """A reason, to stand inside a sentence."""
    return str(reason).strip().rstrip(".")


def _p(value: float) -> str:
    return f"p {_value(value)}"


def _value(p: float) -> str:
    if p < 0.0005:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _both(p: float, q: float) -> str:
    """p, and what is left of it after the correction where that changes it."""
    corrected = _p(q)
    return _p(p) if corrected == _p(p) else f"{_p(p)}, corrected {corrected}"


def _number(value: float, digits: int = 2) -> str:
    """A number of so many digits that count."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}"


def _negative(shown: str) -> str:
    """A number that is shown, with the other sign."""
    return shown[1:] if shown[0] == "-" else f"-{shown}" if float(shown) else shown


def _inside(value: float, low: str, high: str) -> str:
    """A number of two digits, or of as many as put it inside of its interval as that is told."""
    shown = (_number(value, digits) for digits in range(2, 7))
    return next((one for one in shown if float(low) <= float(one) <= float(high)), _number(value))


def _signed(value: float) -> str:
    """A change with its sign; none that is told as 0 has "-"."""
    return f"{round(value, 2) + 0.0:+.2f}"


def _same_digits(first: float, last: float) -> tuple[str, str]:
    """Two numbers to the same place, such that they can be told apart."""
    pair: Sequence[float] = (first, last)
    largest = max((abs(one) for one in pair if math.isfinite(one)), default=0.0)
    places = max(0, 2 - math.floor(math.log10(largest))) if largest else 0
    shown = [f"{one:.{places}f}" for one in pair]
    shown = [one if float(one) else one.lstrip("-") for one in shown]
    return shown[0], shown[1]
