"""Days of a busy machine in minutes: models that do not fit together, runners and daemons that are killed."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import httpx
import psutil
import pytest

from scripts.make_gguf import write_scripted
from tests.support import judge
from tests.support.daemon import Daemon, is_alive, running_daemon
from tests.support.models import add_model
from tests.support.waiting import eventually

WORDS = ("one", "two", "three")
NUM_CLIENTS = 6
LONGEST = 60.0  # seconds that anybody waits

Ask = Callable[[httpx.Client, Random], str]


def add_words(folder: Path) -> None:
    """Three models, each of which says its name."""
    for word in WORDS:
        write_scripted(folder / f"{word}.gguf", word)
        add_model(folder / "models", word, folder / f"{word}.gguf")


class Clients:
    """They ask at once, whatever comes to them, until the block ends; every outcome is counted."""

    def __init__(self, daemon: Daemon, seed: int, ask: Ask) -> None:
        self._daemon, self._ask = daemon, ask
        self._over = threading.Event()
        self._seed = seed
        self.outcomes: Counter[str] = Counter()
        self.longest = 0.0

    @contextmanager
    def busy(self) -> Iterator[None]:
        with ThreadPoolExecutor(NUM_CLIENTS) as threads:
            ends = [threads.submit(self._ask_on, i) for i in range(NUM_CLIENTS)]
            try:
                yield
            finally:
                self._over.set()
        for end in ends:
            end.result()

    def _ask_on(self, number: int) -> None:
        random = Random(f"{self._seed} {number}")
        with httpx.Client(base_url=f"http://{self._daemon.address}", timeout=LONGEST, trust_env=False) as http:  # fmt: skip
            while not self._over.is_set():
                began = time.monotonic()
                outcome = self._ask(http, random)
                self.longest = max(self.longest, time.monotonic() - began)
                self.outcomes[outcome] += 1
                if outcome == "daemon gone":
                    return


def ask_words(http: httpx.Client, random: Random) -> str:
    """For one of the models' names, with options of all kinds; now and then it leaves."""
    word = random.choice(WORDS)
    options = random.choice([{}, {"num_ctx": 64}, {"num_ctx": 4096, "seed": 3}, {"temperature": 0.9}])  # fmt: skip
    body = {"model": word, "prompt": "?" * random.randint(1, 40), "options": options}  # fmt: skip
    try:
        if random.random() < 0.2:
            with http.stream("POST", "/api/generate", json=body):
                return "left"
        response = http.post("/api/generate", json={**body, "stream": False})
    except httpx.TransportError:
        return "daemon gone"
    answer = response.json()
    if response.status_code == 200:
        return "right" if answer["response"] == word else f"wrong {answer}"
    return str(answer["error"])


def traffic(daemon: Daemon, seed: int, seconds: float, limit: int) -> None:
    clients = Clients(daemon, seed, ask_words)
    end = time.monotonic() + seconds
    with clients.busy():
        while time.monotonic() < end:
            assert sum(map(_resident, daemon.runners)) <= limit
            time.sleep(0.05)

    assert set(clients.outcomes) <= {"right", "left"}, clients.outcomes
    assert clients.outcomes["right"] > 0
    assert clients.longest < LONGEST
    assert "evicting model=" in daemon.log.read_text()


def _resident(process: psutil.Process) -> int:
    """Bytes of its memory; none once it is gone."""
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0


def kills(daemon: Daemon, seed: int, num_kills: int) -> None:
    """Runners die at random: only their own requests fail, and those of `tiny`, which is spared, never."""
    random = Random(seed)
    daemon.generate("Hi")
    (spared,) = daemon.runners
    doomed, others = Clients(daemon, seed, ask_words), Clients(daemon, seed, ask_tiny)
    with doomed.busy(), others.busy():
        for _ in range(num_kills):
            before = doomed.outcomes["right"]
            eventually(lambda: doomed.outcomes["right"] > before, "none is answered", within=LONGEST)  # noqa: B023  # fmt: skip
            victims = [runner for runner in daemon.runners if runner != spared]
            for victim in random.sample(victims, min(1, len(victims))):
                victim.kill()

    failed = {outcome for outcome in doomed.outcomes if outcome not in ("right", "left")}  # fmt: skip
    assert all("signal 9" in it or "in a row" in it for it in failed), failed
    assert set(others.outcomes) == {"right"}
    assert is_alive(spared)


def ask_tiny(http: httpx.Client, _random: Random) -> str:
    body = {"model": "tiny", "prompt": "Hi", "stream": False, "options": {"num_predict": 3}}  # fmt: skip
    return "right" if http.post("/api/generate", json=body).status_code == 200 else "failed"  # fmt: skip


def daemon_kills(folder: Path, seed: int, num_kills: int) -> None:
    """Daemons die at random: no runner outlives one, the store is whole, the next one works."""
    random = Random(seed)
    for number in range(num_kills):
        with running_daemon(folder, MAX_MEMORY="250MB") as daemon:
            clients = Clients(daemon, number, ask_words)
            with clients.busy():
                wanted = random.randrange(1, 30)
                eventually(_more_than(clients, wanted), "nobody is answered", within=LONGEST)  # fmt: skip
                daemon.post("/api/copy", source="one", destination=f"copy{number}")
                runners = daemon.runners
                daemon.process.send_signal(signal.SIGKILL)
                daemon.process.wait()
            eventually(lambda: not any(map(is_alive, runners)), "a runner outlived its daemon")  # noqa: B023  # fmt: skip
            assert set(clients.outcomes) <= {"right", "left", "daemon gone"}
        judge.check_sound(folder / "models")
    with running_daemon(folder) as daemon:
        assert daemon.generate("?", model="one")["response"] == "one"
        names = {m["name"] for m in daemon.http.get("/api/tags").json()["models"]}
        assert {f"copy{number}:latest" for number in range(num_kills)} <= names


def _more_than(clients: Clients, wanted: int) -> Callable[[], bool]:
    return lambda: clients.outcomes["right"] > wanted


def test_more_models_than_fit(tmp_path: Path) -> None:
    add_words(tmp_path)
    with running_daemon(tmp_path, MAX_MEMORY="250MB") as daemon:
        traffic(daemon, seed=1, seconds=4, limit=250_000_000)


def test_runners_are_killed(tmp_path: Path) -> None:
    add_words(tmp_path)
    with running_daemon(tmp_path) as daemon:
        kills(daemon, seed=1, num_kills=3)


def test_daemons_are_killed(tmp_path: Path) -> None:
    add_words(tmp_path)
    daemon_kills(tmp_path, seed=1, num_kills=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_minutes_of_it(tmp_path: Path) -> None:
    add_words(tmp_path)
    with running_daemon(tmp_path, MAX_MEMORY="250MB") as daemon:
        traffic(daemon, seed=2, seconds=600, limit=250_000_000)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_runners_are_killed(tmp_path: Path) -> None:
    add_words(tmp_path)
    with running_daemon(tmp_path) as daemon:
        kills(daemon, seed=2, num_kills=50)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_daemons_are_killed(tmp_path: Path) -> None:
    add_words(tmp_path)
    daemon_kills(tmp_path, seed=2, num_kills=20)
