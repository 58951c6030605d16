"""Models of other programs: found, used where they are, and left as they are."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from ollapy import catalog
from ollapy.api.ollama import Progress
from ollapy.errors import OllapyError
from ollapy.names import ModelName
from ollapy.neighbours import Neighbours
from ollapy.operation import Operation
from ollapy.pulling import Puller
from ollapy.settings import Settings
from ollapy.store import Store
from tests.support import judge
from tests.support.hub import Repo, running_hub
from tests.support.offer import digest, offer
from tests.support.others import Others
from tests.support.raw_gguf import model, model_rows, text, weights, write

WEIGHTS, BIG = weights(), weights(200_000, seed=1)
PROJECTOR = write({"general.architecture": text("clip")}, model_rows())
OFFER = offer(
    config=b'{"model_format":"gguf","model_family":"llama","model_type":"7B","file_type":"Q4_K_M"}',
    model=WEIGHTS,
    projector=PROJECTOR,
    template=b"{{ .Prompt }}",
)
NAME = "hf.co/ann/Tiny-GGUF:Q8_0"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries as ever, but at once."""
    monkeypatch.setattr("ollapy.net.retry._MAX_DELAY", 0.01)


def settings(others: Others, **env: str) -> Settings:
    models = others.home.parent / "models"
    own = {"OLLAPY_MODELS": str(models), "HF_ENDPOINT": os.environ["HF_ENDPOINT"]}
    return Settings.from_env({"HOME": str(others.home), **own, **env})


def pull(
    others: Others, name: str, *, local: bool = True, **env: str
) -> list[Progress]:
    """Also a check that nothing of theirs was touched."""
    records: list[Progress] = []
    own, before = settings(others, **env), others.state()
    puller = Puller(Store(own.models), own)
    try:
        puller.pull(ModelName.parse(name), Operation(records.append), local=local)
    finally:
        assert others.state() == before
    judge.check_sound(own.models)
    return records


def refusal(others: Others, name: str, *, local: bool = True, **env: str) -> str:
    with pytest.raises(OllapyError) as caught:
        pull(others, name, local=local, **env)
    assert judge.manifests(settings(others).models) == {}
    assert str(others.home) not in str(caught.value)
    return str(caught.value)


def layers(others: Others) -> list[dict[str, object]]:
    (found,) = judge.manifests(settings(others).models).values()
    made: list[dict[str, object]] = json.loads(found)["layers"]
    return made


def listed(others: Others) -> list[tuple[str, str, int, str]]:
    """Name, owner, size and quantisation of all."""
    return sorted(
        (str(m.name), m.owner, m.size, m.config.file_type)
        for m in Neighbours(settings(others)).models()
    )


def is_copied(others: Others, data: bytes, path: Path) -> bool:
    """Whether the store has the bytes once more, so far as the disk can tell."""
    blob = settings(others).models / "blobs" / digest(data).replace(":", "-")
    return blob.exists() and not blob.samefile(path)


# ---- what there is


def test_all_are_listed(others: Others) -> None:
    others.add_to_ollama("seven", OFFER)
    others.add_to_ollama("hf.co/bob/Other-GGUF:Q4_0", OFFER)
    others.add_to_cache(
        "ann/Tiny-GGUF", Tiny__Q8_0=WEIGHTS, mmproj__Tiny__F16=PROJECTOR
    )
    others.add_to_lm_studio("eve/Big-GGUF", Big__Q4_K_M=BIG, Big__Q8_0=WEIGHTS)
    both = len(WEIGHTS) + len(PROJECTOR)

    assert listed(others) == [
        ("hf.co/ann/Tiny-GGUF:Q8_0", "Hugging Face", both, "Q8_0"),
        ("hf.co/bob/Other-GGUF:Q4_0", "Ollama", both, "Q4_K_M"),
        ("hf.co/eve/Big-GGUF:Q4_K_M", "LM Studio", len(BIG), "Q4_K_M"),
        ("hf.co/eve/Big-GGUF:Q8_0", "LM Studio", len(WEIGHTS), "Q8_0"),
        ("seven:latest", "Ollama", both, "Q4_K_M"),
    ]


def test_the_first_of_namesakes_is_listed(others: Others) -> None:
    others.add_to_cache("ann/Tiny-GGUF", Tiny__Q8_0=WEIGHTS)
    others.add_to_lm_studio("ann/Tiny-GGUF", Tiny__Q8_0=BIG)

    assert listed(others) == [(NAME, "Hugging Face", len(WEIGHTS), "Q8_0")]


def test_an_own_store_is_no_neighbour(others: Others) -> None:
    others.add_to_ollama("seven", OFFER)
    shared = settings(others, OLLAPY_MODELS=str(others.ollama))

    assert Neighbours(shared).models() == []


