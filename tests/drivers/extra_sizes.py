"""How large pyveg and each of its extras are once installed: the table of docs/install.md.

``python tests/drivers/extra_sizes.py`` looks at the packages of this environment, which must hold
all extras, and writes the table anew.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).parents[2] / "docs" / "install.md"
USES = {
    "analysis": "tables as Parquet, laws of patch sizes, STL; `pyveg analyse` runs without it, too",
    "azure": "blob containers and Azure Batch",
    "dask": "a Dask cluster",
    "demo-model": "the small detector of `pyveg score-images --model demo`",
    "docs": "building the documentation site",
    "earthengine": "Google Earth Engine",
    "emulator": "`pyveg azure-emulator`, the rehearsal of Azure",
    "geo": "GeoParquet, `Run.rasters()` as xarray, `Run.chip_frame()` as a GeoDataFrame",
    "indices": "some 250 vegetation indices by name",
    "score": "detectors as ONNX files",
    "serve": "the job service",
    "serving": "model servers",
    "stac": "public catalogues of imagery, and ERA5",
    "train": "training models",
    "test": "the tests",
    "check": "type checker, linters",
    "dev": "all that tests and checks need",
}


def closure(requirements: list[str], seen: set[str], extras: tuple[str, ...] = ()) -> set[str]:
    """Names of all packages that some requirements need, with some extras of what states them."""
    for line in requirements:
        one = Requirement(line)
        name = canonicalize_name(one.name)
        marker = one.marker
        wanted = marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
        if not wanted or (name in seen and not one.extras):
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError as error:
            raise SystemExit(f"{name} is not installed; all extras must be") from error
        seen.add(name)
        closure(needs, seen, tuple(one.extras))
    return seen


def megabytes(names: set[str]) -> float:
    """What their files take on disk."""
    sizes = 0
    for name in names:
        for file in metadata.files(name) or []:
            path = Path(str(file.locate()))
            sizes += path.stat().st_size if path.is_file() else 0
    return sizes / 1e6


def rounded(size: float) -> str:
    """To two digits; below one as that."""
    if size < 1:
        return "< 1 MB"
    step = 10 ** (len(str(int(size))) - 2) if size >= 10 else 1
    return f"{round(size / step) * step:.0f} MB"


def table() -> str:
    """A row for pyveg by itself and one for each extra, which says what it brings besides."""
    all_ = metadata.requires("pyveg") or []
    base = closure([line for line in all_ if "extra ==" not in line], set())
    rows = [f"| (none) | all of the main job | {rounded(megabytes(base))} |"]
    for extra, use in USES.items():
        own = [line.split(";")[0] for line in all_ if f'extra == "{extra}"' in line]
        rows.append(f"| `{extra}` | {use} | {rounded(megabytes(closure(own, set()) - base))} |")
    return "\n".join(
        ["| extra | for | on disk (Linux), besides the first |", "|---|---|---|", *rows]
    )


def main() -> None:
    """Write the table."""
    text = PAGE.read_text(encoding="utf-8")
    made = re.sub(
        r"(<!-- extras -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{table()}\n{match[2]}",
        text,
        flags=re.S,
    )
    PAGE.write_text(made, encoding="utf-8")
    print(table())


if __name__ == "__main__":
    main()
