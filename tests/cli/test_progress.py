"""How a long operation is shown: the steps, the lines of a terminal of any width, and what a pipe gets."""

from __future__ import annotations

import pytest
from rich.console import Console

from ollapy.api.ollama import Progress
from ollapy.cli.bars import Signs, line
from ollapy.cli.progress import follow
from ollapy.cli.steps import Step, Steps

MB = 1_000_000
PULL = [
    Progress("pulling manifest"),
    Progress("pulling aa", "sha256:aa", 4 * MB),
    Progress("pulling aa", "sha256:aa", 4 * MB, 3 * MB),
    Progress("pulling aa", "sha256:aa", 4 * MB, 4 * MB),
    Progress("pulling aa", "sha256:aa", 4 * MB, 4 * MB),
    Progress("pulling bb", "sha256:bb", 254, 254),
    Progress("writing manifest"),
    Progress("success"),
]


def blob(completed: int, total: int = 100 * MB) -> Progress:
    return Progress("pulling 4f659a1e86d7", "sha256:4f659a1e86d7", total, completed)


def step(*completed: int, seconds: float = 1.0) -> Step:
    """A step after these counts, so many seconds apart, the first at 0."""
    made = Step(blob(completed[0]), 0.0)
    for i, count in enumerate(completed):
        made.advance(count, i * seconds)
    return made


def test_steps_begin_and_end_once() -> None:
    steps, story = Steps(), list[str]()
    for i, record in enumerate(PULL):
        begun, ended = steps.take(record, float(i))
        story += [f"+{s.text}" for s in begun] + [f"-{s.text}" for s in ended]

    assert story == [
        "+pulling manifest",
        *("+pulling aa", "-pulling manifest", "-pulling aa"),
        *("+pulling bb", "-pulling bb"),
        "+writing manifest",
        *("+success", "-writing manifest", "-success"),
    ]
    assert steps.under_way == []


def test_a_status_that_is_told_twice_is_one() -> None:
    steps = Steps()
    first, _ = steps.take(Progress("creating"), 0.0)
    second, ended = steps.take(Progress("creating"), 1.0)

    assert (len(first), second, ended) == (1, [], [])


def test_several_blobs_at_once_are_told_apart() -> None:
    steps = Steps()
    for digest in ("sha256:a", "sha256:b"):
        steps.take(Progress("copying", digest, 10, 5), 0.0)
    _, ended = steps.take(Progress("copying", "sha256:a", 10, 10), 1.0)

    assert len(ended) == len(steps.under_way) == 1


def test_what_is_left_when_it_has_succeeded_has_ended() -> None:
    steps = Steps()
    steps.take(blob(5), 0.0)
    steps.take(Progress("success"), 1.0)

    assert steps.under_way == []


def test_progress_never_goes_backwards_or_beyond() -> None:
    shown = step(10 * MB)
    percents = []
    for completed in (50 * MB, 20 * MB, 0, 51 * MB, 200 * MB):
        shown.advance(completed, 1.0)
        percents.append(shown.percent)

    assert percents == [50, 50, 50, 51, 100]


def test_a_hundred_percent_is_all_of_it() -> None:
    assert step(100 * MB - 1).percent == 99


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """Neither what an earlier download left, nor how it went minutes ago."""
    counts = [50 * MB + i * MB // 10 for i in range(60)]
    fast = [counts[-1] + i * 2 * MB for i in range(1, 13)]

    assert step(*counts).rate(59.0) == pytest.approx(MB / 10)
    assert step(*counts, *fast).rate(71.0) == pytest.approx(2 * MB)


def test_the_rate_is_not_said_too_early() -> None:
    assert step(0, 5 * MB, seconds=0.1).rate(0.1) is None
    assert step(0, 5 * MB, seconds=0.1).seconds_left(0.1) is None


def test_the_time_left() -> None:
    assert step(0, 10 * MB).seconds_left(1.0) == pytest.approx(9.0)
    assert step(0, 0).seconds_left(1.0) is None


def test_many_records_cost_no_memory() -> None:
    many = step(*range(100_000), seconds=0.001)

    assert len(many._samples) < 200


SIGNS = Signs(spinner="*")


@pytest.mark.parametrize(
    ("width", "facts"),
    [
        (98, f"{'━' * 18}{'─' * 18}   50 MB/100 MB   10 MB/s       5s"),
        (78, f"{'━' * 8}{'─' * 8}   50 MB/100 MB   10 MB/s       5s"),
        (66, "   50 MB/100 MB   10 MB/s       5s"),
        (56, "   50 MB/100 MB       5s"),
        (38, "       5s"),
        (30, ""),
    ],
    ids=str,
)
def test_a_line_says_as_much_as_fits(width: int, facts: str) -> None:
    half_way = step(*[10 * MB * i for i in range(6)])

    shown = line(half_way, 5.0, width, SIGNS).plain

    bar = " " if facts.startswith("━") else ""
    assert shown == f"* pulling 4f659a1e86d7  50%{bar}{facts}"


@pytest.mark.parametrize("completed", [0, 7 * MB, 100 * MB])
def test_a_line_is_never_wider_than_it_may_be(completed: int) -> None:
    shown = {w: line(step(0, completed), 1.0, w, Signs()) for w in range(18, 199)}

    assert all(text.cell_len <= width for width, text in shown.items())
    assert all("%" in text.plain for text in shown.values())


def test_a_long_name_is_cut_before_its_count() -> None:
    """Wide characters take two columns, and are not cut in two."""
    record = Progress("量化" * 40, total=10, completed=5)

    shown = line(Step(record, 0.0), 0.0, 30, Signs())

    assert shown.plain.endswith("…  50%")
    assert shown.cell_len <= 30


@pytest.mark.parametrize(
    ("at", "text"), [(1.0, ""), (5.0, ""), (10.5, "stalled"), (3600.0, "stalled")]
)
def test_a_download_that_stalls_says_so(at: float, text: str) -> None:
    assert line(step(5 * MB), at, 100, Signs()).plain.endswith(text or " ")


@pytest.mark.parametrize(
    ("rate", "left"),
    [(10 * MB, "9s"), (MB, "1m39s"), (MB // 100, "2h46m"), (100, "days")],
)
def test_how_the_time_left_is_written(rate: int, left: str) -> None:
    assert line(step(0, rate), 1.0, 100, Signs()).plain.endswith(f" {left}")


def test_a_pipe_gets_a_line_where_something_begins_or_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    follow(PULL)

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "pulling manifest",
        "pulling aa  4 MB",
        "pulling aa: done",
        "pulling bb  254 B",
        "writing manifest",
        "success",
    ]


def test_json_is_the_records_as_they_came(capsys: pytest.CaptureFixture[str]) -> None:
    follow(PULL[:2], as_json=True)

    assert capsys.readouterr() == (
        '{"status":"pulling manifest"}\n'
        '{"status":"pulling aa","digest":"sha256:aa","total":4000000}\n',
        "",
    )


def test_a_status_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rude = Progress("\x1b[2Jpulling\r\n\u202e[red]", "sha256:x", 10, 5)

    follow([rude])
    shown = line(Step(rude, 0.0), 0.0, 80, Signs())

    assert capsys.readouterr().err == "\\x1b[2Jpulling\\r\\n\\u202e[red]  10 B\n"
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(shown)
    assert capture.get().startswith("⠋ \\x1b[2Jpulling\\r\\n\\u202e[red]  50%")
