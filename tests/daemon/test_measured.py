"""What earlier loads took: reckoned with, and never more than a hint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ollapy.api.engine import Buffer
from ollapy.daemon.runners import measured
from ollapy.daemon.runners.footprint import Footprint, Scale
from ollapy.daemon.runners.layouts import Machine, Wish
from ollapy.daemon.runners.placement import Placing
from ollapy.daemon.runners.space import Space
from ollapy.gguf import read_header
from ollapy.names import Digest
from ollapy.settings import Settings
from tests.conftest import TINY
from tests.support.daemon import running_daemon

LOADS = (Digest("a" * 64),)
FREE = Space(10**10)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({"OLLAPY_STATE": str(tmp_path), "HOME": str(tmp_path)})


def placing(scale: Scale = Scale()) -> Placing:  # noqa: B008
    footprint = Footprint(read_header(TINY), 64, 512, 0, scale)
    return Placing(footprint, Wish(), Machine())


def test_a_load_that_took_more_is_reckoned_with_the_next_time(
    settings: Settings,
) -> None:
    first = placing()
    placed = first.place(FREE)
    kept = sum(each.cache(placed.num_cells, "f16") for each in first.footprint.layers)
    buffers = [
        Buffer("CPU", "weights", 10**9),
        Buffer("CPU", "cache", 2 * kept),
        Buffer("CPU", "compute", 3 * first.footprint.compute(placed.num_cells)),
    ]
    measured.keep(settings, LOADS, first.footprint, placed, buffers)

    found = measured.scale(settings, LOADS)
    assert found
    assert (found.cache, found.compute) == (2.0, 3.0)
    assert measured.scale(settings, (Digest("b" * 64),)) is None
    second = placing(found)
    assert [a.numbers for a in second.footprint.layers] == [
        2 * b.numbers for b in first.footprint.layers
    ]
    # and once more the same was measured: it is compared with what is reckoned without it
    measured.keep(settings, LOADS, second.footprint, placed, buffers)
    assert measured.scale(settings, LOADS) == found


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nonsense",
        "{}",
        '[{"loads": 3}]',
        *(
            json.dumps([{"loads": [str(LOADS[0])], "cache": x, "compute": 1}])
            for x in (0, -1, 1e300)
        ),
        '[{"loads": [], "cache": NaN, "compute": 1}]',
    ],
)
def test_a_damaged_file_is_no_measure(settings: Settings, content: str) -> None:
    settings.state.joinpath("measured.json").write_text(content)
    assert measured.scale(settings, LOADS) is None


def test_it_does_not_grow(settings: Settings) -> None:
    model = placing()
    placed = model.place(FREE)
    for number in range(300):
        digest = Digest(f"{number:064x}")
        measured.keep(settings, (digest,), model.footprint, placed, [])
    assert len(json.loads(settings.state.joinpath("measured.json").read_text())) == 256


def test_a_daemon_measures(tmp_path: Path) -> None:
    with running_daemon(tmp_path) as daemon:
        daemon.generate("Hi", options={"num_predict": 1})
    (found,) = json.loads((tmp_path / "state" / "measured.json").read_text())
    assert found["cache"] == 1.0
    assert 0.25 < found["compute"] < 1.5
