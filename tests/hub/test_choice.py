"""Which files of a repository a name means."""

from __future__ import annotations

import pytest

from ollapy.errors import OllapyError
from ollapy.hub.listing import Listing, RepoFile
from ollapy.hub.plan import chosen
from ollapy.names import Digest, ModelName

DIGEST = Digest("ab" * 32)


def found(tag: str, *paths: str, repository: str = "Qwen3-8B-GGUF") -> list[str]:
    """The paths of the weights, then that of the projector, of `hf.co/ann/<repository>:<tag>`."""
    files = {path: RepoFile(path, 7, DIGEST) for path in paths}
    name = ModelName.parse(f"hf.co/ann/{repository}:{tag}".rstrip(":"))
    listing = Listing(f"ann/{repository}", "c" * 40, files)
    weights, projector = chosen(name, listing)
    return weights.paths + (projector.paths if projector else [])


def files_of(*quants: str, model: str = "Qwen3-8B") -> list[str]:
    return ["README.md", *(f"{model}-{quant}.gguf" for quant in quants)]


@pytest.mark.parametrize(
    ("quants", "best"),
    [
        ("Q8_0 Q4_K_M Q4_K_S Q5_K_M F16", "Q4_K_M"),
        ("Q8_0 Q4_K_S Q5_K_M", "Q4_K_S"),
        ("Q4_0 IQ4_XS Q8_0", "IQ4_XS"),
        ("Q8_0 Q5_K_M Q6_K", "Q5_K_M"),
        ("Q8_0 Q6_K Q3_K_M", "Q6_K"),
        ("Q2_K Q3_K_M F16", "Q3_K_M"),
        ("BF16 Q2_K", "BF16"),
        ("F32 F16", "F16"),
        ("Q4_0_4_4 Q8_0", "Q8_0"),
        ("UD-Q4_K_XL Q4_K_M", "Q4_K_M"),
        ("MXFP4", "MXFP4"),
    ],
)
def test_without_a_tag_it_is_the_nearest_to_q4_k_m(quants: str, best: str) -> None:
    assert found("", *files_of(*quants.split())) == [f"Qwen3-8B-{best}.gguf"]


@pytest.mark.parametrize(
    ("tag", "quant"),
    [
        ("Q8_0", "Q8_0"),
        ("q8_0", "Q8_0"),
        ("fp16", "F16"),
        ("Q4_K_XL", "UD-Q4_K_XL"),
        ("qwen3-8b-q8_0", "Q8_0"),
        ("Qwen3-8B-Q8_0.gguf", "Q8_0"),
        ("latest", "Q4_K_M"),
    ],
)
def test_a_tag_is_a_quantisation_or_a_file(tag: str, quant: str) -> None:
    files = files_of("Q4_K_M", "Q8_0", "F16", "UD-Q4_K_XL")

    assert found(tag, *files) == [f"Qwen3-8B-{quant}.gguf"]


def test_a_tag_that_fits_nothing_is_told_what_there_is() -> None:
    with pytest.raises(OllapyError) as caught:
        found("Q3_K_M", *files_of("Q4_K_M", "Q8_0"))

    assert str(caught.value) == (
        "'ann/Qwen3-8B-GGUF' has no 'Q3_K_M', it has Q4_K_M, Q8_0"
    )


def test_the_parts_of_a_split_file_in_order() -> None:
    parts = [f"Q8_0/big-Q8_0-0000{n}-of-00003.gguf" for n in (3, 1, 2)]

    assert found("Q8_0", *parts, "big-Q2_K.gguf") == sorted(parts)
    assert found("big-Q8_0-00002-of-00003.gguf", *parts) == sorted(parts)
    with pytest.raises(OllapyError, match="has only 2 of the 3 parts of 'big-Q8_0'"):
        found("Q8_0", *parts[:2])


def test_a_projector_comes_with_the_weights() -> None:
    files = files_of("Q4_K_M", "Q8_0", "mmproj")
    projectors = ["mmproj-Qwen3-8B-Q8_0.gguf", "mmproj-Qwen3-8B-F16.gguf"]

    assert found("", *files, *projectors) == [
        "Qwen3-8B-Q4_K_M.gguf",
        "mmproj-Qwen3-8B-F16.gguf",
    ]
    with pytest.raises(OllapyError, match="is a projector, not a model"):
        found("mmproj-Qwen3-8B-F16", *files, *projectors)


def test_measurements_and_drafts_are_no_models() -> None:
    others = ["imatrix.gguf", "Qwen3-8B-draft-Q4_K_M.gguf", "mtp-Qwen3-8B-Q4_K_M.gguf"]

    assert found("", *others, "Qwen3-8B-Q8_0.gguf") == ["Qwen3-8B-Q8_0.gguf"]
    with pytest.raises(OllapyError, match="has no GGUF file that is a model"):
        found("", "imatrix.gguf", "README.md")


def test_several_models_in_one_repository() -> None:
    """The one that the repository is named for; where that says nothing, the user has to."""
    both = [
        *files_of("Q4_K_M"),
        *files_of("Q4_K_M", model="Llama-3.2-1B"),
    ]

    assert found("", *both) == ["Qwen3-8B-Q4_K_M.gguf"]
    assert found("Llama-3.2-1B-Q4_K_M.gguf", *both) == ["Llama-3.2-1B-Q4_K_M.gguf"]
    with pytest.raises(OllapyError) as caught:
        found("", *both, repository="all-models")
    assert str(caught.value) == (
        "'ann/all-models' holds several models, name the file: "
        "Llama-3.2-1B-Q4_K_M.gguf, Qwen3-8B-Q4_K_M.gguf"
    )


def test_safetensors_alone_are_told_where_to_go() -> None:
    with pytest.raises(OllapyError, match="only safetensors: look for a repository"):
        found("", "model.safetensors", "config.json")


def test_names_of_files_are_safe_to_show() -> None:
    with pytest.raises(OllapyError) as caught:
        found("Q3_K_M", "a\x1b[31m.gguf", "b\n.gguf")

    assert str(caught.value).isprintable()
