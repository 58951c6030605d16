"""Pictures over HTTP: what is seen, what is refused, and that nothing brings a runner down."""

from __future__ import annotations

import base64
import io
import random
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.make_gguf import (
    write_llava,
    write_qwen2vl,
    write_qwen2vl_projector,
    write_random,
)
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_model
from tests.support.pictures import bmp, gif, jpeg, png, png_part

HAS_PILLOW = find_spec("PIL") is not None
KINDS = {
    "llava": (write_random, write_llava),
    "qwen2vl": (write_qwen2vl, write_qwen2vl_projector),
}


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with models that see, and one whose projector is of another model."""
    folder = tmp_path_factory.mktemp("seeing")
    weights, projector = folder / "weights.gguf", folder / "mmproj.gguf"
    with running_daemon(folder) as daemon:
        for name, (write_model, write_projector) in KINDS.items():
            write_model(weights)
            write_projector(projector)
            add_model(daemon.models, name, weights, projector=projector.read_bytes())
        write_random(weights, width=128)
        add_model(daemon.models, "odd", weights, projector=projector.read_bytes())
        yield daemon


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def chat(daemon: Daemon, model: str, text: str, *images: bytes) -> Any:
    """The answer to a question about pictures."""
    message = {"role": "user", "content": text, "images": [*map(encoded, images)]}
    response = daemon.post(
        "/api/chat",
        model=model,
        messages=[message],
        stream=False,
        options={"temperature": 0, "num_predict": 12},
    )
    assert response.status_code == 200, response.text
    return response.json()


def said(answer: dict[str, Any]) -> str:
    return str(answer["message"]["content"])


def refusal(daemon: Daemon, *images: object, model: str = "llava") -> str:
    message = {"role": "user", "content": "What?", "images": images}
    response = daemon.post("/api/chat", model=model, messages=[message], stream=False)
    assert response.status_code == 400, response.text
    return str(response.json()["error"])


def test_what_is_seen_decides_the_answer(seeing: Daemon, model: str) -> None:
    pictures = [png(64, 48, seed=seed) for seed in (1, 1, 2)]
    one, same, other = (chat(seeing, model, "What is this?", p) for p in pictures)
    assert said(one) == said(same) != said(other)
    assert said(other) != said(chat(seeing, model, "What is this?"))
    assert one["prompt_eval_count"] > 12 + 9, "the picture's tokens count"
    assert same["ollapy"]["context"]["cached_tokens"] > one["prompt_eval_count"] - 12


def test_a_picture_means_the_same_in_every_format(seeing: Daemon) -> None:
    answers = {
        said(chat(seeing, "llava", "What?", make(64, 48, seed=4)))
        for make in (png, bmp, gif)
    }
    assert len(answers) == 1
    assert said(chat(seeing, "llava", "What?", jpeg()))


def test_webp_is_read_where_pillow_is(seeing: Daemon) -> None:
    image = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    with image.open(io.BytesIO(png(64, 48, seed=4))) as picture:
        picture.save(file, "WEBP", lossless=True)
    as_png = said(chat(seeing, "llava", "What?", png(64, 48, seed=4)))
    assert said(chat(seeing, "llava", "What?", file.getvalue())) == as_png
    assert (
        refusal(seeing, encoded(file.getvalue()[:-60]))
        == "the image could not be decoded"
    )


def test_a_raw_prompt_says_where_its_pictures_are(seeing: Daemon, model: str) -> None:
    def generate(prompt: str) -> str:
        answer = seeing.generate(
            prompt,
            model=model,
            raw=True,
            images=[encoded(png(seed=1)), encoded(png(seed=2))],
            options={"temperature": 0, "num_predict": 12},
        )
        return str(answer["response"])

    assert generate("[img-0]and[img-1]are") == generate("[img-0]and[img-1]are")
    assert generate("[img-0]and[img-1]are") != generate("[img-1]and[img-0]are")
    assert generate("what is it") == generate("[img-0][img-1]what is it")


def test_generate_and_chat_see_alike(seeing: Daemon, model: str) -> None:
    picture = png(seed=9)
    answer = seeing.generate(
        "What is it?",
        model=model,
        images=[encoded(picture)],
        options={"temperature": 0, "num_predict": 12},
    )
    assert answer["response"] == said(chat(seeing, model, "What is it?", picture))
    assert all(token >= 0 for token in answer["context"])


def rendered(daemon: Daemon, *messages: dict[str, Any]) -> str:
    response = daemon.post(
        "/api/chat", model="llava", messages=messages, _debug_render_only=True
    )
    return str(response.json()["_debug_info"]["rendered_template"])


def test_a_picture_stands_where_it_says(seeing: Daemon) -> None:
    images = [encoded(png(seed=1)), encoded(png(seed=2))]
    message = {"role": "user", "content": "one two", "images": images}
    for places, expected in (
        (None, "[media][media]one two"),
        ([0, 3], "[media]one[media] two"),
        ([0, 99], "[media]one two[media]"),
        ([4, 2, 1], "one [media][media]two"),
    ):
        assert expected in rendered(seeing, {**message, "images_at": places})


TEXTS = ("Look here:", "What is it?")


def ollama(daemon: Daemon, image: str) -> Any:
    message = {"role": "user", "content": "".join(TEXTS), "images": [image]}
    body = {"messages": [{**message, "images_at": [len(TEXTS[0])]}], "stream": False}
    options = {"temperature": 0, "num_predict": 12}
    answer = daemon.post("/api/chat", model="llava", **body, options=options)
    return answer.json()["message"]["content"]


def openai_chat(daemon: Daemon, image: str) -> Any:
    before, after = ({"type": "text", "text": text} for text in TEXTS)
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
    message = {"role": "user", "content": [before, part, after]}
    body = {"messages": [message], "temperature": 0, "max_tokens": 12}
    answer = daemon.post("/v1/chat/completions", model="llava", **body)
    return answer.json()["choices"][0]["message"]["content"]


def responses(daemon: Daemon, image: str) -> Any:
    before, after = ({"type": "input_text", "text": text} for text in TEXTS)
    part = {"type": "input_image", "image_url": f"data:image/png;base64,{image}"}
    item = {"role": "user", "content": [before, part, after]}
    body = {"input": [item], "temperature": 0, "max_output_tokens": 12}
    answer = daemon.post("/v1/responses", model="llava", **body)
    return answer.json()["output"][0]["content"][0]["text"]


def anthropic(daemon: Daemon, image: str) -> Any:
    before, after = ({"type": "text", "text": text} for text in TEXTS)
    source = {"type": "base64", "media_type": "image/png", "data": image}
    message = {
        "role": "user",
        "content": [before, {"type": "image", "source": source}, after],
    }
    body = {"model": "llava", "messages": [message]}
    answer = daemon.post("/v1/messages", **body, temperature=0, max_tokens=12)
    count = daemon.post("/v1/messages/count_tokens", **body).json()["input_tokens"]
    assert count == answer.json()["usage"]["input_tokens"] + answer.json()["usage"].get(
        "cache_read_input_tokens", 0
    )
    return answer.json()["content"][0]["text"]


def test_all_apis_show_the_same(seeing: Daemon) -> None:
    image = encoded(png(seed=3))
    said = {ask(seeing, image) for ask in (ollama, openai_chat, responses, anthropic)}
    assert len(said) == 1
    assert openai_chat(seeing, encoded(png(seed=4))) not in said


@pytest.mark.parametrize(
    "text",
    [
        "<__media__>",
        "[img-0]",
        "[img]",
        "\ufdd20\ufdd3",
        "\ufdd2\ufdd20\ufdd3",
        "\ufdd27\ufdd3",
    ],
)
def test_words_that_look_like_a_picture_are_words(seeing: Daemon, text: str) -> None:
    image = {"role": "user", "content": "one", "images": [encoded(png())]}
    words = {"role": "user", "content": f"say {text} again"}
    prompt = rendered(seeing, image, words)
    assert prompt.count("[media]") == 1
    assert text in prompt


def test_a_template_that_takes_parts(tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{{ m.role }}:{% for part in m.content %}{{ part.text }}{% endfor %}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    write_random(weights := tmp_path / "weights.gguf", chat_template=template)
    write_llava(projector := tmp_path / "mmproj.gguf")
    with running_daemon(tmp_path) as daemon:
        add_model(daemon.models, "llava", weights, projector=projector.read_bytes())
        message = {"role": "user", "content": "What?", "images": [encoded(png())]}
        assert rendered(daemon, message) == "user:[media]What?assistant:"


def test_pictures_and_texts_at_the_same_time(seeing: Daemon, model: str) -> None:
    asked: list[tuple[str, tuple[bytes, ...]]] = [
        ("What is this?", (png(64, 48, seed=seed % 3),)) for seed in range(6)
    ]
    asked += [(f"Tell me about {word}", ()) for word in ("rivers", "stars", "bread")]
    alone = [said(chat(seeing, model, text, *images)) for text, images in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        together = pool.map(lambda one: chat(seeing, model, one[0], *one[1]), asked)
    # the shape of a batch may decide a near tie
    differing = [
        a for a, b in zip(alone, map(said, together), strict=True) if a[:4] != b[:4]
    ]
    assert len(differing) <= 2


def test_who_leaves_while_a_picture_is_read_disturbs_nobody(seeing: Daemon) -> None:
    message = {
        "role": "user",
        "content": "What?",
        "images": [encoded(png(600, 500, seed=77))],
    }
    with seeing.stream("/api/chat", model="qwen2vl", messages=[message]) as records:
        next(records)
    assert said(chat(seeing, "qwen2vl", "And this?", png(seed=3)))


def test_who_leaves_before_anything_is_answered_disturbs_nobody(
    seeing: Daemon,
) -> None:
    for seed in range(5):
        message = {
            "role": "user",
            "content": "?",
            "images": [encoded(png(600, 500, seed=90 + seed))],
        }
        body = {"model": "qwen2vl", "messages": [message]}
        with suppress(httpx.TimeoutException):
            seeing.http.post("/api/chat", json=body, timeout=0.004 * (seed + 1))
    assert said(chat(seeing, "qwen2vl", "And this?", png(seed=3)))


def bomb() -> bytes:
    """A PNG of one pixel that unpacks to a gigabyte."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1000))
    whole = png(1, 1)
    head = whole[: whole.index(b"IDAT") - 4]
    return head + png_part(b"IDAT", packed + packer.flush()) + png_part(b"IEND", b"")


