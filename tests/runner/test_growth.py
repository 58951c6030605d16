"""A runner that asks for a larger KV pool, over frames: granted, refused, taken back, and given up while it asks."""

from __future__ import annotations

import msgspec

from ollapy.runner.protocol import Cancel, Done, Failed, Grow, Ready, Resize, Resized
from tests.runner.test_child import Child, child, complete, load

__all__ = ["child"]  # the fixture

LONG = "Say yes. " * 500


def loaded(child: Child) -> Ready:
    """With 512 cells, and room for more one day."""
    child.send(msgspec.structs.replace(load(), num_cells=512, max_cells=8192))
    ready = child.until(Ready, Failed)
    assert isinstance(ready, Ready)
    return ready


def test_granted_it_answers_and_then_gives_it_back(child: Child) -> None:
    ready = loaded(child)
    child.send(msgspec.structs.replace(complete(LONG, max_tokens=3), num_ctx=4096))

    asked = child.until(Grow)
    assert asked.num_cells >= asked.least > 1500
    child.send(Resize(asked.num_cells))
    grown = child.until(Resized)
    done = child.until(Done, Failed)
    child.send(Resize(512))
    shrunk = child.until(Resized)

    assert grown.num_cells == asked.num_cells
    assert (done.context.limit, done.context.refused_tokens) == (4096, 0)
    assert shrunk.num_cells == 512
    sizes = [sum(b.size for b in held.buffers) for held in (ready, grown, shrunk)]
    assert sizes[0] == sizes[2] < sizes[1]


def test_refused_the_request_is_told_what_there_is(child: Child) -> None:
    loaded(child)
    child.send(msgspec.structs.replace(complete(LONG), num_ctx=4096))
    child.until(Grow)
    child.send(Resize(512))
    failed = child.until(Done, Failed)

    assert isinstance(failed, Failed)
    assert failed.error == "PromptTooLong"
    child.send(complete("The sky is", max_tokens=3))
    assert isinstance(child.until(Done, Failed), Done)


def test_given_up_while_it_asks_it_goes_on_for_others(child: Child) -> None:
    loaded(child)
    child.send(msgspec.structs.replace(complete(LONG), num_ctx=4096))
    child.until(Grow)
    child.send(Cancel(1))
    child.send(msgspec.structs.replace(complete("The sky is", max_tokens=3), id=2))
    done = child.until(Done, Failed)

    assert isinstance(done, Done)
    assert done.id == 2
