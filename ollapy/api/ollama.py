"""Ollama's wire types: requests are decoded into these, answers are encoded from them.

Unknown fields are ignored and null is the same as absent. Durations are integer nanoseconds, times
RFC 3339. A field with a default is left out of an answer while it has that default.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .engine import Buffer
from .loading import LoadState
from .report import OllapyReport

# The release of Ollama whose behaviour this API follows; clients gate features on it.
API_VERSION = "0.17.7"


class Request(msgspec.Struct, frozen=True):
    """What is common to the decoding of all requests."""


class FunctionCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool's name and its arguments; `index` counts the calls of one answer."""

    name: str
    arguments: dict[str, Any]
    index: int | None = None


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call that the model asks its user to make."""

    function: FunctionCall
    id: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation.

    Ollapy's own is `images_at`: how many characters of the content come before each image; none where absent.
    """

    role: str
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    images_at: list[int] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


Tool = dict[str, Any]  # passed to the template as the client wrote it


class InferenceRequest(Request, frozen=True):
    """The fields that generate and chat share."""

    model: str = ""
    stream: bool | None = None
    format: Any = None
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None
    think: Any = None
    truncate: bool | None = None
    shift: bool | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    prompt_logprobs: int | None = None  # ollapy's own, as are the next
    priority: str | None = None
    client: str | None = None
    logit_bias: dict[str, float] | None = None
    think_if_able: bool | None = None
    debug_render_only: bool | None = msgspec.field(
        default=None, name="_debug_render_only"
    )


class GenerateRequest(InferenceRequest, frozen=True):
    """`POST /api/generate`."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    context: list[int] | None = None
    raw: bool | None = None
    images: list[str] | None = None
    tokens: list[int] | None = None  # ollapy's own, instead of a raw prompt


class ChatRequest(InferenceRequest, frozen=True):
    """`POST /api/chat`."""

    messages: list[Message] | None = None
    tools: list[Tool] | None = None
    tool_choice: Any = None  # ollapy's own, as OpenAI has it, as is the next
    parallel_tool_calls: bool | None = None


class EmbedRequest(Request, frozen=True):
    """`POST /api/embed`. An input may also be tokens of the model's own vocabulary."""

    model: str = ""
    input: str | list[str | int | list[int]] | None = None
    truncate: bool | None = None
    dimensions: int | None = None
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None
    priority: str | None = None
    client: str | None = None


class EmbeddingsRequest(Request, frozen=True):
    """`POST /api/embeddings`, the older form of embed."""

    model: str = ""
    prompt: str | None = None
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None


class ModelRequest(Request, frozen=True):
    """`POST /api/show` and `DELETE /api/delete`; `name` is the old spelling of `model`."""

    model: str | None = None
    name: str | None = None
    verbose: bool | None = None
    system: str | None = None
    options: dict[str, Any] | None = None

    @property
    def given(self) -> str:
        """The name under either spelling."""
        return self.model or self.name or ""


class CopyRequest(Request, frozen=True):
    """`POST /api/copy`."""

    source: str = ""
    destination: str = ""


class PullRequest(Request, frozen=True, omit_defaults=True):
    """`POST /api/pull` and `/api/push`.

    Ollapy's own are `limit_rate`, in bytes a second, and `local`: take the model from another program on
    this machine where one has it, as it is there, and ask the network only otherwise.
    """

    model: str | None = None
    name: str | None = None
    insecure: bool | None = None
    stream: bool | None = None
    username: str | None = None
    password: str | None = None
    limit_rate: int | None = None
    local: bool | None = None

    @property
    def given(self) -> str:
        """The name under either spelling."""
        return self.model or self.name or ""


class CreateRequest(Request, frozen=True, omit_defaults=True):
    """`POST /api/create`. `files`, `adapters` map relative paths to the digests of uploaded blobs."""

    model: str | None = None
    name: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    files: dict[str, str] | None = None
    adapters: dict[str, str] | None = None
    draft_files: dict[str, str] | None = None
    quantize: str | None = None
    quantization: str | None = None
    draft_quantize: str | None = None
    template: str | None = None
    system: str | None = None
    renderer: str | None = None
    parser: str | None = None
    requires: str | None = None
    license: str | list[str] | None = None
    parameters: dict[str, Any] | None = None
    messages: list[Message] | None = None
    stream: bool | None = None
    info: dict[str, Any] | None = None

    @property
    def given(self) -> str:
        """The name under either spelling."""
        return self.model or self.name or ""


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of pull, push or create; the last one's status is `success`. Counts are bytes."""

    status: str
    digest: str = ""
    total: int = 0
    completed: int = 0

    @property
    def done(self) -> bool:
        """Whether it is the last one."""
        return self.status == "success"


class TokenLogprob(msgspec.Struct, frozen=True):
    """A candidate for one token; `bytes` are the UTF-8 bytes of `token`."""

    token: str
    logprob: float
    bytes: list[int]


