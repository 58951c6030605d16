"""Which adapters an answer is computed with: those of the model, or those that the request names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import msgspec

from ollapy.api.adapters import Adapter, AdapterChoice, AdapterSet
from ollapy.api.options import Options
from ollapy.errors import InvalidModel, InvalidRequest, ModelNotFound
from ollapy.names import ModelName
from ollapy.remote import RemoteModel
from ollapy.runner.protocol import Chat, Complete, Embed, Question, Rerank
from ollapy.store import Model, Store, Stored

# At once. llama.cpp reserves a graph's nodes for some architectures without counting what adapters add.
_MOST = 4
_STRONGEST = 100.0


def adapted(question: Question, adapters: AdapterSet) -> Question:
    """The question, to be answered with these."""
    if isinstance(question, Chat | Complete | Embed | Rerank):
        return msgspec.structs.replace(question, adapters=adapters)
    return question


async def wanted(
    chosen: Options, model: Stored | RemoteModel, store: Store
) -> AdapterSet:
    """Checked to fit the model; where nothing is chosen they are its own, which it has been loaded with."""
    if not isinstance(model, Model):
        if chosen.adapters:
            raise model.unsupported("where there are no adapters: leave them out")
        return ()
    if chosen.adapters is None:
        return together(model.adapters)
    return await asyncio.to_thread(_chosen, chosen.adapters, model, store)


def together(adapters: Iterable[Adapter]) -> AdapterSet:
    """Each once, with the sum of its scales, in an order that is always the same."""
    scales: dict[Adapter, float] = {}
    for adapter in adapters:
        unscaled = msgspec.structs.replace(adapter, scale=0.0)
        scales[unscaled] = scales.get(unscaled, 0.0) + adapter.scale
    found = sorted(msgspec.structs.replace(a, scale=s) for a, s in scales.items() if s)
    if len(found) > _MOST:
        raise InvalidRequest(
            f"{len(found)} adapters are too many, at most {_MOST} can act at once"
        )
    return tuple(found)


def _chosen(choices: Iterable[AdapterChoice], model: Model, store: Store) -> AdapterSet:
    return together(a for choice in choices for a in _scaled(choice, model, store))


def _scaled(choice: AdapterChoice, model: Model, store: Store) -> Iterator[Adapter]:
    owner = store.find(ModelName.parse(choice.model))
    if owner is None:
        raise ModelNotFound(
            f"model '{choice.model}' not found, whose adapters are wanted"
        )
    if not isinstance(owner, Model) or not owner.adapters:
        raise InvalidRequest(f"'{choice.model}' has no adapters")
    scale = min(max(choice.scale, -_STRONGEST), _STRONGEST)
    for adapter in owner.adapters:
        _check(adapter, owner, model, store)
        yield msgspec.structs.replace(adapter, scale=adapter.scale * scale)


def _check(adapter: Adapter, owner: Model, model: Model, store: Store) -> None:
    try:
        store.check_adapter(adapter, model.header)
    except InvalidModel as exc:
        raise InvalidModel(
            f"the adapter of '{owner.name}' cannot be used with '{model.name}': {exc}"
        ) from exc
