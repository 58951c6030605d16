"""What was measured of a model is kept, used at its next load, and worth nothing when it is damaged."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ollapy.api.options import Options
from ollapy.api.tuning import Tuning
from ollapy.daemon.runners import tuning
from ollapy.gguf import read_header
from ollapy.runner.protocol import Load, Place
from ollapy.settings import Settings
from tests.conftest import TINY
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_endless
from tests.support.terminal import CTRL_C, ollapy, terminal
from tests.support.waiting import eventually

HEADER = read_header(TINY)
LOAD = Load([str(TINY)], 4096, 4096, 4, 512, 1)
FOUND = Tuning(1, 2, 128, False)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    add_endless(tmp_path / "models")
    with running_daemon(tmp_path) as daemon:
        yield daemon


def settings(folder: Path, **env: str) -> Settings:
    return Settings.from_env({"OLLAPY_STATE": str(folder), **env})


def used(given: Settings, load: Load = LOAD, **options: int) -> Load:
    return tuning.tuned(load, HEADER, Options(**options), given)  # type: ignore[arg-type]


def test_a_model_is_measured_loaded_anew_and_shown_by_the_doctor(own: Daemon) -> None:
    before = own.generate("What is the capital of Japan?")["response"]
    answer = own.post("/api/tune", model="tiny").json()
    eventually(lambda: not own.runners, "it is not loaded anew")
    state = own.models.parent / "state"
    (kept,) = json.loads((state / "tuning.json").read_text())
    env = {"OLLAPY_STATE": str(state), "OLLAPY_MODELS": str(own.models)}
    doctor = json.loads(ollapy("doctor", "--json", host=own.address, env=env).out)

    assert answer["model"] == "tiny:latest"
    assert 0 <= answer["others"] <= 1
    assert kept["tuning"] == answer["tuning"]
    assert answer["tuning"] in [trial["tuning"] for trial in answer["trials"]]
    assert own.generate("What is the capital of Japan?")["response"] == before
    (shown,) = [row for row in doctor if row["name"] == "tuning"]
    assert shown["text"].startswith(f"{kept['shape']}: ")


def test_a_model_that_is_used_is_not_measured(own: Daemon) -> None:
    endless = {"model": "endless", "prompt": "go", "raw": True, "shift": True}
    options = {"num_predict": 10**6}
    with own.stream("/api/generate", **endless, options=options) as records:
        next(records)
        refused = own.post("/api/tune", model="endless")
        next(records)

    assert refused.status_code == 503
    assert refused.json() == {
        "error": "the model is being used: tune it when nobody does"
    }


def test_whoever_comes_meanwhile_is_answered(own: Daemon) -> None:
    own.generate("Hi", model="endless", options={"num_predict": 1})
    answers: list[httpx.Response] = []
    tuning_it = threading.Thread(
        target=lambda: answers.append(own.post("/api/tune", model="endless"))
    )
    tuning_it.start()
    kinds = lambda: [r["kind"] for r in own.http.get("/api/requests").json()["requests"] if r["outcome"] == "running"]  # noqa: E731  # fmt: skip
    eventually(lambda: kinds() == ["tune"], "it does not begin")
    answer = own.generate("Hi", model="endless", options={"num_predict": 2})
    tuning_it.join()

    assert answer["eval_count"] == 2
    assert answers[0].status_code in (200, 503)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", '[{"machine": 1}]', "\0" * 9, "[" * 5000, json.dumps([{"machine": "m", "shape": "s", "tuning": {"num_threads": "x"}, "at": 0}])],
    ids=["empty", "half", "numbers", "types", "nul", "deep", "text"],
)  # fmt: skip
def test_a_damaged_file_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "tuning.json").write_text(text)
    given = settings(tmp_path)

    assert used(given) == LOAD
    tuning.keep(given, HEADER, LOAD, FOUND)
    assert used(given).tuning == FOUND


def test_a_damaged_file_is_told_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "tuning.json").write_text("damaged")
    with running_daemon(tmp_path) as daemon:
        for _ in range(2):
            daemon.generate("Hi", keep_alive=0)
        log = daemon.log.read_text()

    assert log.count("not readable and put aside file=tuning.json") == 1


def test_what_is_known_is_used_for_that_shape_alone(tmp_path: Path) -> None:
    given = settings(tmp_path)
    tuning.keep(given, HEADER, LOAD, Tuning(1, 1))
    tuning.keep(given, HEADER, LOAD, FOUND)
    quantised = Load([str(TINY)], 4096, 4096, 4, 512, 1, kv_type="q8_0")
    elsewhere = Load([str(TINY)], 4096, 4096, 4, 512, 1, Place(["CUDA0"], [9.0], 9))

    assert (used(given).num_threads, used(given).tuning) == (2, FOUND)
    assert used(given, quantised) == quantised
    assert used(given, elsewhere) == elsewhere
    assert len(tuning.known(given)) == 1


def test_threads_that_are_asked_for_stay(tmp_path: Path) -> None:
    given = settings(tmp_path)
    tuning.keep(given, HEADER, LOAD, FOUND)
    asked = used(given, num_thread=7)
    told = used(settings(tmp_path, OLLAPY_NUM_THREADS="5"))

    for load in (asked, told):
        assert (load.num_threads, load.tuning) == (1, Tuning(0, 0, 128, False))


def test_what_does_not_fit_or_cannot_be_is_left_out(tmp_path: Path) -> None:
    """Attention that keeps its scores needs room for them, and a file may say anything."""
    given = settings(tmp_path)
    huge = Load([str(TINY)], 1 << 20, 4096, 4, 512, 1)
    tuning.keep(given, HEADER, huge, Tuning(10**9, -3, 128, False))
    load = used(given, huge)

    assert load.tuning.flash_attention is None
    assert 1 <= load.num_threads <= 512
    assert load.tuning.num_threads <= 512
    assert load.tuning.num_prompt_threads == 0


def test_machines_and_shapes_have_names() -> None:
    assert "llama-cpp-python 0." in tuning.machine()
    assert tuning.shape(HEADER, LOAD) == "llama 4x256, Q8_0, f16"
    wanted = tuning.order(HEADER)
    assert wanted.threads[0] == 1, "what there is without"
    assert len({*wanted.threads}) == len(wanted.threads)


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"NO_COLOR": "1"}], ids=str)
def test_it_can_be_given_up(own: Daemon, env: dict[str, str]) -> None:
    words = ("bench", "tiny", "--tune")
    with terminal(*words, host=own.address, columns=20, **env) as shown:
        shown.expect("takes up to a minute")
        shown.type(CTRL_C)
        assert shown.wait() == 130
        assert "\x1b" not in shown.raw


@pytest.mark.parametrize(
    ("model", "problem"),
    [("", "model is required"), ("nope", "'nope:latest' not found")],
)
def test_what_cannot_be_tuned(own: Daemon, model: str, problem: str) -> None:
    refused = own.post("/api/tune", model=model)

    assert refused.status_code in (400, 404)
    assert problem in refused.json()["error"]
