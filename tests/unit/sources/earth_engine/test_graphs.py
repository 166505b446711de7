"""The computations that are sent, compared with kept ones as JSON.

A graph that gives other numbers needs another `graphs.VERSION`, or cached answers are wrong. Write
the kept ones anew with ``python tests/unit/sources/earth_engine/test_graphs.py``.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pyveg.earth.types import DateRange
from pyveg.sources.earth_engine import graphs
from pyveg.sources.products import PRODUCTS
from pyveg.testing.earth_engine import StandIn
from pyveg.testing.ee_graphs import FUNCTIONS

KEPT = Path(__file__).parent / "graphs"
ASK = graphs.Ask(
    DateRange(date(2020, 1, 1), date(2020, 2, 1)),
    ((27.9, 11.6), (27.9, 11.5), (28.0, 11.5), (28.0, 11.6)),
)
S2 = PRODUCTS["COPERNICUS/S2_SR_HARMONIZED"]
L8, L7 = PRODUCTS["LANDSAT/LC08/C02/T1_L2"], PRODUCTS["LANDSAT/LE07/C02/T1_L2"]
ERA5 = PRODUCTS["ECMWF/ERA5_LAND/DAILY_AGGR"]
MASKING = graphs.Masking(clouds=True, cloud_score=0.6)

GRAPHS = {
    "sentinel2_listing": lambda: graphs.listing([S2], ASK, {S2.id: S2.cloud_property}),
    "sentinel2_composite": lambda: graphs.composite(
        [graphs.Day(S2, ("a", "b")), graphs.Day(S2, ("c",))], ["B4", "B8"], ASK, S2, MASKING
    ),
    "landsat_mixed_composite": lambda: graphs.composite(
        [graphs.Day(L8, ("a",)), graphs.Day(L7, ("b",))], ["SR_B4", "SR_B5"], ASK, L8, MASKING
    ),
    "weather": lambda: graphs.weather(ERA5, ERA5.bands[:2], graphs.Ask(ASK.period, ())),
}


def _encoded(name: str) -> Any:
    import ee

    from pyveg.sources.earth_engine.session import Session, Terms

    with StandIn().instead() as service:
        Session(Terms("", "", 1, 1.0, 1.0, ""), service)
        return ee.serializer.encode(GRAPHS[name](), for_cloud_api=True)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_graph_is_the_kept_one(name: str) -> None:
    kept = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
    assert kept["version"] == graphs.VERSION
    assert _functions(_encoded(name)) == _functions(kept["graph"])
    assert _plain(_encoded(name)) == _plain(kept["graph"])


@pytest.mark.parametrize("name", GRAPHS)
def test_the_client_reads_back_what_it_wrote(name: str) -> None:
    import ee

    encoded = _encoded(name)
    with StandIn().instead() as service:
        from pyveg.sources.earth_engine.session import Session, Terms

        Session(Terms("", "", 1, 1.0, 1.0, ""), service)
        again = ee.deserializer.decodeCloudApi(encoded)
        assert _plain(ee.serializer.encode(again, for_cloud_api=True)) == _plain(encoded)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_stand_in_knows_every_function(name: str) -> None:
    assert _functions(_encoded(name)) <= {*FUNCTIONS, "ImageCollection.load"}


def _plain(graph: Any) -> Any:
    """A graph as one tree: the client's numbering of shared parts is no part of it."""
    values = graph["values"]

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(part) for part in node]
        if not isinstance(node, dict):
            return node
        if set(node) == {"valueReference"}:
            return resolve(values[node["valueReference"]])
        if set(node) == {"arrayValue"}:
            return [resolve(part) for part in node["arrayValue"]["values"]]
        if set(node) == {"constantValue"}:
            return node["constantValue"]
        found = {name: resolve(part) for name, part in node.items()}
        if "body" in node:
            found["body"] = resolve(values[node["body"]])
        return found

    return resolve(values[graph["result"]])


def _functions(graph: Any) -> set[str]:
    text = json.dumps(graph)
    return {part.split('"')[1] for part in text.split('"functionName":')[1:]}


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for title in GRAPHS:
        document = {"version": graphs.VERSION, "graph": _encoded(title)}
        (KEPT / f"{title}.json").write_text(json.dumps(document, indent=1) + "\n")
