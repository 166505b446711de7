"""Agreeing on one grid for all dates of a folder before anything is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from pyveg import formats
from pyveg.core.errors import ConfigError, DataError
from pyveg.earth.chips import SIZE
from pyveg.sources.folder import grid
from pyveg.sources.folder.grid import Box, Ground, Placed

Tile = Sequence[Placed]
"""The files of one image: its bands and its mask."""
Days = Mapping[str, Sequence[Tile]]

WARP = "set regrid = True to warp all images to one grid, or take the file out"
PLACE = "keep the images of each place in a folder of its own"
MOST_TROUBLED = 1 / 3
"""Share of the dates that may lie on another grid; with more there is no grid that most have."""


@dataclass
class Agreement:
    """The grid of a collection, and which dates do not lie on it."""

    ground: Ground | None = None
    """Pixels that all dates are measured on; None where no date can be."""
    like: Placed | None = None
    """A file that lies on it."""
    troubles: dict[str, str] = field(default_factory=dict)
    """Date -> why it cannot be laid on the grid."""
    apart: dict[str, str] = field(default_factory=dict)
    """Date -> that it shows little of the ground of the others; the rest of it is missing."""
    told: list[str] = field(default_factory=list)
    """What the user should know."""


def agree(days: Days, *, regrid: bool = False) -> Agreement:
    """Find the grid of most dates, and the window that all of them cover.

    Parameters
    ----------
    days : mapping
        Date -> its tiles, each with at least one file.
    regrid : bool
        Whether images may be warped.

    Raises
    ------
    ConfigError
        If more than a third of the dates do not lie on it, naming two files that differ.
    """
    made = Agreement()
    if not any(placed.ground.placed for placed in _all(days)):
        _by_size(days, made)
    else:
        _by_place(days, made, regrid=regrid)
    odd = made.troubles | made.apart
    if len(odd) > MOST_TROUBLED * len(days):
        day, wrong = next(iter(odd.items()))
        raise ConfigError(f"{day}: {wrong}", WARP if made.troubles else PLACE)
    made.told += [f"{day} will fail: {wrong}" for day, wrong in made.troubles.items()]
    made.told += [f"{day}: {text}: the rest of it is missing" for day, text in made.apart.items()]
    return made


def check(tiles: Sequence[Tile], like: Placed, *, regrid: bool = False) -> None:
    """Refuse a date whose files do not lie on the grid of a collection.

    Raises
    ------
    DataError
        Naming two files and in what they differ.
    """
    wrong = _misfit(tiles, like, regrid=regrid)
    if wrong:
        raise DataError(wrong, WARP)


def _all(days: Days) -> Iterator[Placed]:
    return chain.from_iterable(chain.from_iterable(days.values()))


def _by_size(days: Days, made: Agreement) -> None:
    """Images that state no place can only be compared by their number of pixels."""
    made.like = _most_common([tiles[0][0] for tiles in days.values()], _same_size)
    made.ground = made.like.ground
    for day, tiles in days.items():
        wrong = _misfit(tiles, made.like, regrid=False)
        if wrong:
            made.troubles[day] = wrong
    made.told.append(
        f"{made.like.path} and the other images have no georeferencing: chips divide the square "
        "of region_size around the coordinates, whatever the images show"
    )


def _by_place(days: Days, made: Agreement, *, regrid: bool) -> None:
    finest = [_finest(tiles[0]) for tiles in days.values()]
    like = _most_common([one for one in finest if one.ground.placed], _same_pixels)
    made.like = like
    boxes: dict[str, Box] = {}
    for day, tiles in days.items():
        wrong = _misfit(tiles, like, regrid=regrid)
        if not wrong:
            try:
                boxes[day] = grid.around([_box(tile, like) for tile in tiles])
            except DataError as error:
                wrong = error.wrong
        if wrong:
            made.troubles[day] = wrong
    window = _window(boxes, days, like, made)
    made.ground = grid.part(grid.north_up(like.ground), window)
    _tell_of_windows(days, made, window)
    _tell_of_pixels(days, made, regrid=regrid)
    for placed in _all(days):
        if not placed.ground.placed:
            made.told.append(
                f"{placed.path} has no georeferencing: it is taken to lie where {like.path} lies"
            )
            break


def _window(boxes: Mapping[str, Box], days: Days, like: Placed, made: Agreement) -> Box:
    """What all dates cover; those that would leave less than a chip of it are apart."""
    if not boxes:
        return 0, 0, like.ground.width, like.ground.height
    window = first = _usual(list(boxes.values()))
    usual = next(day for day, box in boxes.items() if box == first)
    for day, box in boxes.items():
        shared = grid.common([window, box])
        if _share(window, box):
            window = shared
        else:
            made.apart[day] = (
                f"{days[day][0][0].path} and {days[usual][0][0].path} share less ground than a "
                f"chip of {SIZE} x {SIZE} pixels"
            )
    return window


def _usual(boxes: Sequence[Box]) -> Box:
    """The box that shares ground with most of the others, the first of equals."""
    counts = Counter(boxes)

    def shared_by(box: Box) -> int:
        # Both ways, or a strip that is narrower than a chip would do for all.
        return sum(n for one, n in counts.items() if _share(box, one) and _share(one, box))

    return max(counts, key=shared_by)


def _share(window: Box, box: Box) -> bool:
    """Whether two boxes share a chip, or any pixel where one of them is smaller than that."""
    least = 1 if min(*_sides(window)) < SIZE else SIZE
    return min(_sides(grid.common([window, box]))) >= least


def _sides(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _box(tile: Tile, like: Placed) -> Box:
    """The pixels of the grid that all files of a tile cover."""
    target = grid.north_up(like.ground)
    return grid.common([_covered(one, target) for one in tile])


def _covered(one: Placed, target: Ground) -> Box:
    if not one.ground.placed:
        return 0, 0, target.width, target.height
    turned = grid.north_up(one.ground)
    if grid.times_as_large(turned, target):
        return grid.box_of(turned, target)
    try:  # a mask of finer pixels, or an image that will be warped
        return grid.extent(turned, target)
    except formats.FormatError as error:
        raise DataError(
            f"{one.path} cannot be used: {error}", "check its georeferencing"
        ) from error


def _finest(tile: Tile) -> Placed:
    """The band with the smallest pixels; masks do not count."""
    bands = [one for one in tile if not one.mask and one.ground.placed]
    return min(bands, key=lambda one: one.ground.pixel) if bands else tile[0]


def _most_common(files: Sequence[Placed], alike: Callable[[Ground, Ground], bool]) -> Placed:
    """The first of the largest group of files that are alike."""
    groups: list[list[Placed]] = []
    for one in files:
        group = next((group for group in groups if alike(one.ground, group[0].ground)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return max(groups, key=len)[0]


def _same_size(one: Ground, other: Ground) -> bool:
    return one.size == other.size


def _same_pixels(one: Ground, other: Ground) -> bool:
    return not grid.difference(one, other)


def _misfit(tiles: Sequence[Tile], like: Placed, *, regrid: bool) -> str:
    """Why a date does not lie on the grid of a file; empty where it does."""
    for tile in tiles:
        for one in tile:
            wrong = _wrong(one, tile, like, regrid=regrid)
            if wrong:
                return wrong
    return ""


def _wrong(one: Placed, tile: Tile, like: Placed, *, regrid: bool) -> str:
    if not (one.ground.placed and like.ground.placed):
        return _wrong_size(one, tile, like)
    if regrid:
        return ""
    ground, target = one.ground, like.ground
    finest = _finest(tile)
    differs = grid.difference(finest.ground, target) if one == finest else ""
    if not differs and not (
        grid.times_as_large(ground, target) or (one.mask and grid.fits(ground, target))
    ):
        differs = grid.difference(ground, target)
    if not differs:
        return ""
    # Two bands of the date itself say more than a file of another one.
    other = next((b for b in tile if b != one and grid.difference(ground, b.ground)), like)
    return f"{one.path} and {other.path} do not lie on one grid: " + (
        grid.difference(ground, other.ground) or differs
    )


def _wrong_size(one: Placed, tile: Tile, like: Placed) -> str:
    """Images without georeferencing are one only where they have the same number of pixels."""
    placed = next((other for other in tile if other.ground.placed), like)
    other = next((b for b in tile if b.ground.size != one.ground.size), placed)
    if other.ground.size == one.ground.size:
        return ""
    first, second = (other, one) if tile.index(one) else (one, other)
    return (
        f"the bands are not of one shape: {first.path} has {first.ground.size} and "
        f"{second.path} {second.ground.size} pixels, and no georeferencing says how they lie"
    )


def _tell_of_windows(days: Days, made: Agreement, window: Box) -> None:
    like = made.like
    if like is None:
        return
    fine = {day: tiles for day, tiles in days.items() if day not in made.troubles}
    turned = grid.north_up(like.ground)
    boxes = {one: _covered(one, turned) for one in _all(fine) if one.ground.placed}
    others = [one for one, box in boxes.items() if box != window and not one.mask]
    if not others or len(set(boxes.values())) == 1:
        return
    first = others[0]
    second = next(one for one, box in boxes.items() if box != boxes[first])
    width, height = _sides(window)
    made.told.append(
        f"images cover different ground, such as {first.path} and {second.path}: their common "
        f"window of {width} x {height} pixels is used"
    )


def _tell_of_pixels(days: Days, made: Agreement, *, regrid: bool) -> None:
    like = made.like
    if like is None:
        return
    fine = [one for one in _all(days) if one.ground.placed and not one.mask]
    turned = grid.north_up(like.ground)
    coarse = [
        one for one in fine if grid.times_as_large(grid.north_up(one.ground), turned) not in (0, 1)
    ]
    if coarse:
        made.told.append(
            f"bands with larger pixels, such as {coarse[0].path}, are brought to those of "
            f"{like.path} by repeating each pixel (nearest neighbour)"
        )
    other = [one for one in fine if grid.difference(one.ground, like.ground) and one not in coarse]
    if regrid and other:
        made.told.append(
            f"images with other pixels, such as {other[0].path}, are warped to those of "
            f"{like.path} (bilinear)"
        )


def footprint(ground: Ground) -> tuple[float, float, float, float] | None:
    """What an image covers, degrees.

    Returns
    -------
    (float, float, float, float) or None
        Longitude and latitude of the centre, and how far it reaches from west to east and from
        south to north; None where it is not known where it is. An image across 180 degrees is as
        wide as it is.

    Raises
    ------
    DataError
        If its reference system cannot say.
    """
    if ground.crs is None or ground.transform is None:
        return None
    steps = [i / 8 for i in range(9)]
    pairs = [(x * ground.width, y * ground.height) for x in steps for y in steps]
    try:
        columns, rows = np.array(pairs).T
        places = formats.lonlat(ground.crs, ground.transform, columns, rows)
    except formats.FormatError as error:
        raise DataError(str(error), "write the georeferencing of the images anew") from error
    longitude, latitude = places[len(pairs) // 2]
    east = (places[:, 0] - longitude + 180) % 360 - 180
    low, high = places[:, 1].min(), places[:, 1].max()
    return float(longitude), float(latitude), float(np.ptp(east)), float(high - low)
