"""Small GGUF files for tests: models that say a known script, random ones, an embedder.

    python -m scripts.make_gguf scripted hello.gguf --text "Hello!"
    python -m scripts.make_gguf random random.gguf
    python -m scripts.make_gguf embedder embedder.gguf

The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Tensors = dict[str, Matrix]
Sizes = dict[str, tuple[int, ...]]

CHATML = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
THINKING_CHATML = (
    CHATML
    + """\
{%- if add_generation_prompt and enable_thinking is false %}
{{- '<think>\\n\\n</think>\\n\\n' }}
{%- endif %}
"""
)

SCRIPTED_WIDTH = 256  # thousands of random codes of this width stay far apart
MIN_GAP = 60.0  # in logits: certain by this much is certain at any temperature


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes that a model's tensors follow from."""

    vocab: int
    context: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int


def write_scripted(
    path: Path,
    text: str,
    *,
    thinking: str = "",
    endless: bool = False,
    chat_template: str | None = None,
    context_length: int = 4096,
) -> None:
    """A llama that says `text` and ends its turn, whatever its prompt and sampling.

    With `endless` it starts again from the beginning instead.
    The template is ChatML if none is given; an empty one stays out of the file.

    Each token has one successor: whatever a prompt can end in leads to the script's
    first piece, each piece to the next, the last one to the end of the turn.
    Each token also has a random code. The embedding of a token is its successor's
    code, its output row is its own, and the layer between adds nothing.
    """
    script = f"<think>\n{thinking}\n</think>\n\n{text}" if thinking else text
    if chat_template is None:
        chat_template = THINKING_CHATML if thinking else CHATML
    pieces = cut(script.encode())
    tokens = [*PROMPT_TOKENS, *map(spell, pieces)]
    shape = Shape(
        vocab=len(tokens),
        context=context_length,
        width=SCRIPTED_WIDTH,
        layers=1,
        heads=4,
        kv_heads=1,
        ffn=32,
    )
    codes = _distinct_codes(len(tokens))
    tensors = _neutral_tensors(_llama_sizes(shape))
    tensors["token_embd.weight"] = codes[_successors(len(pieces), endless=endless)]
    tensors["output.weight"] = codes

    writer = _writer(path, "llama", shape)
    _add_llama(writer, shape, tokens, chat_template)
    _write(writer, tensors)


def write_random(
    path: Path,
    *,
    architecture: str = "llama",
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    vocab: int = 512,
    context_length: int = 2048,
    seed: int = 0,
) -> None:
    """A llama of random weights: its logits depend on every token of the context.

    Another `architecture` changes the name in the file, not the tensors.
    """
    words = (f"Ġw{n}" for n in range(vocab - len(PROMPT_TOKENS)))
    tokens = [*PROMPT_TOKENS, *words]
    shape = Shape(
        vocab=len(tokens),
        context=context_length,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        ffn=2 * width,
    )
    writer = _writer(path, architecture, shape)
    _add_llama(writer, shape, tokens, CHATML)
    _write(writer, _random_tensors(_llama_sizes(shape), seed))


def write_embedder(
    path: Path,
    *,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    context_length: int = 512,
    seed: int = 0,
) -> None:
    """A BERT of random weights with mean pooling, whose vocabulary is single letters.

    Texts that share most of their letters get similar vectors.
    """
    shape = Shape(
        vocab=len(BERT_TOKENS),
        context=context_length,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        ffn=2 * width,
    )
    writer = _writer(path, "bert", shape)
    _add_bert(writer)
    _write(writer, _random_tensors(_bert_sizes(shape), seed))


def cut(script: bytes) -> list[bytes]:
    """Cut a script into pieces that all differ and are longer than a byte.

    As in LZ78: each is the shortest start of the rest that was not a piece before.
    Characters of several bytes may be cut apart, as they are by real tokenizers.
    """
    pieces: list[bytes] = []
    seen = {bytes([byte]) for byte in range(256)}
    start = 0
    for end in range(1, len(script) + 1):
        piece = script[start:end]
        if piece not in seen:
            seen.add(piece)
            pieces.append(piece)
            start = end
    if rest := script[start:]:
        if not pieces:
            raise ValueError("a script of one byte cannot be told from a prompt")
        pieces[-1] += rest  # still unique: no other piece starts with the last one
    return pieces


_PLAIN = [*range(33, 127), *range(161, 173), *range(174, 256)]
_STAND_INS = {byte: 256 + n for n, byte in enumerate(sorted({*range(256)} - {*_PLAIN}))}


def spell(piece: bytes) -> str:
    """Bytes in the printable characters that GPT-2's vocabularies write them in."""
    return piece.decode("latin-1").translate(_STAND_INS)


CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
END_OF_TEXT, END_OF_TURN = 0, 2
PROMPT_TOKENS = [*CONTROLS, *spell(bytes(range(256)))]

BERT_CONTROLS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_LETTERS = string.ascii_lowercase + string.digits + string.punctuation
# "▁" marks the start of a word; in BERT's own files "##" marks the rest instead
BERT_TOKENS = [*BERT_CONTROLS, *(f"▁{letter}" for letter in _LETTERS), *_LETTERS]


def _successors(num_pieces: int, *, endless: bool) -> list[int]:
    """The token that follows each token of a script's vocabulary."""
    first = len(PROMPT_TOKENS)
    chain = [*range(first, first + num_pieces), END_OF_TURN]
    if endless:
        chain[-1] = chain[0]
    return [chain[0]] * first + chain[1:]


def _distinct_codes(count: int) -> Matrix:
    """Rows of ±1, as far apart as chance makes them."""
    bits = np.random.default_rng(0).integers(0, 2, (count, SCRIPTED_WIDTH))
    codes = (2 * bits - 1).astype(np.float32)
    likeness = codes @ codes.T
    np.fill_diagonal(likeness, 0)
    assert SCRIPTED_WIDTH - likeness.max() >= MIN_GAP
    return codes


