"""`pyveg_calc_EC`: network centrality of one image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyveg.core.errors import ConfigError, DataError
from pyveg.scripts.edge import CONTEXT, debug_option, plain_errors, say, version_option
from pyveg.scripts.given import files_for, one_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEXT = (".txt", ".csv")


@click.command(context_settings=CONTEXT)
@click.argument("given", required=False, metavar="[IMAGE]", shell_complete=files_for)
@click.option("--input_img", help="An image: png or tif (one band).")
@click.option("--input_txt", help="A matrix of numbers: txt or csv.")
@click.option(
    "--sig_threshold",
    type=float,
    default=255.0,
    show_default=True,
    help="Pixels at or above this value are signal, the nodes of the network.",
)
@click.option("--upper_threshold", type=float, help="Pixels above this value are no signal.")
@click.option("--use_diagonal_neighbours", is_flag=True, help="8 neighbours rather than 4.")
@click.option(
    "--num_quantiles",
    type=click.IntRange(2, 1000),
    default=20,
    show_default=True,
    help="Length of the feature vector.",
)
@click.option("--do_EC", is_flag=True, help="Always done; accepted so that old command lines work.")
@click.option("--output_csv", type=click.Path(), help="Write the feature vector to this file too.")
@click.option(
    "--output_png", type=click.Path(), help="Write a picture coloured by subgraph centrality."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv"]),
    default="json",
    show_default=True,
    help="Format of the printed result.",
)
@debug_option
@version_option
def main(  # noqa: PLR0917 - click passes options by name
    given: str | None,
    input_img: str | None,
    input_txt: str | None,
    sig_threshold: float,
    upper_threshold: float | None,
    use_diagonal_neighbours: bool,
    num_quantiles: int,
    do_ec: bool,
    output_csv: str | None,
    output_png: str | None,
    form: str,
    debug: bool,
) -> None:
    """Measure how connected the signal pixels of one image are.

    IMAGE is what --input_img or --input_txt takes.

    Prints the feature vector (nodes minus edges of the network of the most central pixels, in
    steps of their share) and its metrics.
    """
    del do_ec
    path = one_of(IMAGE=given, input_img=input_img, input_txt=input_txt)
    if path is None:
        raise click.UsageError("give one of IMAGE, --input_img and --input_txt")
    with plain_errors(debug=debug):
        from pyveg.kernels import centrality

        image = read_image(Path(path))
        mask = image >= sig_threshold
        if upper_threshold is not None:
            mask &= image <= upper_threshold
        diagonal = use_diagonal_neighbours
        vector = centrality.feature_vector(mask, num_quantiles=num_quantiles, diagonal=diagonal)
        metrics = centrality.feature_vector_metrics(vector)
        note = "" if mask.any() else _without_signal(image, sig_threshold, upper_threshold)
        click.echo(text_of(vector, metrics, mask, form, note), nl=False)
        if note and form == "csv":  # which has no place for it
            say(f"warning: {note}", err=True)
        if output_csv:
            write(output_csv, (",".join(f"{value:g}" for value in vector) + "\n").encode())
        if output_png:
            values = centrality.subgraph_centrality(mask, diagonal=diagonal)
            write(output_png, picture(values, mask))


def _without_signal(image: NDArray[np.float64], low: float, high: float | None) -> str:
    """Why the numbers of an image without a node mean nothing."""
    import numpy as np

    limits = f"at {low:g} or above" + ("" if high is None else f" and up to {high:g}")
    known = image[np.isfinite(image)]
    span = f"they have {known.min():g} to {known.max():g}" if known.size else "none is a number"
    return (
        f"no pixel is signal ({limits}; {span}): the zeros are no measurement; "
        "set --sig_threshold to a value that signal pixels have"
    )


def read_image(path: Path) -> NDArray[np.float64]:
    """An image or matrix as numbers; the first channel of a colour picture.

    Raises
    ------
    ConfigError
        If there is no such file, or it is of no kind that is known.
    DataError
        If its content cannot be read.
    """
    import numpy as np

    from pyveg import formats
    from pyveg.core.reading import read_whole

    try:
        data = read_whole(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check its path") from error
    kind = path.suffix.lower()
    try:
        if kind in TEXT:
            return formats.decode_text_matrix(data)
        if kind == ".png":
            image = formats.decode_png(data)
            return np.asarray(image if image.ndim == 2 else image[..., 0], dtype=np.float64)
        if kind in (".tif", ".tiff"):
            return formats.decode_geotiff(data).array.astype(np.float64)
    except formats.FormatError as error:
        raise DataError(f"{path}: {error}", "give another file") from error
    raise ConfigError(f"{path} is of no kind that is known", "give a .png, .tif, .csv or .txt")


def text_of(
    vector: NDArray[np.float64],
    metrics: dict[str, float],
    mask: NDArray[np.bool_],
    form: str,
    note: str = "",
) -> str:
    """What is printed: one JSON object, or a CSV of a header and one row."""
    import json

    values: dict[str, object] = {
        **metrics,
        "signal_pixels": int(mask.sum()),
        "signal_cover": float(mask.mean()) if mask.size else 0.0,
    }
    if form == "json":
        noted = {"note": note} if note else {}
        return json.dumps({**values, "feature_vec": vector.tolist(), **noted}, indent=1) + "\n"
    shares = [f"f{100 * k / len(vector):g}" for k in range(len(vector))]
    header = ",".join([*values, *shares])
    row = ",".join([*(str(value) for value in values.values()), *(f"{v:g}" for v in vector)])
    return f"{header}\n{row}\n"


def write(path: str, data: bytes) -> None:
    """Write a file that the user asked for."""
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", "name a file that you may write to"
        ) from error


def picture(values: NDArray[np.float64], mask: NDArray[np.bool_], zoom: int = 8) -> bytes:
    """A picture of the chip, signal pixels coloured by centrality, brighter is more central."""
    import matplotlib
    import numpy as np

    from pyveg import formats

    colours = matplotlib.colormaps["viridis"]
    high = values.max() if mask.any() else 1.0
    # In logarithms, as centralities of one image span many orders of magnitude.
    shown = colours(np.log1p(values) / np.log1p(high))[..., :3]
    shown[~mask] = 1.0
    pixels = np.round(255 * shown).astype(np.uint8)
    return formats.encode_png(pixels.repeat(zoom, axis=0).repeat(zoom, axis=1))


if __name__ == "__main__":
    main()
