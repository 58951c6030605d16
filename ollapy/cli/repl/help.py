"""The help of a session, by its topics."""

from __future__ import annotations

from .command import Command, explain

_GROUPS = (
    ("/set", "Change how answers are made: /? set"),
    ("/show", "See what the model is: /? show"),
    ("/? shortcuts", "The keys"),
)
_MULTILINE = 'Use """ to begin and to end a multi-line message.\nCtrl-C stops an answer, Ctrl-D exits.'
_SHORTCUTS = """\
  Ctrl-A, Ctrl-E      Move to the beginning or end of the line
  Alt-B, Alt-F        Move back or forward by a word
  Ctrl-K, Ctrl-U      Delete after or before the cursor
  Ctrl-W              Delete the word before the cursor
  Ctrl-P, Ctrl-N      Earlier and later messages, as Up and Down; Ctrl-R searches them
  Ctrl-J              New line
  Ctrl-G              Write the message in an editor
  Ctrl-L              Clear the screen
  Ctrl-C              Drop the line, or stop the answer
  Ctrl-D              Exit
  Tab                 Complete a command"""


def help_on(topic: str, commands: tuple[Command, ...]) -> str:
    """On `set`, `show` or `shortcuts`; on anything else what there is to begin with."""
    topic = topic.removeprefix("/")
    if topic == "shortcuts":
        return _SHORTCUTS
    if group := [c for c in commands if c.name.startswith(f"/{topic} ")]:
        return explain(group)
    alone = [c for c in commands if " " not in c.name]
    return f"{explain(alone, _GROUPS)}\n\n{_MULTILINE}"
