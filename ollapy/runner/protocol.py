"""What daemon and runner say to each other.

Messages are meaning, not text: conversations and options go in, pieces of an answer come out. So
another engine can stand behind the same messages. `id` is unique for one runner's life: a question has that of
its entry in the daemon's journal, what the daemon asks for itself a negative one. `asked_by` says who may see
what is told of a prompt.
Each question is answered by exactly one answer or Failed, after any number of Chunks, unless it is cancelled first; frames already on their way may then still follow.
"""

from __future__ import annotations

import msgspec

from ollapy.api.adapters import AdapterSet
from ollapy.api.engine import Buffer, Place
from ollapy.api.grammar import Grammar
from ollapy.api.kv_cache import KvCache
from ollapy.api.ollama import Logprob, Message, Tool, ToolCall
from ollapy.api.options import SamplingParams
from ollapy.api.report import ContextReport
from ollapy.api.tuning import Trial, Tuning


class Load(msgspec.Struct, tag=True, frozen=True):
    """The first message: which model, and with what memory. Answered by Loading*, then Ready or Failed.

    `paths` are the model's parts in order, mostly one.
    `num_cells` is the KV pool that all sequences share, in tokens, kept as `kv_type`; `num_ctx` the context of
    a request that does not name its own. The pool may grow to `max_cells`, when the daemon says so. `num_threads`
    compute at most, and as `tuning` says. What is computed of prompts is kept in the `kv_cache`. With `max_running`
    so many answers are computed at a time; `max_sequences` are kept in memory, and copies of their states, of models
    that have one, of `max_state_bytes` together.
    """

    paths: list[str]
    num_cells: int
    num_ctx: int
    max_sequences: int
    num_batch: int
    num_threads: int
    place: Place = Place()
    kv_type: str = "f16"
    tuning: Tuning = Tuning()
    max_cells: int = 0
    max_running: int = 0
    max_state_bytes: int = 256 << 20
    kv_cache: KvCache | None = None


class Serve(msgspec.Struct, tag=True, frozen=True):
    """The first message where the engine is a vLLM: the `command` that starts it but for its address. Answered as Load is.

    It calls the model `name` and wants `key`, which it finds in its environment; `silence` are the seconds after which an answer has
    failed. What comes back as Ready has the `max_sequences` and `buffers` of this.
    """

    name: str
    command: list[str]
    key: str
    silence: float
    max_sequences: int
    buffers: list[Buffer] = []


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether an answer must call a tool, which one if not any, and whether it may call several times."""

    is_required: bool = False
    name: str = ""
    is_parallel: bool = True


class Media(msgspec.Struct, frozen=True):
    """Pictures and sounds by the SHA-256 of their content, by which messages name them, and the file of what reads them."""

    projector: str
    files: dict[str, bytes]


class Chat(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """Continue a conversation through a template: `template`, in Go's language, or else the weights' own.

    `prefix` are tokens to put before the prompt, an earlier answer's `tokens`. With `num_keep` a full
    context goes on without an early part of it, but for so many tokens (-1: the prompt). With `grammar` the
    content of the answer is what that says, once the model has thought. With `render_only` the prompt is all
    that is wanted, however long unless it is to be truncated.
    """

    id: int = 0
    prefix: list[int] = []
    messages: list[Message]
    media: Media | None = None
    tools: list[Tool] | None
    template: str | None = None
    tool_choice: ToolChoice = ToolChoice()
    think: bool | str | None
    think_budget: int | None = None
    sampling: SamplingParams
    num_ctx: int | None
    num_keep: int | None = None
    truncate: bool
    is_background: bool = False
    asked_by: str = ""
    adapters: AdapterSet = ()
    grammar: Grammar | None = None
    render_only: bool = False

    @property
    def must_call(self) -> bool:
        """Whether nothing but a call of a tool may follow a thought."""
        is_required = bool(self.tools) and self.tool_choice.is_required
        return is_required and not self.grammar


class Complete(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """Continue a text as it is, or `tokens` instead of one, or fill the gap before `suffix`.

    The gap is filled as `template` says where that has a place for it. The prompt has a place for each of the
    `images`, `[img-0]` for the first; those without one come before it.
    """

    id: int = 0
    prompt: str
    images: list[str] = []
    media: Media | None = None
    tokens: list[int] | None = None
    suffix: str | None
    template: str | None = None
    sampling: SamplingParams
    num_ctx: int | None
    num_keep: int | None = None
    is_background: bool = False
    asked_by: str = ""
    adapters: AdapterSet = ()
    grammar: Grammar | None = None
    render_only: bool = False


class Embed(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """Vectors for texts, or for the tokens of texts; one too long is cut where `truncate`, else refused."""

    id: int = 0
    inputs: list[str | list[int]]
    truncate: bool
    dimensions: int
    num_ctx: int | None
    is_background: bool = True
    adapters: AdapterSet = ()


class Rerank(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """How much each document has to do with the query; one too long is cut where `truncate`, else refused.

    `max_tokens` is how much of a document is read, however much there is room for.
    """

    id: int = 0
    query: str
    documents: list[str]
    max_tokens: int | None
    truncate: bool
    num_ctx: int | None
    is_background: bool = True
    adapters: AdapterSet = ()


class Tokenize(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """The tokens of a text, with what the model puts around one where it `begins`."""

    id: int = 0
    text: str
    special: bool
    begins: bool


class Detokenize(msgspec.Struct, tag=True, frozen=True, kw_only=True):
    """The text of tokens."""

    id: int = 0
    tokens: list[int]


class Cancel(msgspec.Struct, tag=True, frozen=True):
    """Stop working on a request; unknown and finished ids are fine."""

    id: int


class Resize(msgspec.Struct, tag=True, frozen=True):
    """Have a KV pool of so many cells, or more where those who run need them. Answered by Resized.

    Also the answer to Grow, where it stays as it is if there is no memory.
    """

    num_cells: int


class GetStats(msgspec.Struct, tag=True, frozen=True):
    """Ask for the engine's counters."""

    id: int = 0