class Logprob(msgspec.Struct, frozen=True, omit_defaults=True):
    """A generated token, with its rivals where they were asked for. Natural logarithms."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TokenLogprob] = []


class DebugInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The prompt that a request comes to."""

    rendered_template: str
    image_count: int = 0


class InferenceResponse(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What every record of generate and chat has; the last seven fields are the final one's."""

    model: str
    created_at: str
    done: bool
    done_reason: str | None = None
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    logprobs: list[Logprob] | None = None
    prompt_logprobs: list[Logprob] | None = None
    ollapy: OllapyReport | None = None
    debug_info: DebugInfo | None = msgspec.field(default=None, name="_debug_info")


class GenerateResponse(
    InferenceResponse, frozen=True, omit_defaults=True, kw_only=True
):
    """One record of `/api/generate`."""

    response: str
    thinking: str | None = None
    context: list[int] | None = None


class ChatResponse(InferenceResponse, frozen=True, omit_defaults=True, kw_only=True):
    """One record of `/api/chat`."""

    message: Message


class EmbedResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of `/api/embed`; vectors are L2-normalised."""

    model: str
    embeddings: list[list[float]]
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0


class EmbeddingsResponse(msgspec.Struct, frozen=True):
    """The answer of `/api/embeddings`."""

    embedding: list[float]


class Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model is, in words; the two lengths are left out where unknown."""

    parent_model: str
    format: str
    family: str
    families: list[str] | None
    parameter_size: str
    quantization_level: str
    context_length: int = 0
    embedding_length: int = 0


class ModelSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `/api/tags`; the remote ones say where a model is that is on another server, `engine` is ollapy's own."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: Details
    capabilities: list[str]
    remote_model: str = ""
    remote_host: str = ""
    engine: str = ""


class RunningModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `/api/ps`. Ollapy's own are the models that it is `shared_with`, in the same memory, the `engine` where it is not llama.cpp, what keys and values are kept as, how many layers are on each
    device, the output matrix among them, of how many the experts stay with the processor,
    `notes` on why it is so, and the `buffers`.
    """

    name: str
    model: str
    size: int
    digest: str
    details: Details
    expires_at: str
    size_vram: int
    context_length: int
    remote_host: str = ""
    shared_with: list[str] = []
    engine: str = ""
    kv_type: str = ""
    layers: dict[str, int] = {}
    num_cpu_moe: int = 0
    notes: list[str] = []
    buffers: list[Buffer] = []


class DamagedModel(msgspec.Struct, frozen=True):
    """A name whose model cannot be used, and in a sentence why, and what to do."""

    name: str
    problem: str


class TagsResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of `/api/tags`, newest first, another server's models last.

    `damaged` is ollapy's own, as is `unreachable`: why there are none of that server.
    """

    models: list[ModelSummary]
    damaged: list[DamagedModel] = []
    unreachable: str = ""


class PsResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of `/api/ps`, latest expiry first; ollapy's own are sentences about devices that are missing, and what is being loaded."""

    models: list[RunningModel]
    warnings: list[str] = []
    loading: list[LoadState] = []


class TensorRow(msgspec.Struct, frozen=True):
    """One tensor of a model file."""

    name: str
    type: str
    shape: list[int]


class ModelFile(msgspec.Struct, frozen=True):
    """A file of a model: `kind` is model, adapter, draft or projector, `size` is in bytes."""

    kind: str
    digest: str
    size: int


class ShowReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ollapy adds to `/api/show`: whose the template is, `model` or `weights`, and the files in their order.

    Of a model that another `engine` runs the store has none, and `source` is what that reads.
    `active_bytes` are those of the weights that one token reads, `kv_bytes_per_token` what it takes of a context
    of 16 bits.
    """

    template_of: str = ""
    files: list[ModelFile] = []
    active_bytes: int = 0
    kv_bytes_per_token: int = 0
    engine: str = ""
    source: str = ""


class ShowResponse(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The answer of `/api/show`. `projector_info` is the metadata of the first projector."""

    license: str = ""
    modelfile: str
    parameters: str = ""
    template: str
    system: str = ""
    details: Details
    messages: list[Message] | None = None
    model_info: dict[str, Any]
    projector_info: dict[str, Any] = {}
    tensors: list[TensorRow]
    capabilities: list[str]
    modified_at: str
    requires: str = ""
    remote_model: str = ""
    remote_host: str = ""
    ollapy: ShowReport | None = None


class Cloud(msgspec.Struct, frozen=True):
    """Whether models of Ollama's cloud are switched off, and by what."""

    disabled: bool = True
    source: str = "env"


class StatusResponse(msgspec.Struct, frozen=True):
    """The answer of `/api/status`."""

    cloud: Cloud


class VersionResponse(msgspec.Struct, frozen=True):
    """`version` is Ollama's, which clients compare; `ollapy` is ours, empty where Ollama itself answers."""

    version: str
    ollapy: str = ""
