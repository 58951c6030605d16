"""Types that several threads meet at once for the first time: msgspec alone crashes the process there."""

from __future__ import annotations

import subprocess
import sys

import pytest

CROWD = """
import sys, threading
import msgspec
from ollapy.decoding import converted, from_json, from_msgpack

sys.setswitchinterval(1e-6)

def field(number, kind):
    return f"f{number}", kind, msgspec.field(default_factory=kind)

def meet():
    inner = msgspec.defstruct("Inner", [field(n, dict[str, int]) for n in range(40)])
    outer = msgspec.defstruct("Outer", [field(n, list[inner]) for n in range(20)])
    value = {f"f{n}": [{f"f{m}": {"a": 1} for m in range(40)}] for n in range(20)}
    data = {from_json: msgspec.json.encode(value), from_msgpack: msgspec.msgpack.encode(value), converted: value}
    decode = DECODE
    start, found = threading.Barrier(8), []

    def run():
        start.wait()
        found.append(decode(data[decode], outer))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(found) == 8 and all(each == found[0] for each in found)

for _ in range(20):
    meet()
"""


@pytest.mark.parametrize("decode", ["from_json", "from_msgpack", "converted"])
def test_many_threads_meet_a_type_at_once(decode: str) -> None:
    code = CROWD.replace("DECODE", decode)
    subprocess.run([sys.executable, "-c", code], check=True)
