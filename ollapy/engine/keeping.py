"""Keeping: what leaves the model's memory goes to the vault, and comes back when that is faster than computing it.

Everything on the engine's thread, but for the vault's reading and writing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial

import psutil

from ollapy.api.adapters import AdapterSet
from ollapy.kvcache.branch import AdapterKey, Branch, Outline, State, Tokens, as_tokens
from ollapy.kvcache.vault import Found, Vault
from ollapy.llama.context import Context
from ollapy.llama.states import restore, save, state_size

from .actions import Remove
from .engine import Engine
from .matching import Reuse
from .path import Path
from .pool import Wish
from .sequence import Sequence
from .worth import Candidate, most_valuable_first

logger = logging.getLogger(__name__)

_WORTH_RESTORING = 32  # tokens


class Keeping:
    """Stands before an engine; `defer` has something done on the engine's thread soon, from any thread.

    `ask` tells a wish for a larger pool; `resized` is the answer.
    """

    def __init__(
        self,
        engine: Engine,
        context: Context,
        vault: Vault,
        defer: Callable[[Callable[[], None]], None],
        ask: Callable[[Wish], None],
    ) -> None:
        self._engine = engine
        self._context = context
        self._vault = vault
        self._defer = defer
        self._ask = ask
        self._fetching: set[int] = set()  # sequences
        self._held: list[tuple[Sequence, Branch]] = []  # until the pool is larger
        self._restored: set[str] = set()  # names of branches
        self._num_wipes = 0
        engine.decoder.keep = self._keep

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence in the engine, once what is kept of its prompt is back."""
        self._distrust()
        found = self._find(sequence)
        if found is None:
            self._engine.add(sequence)
            return
        name = found.name
        self._fetching.add(sequence.id)
        self._vault.fetch(
            name,
            lambda branch: self._defer(lambda: self._fetched(sequence, branch)),
        )

    def cancel(self, sequence_id: int) -> None:
        """The sequence is not wanted any more."""
        self._fetching.discard(sequence_id)

    def close(self, seconds: float) -> int:
        """Write what is worth most to the disk for so many seconds; how many branches. The engine is of no use afterwards."""
        deadline = time.monotonic() + seconds
        self._engine.close()
        self._engine.decoder.act(self._engine.scheduler.take_actions())
        branches = most_valuable_first(self._candidates(), time.monotonic())
        return self._vault.close(branches, deadline)

    def _distrust(self) -> None:
        """Numbers that are none may have come from what was brought back: none of it is any more."""
        if self._num_wipes != self._engine.counters.wipes:
            self._num_wipes = self._engine.counters.wipes
            for name in self._restored:
                self._vault.forget(name)
            self._restored.clear()

    def _find(self, sequence: Sequence) -> Found | None:
        """What is worth to be brought back for a sequence."""
        if sequence.scores_prompt or sequence.encoder_tokens:
            return None
        found = self._vault.find(_text(sequence), _key(sequence.adapters))
        if found is None:
            return None
        missing = self._missing(sequence, found.length)
        seconds = missing * (
            self._engine.pace.seconds_per_token or found.outline.seconds
        )
        is_worth = missing >= _WORTH_RESTORING and found.seconds < seconds
        return found if is_worth else None

    def _missing(self, sequence: Sequence, length: int) -> int:
        """How many of a prompt's first tokens would have to be computed."""
        tree = self._engine.scheduler.tree
        return length - tree.match(sequence.tokens, sequence.adapters)[1]

    def _fetched(self, sequence: Sequence, branch: Branch | None) -> None:
        if branch is not None and self._waits_for_room(len(branch.outline.tokens)):
            self._held.append((sequence, branch))
        else:
            self._admit(sequence, branch)

    def resized(self) -> None:
        """The pool has the size that it gets; those who waited for that do so no longer."""
        held, self._held = self._held, []
        for sequence, branch in held:
            self._admit(sequence, branch)

    def _waits_for_room(self, num_cells: int) -> bool:
        """Whether a larger pool has been asked for, as these cells do not fit."""
        if self._engine.scheduler.has_room(num_cells):
            return False
        if wish := self._engine.wish(num_cells):
            self._ask(wish)
        return self._engine.is_asking

    def _admit(self, sequence: Sequence, branch: Branch | None) -> None:
        if sequence.id not in self._fetching:  # cancelled meanwhile
            return
        self._fetching.discard(sequence.id)
        if branch is not None:
            self._restore(sequence, branch)
        self._engine.add(sequence)

    def _restore(self, sequence: Sequence, branch: Branch) -> None:
        """Put a branch into the engine's memory, or leave it where there is no room for all of it."""
        scheduler, now = self._engine.scheduler, time.monotonic()
        is_anywhere = scheduler.tree.reuse is Reuse.ANYWHERE
        outline = branch.outline
        length = outline.usable(_text(sequence), outline.adapters, anywhere=is_anywhere)
        missing, whole = self._missing(sequence, length), len(outline.tokens)
        if missing < _WORTH_RESTORING or not scheduler.has_room(whole):
            return
        act = self._engine.decoder.act
        act([*scheduler.take_actions(), *scheduler.tree.vacate(whole)])
        slot = scheduler.tree.vacant_slot
        assert slot is not None
        if not restore(self._context, slot, branch.states[-1].data, whole):
            logger.warning("kv cache: llama.cpp did not take %d tokens back", whole)
            self._vault.forget(outline.name)
            return
        held = length if is_anywhere else whole
        path = _path(branch, sequence.adapters, held, now)
        act([Remove(slot, len(path.tokens))])
        act(scheduler.tree.adopt(path))
        self._restored.add(outline.name)
        sequence.num_restored = missing
        self._engine.counters.restored += missing

    def _keep(self, slot: int, path: Path) -> None:
        """Have what a slot is about to lose in the machine's memory, where there is plenty."""
        size = state_size(self._context, slot)
        if 2 * size < psutil.virtual_memory().available:
            self._vault.put(self._branch(slot, path))

    def _branch(self, slot: int, path: Path) -> Branch:
        tokens, end = as_tokens(path.tokens), len(path.tokens)
        states = [
            State(position, memoryview(state))
            for position, state in sorted(path.states.items())
            if position < end
        ]
        states.append(State(end, save(self._context, slot)))
        self._engine.counters.kept += 1
        outline = Outline(
            tokens,
            _key(path.adapters),
            path.asked_by,
            self._engine.pace.seconds_per_token,
            tuple(state.position for state in states),
            sum(len(state.data) for state in states),
        )
        return Branch(outline, tuple(states), path.used_at)

    def _candidates(self) -> Iterator[Candidate]:
        """What is in the machine's memory, and what is in the model's and nowhere else."""
        for branch in self._vault.kept:
            outline = branch.outline
            yield Candidate(
                outline.tokens,
                outline.adapters,
                outline.size,
                branch.used_at,
                partial(_itself, branch),
            )
        for slot, path in self._engine.scheduler.tree.paths():
            yield Candidate(
                as_tokens(path.tokens),
                _key(path.adapters),
                state_size(self._context, slot),
                path.used_at,
                partial(self._branch, slot, path),
            )


def _text(sequence: Sequence) -> Tokens:
    """What a sequence begins with before its first picture or sound, whose numbers are no tokens."""
    end = min(sequence.media, default=len(sequence.tokens))
    return as_tokens(sequence.tokens[:end])


def _itself(branch: Branch) -> Branch:
    return branch


def _key(adapters: AdapterSet) -> AdapterKey:
    return tuple((adapter.digest, adapter.scale) for adapter in adapters)


def _path(branch: Branch, adapters: AdapterSet, length: int, now: float) -> Path:
    """The first tokens of a branch, as the prefix tree takes them."""
    outline = branch.outline
    tokens = outline.tokens[:length].tolist()
    states = {s.position: bytes(s.data) for s in branch.states[:-1]}
    return Path(tokens, adapters, outline.asked_by, now, states)
