"""How it was done, step by step, with the papers that each step follows."""

from __future__ import annotations

from dataclasses import dataclass

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.settings import AnalysisSettings


@dataclass(frozen=True)
class Step:
    """One paragraph and its references."""

    title: str
    text: str
    cites: tuple[str, ...] = ()
    """Keys of `PAPERS`."""


PAPERS = {
    "Alstott et al. 2014": "10.1371/journal.pone.0085777",
    "Bastiaansen et al. 2020": "10.1111/ele.13430",
    "Benjamini & Hochberg 1995": "10.1111/j.2517-6161.1995.tb02031.x",
    "Benjamini & Yekutieli 2001": "10.1214/aos/1013699998",
    "Boulton et al. 2022": "10.1038/s41558-022-01287-8",
    "Buhlmann 1997": "10.2307/3318584",
    "Clauset et al. 2009": "10.1137/070710111",
    "Cleveland 1979": "10.1080/01621459.1979.10481038",
    "Clopper & Pearson 1934": "10.1093/biomet/26.4.404",
    "Couteron & Lejeune 2001": "10.1046/j.0022-0477.2001.00588.x",
    "Dakos et al. 2024": "10.5194/esd-15-1117-2024",
    "Estrada & Rodriguez-Velazquez 2005": "10.1103/PhysRevE.71.056103",
    "Forzieri et al. 2022": "10.1038/s41586-022-04959-9",
    "Joanes & Gill 1998": "10.1111/1467-9884.00122",
    "Kefi et al. 2011": "10.1111/j.1461-0248.2010.01553.x",
    "Kefi et al. 2014": "10.1371/journal.pone.0092097",
    "Mander et al. 2017": "10.1098/rsos.160443",
    "Moran 1950": "10.1093/biomet/37.1-2.17",
    "Sen 1968": "10.1080/01621459.1968.10480934",
    "Smith 2023": "10.5194/esd-14-173-2023",
    "Smith et al. 2022": "10.1038/s41558-022-01352-2",
    "Theiler et al. 1992": "10.1016/0167-2789(92)90102-S",
}
"""Author and year -> DOI."""