def large(width: int, height: int) -> bytes:
    whole = bytearray(png(1, 1))
    whole[16:24] = width.to_bytes(4) + height.to_bytes(4)
    return bytes(whole)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("!!!!", "image 1: illegal base64 data at input byte 0"),
        ("aGk", "image 1: illegal base64 data at input byte 3"),
        ("", "image 1 is empty"),
        ("data:image/png;base64,aGk=", "image 1: illegal base64 data at input byte 4: leave out"),
        (encoded(b"hello there"), "image 1 is of no supported kind: images are PNG, JPEG, WebP, GIF or BMP"),
        (encoded(b"%PDF-1.7 ..."), "image 1 is of no supported kind"),
        (encoded(b"<svg xmlns=''/>"), "image 1 is of no supported kind"),
        (encoded(b"8BPS\0\1......"), "image 1 is of no supported kind"),
        (encoded(b"RIFF....WEBPVP8 "), "image 1 could not be decoded" if HAS_PILLOW else "image 1 is WebP: convert it to PNG or JPEG"),
        (encoded(b"RIFF....WAVEfmt "), '"llava" does not support sounds'),
        (encoded(png()[:20]), "image 1 could not be decoded"),
        (encoded(png()[:60]), "the image could not be decoded"),
        (encoded(large(0, 5)), "image 1 could not be decoded"),
        (encoded(large(60000, 60000)), "image 1 has 60000 x 60000 pixels, at most 50000000"),
        (encoded(large(100000, 1)), "image 1 has 100000 x 1 pixels"),
        (encoded(bomb()), "image 1 unpacks to more than its size"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(seeing: Daemon, image: str, why: str) -> None:
    assert refusal(seeing, image).startswith(why)
    assert said(chat(seeing, "llava", "What is this?", png()))


def test_nothing_but_texts_are_images(seeing: Daemon) -> None:
    for image in (None, 5, {}):
        assert "images" in refusal(seeing, image)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2), (1000, 1000)])
