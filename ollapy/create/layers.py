"""The small layers of a model, which are made of text, and their contents. Pure.

The same text is the same bytes that Ollama writes, and so the same digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ollapy.api.ollama import Message
from ollapy.errors import InvalidRequest
from ollapy.modelfile import Modelfile
from ollapy.store import Layer, ModelConfig
from ollapy.store.blobs import MAX_SMALL
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE, digest_of

from .parameters import typed
from .template import check_template

Content = tuple[Layer, bytes]

# What Go's encoder escapes, inside of strings the only place where they can be.
_ESCAPED = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)


def text_layers(
    *,
    template: str | None,
    system: str | None,
    licenses: Iterable[str],
    parameters: Mapping[str, object],
    messages: Sequence[Message],
) -> dict[Layer, bytes]:
    """What texts make, in Ollama's order, the parameters in their types; InvalidRequest where one cannot be right."""
    found = []
    if template is not None:
        found.append(template_layer(template))
    if system is not None:
        found.append(text_layer("system", system))
    found += [text_layer("license", text) for text in licenses]
    if parameters:
        found.append(params_layer(parameters))
    if messages:
        found.append(messages_layer(messages))
    return dict(found)


def layers_of(modelfile: Modelfile) -> dict[Layer, bytes]:
    """What a Modelfile says beside its sources."""
    return text_layers(
        template=modelfile.template,
        system=modelfile.system,
        licenses=modelfile.licenses,
        parameters=typed(modelfile.parameters),
        messages=[Message(role, text) for role, text in modelfile.messages],
    )


def template_layer(text: str) -> Content:
    """A Go template; InvalidRequest says where it does not parse."""
    check_template(text)
    return text_layer("template", text)


def text_layer(kind: str, text: str) -> Content:
    """A text as it is."""
    return _layer(LAYER_TYPE + kind, _encoded(kind, text))


def params_layer(values: Mapping[str, object]) -> Content:
    """Parameters that have their types already."""
    return _layer(
        f"{LAYER_TYPE}params", _json({key: values[key] for key in sorted(values)})
    )


def messages_layer(messages: Iterable[Message]) -> Content:
    """The conversation that the model has behind it."""
    full = [
        msgspec.structs.replace(message, content=message.content or "")
        for message in messages
    ]
    return _layer(f"{LAYER_TYPE}messages", _json(full))


def config_layer(config: ModelConfig) -> Content:
    """The configuration blob."""
    return _layer(CONFIG_TYPE, _json(config))


def _layer(media_type: str, content: bytes) -> Content:
    if len(content) > MAX_SMALL:
        kind = media_type.removeprefix(LAYER_TYPE)
        raise InvalidRequest(f"the {kind} is larger than {MAX_SMALL} bytes")
    return Layer(media_type, str(digest_of(content)), len(content)), content


def _encoded(kind: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can spell
        raise InvalidRequest(f"the {kind} is not valid UTF-8") from None


def _json(value: object) -> bytes:
    """As Go writes it."""
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise InvalidRequest("the text is not valid UTF-8") from None
    for raw, escaped in _ESCAPED:
        data = data.replace(raw, escaped)
    return data + b"\n"