_NULLS = {
    "ar": ("autoregressive models of each chip, with the memory that was found", "Buhlmann 1997"),
    "phase": ("series with the spectrum of each chip and random phases", "Theiler et al. 1992"),
    "block": ("blocks of each series, drawn with replacement", ""),
}
_FDR = {"bh": "Benjamini & Hochberg 1995", "by": "Benjamini & Yekutieli 2001"}
_STEPS = (
    Step(
        "Series",
        "Dates are laid on regular steps. A step without data stays a gap: nothing is "
        "interpolated. Each chip is analysed by itself, and only then is the median over the "
        "chips taken.",
        ("Smith 2023",),
    ),
    Step("Season, trend and outliers", "{detrending}", ("{detrending_paper}",)),
    Step(
        "Indicators",
        "They are computed in rolling windows of {window} % of the record and dated by the last "
        "step of each: AR(1) over pairs of neighbouring steps, moments, and the restoring rate, "
        "-ln AR(1) per year. A window with too few pairs has no value.",
        ("Boulton et al. 2022", "Smith et al. 2022", "Joanes & Gill 1998"),
    ),
    Step(
        "Test of the indicators",
        "The trend of an indicator is Kendall's tau. It is compared with that of {surrogates} "
        "surrogates: {null}, drawn for all chips together, with the same gaps, and sent through "
        "every step above. p = (1 + number as extreme) / (1 + number of surrogates); q allows for "
        "the number of tests. (The usual p of tau would call 31 to 47 % of stable series a "
        "warning.)",
        ("{null_paper}", "{fdr_paper}"),
    ),
    Step(
        "Memory and noise",
        "AR(1) is fitted to pairs of neighbouring steps as a straight line over the record. The "
        "log variance of the noise is fitted beside it as another straight line, so that growing "
        "noise is not taken for memory. The statistic is the change in units of its standard "
        "error, averaged over the chips and compared with that of the surrogates. Before the fit, "
        "the most likely break is taken out of the series and out of every surrogate. Where the "
        "variance falls meanwhile, a rise is no sign.",
        ("Smith 2023",),
    ),
    Step(
        "Abrupt changes",
        "The mean of the chips, outliers included, is scanned for a step and for a jump that "
        "returns within half a year. The largest match is compared with that of surrogates of "
        "the noise without it. If p is at most 0.01 it is a break, and memory is not judged.",
    ),
    Step(
        "Level",
        "The slope is the median over all pairs of steps. Its tau is compared with that of "
        "stationary series with the same memory.",
        ("Sen 1968",),
    ),
    Step(
        "Weather",
        "Residuals are regressed on temperature and on the rain of the same step and of the steps "
        "before (up to {rain_months} months), inside the surrogates too. Then every test is "
        "repeated.",
        ("Forzieri et al. 2022",),
    ),
    Step(
        "Images",
        "Moran's I, moments of 5 x 5 blocks, the density ratio and patches are computed for some "
        "chips of each date. Where the radial spectrum has a clear peak the pattern is regular. "
        "Such vegetation may evade a tipping point, and only the wavelength is used.",
        ("Moran 1950", "Kefi et al. 2014", "Couteron & Lejeune 2001", "Bastiaansen et al. 2020"),
    ),
    Step(
        "Patch sizes",
        "Laws are fitted by maximum likelihood to patches that no edge cuts, and compared by "
        "Akaike's criterion.",
        ("Clauset et al. 2009", "Alstott et al. 2014", "Kefi et al. 2011"),
    ),
    Step(
        "Network centrality",
        "Pixels of bare soil (or what the run calls signal) are ranked by subgraph centrality. "
        "offset50 is nodes minus edges of the whole network, minus the same of its best-connected "
        "half. It mostly reflects the cover, so it is compared with masks of the same cover and "
        "with noise that was binarised in the same way.",
        ("Estrada & Rodriguez-Velazquez 2005", "Mander et al. 2017"),
    ),
    Step(
        "Power",
        "Series with the gaps of the median chip and a rising AR(1) are simulated and tested. The "
        "95 % confidence interval of the share found is exact.",
        ("Clopper & Pearson 1934",),
    ),
    Step(
        "Limits",
        "Early-warning signals have been found where nothing followed, and missed where something "
        "did. They are a reason to look closer, not a forecast.",
        ("Dakos et al. 2024",),
    ),
)
"""What is in braces depends on the settings."""


def methods(analysis: Analysis) -> list[Step]:
    """The steps of an analysis, as it was done."""
    told = _told(analysis.settings)
    return [
        Step(
            step.title,
            step.text.format(**told),
            tuple(name for one in step.cites if (name := one.format(**told))),
        )
        for step in _STEPS
    ]


def _told(settings: AnalysisSettings) -> dict[str, str]:
    """What the settings were, as the texts name it."""
    null, paper = _NULLS[settings.null]
    return {
        "detrending": _detrending(settings),
        "detrending_paper": "Cleveland 1979" if settings.trend == "loess" else "",
        "window": f"{100 * settings.window:g}",
        "surrogates": str(settings.surrogates),
        "null": null,
        "null_paper": paper,
        "fdr_paper": _FDR[settings.fdr],
        "rain_months": f"{settings.rain_months:g}",
    }


def _detrending(settings: AnalysisSettings) -> str:
    season = {
        "harmonic": f"The season is {settings.harmonics} harmonics by least squares",
        "stl": "The season is that of STL",
        "none": "No season is removed",
    }[settings.season]
    trend = {
        "loess": f"LOESS over {100 * settings.bandwidth:g} % of the record",
        "gaussian": f"a Gaussian filter of {100 * settings.bandwidth:g} % of the record",
        "quadratic": "a parabola",
        "stl": "that of STL",
        "none": "not removed",
    }[settings.trend]
    outliers = (
        f" Residuals beyond {settings.outlier_limit:g} robust standard deviations are flagged and "
        "left out of the indicators; they stay in the tables."
        if settings.outlier_limit
        else ""
    )
    return f"{season}; the trend is {trend}. Missing steps have no weight.{outliers}"
