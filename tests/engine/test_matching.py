"""What of a prompt is resident. Letters stand for tokens."""

from __future__ import annotations

import pytest

from ollapy.engine.checkpoints import Checkpoints
from ollapy.engine.matching import Matching, Reuse
from ollapy.engine.media import placeholders
from ollapy.engine.node import Checkpoint, Node
from ollapy.engine.roots import Roots
from tests.support.cells import Picture


def tokens(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def hung(parent: Node, path: str | list[int], slot: int | None = None) -> Node:
    """A node below another, of a path that goes on from that one's."""
    found = tokens(path) if isinstance(path, str) else path
    node = Node(found, parent.end, len(found), parent=parent, slot=slot)
    parent.children.append(node)
    return node


def matching(reuse: Reuse = Reuse.ANYWHERE) -> tuple[Matching, Node]:
    """With an empty tree, and its root."""
    roots = Roots()
    return Matching(reuse, roots, Checkpoints(roots)), roots.of(())


def test_the_longest_beginning_is_found_within_an_edge() -> None:
    found, root = matching()
    system = hung(root, "system ")
    chat, other = hung(system, "system chat", 0), hung(system, "system order", 1)

    assert found.longest(tokens("system orchid"), ()) == (other, 9)
    assert found.longest(tokens("system chat and on"), ()) == (chat, 11)
    assert found.longest(tokens("system xyz"), ()) == (system, 7)
    assert found.longest(tokens("sys"), ()) == (system, 2), "its last is computed"
    assert found.longest(tokens("else"), ()) == (root, 0)


def test_no_picture_is_cut_in_two() -> None:
    found, root = matching()
    picture = placeholders(Picture(7, 4, 4))
    seen = hung(root, [1, 2, *picture, 3], 0)

    assert found.longest([1, 2, *picture, 9], ()) == (seen, 6)
    assert found.longest([1, 2, *picture], ()) == (seen, 2)


def test_a_model_with_a_state_goes_on_from_a_checkpoint_or_an_end() -> None:
    found, root = matching(Reuse.CHECKPOINT)
    chat = hung(root, "system chat", 0)
    chat.checkpoints.append(Checkpoint(7, b"", 0.0))

    assert found.match(tokens("system chair"), ()) == (chat, 7)
    assert found.match(tokens("system chat goes on"), ()) == (chat, 11)
    assert found.match(tokens("system"), ()) == (root, 0)


@pytest.mark.parametrize(
    ("reuse", "expected"),
    [(Reuse.ANYWHERE, True), (Reuse.CHECKPOINT, False), (Reuse.NOWHERE, True)],
)
def test_what_another_begins_with_is_of_no_use(reuse: Reuse, expected: bool) -> None:
    found, root = matching(reuse)
    short, long = hung(root, "system", 0), hung(root, "system chat", 1)

    assert found.is_redundant(short) is expected
    assert found.is_redundant(long) is (reuse is Reuse.NOWHERE)


def test_copies_of_states_take_no_more_than_they_may() -> None:
    """The least recently used go, wherever they are."""
    roots = Roots()
    checkpoints = Checkpoints(roots, max_bytes=20)
    one, two = hung(roots.of(()), "one", 0), hung(roots.of(()), "two", 1)

    checkpoints.keep(one, b"x" * 9, 1.0)
    checkpoints.keep(two, b"x" * 9, 2.0)
    assert [len(one.checkpoints), len(two.checkpoints)] == [1, 1]
    checkpoints.keep(two, b"x" * 3, 3.0)

    assert [len(one.checkpoints), len(two.checkpoints)] == [0, 2]
