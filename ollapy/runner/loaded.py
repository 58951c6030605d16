"""Loaded: a model with what computes it, as a Load says. On the engine's thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ollapy.api.tuning import Tuning
from ollapy.engine.embedder import Embedder
from ollapy.engine.engine import Engine
from ollapy.engine.keeping import Keeping
from ollapy.engine.pool import Wish
from ollapy.errors import Unsupported
from ollapy.llama.adapters import Adapters
from ollapy.llama.context import Context, open_context
from ollapy.llama.devices import buffers
from ollapy.llama.model import open_model

from .kept import open_vault
from .limits import max_embed_tokens
from .protocol import Load, Ready

_MAX_EMBED_SEQUENCES = 64
# Tokens of texts to compute at once. More are slower on a CPU: each looks at all the others.
_CPU_PACK, _GPU_PACK = 512, 2048
# How long a step may take while somebody waits for the next token.
_CPU_STEP, _GPU_STEP = 0.15, 0.05


class Loaded:
    """A model that goes on with texts has an engine, and an embedder on first use; one for vectors only that.

    All of it is freed with `resources`. LoadFailed where there is no memory for it.
    """

    def __init__(
        self, load: Load, resources: ExitStack, on_progress: Callable[[float], None]
    ) -> None:
        self._load = load
        self._resources = resources
        paths = [Path(path) for path in load.paths]
        opening = open_model(paths, place=load.place, on_progress=on_progress)
        self.model = resources.enter_context(opening)
        self._adapters = Adapters(self.model)
        self._contexts: list[Context] = []
        self._embedder: Embedder | None = None
        self.engine = None if self.model.is_embedding else self._new_engine()
        if self.model.is_embedding:
            self.embedder()

    @property
    def parts(self) -> list[Engine | Embedder]:
        """What there is to compute with."""
        return [part for part in (self.engine, self._embedder) if part is not None]

    @property
    def has_work(self) -> bool:
        """Whether something is to be computed."""
        return any(part.has_work for part in self.parts)

    @property
    def ready(self) -> Ready:
        """What the daemon is told of it."""
        load, model = self._load, self.model
        most = min(load.max_sequences, model.max_sequences)
        if model.is_embedding:
            return Ready(max_embed_tokens(load, model), most, buffers())
        most = min(most, load.max_running or most)
        return Ready(min(load.num_ctx, model.num_ctx_train), most, buffers())

    @property
    def pack(self) -> tuple[Embedder, int] | None:
        """Who has texts to compute for vectors, and how many tokens of them at once; None where nobody has."""
        embedder, engine = self._embedder, self.engine
        if embedder is None or not embedder.has_work:
            return None
        if engine and engine.has_work:
            return embedder, engine.max_prompt
        return embedder, _GPU_PACK if self._load.place.devices else _CPU_PACK

    def use_threads(self, most: int) -> None:
        """Compute with so many at most, and as the tuning says."""
        tuning = self._load.tuning
        for context in self._contexts:
            context.use_threads(
                min(most, tuning.num_threads or most),
                min(most, tuning.num_prompt_threads or most),
            )

    def keeping(
        self,
        defer: Callable[[Callable[[], None]], None],
        ask: Callable[[Wish], None],
    ) -> Keeping | None:
        """What keeps the engine's prompts, where they are to be kept."""
        if self.engine is None:
            return None
        [context] = self._contexts
        vault = open_vault(self._load, self.model, context)
        return Keeping(self.engine, context, vault, defer, ask) if vault else None

    def embedder(self) -> Embedder:
        """What makes vectors, made on first use; Unsupported where the model makes none."""
        if self._embedder is None:
            self._embedder = self._new_embedder()
        return self._embedder

    def _new_engine(self) -> Engine:
        load, model = self._load, self.model
        max_sequences = min(load.max_sequences, model.max_sequences)
        context = self._open_context(load.num_cells, max_sequences, load.num_batch)
        return Engine(
            model,
            context,
            self._adapters,
            step_seconds=_GPU_STEP if load.place.devices else _CPU_STEP,
            max_cells=load.max_cells,
            max_running=load.max_running,
            max_state_bytes=load.max_state_bytes,
        )

    def _new_embedder(self) -> Embedder:
        model = self.model
        if model.has_encoder:
            raise Unsupported("this model makes text and no vectors")
        longest = max_embed_tokens(self._load, model)
        max_batch = min(longest, self._load.num_batch) if model.is_causal else longest
        context = self._open_context(
            longest + max_batch,
            min(_MAX_EMBED_SEQUENCES, model.max_sequences),
            max_batch,
            pooled=True,
        )
        return Embedder(model, context, self._adapters)

    def _open_context(
        self,
        num_cells: int,
        max_sequences: int,
        num_batch: int,
        *,
        pooled: bool = False,
    ) -> Context:
        load, model = self._load, self.model
        opening = open_context(
            model,
            num_cells=num_cells,
            max_sequences=max_sequences,
            num_batch=num_batch,
            num_threads=load.num_threads,
            # an encoder's text and what is pooled must be computed as a whole
            tuning=Tuning() if pooled or model.has_encoder else load.tuning,
            max_cells=0 if pooled else load.max_cells,
            kv_type="f16" if pooled else load.kv_type,
            pooled=pooled,
        )
        context = self._resources.enter_context(opening)
        self._contexts.append(context)
        return context