def test_odd_shapes_are_seen(seeing: Daemon, model: str, size: tuple[int, int]) -> None:
    response = seeing.post(
        "/api/chat",
        model=model,
        messages=[{"role": "user", "content": "?", "images": [encoded(png(*size))]}],
        stream=False,
        options={"num_predict": 2},
    )
    assert response.status_code in (200, 400), response.text
    if response.status_code == 400:
        assert "the prompt is too long" in response.json()["error"]


def test_a_blind_model_says_so(seeing: Daemon) -> None:
    assert (
        refusal(seeing, encoded(png()), model="tiny")
        == '"tiny" does not support images'
    )


def test_the_projector_of_another_model_is_named_and_texts_are_answered(
    seeing: Daemon,
) -> None:
    message = {"role": "user", "content": "What?", "images": [encoded(png())]}
    response = seeing.post("/api/chat", model="odd", messages=[message])
    assert response.status_code == 500
    assert "could not load the model's projector" in response.json()["error"]
    assert str(seeing.models) not in response.text
    assert said(chat(seeing, "odd", "hello"))


def test_a_model_that_sees_says_so(seeing: Daemon, model: str) -> None:
    assert seeing.post("/api/show", model=model).json()["capabilities"] == [
        "completion",
        "vision",
    ]


def damaged(rng: random.Random) -> bytes:
    """A picture with some bytes changed, cut or doubled."""
    data = bytearray(rng.choice([png(33, 21), bmp(20, 20), gif(30, 20), jpeg()]))
    for _ in range(rng.choice([1, 3, 20])):
        at = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randrange(20)]
            case 2:
                data[at:at] = data[at : at + rng.randrange(50)]
        data = data or bytearray(b"\x89")
    return bytes(data)


def storm(daemon: Daemon, count: int, seed: int) -> None:
    rng = random.Random(seed)
    pids = {runner.pid for runner in daemon.runners}
    for _ in range(count):
        message = {"role": "user", "content": "?", "images": [encoded(damaged(rng))]}
        response = daemon.post(
            "/api/chat",
            model=rng.choice([*KINDS]),
            messages=[message],
            stream=False,
            options={"num_predict": 1},
        )
        assert response.status_code in (200, 400), response.text
    assert pids <= {runner.pid for runner in daemon.runners}, "a runner died"


def test_damaged_pictures_bring_nothing_down(seeing: Daemon) -> None:
    for model in KINDS:
        chat(seeing, model, "hello")
    storm(seeing, 60, seed=0)


@pytest.mark.slow
def test_a_long_storm_of_damaged_pictures(seeing: Daemon) -> None:
    for model in KINDS:
        chat(seeing, model, "hello")
    storm(seeing, 3000, seed=1)
