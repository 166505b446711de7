"""The tables of an analysis: every column with its dtype, meaning and unit, in this one place.

Whatever makes such a table, reads it back or explains it takes it from here; docs/tables.md is made
of it. Columns of metrics are those that Modules declare (`pyveg.earth.metrics.Metric`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pyveg.analysis.data.labels import metric_of
from pyveg.analysis.data.table import Column, Dtype, Table
from pyveg.earth.metrics import Metric

_OF_METRIC = "of the metric"


def _floats(unit: str = "", **meanings: str) -> tuple[Column, ...]:
    return _alike("float64", unit, meanings)


def _counts(dtype: Dtype = "int64", **meanings: str) -> tuple[Column, ...]:
    return _alike(dtype, "", meanings)


def _texts(**meanings: str) -> tuple[Column, ...]:
    return _alike("str", "", meanings)


def _alike(dtype: Dtype, unit: str, meanings: Mapping[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, dtype, meaning, unit) for name, meaning in meanings.items())


_COLLECTION = Column("collection", "str", "name of the vegetation collection")
_METRIC = Column("metric", "str", "name of what was measured")
_INDICATOR = Column("indicator", "str", "name of the indicator")
_CHIP = Column("chip", "int64", "number of the chip; -1 for a metric of the whole region")
_CHIP_OR_SITE = Column(
    "chip", "int64", "number of the chip; -1 for the site, which is the median over its chips"
)
_STEP = Column("step", "int64", "number of the step on the axis of time, from 0")
_DATE = Column("date", "datetime64[ns]", "date of the step")
_REASON = Column("reason", "str", "why there is no number; empty where there is one")
_DIRECTION = Column("direction", "str", 'change that is tested for: "rise", "fall" or "either"')
_TAU = Column("tau", "float64", "Kendall's tau-b against time")
_P = Column("p", "float64", "share of surrogates at least as extreme, the series counted as one")
_LEVEL_P = Column(
    "p", "float64", "two-sided p of a change of the level, for any memory that its noise may have"
)
_SEED = Column("seed", "int64", "of the random numbers")

SERIES = Table(
    "step and chip",
    "what was measured and the weather; gaps are empty",
    (
        _COLLECTION,
        _STEP,
        Column("date", "datetime64[ns]", "date of its data, or the middle of a step without any"),
        Column("chip", "int64", "number of the chip; -1 where only the whole region was measured"),
        *_floats("°", latitude="of the chip's centre, north", longitude="of its centre, east"),
    ),
)
"""Behind these stand the metrics; see `series_table`."""
SITE = Table(
    "metric and step",
    "each metric over the chips",
    (
        _STEP,
        _DATE,
        *_counts(chips="chips with a value; of a metric of the whole region, 1 where it has one"),
        *_floats(
            _OF_METRIC,
            middle="median over the chips, or the value of the whole region",
            low="lower quartile over the chips; none for the whole region",
            high="upper quartile",
        ),
        _METRIC,
    ),
)
BESIDE = Table(
    "metric of another collection and step",
    "what other collections of the place have measured, which is not tested here",
    (
        Column("collection", "str", "name of the other collection"),
        *_texts(metric="name of what it measures", label="what people call that, with its unit"),
        _DATE,
        *_counts(chips="chips with a value; of a metric of the whole region, 1 where it has one"),
        *_floats(
            _OF_METRIC,
            middle="median over the chips, or the value of the whole region",
            low="lower quartile over the chips; none for the whole region",
            high="upper quartile",
        ),
    ),
)
PARTS = Table(
    "metric, chip and step",
    "a series and what it was taken apart into",
    (
        _COLLECTION,
        _METRIC,
        _CHIP,
        _STEP,
        _DATE,
        *_floats(
            _OF_METRIC,
            value="what was measured, outliers too",
            season="its season, without a mean",
            trend="its slow change",
            weather="the part that rain and temperature account for; 0 where none was taken away",
            residual="what is left, and what the indicators are made of; none for outliers",
        ),
        Column("outlier", "bool", "whether the value was left out as an outlier"),
    ),
)
TRENDS = Table(
    "metric, chip and indicator",
    "the trend of each indicator, tested, or the reason why there is none",
    (
        _COLLECTION,
        _METRIC,
        _CHIP_OR_SITE,
        _INDICATOR,
        _DIRECTION,
        Column("tau", "float64", "Kendall's tau-b of the indicator against time"),
        *_floats(
            tau_low="lower quartile of tau over the chips; the site only",
            tau_high="upper quartile",
            interval_low="95 % confidence interval of tau",
            interval_high="its upper end",
        ),
        _P,
        *_floats(q="p corrected for false discoveries: over all tests of the site, or over the "
                   "chips of one metric and indicator"),
        _REASON,
        *_counts(n="steps of the series"),
        *_floats(
            n_valid="steps with a value; for the site, here and below, the median over its chips",
            longest_gap="longest run of steps without a value",
            outliers="values left out",
        ),
        *_counts("Int64", window="steps of the rolling window"),
        *_floats(least_pairs="pairs of neighbours in the window that has the fewest"),
        *_counts("Int64", chips="series that the row is made of"),
        *_floats(
            memory="AR(1) of the record with what detrending and gaps took put back",
            residual_ar1="AR(1) of the residual",
        ),
        *_texts(null="model of the surrogates"),
        *_counts(surrogates="how many it was compared with"),
        _SEED,
    ),
)  # fmt: skip
INDICATORS = Table(
    "metric, chip, indicator and step",
    "the course of each indicator in rolling windows, beside its surrogates",
    (
        _COLLECTION,
        _METRIC,
        _CHIP_OR_SITE,
        _INDICATOR,
        _STEP,
        Column("date", "datetime64[ns]", "date of the last step of the window"),
        *_floats(
            "of the indicator",
            value="the indicator in that window",
            low="lower quartile over the chips; the site only",
            high="upper quartile",
            null_low="5 % of the surrogate sites are below; the site only",
            null_middle="half of them",
            null_high="95 % of them",
        ),
    ),
)
MEMORY = Table(
    "metric and chip",
    "the trend of memory itself and of the noise, tested, alone and beside the weather",
    (
        _COLLECTION,
        _METRIC,
        Column("chip", "int64", "number of the chip; -1 for the site, the mean over its chips"),
        *_floats(
            first="AR(1) of the residual at the beginning of the record, by a straight line",
            last="at its end",
            change="of AR(1) over the record",
            change_low="its 95 % confidence interval",
            change_high="its upper end",
            t="change in units of its standard error; for the site the mean over its chips",
            p="share of surrogates with t at least as large, the series counted as one",
            q="p corrected for false discoveries: over the metrics of the site, or over the chips",
            variance_tau="Kendall's tau of the rolling variance; only its sign is used",
            noise="SD of the noise at the end of the record over that at its beginning",
            noise_low="its 95 % confidence interval",
            noise_high="its upper end",
            noise_p="share of surrogates whose noise grows as much",
            noise_q="the same corrected, as q is",
            pairs="pairs of neighbours; for the site the median over its chips",
            weather_pairs="of these, pairs with weather",
            t_same="t of these pairs, weather not looked at",
            p_same="share of surrogates with that at least as large",
            weather_p="p of an F test whether the weather has a part in the mean of the chips",
            weather_explained="share of what is new in each step that it accounts for, adjusted",
            beside_first="AR(1) at the beginning, fitted beside the weather",
            beside_last="at the end",
            beside_low="95 % confidence interval of its change",
            beside_high="its upper end",
            t_beside="t of these pairs, fitted beside the weather",
            p_beside="share of surrogates with that at least as large; where the weather has a "
            "part, of surrogates of constant memory that answer it",
            q_beside="the same corrected, as q is",
            p_difference="share of surrogates that know no weather whose t falls as much by it",
            beside_variance_tau="as variance_tau, without what the weather makes",
        ),
        *_counts(
            chips="series that the row is made of",
            surrogates="how many it was compared with",
        ),
        _SEED,
        _REASON,
        *_texts(
            weather="what memory was fitted beside, in words",
            weather_form="how the vegetation answers rain, as fitted",
            decides='"beside" where the test beside the weather is the one that counts, for the '
            'weather has a part; "alone" where it has none',
            weather_reason="why there is no comparison with and without the weather",
        ),
    ),
)
BREAKS = Table(
    "metric",
    "the most likely abrupt change, and whether it is one",
    (
        _COLLECTION,
        _METRIC,
        Column("date", "datetime64[ns]", "first step after the change"),
        Column("date_low", "datetime64[ns]", "its 95 % confidence interval"),
        Column("date_high", "datetime64[ns]", "the last date of that"),
        *_counts(step="its number on the axis of time; -1 where there is none"),
        *_texts(kind='"step" for a change that stays, "pulse" for one that returns'),
        *_floats(
            _OF_METRIC,
            size="of the jump of the mean over the chips",
            size_low="its 95 % confidence interval, the date being right",
            size_high="its upper end",
        ),
        *_floats(
            z="match with the template, in units of the noise",
            p="share of surrogates that match some template at some date as well",
        ),
        Column("found", "bool", "whether it is a break: p at most 0.01"),
        *_counts(chips="series that the mean is made of"),
        *_counts("Int64", surrogates="how many it was compared with: more where p is near 0.01"),
        Column("scale_date", "datetime64[ns]", "first step after the largest change of the spread"),
        *_floats(
            scale="spread of what is new in each value from then on, over that before",
            scale_low="its 95 % confidence interval, the date being right",
            scale_high="its upper end",
            scale_p="share of surrogates whose spread changes as much at some date",
        ),
        Column("scale_found", "boolean", "whether the spread changed: scale_p at most 0.01"),
        _REASON,
    ),
)
SIDES = Table(
    "metric with an abrupt change",
    "indicators of the longer side of the change, or why there are none",
    (
        _COLLECTION,
        _METRIC,
        *_texts(side='"before" or "after" the change'),
        Column("first_date", "datetime64[ns]", "first step of the side"),
        Column("last_date", "datetime64[ns]", "last step of the side"),
        *_counts(steps="of the side", chips="series that the row is made of"),
        *_floats(
            first="AR(1) of the residual at the beginning of the side, by a straight line",
            last="at its end",
            change="of AR(1) over the side",
            change_low="its 95 % confidence interval",
            change_high="its upper end",
            t="change in units of its standard error; the mean over the chips",
            p="share of surrogates with t at least as large, the series counted as one",
            noise="SD of the noise at the end of the side over that at its beginning",
            noise_low="its 95 % confidence interval",
            noise_high="its upper end",
            noise_p="share of surrogates whose noise grows as much",
            ar1_tau="Kendall's tau of rolling AR(1) against time",
            ar1_p="share of surrogates with that at least as large",
            variance_tau="Kendall's tau of the rolling variance",
            variance_p="share of surrogates with that at least as large",
        ),
        *_counts(surrogates="how many it was compared with"),
        _REASON,
    ),
)
PROCESS = Table(
    "metric",
    "memory of the process with the noise of its observation told apart, by a state-space model",
    (
        _COLLECTION,
        _METRIC,
        *_counts(chips="that it is the median of, here and below; at most 12 are looked at"),
        Column("informed", "boolean", "whether shares of valid pixels tell how noisy a step is"),
        *_floats(
            memory="AR(1) of the process from step to step, without the noise of the observation",
            low="its 95 % interval: that of a middling chip",
            high="its upper end",
            share="share of the variance that is noise of the observation",
            share_low="its 95 % interval",
            share_high="its upper end",
            plain="AR(1) of the same model without such noise",
            plain_low="its 95 % interval, where there is no such noise",
            plain_high="its upper end",
            observed="probability that there is noise of the observation, had it been 0.5 before",
        ),
        _REASON,
    ),
)
LEVELS = Table(
    "metric and chip",
    "the trend of the level itself, tested",
    (
        _COLLECTION,
        _METRIC,
        _CHIP_OR_SITE,
        *_floats(
            "of the metric, per year",
            slope="Theil-Sen slope, season removed",
            slope_low="lower quartile of the slopes of the chips; the site only",
            slope_high="upper quartile",
            interval_low="95 % confidence interval of the slope",
            interval_high="its upper end",
        ),
        *_floats(
            _OF_METRIC,
            change="mean of the last year less that of the first",
            change_low="its 95 % confidence interval",
            change_high="its upper end",
        ),
        _TAU,
        _LEVEL_P,
        *_floats(q="p corrected over the metrics of the site, or the chips of the metric"),
        *_counts(
            n="steps of the series",
            n_valid="steps with a value",
            chips="series that the row is made of",
        ),
        _REASON,
    ),
)
CHANGES = Table(
    "metric, and rain and temperature",
    "what happened: levels at the beginning and the end of the record, tested",
    (
        _COLLECTION,
        _METRIC,
        *_texts(unit="of the levels: that of the metric; mm / year of rain, °C of temperature"),
        *_floats(
            "see unit",
            first="mean of the first year, its season taken away; of the median over the chips",
            last="mean of the last year",
            slope="Theil-Sen slope per year",
            slope_low="its 95 % confidence interval",
            slope_high="its upper end",
            change="last less first",
            change_low="its 95 % confidence interval",
            change_high="its upper end",
        ),
        _LEVEL_P,
        *_floats(q="p corrected over the metrics, or over rain and temperature"),
        *_counts(
            "Int64",
            chips="chips that could be tested; none for the whole region and the weather",
            chips_falling="of these, chips whose level falls (q at most alpha)",
            chips_rising="chips whose level rises",
        ),
        _REASON,
    ),
)
CLIMATE = Table(
    "metric and indicator of the site",
    "trends as they are and without the part of the weather; also of the rain itself",
    (
        _COLLECTION,
        _METRIC,
        _INDICATOR,
        _DIRECTION,
        _TAU,
        _P,
        *_floats(
            tau_without="tau without the part of the weather",
            p_without="p without it",
            memory="AR(1) of the record, corrected for detrending and gaps",
            memory_without="the same without the part of the weather",
            explained="share of the residual's variance that the weather accounts for (adjusted "
                      "R2, median over the chips)",
        ),
        *_texts(change='what became of the answer: "stays", "goes away", "appears", "still none" '
                       'or "cannot be compared"; empty for the rain itself'),
        _REASON,
    ),
)  # fmt: skip
SENSITIVITY = Table(
    "metric, indicator, window and bandwidth",
    "the test of the site with other windows and bandwidths",
    (
        _METRIC,
        _INDICATOR,
        *_floats(
            "share of the record",
            window="length of the rolling window",
            bandwidth="width of the trend's filter",
        ),
        _TAU,
        _P,
        *_counts(chips="series that could be tested"),
        _REASON,
    ),
)
RAIN_RESPONSE = Table(
    "metric, chip and lag",
    "correlation with the rain before, of up to 12 chips",
    (
        _METRIC,
        _CHIP,
        *_counts("Int64", lag="steps that the rain is before the vegetation"),
        *_floats(
            correlation="of both without season and trend",
            null_low="2.5 % of the surrogates are below",
            null_high="97.5 % of them",
        ),
        Column("strongest", "boolean", "whether this lag has the largest correlation"),
        *_floats(p="of the strongest lag, all lags allowed for"),
        _REASON,
    ),
)
DROUGHT_RECOVERY = Table(
    "metric, chip and drop",
    "large drops and how fast they were made good, of up to 12 chips",
    (
        _METRIC,
        _CHIP,
        Column("date", "datetime64[ns]", "date of the deepest value"),
        *_floats(_OF_METRIC, depth="how far it dropped"),
        *_floats("1 / year", rate="at which it came back"),
        *_floats(r2="of the exponential fit"),
        Column("fits", "boolean", "whether it came back exponentially (R2 above 0.3)"),
        Column("drought", "boolean", "whether the rain before was low; missing without weather"),
        _REASON,
    ),
)
RECOVERY_RATES = Table(
    "metric that dropped",
    "how fast drops were made good, beside the rate that AR(1) stands for",
    (
        _METRIC,
        *_counts(
            drops="large drops, of up to 12 chips",
            recovered="of these, made good exponentially",
            droughts="of these drops, after little rain; 0 without weather",
            chips="chips with such a drop",
        ),
        *_floats(
            "1 / year",
            rate="median of the rates at which drops were made good",
            rate_low="their lower quartile",
            rate_high="their upper quartile",
            rate_ar1="-ln AR(1) in a year, which that rate would be after a small push",
        ),
        *_floats(memory="AR(1) of the site, with what detrending and gaps took put back"),
    ),
)
_SIGNAL = Column("indicator", "str", "name of the spatial signal")
_IMAGE_DATE = Column("date", "datetime64[ns]", "of the image")
SPATIAL = Table(
    "date and signal",
    "signals of the images over time",
    (
        _IMAGE_DATE,
        _SIGNAL,
        *_floats("of the signal", value="median over the chips", low="lower quartile",
                 high="upper quartile"),
        *_counts(chips="chips with a value"),
        Column("periodic", "bool", "whether the pattern of that date is regular"),
        Column("valid", "bool", "whether the signal may be used for such a pattern"),
    ),
)  # fmt: skip
SPATIAL_TRENDS = Table(
    "signal",
    "the trend of each signal, tested",
    (
        _SIGNAL,
        _TAU,
        _LEVEL_P,
        *_floats("of the signal, per year", slope="Theil-Sen slope, season removed"),
        *_counts(n_valid="steps with a value"),
        Column("valid", "bool", "whether the pattern of most dates allows its use"),
        _REASON,
    ),
)
SPATIAL_TESTS = Table(
    "date, chip, signal and null",
    "signals of single chips beside random images, at some dates",
    (
        _IMAGE_DATE,
        Column("chip", "int64", "number of the chip"),
        _SIGNAL,
        *_floats("of the signal", value="of the chip"),
        *_texts(null='"permutation" (equal cover), "binarisation" (noise of the same spectrum), or '
                     "empty where there is none"),
        *_floats("of the signal", null_mean="mean of the nulls", null_sd="standard deviation"),
        *_floats(
            z="(value - null_mean) / null_sd", p="two-sided share of nulls at least as far out"
        ),
        Column("valid", "bool", "whether the signal may be used for this date"),
        *_texts(rule="when not to use it, or why there is no number"),
    ),
)  # fmt: skip
SPECTRA = Table(
    "date and wavenumber",
    "the mean radial spectrum of the chips",
    (
        *_floats("waves per chip", wavenumber="along the side of a chip"),
        *_floats("of white noise", power="mean over the chips"),
        _IMAGE_DATE,
    ),
)
PATCH_LAWS = Table(
    "law and part of the record",
    "laws of patch sizes and how well they fit",
    (
        *_texts(law="that was fitted"),
        *_counts(patches="whole patches it was fitted to"),
        *_floats(
            log_likelihood="of the fit",
            aic="Akaike's criterion",
            aic_weight="Akaike weight: how well it fits, of 1 for all laws",
            exponent="of the power law",
        ),
        *_floats("pixels", xmin="size from which the power law fits best"),
        *_floats(power_law_range="share of the range of sizes, in logarithms, that it covers"),
        _REASON,
        *_texts(part='"first year" or "last year" of images'),
    ),
)
AGREEMENT = Table(
    "test",
    "everything that was tested, side by side; the verdict is read off it",
    (
        *_texts(
            family='"memory", "spread" and "break", on which the verdict rests; "temporal", '
                   '"network" or another group that a metric declares, for rolling indicators; '
                   '"spatial"; "state" for the level itself',
            metric="name of what was measured",
            indicator="name of the indicator",
            statistic='what the effect is: "tau", "t" of a change of AR(1), "factor" of the noise, '
                      '"z" of a break or of a pattern against its null',
            expected='change that is feared: "rise", "fall" or "either"',
        ),
        *_floats(
            effect="as `statistic` says; of a pattern the median over the chips",
            low="lower quartile over the chips",
            high="upper quartile",
            p="of the test by itself",
            q="p corrected over the valid tests of its kind: memory, spread, levels, images, or "
              "rolling indicators; none of a break",
            p_without_weather="p without the part of the weather",
        ),
        Column("valid", "bool", "whether the test may be used"),
        *_texts(
            says='"warning", "change", "weak", "no sign", "not valid", "cannot tell", "pattern" or '
                 '"no pattern"',
            reason="why it is not valid, or what to know of it",
        ),
    ),
)  # fmt: skip

ANALYSIS: Mapping[str, Table] = {
    "series": SERIES,
    "site": SITE,
    "beside": BESIDE,
    "parts": PARTS,
    "indicators": INDICATORS,
    "trends": TRENDS,
    "changes": CHANGES,
    "memory": MEMORY,
    "breaks": BREAKS,
    "sides": SIDES,
    "process": PROCESS,
    "levels": LEVELS,
    "climate": CLIMATE,
    "climate_trends": replace(TRENDS, holds="trends without the part of the weather"),
    "climate_indicators": replace(INDICATORS, holds="indicators without the part of the weather"),
    "sensitivity": SENSITIVITY,
    "rain_response": RAIN_RESPONSE,
    "drought_recovery": DROUGHT_RECOVERY,
    "recovery_rates": RECOVERY_RATES,
    "spatial": SPATIAL,
    "spatial_trends": SPATIAL_TRENDS,
    "spatial_tests": SPATIAL_TESTS,
    "spectra": SPECTRA,
    "patch_laws": PATCH_LAWS,
    "agreement": AGREEMENT,
}
"""Tables that the analysis of a place writes, by the names of their files."""

SITES = Table(
    "place and collection",
    "what a place is like and what its analysis says",
    (
        *_texts(site="name of the place, or its coordinates", collection="vegetation collection"),
        *_floats("°", latitude="of the place, north", longitude="east"),
        *_texts(
            pattern_type="kind of pattern, as the config says",
            first="date of the first step",
            last="date of the last step",
        ),
        *_counts("Int64", steps="steps of the record", chips="chips of the place"),
        *_floats("mm / year", rain_mm_per_year="mean rain"),
        *_floats("°C", temperature_c="mean temperature"),
        *_texts(verdict="of its analysis", headline="the same in words"),
        *_counts(warnings="tests that warn"),
        *_floats(power="share of rising series that the record would show; of its best metric"),
        *_texts(source="where its results are"),
    ),
)
"""Behind `temperature_c` stand the metrics; see `pyveg.analysis.sites`."""
SITE_TESTS = Table(
    "place and test",
    "the tests of all places, corrected together",
    (
        *_texts(site="name of the place", collection="vegetation collection"),
        *_floats("mm / year", rain_mm_per_year="mean rain of the place"),
        *_texts(
            family="group of the test",
            metric="name of what was measured",
            indicator="name of the indicator",
            statistic='what the effect is: "tau", "t" or "factor"',
        ),
        *_floats(
            effect="Kendall's tau; t of memory, factor of noise",
            low="lower quartile over the chips",
            high="upper quartile",
            p="of the test by itself; none where it is not valid",
            q_of_site="p corrected over all tests of the place",
            q="p corrected over the places, for one metric and indicator",
            p_without_weather="p without the part of the weather",
        ),
        *_texts(
            expected='change that is feared: "rise", "fall" or "either"',
            reason="why it is not valid, or what to know of it",
        ),
    ),
)
SHARES = Table(
    "metric and indicator",
    "how many places have a small p, and how many chance alone makes",
    (
        _METRIC,
        _INDICATOR,
        *_counts(sites="places that were tested", small_p="places with p at most alpha"),
        *_floats(
            expected_by_chance="such places that chance makes",
            p_of_count="probability of at least so many by chance",
        ),
        *_counts(found="places that are left after correction"),
    ),
)
CAMPAIGN: Mapping[str, Table] = {"sites": SITES, "tests": SITE_TESTS, "shares": SHARES}
"""Tables of many places side by side."""

_SCENARIO = Column("scenario", "str", 'fate of the places: "stable", "declining", "collapsing"')
_GAPS = Column("gaps", "float64", "share of the dates that were taken away")
CALIBRATION_TESTS = Table(
    "simulated place, share of gaps and test",
    "the results of all tests of all places",
    (
        _SCENARIO,
        *_counts(place="number of the place"),
        _GAPS,
        _METRIC,
        _INDICATOR,
        _DIRECTION,
        _TAU,
        _P,
        _REASON,
        *_counts(n="steps of the record"),
        *_floats(
            n_valid="steps with a value, median over the chips",
            memory="AR(1) of the record, corrected for detrending and gaps",
        ),
        *_counts(seed="of the place and its random numbers"),
    ),
)
CALIBRATION_SUMMARY = Table(
    "scenario, share of gaps and test",
    "rates of alarms with their intervals, and areas under the ROC",
    (
        _SCENARIO,
        _GAPS,
        _METRIC,
        _INDICATOR,
        _DIRECTION,
        *_counts(
            places="places of the scenario",
            tested="places with a p value",
            alarms="places with p at most alpha",
        ),
        *_floats(
            rate="alarms over places; of stable places, over those that were tested",
            rate_low="its 95 % confidence interval",
            rate_high="its upper end",
            chance_low="95 % of such experiments with an exact test give at least this rate; "
                       "stable places only",
            chance_high="and at most this one",
            auc="area under the ROC against the stable places; 0.5 for a test that knows nothing",
            auc_low="its 95 % confidence interval",
            auc_high="its upper end",
        ),
    ),
)  # fmt: skip
_OF_RECORD = (
    *_texts(situation="what the simulated vegetation does"),
    *_floats("years", years="length of the record"),
    *_floats(gaps="share of the values missing at random"),
    *_counts(chips="of the place"),
    *_floats(shared="correlation of the noise of its chips"),
)
ZOO = Table(
    "simulated record",
    "what the verdict says of records of known fate",
    (
        *_OF_RECORD,
        _SEED,
        *_texts(state="what moves, on which the verdict on one metric rests"),
        *_floats(
            t="change of AR(1) in units of its standard error",
            p="share of surrogates with t at least as large",
            variance_tau="Kendall's tau of the rolling variance",
            decides_p="p on which the verdict rests: beside the weather where that has a part",
            decides_tau="that of the variance, likewise",
            noise_p="share of surrogates whose noise grows as much",
            break_p="share of surrogates that match some break as well",
        ),
        *_counts(break_step="first step after the most likely break"),
        *_floats(rolling_p="p of AR(1) in rolling windows, which the verdict does not rest on"),
    ),
)
ZOO_RATES = Table(
    "situation and kind of record",
    "how often the verdict says what",
    (
        *_OF_RECORD,
        Column("losing", "bool", "whether memory rises in this situation"),
        *_counts(
            series="records",
            memory_rises="called a rise of memory",
            follows_weather="called a rise that follows the weather",
            weather_or_memory="called a rise that the weather may explain",
            spread_grows="called growing noise",
            clearer_view="called a better sensor",
            abrupt_change="called an abrupt change",
            nothing="in which nothing was found",
            untested="that could not be tested",
        ),
        *_floats(
            rises_low="exact 95 % confidence interval of the share called a rise of memory",
            rises_high="its upper end",
            corrected_low="the same for all situations without a loss together (Bonferroni)",
            corrected_high="its upper end",
        ),
    ),
)
ZOO_SCORES = Table(
    "kind of record, situation and score",
    "how well a score parts situations with a loss of resilience from all without",
    (
        *_OF_RECORD,
        *_texts(score="what is compared"),
        *_counts(series="records with a loss", nulls="records without"),
        *_floats(
            auc="area under the ROC; 0.5 for a score that knows nothing",
            auc_low="its 95 % confidence interval",
            auc_high="its upper end",
        ),
    ),
)
VERDICT_POWER = Table(
    "kind of record, rise of memory and number of metrics tested",
    "how often the verdict finds a rise of memory; shipped with the package",
    (
        *_floats("years", years="length of the record"),
        *_floats(gaps="share of the values missing at random"),
        *_counts(chips="of the place"),
        *_floats(shared="correlation of the noise of its chips"),
        *_texts(rise="of AR(1) over the record"),
        *_counts(
            tests="metrics tested, in one of which memory rises",
            series="simulated records",
            found="of these, called a rise of memory",
            broken="of these, called an abrupt change, so that nothing is said of memory",
        ),
    ),
)
CALIBRATION: Mapping[str, Table] = {
    "calibration": CALIBRATION_TESTS,
    "calibration_summary": CALIBRATION_SUMMARY,
}
"""Tables of `pyveg_calibrate`."""
ZOO_TABLES: Mapping[str, Table] = {
    "zoo": ZOO,
    "zoo_rates": ZOO_RATES,
    "zoo_scores": ZOO_SCORES,
}
"""Tables of `pyveg_calibrate --zoo`."""


def series_table(names: Iterable[str], declared: Mapping[str, Metric]) -> Table:
    """`SERIES` with the metrics of some results.

    Parameters
    ----------
    names : iterable of str
        Columns that are there, in order.
    declared : mapping of str to Metric
        What is known of them.
    """
    more = {name: metric_of(declared, name) for name in names if name not in SERIES.names}
    return SERIES.extended(
        Column(name, "float64", metric.meaning, metric.unit) for name, metric in more.items()
    )