class Close(msgspec.Struct, tag=True, frozen=True):
    """The last message: answer nobody any more, keep what was computed for so many seconds at most. Answered by Closed."""

    seconds: float


class Tune(msgspec.Struct, tag=True, frozen=True):
    """Try ways to compute the model: numbers of threads and of tokens at once, the usual ones first.

    Answered by Tuned, or by Failed as soon as anything else is asked.
    """

    threads: list[int]
    ubatches: list[int]
    id: int = 0


class Loading(msgspec.Struct, tag=True, frozen=True):
    """A load goes on: how much of the weights has been read, 0 to 1, or any other number that grows, and what was said last."""

    progress: float
    said: str = ""


class Ready(msgspec.Struct, tag=True, frozen=True):
    """The model is loaded, its context in tokens; `buffers` is where it is."""

    num_ctx: int
    max_sequences: int
    buffers: list[Buffer]

    @property
    def size(self) -> int:
        """Bytes of all its memory."""
        return sum(buffer.size for buffer in self.buffers)

    @property
    def size_vram(self) -> int:
        """Bytes of it on accelerators."""
        return sum(b.size for b in self.buffers if b.device != "CPU")


class Grow(msgspec.Struct, tag=True, frozen=True):
    """A larger KV pool would be of use; with less than `least` somebody cannot go on, 0 if all can."""

    num_cells: int
    least: int


class Resized(msgspec.Struct, tag=True, frozen=True):
    """The KV pool has that size now, whether or not it is another one."""

    num_cells: int
    buffers: list[Buffer]


class Chunk(msgspec.Struct, tag=True, frozen=True, omit_defaults=True):
    """The next piece of an answer; the first one says what became of the prompt."""

    id: int
    content: str = ""
    thinking: str = ""
    tool_calls: list[ToolCall] = []
    logprobs: list[Logprob] = []
    prompt_logprobs: list[Logprob] = []
    context: ContextReport | None = None


class Usage(msgspec.Struct, frozen=True):
    """Counts in tokens, durations in seconds; `waited_for` are the ids of those who kept it waiting, `wait` says why."""

    num_prompt: int
    num_generated: int
    queue_seconds: float
    prefill_seconds: float
    decode_seconds: float
    num_preemptions: int
    num_thinking: int = 0
    num_forced: int = 0
    waited_for: tuple[int, ...] = ()
    wait: str = ""


class Done(msgspec.Struct, tag=True, frozen=True):
    """The end of an answer; `tokens` are the prompt's and the answer's, for `context`.

    `parse_error` says what of the answer was not as the model's format wants it, `thinking_cut` that the
    budget of its thought was spent, `stop` which stop string it came to.
    """

    id: int
    reason: str
    usage: Usage
    context: ContextReport
    tokens: list[int]
    parse_error: str = ""
    thinking_cut: bool = False
    stop: str = ""


class Rendered(msgspec.Struct, tag=True, frozen=True):
    """The text of a prompt, and how many tokens it has."""

    id: int
    text: str
    num_tokens: int


class Text(msgspec.Struct, tag=True, frozen=True):
    """A text and the tokens that it is."""

    id: int
    text: str
    tokens: list[int]


class Embeddings(msgspec.Struct, tag=True, frozen=True):
    """One normalised vector for each input, in order."""

    id: int
    vectors: list[list[float]]
    num_prompt: int


class Scores(msgspec.Struct, tag=True, frozen=True):
    """The relevance of each document, 0 to 1, in order."""

    id: int
    scores: list[float]
    num_prompt: int


class Stats(msgspec.Struct, tag=True, frozen=True):
    """The engine's counters, by name; `step_times` counts steps by duration."""

    id: int
    counters: dict[str, float | list[int]]


class Closed(msgspec.Struct, tag=True, frozen=True):
    """The runner may go; so many branches were kept."""

    num_kept: int


class Tuned(msgspec.Struct, tag=True, frozen=True):
    """The best way to compute the model, all that were tried, and the share of the cores that others used meanwhile."""

    id: int
    tuning: Tuning
    trials: list[Trial]
    others: float


class Failed(msgspec.Struct, tag=True, frozen=True):
    """The end of a request (or, with no id, of the load) that could not be answered."""

    id: int | None
    error: str
    message: str


# What is asked on behalf of a client, and what ends its answer.
Question = Chat | Complete | Embed | Rerank | Tokenize | Detokenize
Answer = Done | Rendered | Text | Embeddings | Scores
ToRunner = Load | Serve | Question | Cancel | GetStats | Tune | Resize | Close
FromRunner = (
    Loading | Ready | Chunk | Answer | Stats | Tuned | Failed | Grow | Resized | Closed
)
