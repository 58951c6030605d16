"""Train the tiny model on the CPU and write it as GGUF.

    pip install torch tokenizers jinja2 gguf numpy
    python scripts/tiny/train.py --minutes 90 --out tiny-f16.gguf

A Llama architecture of about 3.5 million weights (grouped-query attention, tied embeddings, 2,048 byte-level BPE tokens),
trained on conversations made up on the fly by corpus.py and rendered through chat_template.jinja, the same template
that the file carries. Shapes are multiples of 256, so every K-quant type can be made from it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import corpus
import gguf
import jinja2
import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn

HERE = Path(__file__).parent
SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
]
MARKERS = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
VOCAB, WIDTH, LAYERS, HEADS, KV_HEADS, HIDDEN, CONTEXT = 2048, 256, 4, 8, 2, 768, 4096
ROW, ROWS = 320, 12
THETA = 10000.0

env = jinja2.Environment()
env.filters["tojson"] = lambda v, **_: json.dumps(v, ensure_ascii=False)
TEMPLATE = env.from_string((HERE / "chat_template.jinja").read_text())


def as_message(turn: corpus.Turn) -> dict:
    message: dict = {"role": turn.role, "content": turn.content}
    if turn.calls:
        message["tool_calls"] = [
            {"type": "function", "function": call} for call in turn.calls
        ]
    return message


def example(r: random.Random) -> tuple[str, str]:
    """One (prompt, answer) pair."""
    if r.random() < 0.04:
        prompt, marker, answer = corpus.infill(r).partition("<|fim_middle|>")
        return prompt + marker, answer
    chat = corpus.chat(r)
    answers = [i for i, turn in enumerate(chat.turns) if turn.role == "assistant"]
    at = r.choice(answers)
    turn, thinking = chat.turns[at], r.random() < 0.5
    prompt = TEMPLATE.render(
        messages=[as_message(t) for t in chat.turns[:at]],
        tools=chat.tools or None,
        add_generation_prompt=True,
        enable_thinking=thinking,
    )
    answer = f"<think>\n{turn.thought}\n</think>\n\n" if thinking else ""
    answer += turn.content + "".join(
        f"<tool_call>{json.dumps(c, ensure_ascii=False)}</tool_call>"
        for c in turn.calls
    )
    return prompt, answer + "<|im_end|>"


def make_tokenizer() -> Tokenizer:
    """The tokenizer beside this file; made from the corpus where there is none (weights belong to their tokenizer)."""
    saved = HERE / "tokenizer.json"
    if saved.exists():
        return Tokenizer.from_file(str(saved))
    r = random.Random(1)
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=SPECIAL + MARKERS,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tok.train_from_iterator(("".join(example(r)) for _ in range(20000)), trainer)
    tok.save(str(saved))
    return tok


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        head = WIDTH // HEADS
        self.attn_norm, self.ffn_norm = nn.RMSNorm(WIDTH, 1e-5), nn.RMSNorm(WIDTH, 1e-5)
        self.attn_q = nn.Linear(WIDTH, WIDTH, False)
        self.attn_k = nn.Linear(WIDTH, KV_HEADS * head, False)
        self.attn_v = nn.Linear(WIDTH, KV_HEADS * head, False)
        self.attn_output = nn.Linear(WIDTH, WIDTH, False)
        self.ffn_gate = nn.Linear(WIDTH, HIDDEN, False)
        self.ffn_up = nn.Linear(WIDTH, HIDDEN, False)
        self.ffn_down = nn.Linear(HIDDEN, WIDTH, False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        b, t, _ = x.shape
        h = self.attn_norm(x)
        q = rotate(self.attn_q(h).view(b, t, HEADS, -1).transpose(1, 2), cos, sin)
        k = rotate(self.attn_k(h).view(b, t, KV_HEADS, -1).transpose(1, 2), cos, sin)
        v = self.attn_v(h).view(b, t, KV_HEADS, -1).transpose(1, 2)
        k, v = (z.repeat_interleave(HEADS // KV_HEADS, 1) for z in (k, v))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_output(a.transpose(1, 2).reshape(b, t, WIDTH))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class Llama(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token_embd = nn.Embedding(VOCAB, WIDTH)
        self.blk = nn.ModuleList(Block() for _ in range(LAYERS))
        self.output_norm = nn.RMSNorm(WIDTH, 1e-5)
        head = WIDTH // HEADS
        angle = torch.arange(1024)[:, None] * THETA ** (
            -torch.arange(0, head, 2) / head
        )
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        h, t = self.token_embd(ids), ids.shape[1]
        for block in self.blk:
            h = block(h, self.cos[:t], self.sin[:t])
        return self.output_norm(h) @ self.token_embd.weight.T


def rows(tok: Tokenizer, r: random.Random, count: int) -> tuple[Tensor, Tensor]:
    """Packed token rows and the weight of each token's loss (answers count fully, prompts a little)."""
    ids, weights = [], []
    for _ in range(count):
        row: list[int] = []
        weight: list[float] = []
        while len(row) <= ROW:
            prompt, answer = example(r)
            p, a = tok.encode(prompt).ids, tok.encode(answer).ids
            row += p + a + [0]
            weight += [0.1] * len(p) + [1.0] * len(a) + [0.0]
        ids.append(row[: ROW + 1])
        weights.append(weight[: ROW + 1])
    return torch.tensor(ids), torch.tensor(weights)


