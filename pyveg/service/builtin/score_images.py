"""The process ``score-images``: a model that the operator lists, over images of the caller."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.jobs.scoring import make_settings
from pyveg.service.builtin.run_command import check_files
from pyveg.service.config import ServiceConfig
from pyveg.service.image_lists import Wanted, count_of, describes, gather
from pyveg.service.processes import Process, Settings

ID = "score-images"


def process(config: ServiceConfig) -> Process | None:
    """The process; None where the operator lists no model: a caller names none of its own."""
    if not config.scoring_models:
        return None
    return Process(
        id=ID,
        title="Images through a model",
        description=(
            "Looks for animals, people and whatever else a model knows in many images: those in "
            "places that the operator allows, those of a container, or those that a JSON list "
            "names. The result is one JSON in MegaDetector's format; images that cannot be looked "
            "at have a reason there."
        ),
        inputs=_inputs(tuple(config.scoring_models)),
        make=lambda given: _settings(config, given, {"images": given.images}),
        gather=lambda given, folder: _gathered(config, given, folder),
        check=lambda given: _check(config, given),
        some_failed="successful",
        filename=f"{ID}.py",
    )


def _inputs(models: tuple[str, ...]) -> type:
    names = Literal[models]  # type: ignore[valid-type]
    made: list[Any] = [
        ("model", names, setting(doc="which model")),
        (
            "images",
            tuple[str, ...],
            setting((), doc="paths, patterns and URLs, in places that the operator allows"),
        ),
        ("container", str, setting("", doc="address of a blob container, without a signature")),
        (
            "images_list",
            str,
            setting(
                "",
                doc="address of a JSON list: names of blobs of the container, or addresses of "
                "images; each by itself or as [name, metadata]",
            ),
        ),
        (
            "image_path_prefix",
            str,
            setting("", doc="what names of images of a container or list begin with"),
        ),
        ("first_n", int, _number("only so many of them; all where 0")),
        ("sample_n", int, _number("only so many of these, by chance; all where 0")),
        (
            "threshold",
            float,
            setting(0.1, doc="least confidence that is kept", low=0.001, high=0.999),
        ),
        ("format", Literal["1.6", "1.1"], setting("1.6", doc="version of the results format")),
        *((name, str, setting("", doc=doc)) for name, doc in _ABOUT.items()),
    ]
    return dataclasses.make_dataclass("ScoreInputs", made, frozen=True, kw_only=True)


_ABOUT = {
    "request_name": "what the caller calls the job",
    "country": "where the images come from",
    "organization_name": "whose they are",
    "instance": "instance of the API that took the job in, for summaries",
    "sender": "who asked for it, where that is nobody with a token",
}


def _number(doc: str) -> Any:
    return setting(0, doc=doc, low=0, high=1_000_000_000)


def _check(config: ServiceConfig, given: Any) -> None:
    """Refuse files outside of the places that the operator allows.

    Raises
    ------
    ConfigError
    """
    if not describes(given.images, given.container, given.images_list):
        raise ConfigError(
            "inputs: it is not clear which images are meant",
            "give images; or container, images_list or both",
        )
    if given.images:
        check_files(given.images, config.input_locations)
    for name in ("container", "images_list"):
        url = getattr(given, name)
        if url and not url.startswith(("http://", "https://")):
            raise ConfigError(
                f"inputs: {name} is no address of http or https", "write it as https://..."
            )


def _gathered(config: ServiceConfig, given: Any, folder: Path) -> Settings:
    """The settings, with the list of images made where there is one to make."""
    if given.images:
        return _settings(config, given, {"images": given.images})
    wanted = Wanted(
        given.container,
        given.images_list,
        given.image_path_prefix,
        given.first_n,
        given.sample_n,
        config.scoring_hosts,
    )
    path = gather(folder, wanted)
    listed = [f"@{path}"] if count_of(folder) else []
    # No endings: all on the list are images, whatever they are called where a name is hidden.
    images = {"images": listed, "may_be_empty": True, "endings": []}
    return _settings(config, given, images)


def _settings(config: ServiceConfig, given: Any, images: dict[str, Any]) -> Settings:
    score = {
        **images,
        **config.scoring_models[given.model],
        "threshold": given.threshold,
        "private_hosts": config.scoring_hosts,
        "run_mode": config.of(ID).run_mode,
    }
    return make_settings({}, score, {"format": given.format}, None)
