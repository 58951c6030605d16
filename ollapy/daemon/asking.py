"""What a request asks of its model: checked, with the model's own defaults filled in. Pure."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from ollapy.api.grammar import ANY_OBJECT, Grammar, GrammarKind
from ollapy.api.ollama import (
    ChatRequest,
    EmbedRequest,
    GenerateRequest,
    InferenceRequest,
    Message,
)
from ollapy.api.options import Options
from ollapy.api.text import DetokenizeRequest, RerankRequest, TokenizeRequest
from ollapy.errors import InvalidRequest, Unsupported
from ollapy.runner.protocol import Chat, Complete, Detokenize, Embed, Rerank, Tokenize
from ollapy.store import Model

from .ranking import text_of
from .tool_choice import choose

logger = logging.getLogger(__name__)

_LEVELS = ("high", "medium", "low", "max")
_MAX_MESSAGES, _MAX_INPUTS = 10_000, 2_048
_MAX_LOGPROBS = 20
_MAX_BIAS = 100.0
_NUM_KEEP = 4  # tokens that stay at the beginning of a context that shifts


def options(given: dict[str, Any] | None, model: Model) -> Options:
    """A request's options over the model's parameters."""
    return Options.parse(model.parameters, given or {})


def generate(
    request: GenerateRequest, model: Model, chosen: Options
) -> Chat | Complete | None:
    """What `/api/generate` asks; None where it only wants the model loaded."""
    _check(request, model, "generate")
    think = _think(request, model)
    if request.raw and (request.template or request.system or request.context):
        raise InvalidRequest("raw mode does not support template, system, or context")
    if request.suffix and "insert" not in model.capabilities:
        raise Unsupported(f"{model.name.full} does not support insert")
    if not request.prompt and not request.suffix and not request.tokens:
        return None
    template = request.template or model.template or None
    if request.raw or request.suffix or request.tokens:
        return _complete(request, chosen, None if request.raw else template)
    messages = _generate_messages(request, model)
    prefix = request.context
    return _chat(request, chosen, messages, think, template, prefix=prefix)


def chat(request: ChatRequest, model: Model, chosen: Options) -> Chat | None:
    """What `/api/chat` asks; None where it only wants the model loaded."""
    _check(request, model, "chat")
    think = _think(request, model)
    if request.tools and "tools" not in model.capabilities:
        raise Unsupported(f"{model.name.full} does not support tools")
    tools, choice = choose(request)
    if not request.messages:
        return None
    messages = _chat_messages(request, model)
    template = model.template or None
    asked = _chat(request, chosen, messages, think, template)
    return msgspec.structs.replace(asked, tools=tools, tool_choice=choice)


def embed(request: EmbedRequest, chosen: Options) -> Embed | None:
    """What `/api/embed` asks; None where it only wants the model loaded."""
    inputs = _inputs(request.input)
    if len(inputs) > _MAX_INPUTS:
        raise InvalidRequest(
            f"input has {len(inputs)} texts, at most {_MAX_INPUTS} are taken at once"
        )
    if not inputs or inputs == [""]:
        return None
    return Embed(
        inputs=inputs,
        truncate=request.truncate is not False,
        dimensions=min(max(request.dimensions or 0, 0), 2**31),
        num_ctx=chosen.num_ctx,
        is_background=_is_background(request, default=True),
    )


def _inputs(given: str | list[str | int | list[int]] | None) -> list[str | list[int]]:
    """The texts, or the tokens of texts; a flat list of numbers is one text."""
    if given is None or isinstance(given, str):
        return [] if given is None else [given]
    tokens = [item for item in given if isinstance(item, int)]
    inputs = [item for item in given if not isinstance(item, int)]
    if tokens and inputs:
        raise InvalidRequest("input mixes tokens with texts, give one or the other")
    return [tokens] if tokens else inputs


def _bias(given: dict[str, float]) -> dict[int, float]:
    """What to add to the logits of tokens, a hundred at most."""
    try:
        return {
            int(token): min(max(value, -_MAX_BIAS), _MAX_BIAS)
            for token, value in given.items()
        }
    except ValueError:
        raise InvalidRequest(
            "logit_bias must name tokens by their numbers in the model's vocabulary"
        ) from None


def rerank(request: RerankRequest, model: Model, chosen: Options) -> Rerank:
    """What `/api/rerank` asks."""
    if "rerank" not in model.capabilities:
        raise Unsupported(
            f'"{request.model}" does not support rerank, which takes a model made for it'
        )
    if not request.query or not request.documents:
        raise InvalidRequest("query and documents are required")
    if len(request.documents) > _MAX_INPUTS:
        raise InvalidRequest(
            f"documents has {len(request.documents)} entries, at most {_MAX_INPUTS} are taken at once"
        )
    for name in ("top_n", "max_tokens_per_doc"):
        if (getattr(request, name) or 1) < 1:
            raise InvalidRequest(f"{name} must be at least 1")
    return Rerank(
        query=request.query,
        documents=[text_of(document) for document in request.documents],
        max_tokens=request.max_tokens_per_doc,
        truncate=request.truncate is not False,
        num_ctx=chosen.num_ctx,
        is_background=_is_background(request, default=True),
    )


def tokenize(request: TokenizeRequest) -> Tokenize:
    """What `/api/tokenize` asks."""
    text = request.content if request.content is not None else request.prompt
    if text is None:
        raise InvalidRequest("content is required")
    return Tokenize(
        text=text,
        special=request.parse_special is not False,
        begins=bool(request.add_special),
    )


def detokenize(request: DetokenizeRequest) -> Detokenize:
    """What `/api/detokenize` asks."""
    if request.tokens is None:
        raise InvalidRequest("tokens is required")
    return Detokenize(tokens=request.tokens)


def _is_background(
    request: InferenceRequest | EmbedRequest | RerankRequest, *, default: bool = False
) -> bool:
    """Whether others go first."""
    if request.priority not in (None, "interactive", "background"):
        raise InvalidRequest('priority must be "interactive" or "background"')
    return request.priority == "background" if request.priority else default


def _check(request: InferenceRequest, model: Model, verb: str) -> None:
    for name in ("top_logprobs", "prompt_logprobs"):
        if not 0 <= (getattr(request, name) or 0) <= _MAX_LOGPROBS:
            raise InvalidRequest(f"{name} must be between 0 and {_MAX_LOGPROBS}")
    if "completion" not in model.capabilities:
        raise Unsupported(f'"{request.model}" does not support {verb}')


def _grammar(request: InferenceRequest, chosen: Options) -> Grammar | None:
    """What the answer must be."""
    options: dict[GrammarKind, Any] = {
        GrammarKind.REGEX: chosen.regex,
        GrammarKind.CHOICE: chosen.choice,
        GrammarKind.LARK: chosen.grammar,
    }
    given = [Grammar(k, source) for k, source in options.items() if source is not None]
    if request.format not in (None, ""):
        given.append(_format(request.format))
    if len(given) > 1:
        raise InvalidRequest(
            "only one of format, regex, choice and grammar can say what the answer must be"
        )
    return given[0] if given else None


def _format(value: Any) -> Grammar:
    if value == "json":
        return ANY_OBJECT
    if isinstance(value, dict):
        return Grammar(GrammarKind.SCHEMA, value)
    text = msgspec.json.encode(value).decode()[:200]
    raise InvalidRequest(
        f'invalid format: {text}; expected "json" or a valid JSON Schema object'
    )


def _think(request: InferenceRequest, model: Model) -> bool | str | None:
    """Whether and how hard to think: on where the model can, unless asked otherwise.

    A number is how many tokens the thought may have, and none of them is no thought.
    """
    think, able = request.think, "thinking" in model.capabilities
    if isinstance(think, str) and think not in _LEVELS:
        raise InvalidRequest(
            f'invalid think value: "{think[:40]}" (must be "high", "medium", "low", "max", true, or false)'
        )
    if think is not None and not isinstance(think, bool | str | int):
        raise InvalidRequest(
            'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'
        )
    if type(think) is int and think < 0:
        raise InvalidRequest("think must not be a negative number of tokens")
    if think and not able and request.think_if_able:
        logger.warning("think ignored, the model cannot model=%s", model.name)
        return None
    if think and not able:
        raise Unsupported(f'"{request.model}" does not support thinking')
    if not able:
        return None
    if think is None:
        return True
    return think if isinstance(think, str) else bool(think)


def _budget(request: InferenceRequest, chosen: Options) -> int | None:
    """Tokens that the thought may have: the request's own, or the option's; a negative one is none."""
    budget = request.think if type(request.think) is int else chosen.think_budget
    return budget if budget is not None and budget >= 0 else None


def _shared(request: InferenceRequest, chosen: Options) -> dict[str, Any]:
    logprobs = (request.top_logprobs or 0) if request.logprobs else None
    num_keep = _NUM_KEEP if chosen.num_keep is None else chosen.num_keep
    sampling = chosen.sampling(
        logprobs=logprobs, prompt_logprobs=request.prompt_logprobs
    )
    bias = _bias(request.logit_bias or {})
    sampling = msgspec.structs.replace(sampling, logit_bias=bias)
    grammar = _grammar(request, chosen)
    if grammar:  # which says itself where the answer ends, and what is cut short is not what it says
        if (request.options or {}).get("stop"):
            logger.info("option ignored name=stop: the answer must be of a grammar")
        sampling = msgspec.structs.replace(sampling, stop=())
    return {
        "sampling": sampling,
        "grammar": grammar,
        "num_ctx": chosen.num_ctx,
        "num_keep": num_keep if request.shift else None,
        "is_background": _is_background(request),
        "render_only": bool(request.debug_render_only),
    }


def _complete(
    request: GenerateRequest, chosen: Options, template: str | None
) -> Complete:
    if request.images:
        raise _no_images(request)
    return Complete(
        prompt=request.prompt or "",
        tokens=request.tokens,
        suffix=request.suffix or None,
        template=template,
        **_shared(request, chosen),
    )


def _chat(
    request: InferenceRequest,
    chosen: Options,
    messages: list[Message],
    think: bool | str | None,
    template: str | None,
    *,
    prefix: list[int] | None = None,
) -> Chat:
    if any(message.images for message in messages):
        raise _no_images(request)
    if len(messages) > _MAX_MESSAGES:
        raise InvalidRequest(
            f"messages has {len(messages)} entries, at most {_MAX_MESSAGES} are taken"
        )
    return Chat(
        messages=messages,
        tools=None,
        template=template,
        think=think,
        think_budget=_budget(request, chosen),
        truncate=request.truncate is not False,
        prefix=prefix or [],
        **_shared(request, chosen),
    )


def _no_images(request: InferenceRequest) -> Unsupported:
    return Unsupported(f'"{request.model}" does not support images')


def _generate_messages(request: GenerateRequest, model: Model) -> list[Message]:
    """System text, the model's own history unless a context replaces it, and the prompt as the user's."""
    system = request.system if request.system is not None else model.system
    messages = [Message("system", system)] if system else []
    if not request.context:
        messages += model.messages
    return [*messages, Message("user", request.prompt, images=request.images)]


def _chat_messages(request: ChatRequest, model: Model) -> list[Message]:
    """The model's own history, then the request's; the model's system text where the request brings none."""
    given = [
        msgspec.structs.replace(m, role=m.role.lower()) for m in request.messages or []
    ]
    system = (
        [Message("system", model.system)]
        if model.system and given[0].role != "system"
        else []
    )
    return [*system, *model.messages, *given]