def test_every_snapshot_is_looked_at(others: Others) -> None:
    """What was downloaded before the repository's last change is still there."""
    others.add_to_cache("ann/Tiny-GGUF", "1" * 40, Tiny__Q8_0=BIG)
    others.add_to_cache("ann/Tiny-GGUF", "2" * 40, Tiny__Q4_0=WEIGHTS)

    assert [name for name, *_ in listed(others)] == [
        "hf.co/ann/Tiny-GGUF:Q4_0",
        "hf.co/ann/Tiny-GGUF:Q8_0",
    ]


# ---- what is used


@pytest.mark.parametrize("owner", ["Ollama", "Hugging Face", "LM Studio"])
def test_it_is_used_where_it_is(others: Others, owner: str) -> None:
    """Without a hub, without a copy; and removed, it is there as before."""
    match owner:
        case "Ollama":
            one = offer(model=WEIGHTS, template=b"{{ .Prompt }}")
            path = others.add_to_ollama(NAME, one)[1]
        case "Hugging Face":
            path = others.add_to_cache("ann/Tiny-GGUF", Tiny__Q8_0=WEIGHTS)
        case _:
            path = others.add_to_lm_studio("ann/Tiny-GGUF", Tiny__Q8_0=WEIGHTS)
    path = path if path.is_file() else path / "Tiny-Q8_0.gguf"

    records = pull(others, NAME)

    assert any(r.status.startswith(f"using {owner}'s copy of ") for r in records)
    assert layers(others)[0]["digest"] == digest(WEIGHTS)
    assert not is_copied(others, WEIGHTS, path)
    before = others.state()
    Store(settings(others).models).delete(ModelName.parse(NAME))
    assert others.state() == before


def test_ollamas_model_comes_as_it_is(others: Others) -> None:
    """With its manifest, and so under its ID."""
    others.add_to_ollama("seven", OFFER)
    pull(others, "Seven")

    assert [*judge.manifests(settings(others).models).values()] == [OFFER.data]


@pytest.mark.parametrize("host", ["hf.co", "huggingface.co"])
def test_the_hub_has_two_names(others: Others, host: str) -> None:
    others.add_to_ollama(NAME, OFFER)

    pull(others, NAME.replace("hf.co", host))

    assert [*judge.manifests(settings(others).models)] == [
        f"manifests/{host}/ann/Tiny-GGUF/Q8_0"
    ]


def test_a_projector_comes_along(others: Others) -> None:
    others.add_to_lm_studio(
        "ann/Tiny-GGUF", Tiny__Q8_0=WEIGHTS, mmproj__Tiny__F16=PROJECTOR
    )
    pull(others, NAME)

    assert [layer["digest"] for layer in layers(others)] == [
        digest(WEIGHTS),
        digest(PROJECTOR),
    ]


def test_a_name_of_the_catalog_is_found_in_the_cache(others: Others) -> None:
    """With what the catalog says beside it."""
    entry = catalog.find(ModelName.parse("qwen2.5:0.5b"))
    assert entry
    repository = f"{entry.source.namespace}/{entry.source.model}"
    others.add_to_cache(repository, **{f"It__{entry.source.tag}": WEIGHTS})

    pull(others, "qwen2.5:0.5b")

    kinds = [str(la["mediaType"]).rpartition(".")[2] for la in layers(others)]
    assert kinds[0] == "model"
    assert set(kinds[1:]) == {"system", "license", "params"} & set(kinds)
    assert len(kinds) > 1