@torch.no_grad()
def accuracy(model: Llama, tok: Tokenizer, n: int = 60) -> float:
    """Share of unseen examples whose greedy answer is right to the letter (jokes and stories left out)."""
    r, right, seen = random.Random(999), 0, 0
    end = tok.token_to_id("<|im_end|>")
    while seen < n:
        prompt, answer = example(r)
        if any(w in prompt for w in ("joke", "laugh", "tory", "fim_")):
            continue
        seen += 1
        ids = tok.encode(prompt).ids[-700:]
        want = tok.encode(answer).ids
        for _ in range(len(want)):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
            if ids[-1] == end:
                break
        right += ids[-len(want) :] == want
    return right / n


def export(model: Llama, tok: Tokenizer, path: Path) -> None:
    w = gguf.GGUFWriter(str(path), "llama")
    w.add_name("Tiny")
    w.add_basename("tiny")
    w.add_size_label("3.5M")
    w.add_license("mit")
    w.add_description("A very small chat model for demonstrations and tests")
    w.add_context_length(CONTEXT)
    w.add_embedding_length(WIDTH)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(HIDDEN)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_freq_base(THETA)
    w.add_rope_dimension_count(WIDTH // HEADS)
    w.add_vocab_size(VOCAB)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    spec = json.loads(tok.to_str())["model"]
    tokens = [t for t, _ in sorted(spec["vocab"].items(), key=lambda kv: kv[1])]
    kinds = dict.fromkeys(SPECIAL, gguf.TokenType.CONTROL)
    kinds |= dict.fromkeys(MARKERS, gguf.TokenType.USER_DEFINED)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types([kinds.get(t, gguf.TokenType.NORMAL) for t in tokens])
    w.add_token_merges(
        [m if isinstance(m, str) else " ".join(m) for m in spec["merges"]]
    )
    w.add_eos_token_id(tok.token_to_id("<|im_end|>"))
    w.add_pad_token_id(tok.token_to_id("<|endoftext|>"))
    w.add_add_bos_token(False)
    for name in ("prefix", "suffix", "middle"):
        number = tok.token_to_id(f"<|fim_{name}|>")
        w.add_uint32(f"tokenizer.ggml.fim_{name[:3]}_token_id", number)
    w.add_chat_template((HERE / "chat_template.jinja").read_text())
    for name, value in model.state_dict().items():
        a = value.float().numpy()
        w.add_tensor(name, a if a.ndim == 1 else a.astype(np.float16))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def rate_factor(step: int, done: float) -> float:
    """The learning rate over its peak: a warm-up, then half a cosine down to 2 %."""
    cosine = 0.5 + 0.5 * math.cos(math.pi * done)
    return min(1, (step + 1) / 100) * (0.02 + 0.98 * cosine)


def save(model: Llama, tok: Tokenizer, out: Path) -> None:
    torch.save(model.state_dict(), out.with_suffix(".pt"))
    export(model, tok, out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path("tiny-f16.gguf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--peak",
        type=float,
        default=2e-3,
        help="highest learning rate; less when resuming",
    )
    parser.add_argument(
        "--resume",
        type=Path,
        help="start from these weights (written beside --out as .pt)",
    )
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    tok, r = make_tokenizer(), random.Random(args.seed)
    assert tok.get_vocab_size() == VOCAB, tok.get_vocab_size()
    model = Llama()
    if args.resume:
        model.load_state_dict(torch.load(args.resume))
    weights = sum(p.numel() for p in model.parameters())
    print(f"{weights / 1e6:.2f} M weights", flush=True)
    # about five times faster on a CPU, after two minutes of compiling
    forward = torch.compile(model)
    opt = torch.optim.AdamW(
        model.parameters(), lr=args.peak, betas=(0.9, 0.95), weight_decay=0.05
    )
    started, step, saved = time.monotonic(), 0, 0.0
    while (done := (time.monotonic() - started) / 60 / args.minutes) < 1:
        for group in opt.param_groups:
            group["lr"] = args.peak * rate_factor(step, done)
        ids, weight = rows(tok, r, ROWS)
        loss = F.cross_entropy(
            forward(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        )
        weight = weight[:, 1:].flatten()
        loss = (loss * weight).sum() / weight.sum()
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        step += 1
        if step % 100 == 0:
            rate = step * ROWS * ROW / (time.monotonic() - started)
            print(
                f"step {step} loss {loss.item():.4f} {rate:.0f} tok/s {done:.0%}",
                flush=True,
            )
        if done - saved > 0.34:
            saved = done
            print(f"accuracy {accuracy(model, tok, 12):.2f}", flush=True)
            save(model, tok, args.out)
    save(model, tok, args.out)
    print(f"accuracy {accuracy(model, tok, 50):.3f}", flush=True)


if __name__ == "__main__":
    main()