def _llama_sizes(shape: Shape) -> Sizes:
    width, ffn = shape.width, shape.ffn
    kv_width = width // shape.heads * shape.kv_heads
    sizes: Sizes = {
        "token_embd.weight": (shape.vocab, width),
        "output_norm.weight": (width,),
        "output.weight": (shape.vocab, width),
    }
    for layer in range(shape.layers):
        sizes |= {
            f"blk.{layer}.attn_norm.weight": (width,),
            f"blk.{layer}.attn_q.weight": (width, width),
            f"blk.{layer}.attn_k.weight": (kv_width, width),
            f"blk.{layer}.attn_v.weight": (kv_width, width),
            f"blk.{layer}.attn_output.weight": (width, width),
            f"blk.{layer}.ffn_norm.weight": (width,),
            f"blk.{layer}.ffn_gate.weight": (ffn, width),
            f"blk.{layer}.ffn_up.weight": (ffn, width),
            f"blk.{layer}.ffn_down.weight": (width, ffn),
        }
    return sizes


def _bert_sizes(shape: Shape) -> Sizes:
    width, ffn = shape.width, shape.ffn
    sizes: Sizes = {
        "token_embd.weight": (shape.vocab, width),
        "position_embd.weight": (shape.context, width),
        "token_embd_norm.weight": (width,),
        "token_embd_norm.bias": (width,),
    }
    for layer in range(shape.layers):
        sizes |= {
            f"blk.{layer}.attn_q.weight": (width, width),
            f"blk.{layer}.attn_k.weight": (width, width),
            f"blk.{layer}.attn_v.weight": (width, width),
            f"blk.{layer}.attn_output.weight": (width, width),
            f"blk.{layer}.attn_output_norm.weight": (width,),
            f"blk.{layer}.attn_output_norm.bias": (width,),
            f"blk.{layer}.ffn_up.weight": (ffn, width),
            f"blk.{layer}.ffn_down.weight": (width, ffn),
            f"blk.{layer}.layer_output_norm.weight": (width,),
            f"blk.{layer}.layer_output_norm.bias": (width,),
        }
    return sizes


def _neutral_tensors(sizes: Sizes) -> Tensors:
    """Tensors that change nothing on the way: norms of one, all else zero."""
    return {
        name: np.full(size, name.endswith("norm.weight"), np.float32)
        for name, size in sizes.items()
    }


def _random_tensors(sizes: Sizes, seed: int) -> Tensors:
    """Neutral norms and biases, and matrices that keep a vector's length."""
    rng = np.random.default_rng(seed)
    tensors = _neutral_tensors(sizes)
    for name, size in sizes.items():
        if len(size) == 2:
            weights = rng.standard_normal(size, np.float32)
            tensors[name] = weights / np.sqrt(np.float32(size[1]))
    return tensors


def _writer(path: Path, architecture: str, shape: Shape) -> Any:
    """A GGUF writer that holds the metadata all architectures have."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(shape.vocab)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_feed_forward_length(shape.ffn)
    return writer


def _add_llama(
    writer: Any, shape: Shape, tokens: list[str], chat_template: str
) -> None:
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    _add_tokens(writer, tokens, num_controls=len(CONTROLS))
    writer.add_token_merges(["no merges"])  # llama.cpp wants some; this never applies
    writer.add_bos_token_id(END_OF_TEXT)
    writer.add_eos_token_id(END_OF_TURN)
    writer.add_add_bos_token(False)
    if chat_template:
        writer.add_chat_template(chat_template)


def _add_bert(writer: Any) -> None:
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_tokenizer_model("bert")
    writer.add_token_type_count(1)
    _add_tokens(writer, BERT_TOKENS, num_controls=len(BERT_CONTROLS))
    writer.add_pad_token_id(BERT_CONTROLS.index("[PAD]"))
    writer.add_unk_token_id(BERT_CONTROLS.index("[UNK]"))
    writer.add_bos_token_id(BERT_CONTROLS.index("[CLS]"))
    writer.add_sep_token_id(BERT_CONTROLS.index("[SEP]"))
    writer.add_mask_token_id(BERT_CONTROLS.index("[MASK]"))


def _add_tokens(writer: Any, tokens: list[str], *, num_controls: int) -> None:
    """Add a vocabulary that begins with its control tokens."""
    num_others = len(tokens) - num_controls
    kinds = [gguf.TokenType.CONTROL] * num_controls
    writer.add_token_list(tokens)
    writer.add_token_types(kinds + [gguf.TokenType.NORMAL] * num_others)


def _write(writer: Any, tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        stored_as = np.float16 if tensor.ndim == 2 else np.float32
        writer.add_tensor(name, tensor.astype(stored_as))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(required=True, metavar="kind")

    scripted = kinds.add_parser("scripted", help="says a text, whatever it is asked")
    scripted.set_defaults(write=write_scripted)
    scripted.add_argument("path", type=Path)
    scripted.add_argument("--text", required=True)
    scripted.add_argument("--thinking", default="", help="said first, in <think>")
    scripted.add_argument("--endless", action="store_true", help="never stop")

    random = kinds.add_parser("random", help="a llama of random weights")
    random.set_defaults(write=write_random)
    embedder = kinds.add_parser("embedder", help="a BERT of random weights")
    embedder.set_defaults(write=write_embedder)
    for kind in (random, embedder):
        kind.add_argument("path", type=Path)
        kind.add_argument("--seed", type=int, default=0)

    arguments = vars(parser.parse_args())
    arguments.pop("write")(**arguments)


if __name__ == "__main__":
    main()