@pytest.mark.parametrize("owner", ["Ollama", "Hugging Face", "LM Studio"])
def test_what_they_have_is_not_downloaded(
    others: Others, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull that asks the hub, too, takes from them the files that are the hub's."""
    match owner:
        case "Ollama":
            others.add_to_ollama("other", OFFER)
        case "Hugging Face":
            others.add_to_cache("bob/Elsewhere", x=WEIGHTS)
        case _:
            others.add_to_lm_studio("ann/Tiny-GGUF", same__size=BIG, x=WEIGHTS)
    with running_hub(Repo("ann/Tiny-GGUF", {"Tiny-Q8_0.gguf": WEIGHTS})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        pull(others, NAME, local=False)

    assert hub.cdn.asked == []
    assert layers(others)[0]["digest"] == digest(WEIGHTS)


# ---- what is not


@pytest.mark.parametrize("owner", ["Ollama", "Hugging Face", "LM Studio"])
def test_a_damaged_copy_is_downloaded_instead(
    others: Others, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the right size, and the right name where names are digests."""
    bad = WEIGHTS[:-1] + b"!"
    match owner:
        case "Ollama":
            others.add_to_ollama("other", OFFER)[1].write_bytes(bad)
        case "Hugging Face":
            file = others.add_to_cache("bob/Elsewhere", x=WEIGHTS) / "x.gguf"
            file.resolve().write_bytes(bad)
        case _:
            others.add_to_lm_studio("ann/Tiny-GGUF", x=bad)
    with running_hub(Repo("ann/Tiny-GGUF", {"Tiny-Q8_0.gguf": WEIGHTS})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        records = pull(others, NAME, local=False)

    assert hub.cdn.served == len(WEIGHTS)
    counts = [r.completed for r in records if r.digest == digest(WEIGHTS)]
    assert counts == sorted(counts)
    assert counts[-1] == len(WEIGHTS)


def test_a_damaged_copy_alone_is_no_model(others: Others) -> None:
    file = others.add_to_cache("ann/Tiny-GGUF", Tiny__Q8_0=WEIGHTS) / "Tiny-Q8_0.gguf"
    file.resolve().write_bytes(WEIGHTS[:-1] + b"!")

    assert refusal(others, NAME) == (
        "the model of the other program's copy is damaged, 'ollapy pull' downloads one"
    )


def test_models_of_ollamas_that_are_not_whole(
    others: Others, caplog: pytest.LogCaptureFixture
) -> None:
    """A blob is missing, short, a link, or text that is none; a manifest is none. The others are there."""
    for number in range(4):
        part = offer(model=weights(seed=number + 7), system=b"%d" % number)
        config, blob, system = others.add_to_ollama(f"bad:{number}", part)
        match number:
            case 0:
                blob.unlink()
            case 1:
                blob.write_bytes(WEIGHTS[:-1])
            case 2:
                blob.rename(others.home / "moved")
                blob.symlink_to(others.home / "moved")
            case 3:
                system.unlink()
        assert config.exists()
    strange = others.add_to_ollama("bad:config", offer(config=b"{", model=BIG))
    manifest = others.ollama / "manifests/registry.ollama.ai/library/bad/manifest"
    manifest.write_bytes(b"{")
    others.add_to_ollama("good", OFFER)
    caplog.set_level(logging.INFO)

    assert strange
    assert [name for name, *_ in listed(others)] == ["good:latest"]
    for bad in ("bad:0", "bad:1", "bad:2", "bad:3", "bad:config", "bad:manifest"):
        assert bad in caplog.text


def test_files_that_are_no_models(
    others: Others, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever lies about hides nothing, blocks nobody, and is not gone into without end."""
    folder = others.add_to_lm_studio("ann/Tiny-GGUF", Tiny__Q8_0=WEIGHTS)
    (folder / "text.gguf").write_bytes(b"no model")
    (folder / "empty.gguf").touch()
    (folder / "folder.gguf").mkdir()
    (folder / "gone.gguf").symlink_to("nowhere")
    (folder / "secret.gguf").symlink_to("/etc/passwd")
    (folder.parent / "Round").symlink_to(folder.parent)
    (folder / "circle.gguf").symlink_to("circle.gguf")
    os.mkfifo(folder / "pipe.gguf")
    (others.lm_studio / "a file").touch()
    (others.cache / "models--ann").mkdir(parents=True)
    (others.cache / "models--ann--x" / "refs" / "main").mkdir(parents=True)
    caplog.set_level(logging.INFO)

    assert [name for name, *_ in listed(others)] == [
        NAME.replace("Tiny-GGUF", "Round"),  # what is behind a link is there too
        NAME,
    ]
    for name in ("text.gguf", "empty.gguf", "gone.gguf", "secret.gguf", "circle.gguf"):
        assert name in caplog.text


def test_a_link_to_a_model_elsewhere_is_followed(
    others: Others, tmp_path: Path
) -> None:
    """Many keep their files on another disk, and links in LM Studio's folder."""
    elsewhere = tmp_path / "disk.gguf"
    elsewhere.write_bytes(WEIGHTS)
    folder = others.lm_studio / "ann" / "Tiny-GGUF"
    folder.mkdir(parents=True)
    (folder / "Tiny-Q8_0.gguf").symlink_to(elsewhere)

    pull(others, NAME)

    assert not is_copied(others, WEIGHTS, elsewhere)
    assert elsewhere.read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"general.architecture": text("gptoss")}, "no architecture 'gptoss'"),
        ({"general.type": text("adapter")}, "it is an addition to a model"),
    ],
)
def test_what_llama_cpp_cannot_run_says_so(
    others: Others, changes: dict[str, bytes], reason: str
) -> None:
    """Before it is read, and with what can be had in its place."""
    others.add_to_ollama("gpt-oss:20b", offer(model=model(changes)))

    sentence = refusal(others, "gpt-oss:20b")

    assert sentence.startswith("Ollama's copy of 'gpt-oss:20b' cannot be run by llama")
    assert reason in sentence
    assert sentence.endswith("; 'ollapy pull gpt-oss:20b' brings one that can")
    assert not (settings(others).models / "blobs").exists()


def test_a_pull_that_fails_says_who_has_it(others: Others) -> None:
    others.add_to_cache("ann/Tiny-GGUF", Tiny__Q8_0=WEIGHTS)

    assert refusal(others, NAME, local=False).endswith(
        f"; Hugging Face has it on this machine, 'ollapy pull --local {NAME}' uses that"
    )
