"""Where models go on machines of all kinds: no device is asked here."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ollapy.api.engine import Device
from ollapy.daemon.runners.accelerators import Accelerators, chosen
from ollapy.daemon.runners.footprint import Footprint
from ollapy.daemon.runners.layouts import Machine, Wish
from ollapy.daemon.runners.placement import Goal, Placement, Placing, num_layers
from ollapy.daemon.runners.space import Space
from ollapy.errors import LoadFailed
from ollapy.gguf import Header
from ollapy.gguf.header import Tensor, Value

GB = 1000**3
F16 = 1
AUTO = Wish()


def header(
    *, layers: int = 32, layer: float = 0.2, experts: float = 0.0, context: int = 131072, **extra: Value
) -> Header:  # fmt: skip
    """A llama of 32 layers with 0.2 GB each, `experts` GB of it experts; 128 kB for a token's keys and values."""
    metadata: dict[str, Value] = {
        "general.architecture": "llama",
        "llama.block_count": layers,
        "llama.context_length": context,
        "llama.embedding_length": 4096,
        "llama.feed_forward_length": 14336,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
        "llama.attention.key_length": 128,
        "llama.attention.value_length": 128,
        **{f"llama.{name}": value for name, value in extra.items()},
    }
    tensors = [_tensor("token_embd.weight", 0.5), _tensor("output.weight", 0.5)]
    for index in range(layers):
        tensors.append(_tensor(f"blk.{index}.attn_q.weight", layer - experts))
        if experts:
            tensors.append(_tensor(f"blk.{index}.ffn_up_exps.weight", experts))
    return Header(3, metadata, tuple(tensors), 0, 0)


def _tensor(name: str, gigabytes: float) -> Tensor:
    return Tensor(name, (4096, int(gigabytes * GB / 2 / 4096)), F16, 0)


def placing(
    header: Header, wish: Wish = AUTO, machine: Machine | None = None, *, kv_type: str = "", context_length: int = 8192
) -> Placing:  # fmt: skip
    footprint = Footprint(header, 64, 512)
    return Placing(footprint, wish, machine or Machine(), context_length, kv_type)


def placed(header: Header, free: Space, wish: Wish = AUTO, machine: Machine | None = None, **how: object) -> Placement:  # fmt: skip
    """That it takes no more than there is holds for every placement."""
    found = placing(header, wish, machine, **how).place(free)  # type: ignore[arg-type]
    assert free.holds(found.taken)
    return found


def on(placement: Placement) -> dict[str, int]:
    return dict(placement.layout.counts)


def test_all_of_it_on_a_gpu_that_has_room() -> None:
    found = placed(header(), Space(16 * GB, {"CUDA0": 24 * GB}))

    assert (on(found), found.kv_type, found.notes) == ({"CUDA0": 33}, "f16", ())
    assert found.num_ctx == 8192
    assert 6.9 * GB < found.taken.of("CUDA0") < 24 * GB
    assert found.taken.host < 1.2 * GB


def test_a_larger_pool_where_there_is_more_room() -> None:
    small, large = (
        placed(header(), Space(16 * GB, {"CUDA0": n * GB}), context_length=0)
        for n in (12, 80)
    )
    assert small.num_cells < large.num_cells
    assert small.num_ctx < large.num_ctx
    assert small.max_cells == large.max_cells == 8 * 131_072, (
        "memory may be free one day"
    )


def test_as_many_layers_as_fit_with_the_processor_doing_the_rest() -> None:
    found = placed(header(), Space(16 * GB, {"CUDA0": 4 * GB}))

    (layers,) = on(found).values()
    assert 8 < layers < 20
    more = replace(found.layout, counts={"CUDA0": layers + 1})
    assert not Space(16 * GB, {"CUDA0": 4 * GB}).holds(
        more.takes(placing(header()).footprint, 8192, "f16")
    )


@pytest.mark.parametrize("free", [Space(16 * GB), Space(16 * GB, {"CUDA0": GB // 10})])
def test_without_a_gpu_that_helps(free: Space) -> None:
    assert on(placed(header(), free)) == {}


def test_one_of_two_gpus_is_enough_and_the_emptier_one_is_taken() -> None:
    free = Space(16 * GB, {"CUDA0": 10 * GB, "CUDA1": 20 * GB})
    assert on(placed(header(), free)) == {"CUDA1": 33}
    assert on(placed(header(), free, Wish(main="CUDA0"))) == {"CUDA0": 33}


def test_two_gpus_share_by_what_is_free() -> None:
    counts = on(placed(header(), Space(16 * GB, {"CUDA0": 3 * GB, "CUDA1": 7 * GB})))
    assert list(counts) == ["CUDA0", "CUDA1"]
    assert sum(counts.values()) == 33
    assert 1.5 < counts["CUDA1"] / counts["CUDA0"] < 4


def test_two_gpus_share_as_they_are_told() -> None:
    free = Space(16 * GB, {"CUDA0": 20 * GB, "CUDA1": 20 * GB})
    counts = on(placed(header(), free, Wish(shares=(3.0, 1.0))))
    assert 2 < counts["CUDA0"] / counts["CUDA1"] < 4


def test_experts_wait_in_the_machine_s_memory_before_whole_layers_do() -> None:
    moe = header(
        layer=1.0, experts=0.9, expert_used_count=8, expert_feed_forward_length=512
    )
    free = Space(40 * GB, {"CUDA0": 16 * GB})
    found = placed(moe, free)

    assert on(found) == {"CUDA0": 33}
    assert 18 < found.layout.num_cpu_moe < 22
    told = placed(moe, free, Wish(num_cpu_moe=999))
    assert told.layout.num_cpu_moe == 32


@pytest.mark.parametrize(
    ("asked", "got"), [(0, 0), (1, 1), (10, 10), (33, 33), (999, 33)]
)
def test_so_many_layers_as_are_asked_for(asked: int, got: int) -> None:
    found = placed(header(), Space(16 * GB, {"CUDA0": 24 * GB}), Wish(num_layers=asked))
    assert found.layout.num_offloaded == got
    assert found.notes == ()


def test_more_layers_than_fit_are_fewer_and_that_is_said() -> None:
    found = placed(header(), Space(16 * GB, {"CUDA0": 4 * GB}), Wish(num_layers=999))
    assert 0 < found.layout.num_offloaded < 33
    assert "there is room for no more (4 GB on CUDA0)" in found.notes[0]


def test_layers_that_are_asked_for_where_there_is_no_gpu() -> None:
    found = placed(header(), Space(16 * GB), Wish(num_layers=33))
    assert found.notes[0].startswith("num_gpu has no effect")
    assert placed(header(), Space(16 * GB), Wish(num_layers=0)).notes == ()


def test_a_smaller_cache_where_that_puts_all_of_it_on_the_gpu() -> None:
    tight = Space(16 * GB, {"CUDA0": 8 * GB})
    found = placed(header(), tight)
    assert (found.kv_type, on(found)) == ("q8_0", {"CUDA0": 33})
    assert "OLLAPY_KV_CACHE_TYPE=f16" in found.notes[0]
    forced = placed(header(), tight, kv_type="f16")
    assert forced.layout.num_offloaded < 33


def test_heads_that_no_smaller_cache_can_keep() -> None:
    odd = header(**{"attention.key_length": 80, "attention.value_length": 80})
    found = placed(odd, Space(16 * GB), kv_type="q4_0")
    assert found.kv_type == "f16"
    assert "cannot be kept as q4_0" in found.notes[0]


def test_what_an_integrated_gpu_takes_is_the_machine_s() -> None:
    machine = Machine(shared=frozenset({"Vulkan0"}))
    found = placed(header(), Space(16 * GB, {"Vulkan0": 16 * GB}), machine=machine)
    assert on(found) == {"Vulkan0": 33}
    assert found.taken.host > found.taken.of("Vulkan0") > 6.9 * GB
    with pytest.raises(LoadFailed, match=r"needs .* and 6 GB can be had"):
        placed(header(), Space(6 * GB, {"Vulkan0": 6 * GB}), machine=machine)


def test_another_machine_s_gpu_is_the_last_resort() -> None:
    machine = Machine(remote=frozenset({"RPC0"}))
    both = Space(16 * GB, {"CUDA0": 10 * GB, "RPC0": 80 * GB})
    assert on(placed(header(), both, machine=machine)) == {"CUDA0": 33}
    little = Space(16 * GB, {"CUDA0": 4 * GB, "RPC0": 80 * GB})
    assert on(placed(header(), little, machine=machine)) == {"RPC0": 33}
    large = Space(16 * GB, {"CUDA0": 4 * GB, "RPC0": 5 * GB})
    assert set(on(placed(header(), large, machine=machine))) == {"CUDA0", "RPC0"}


def test_a_model_larger_than_everything_is_refused_with_the_numbers() -> None:
    with pytest.raises(LoadFailed) as caught:
        placed(header(layer=2.0), Space(16 * GB, {"CUDA0": 24 * GB}))
    assert re.search(
        r"needs 6\d GB of memory and 16 GB and 24 GB on CUDA0 can be had: .*smaller quantisation",
        str(caught.value),
    )


def test_a_window_is_all_that_its_layers_keep() -> None:
    long = header(
        context=131072,
        **{"attention.sliding_window": 1024, "attention.sliding_window_pattern": 6},
    )
    plain = header(context=131072)
    sliding, full = (Footprint(h, 16, 512) for h in (long, plain))
    kept = [
        sum(layer.cache(131072, "f16") for layer in f.layers) for f in (sliding, full)
    ]
    assert kept[1] == 131072 * 2 * 2 * 128 * 8 * 32
    assert kept[0] == 4096 * (131072 * 5 + (16 * 1024 + 512) * 27)


def test_a_load_that_failed_is_tried_with_less_and_then_without_a_gpu() -> None:
    free = Space(16 * GB, {"CUDA0": 10 * GB})
    model = placing(header())
    less, without = model.simpler(free, 3), model.simpler(free, 0)

    assert less
    assert without
    assert 0 < less.layout.num_offloaded < model.place(free).layout.num_offloaded
    assert on(without) == {}
    assert (
        placing(header(layer=0.4)).simpler(Space(8 * GB, {"CUDA0": 20 * GB}), 0) is None
    )


def test_others_leave_for_accelerators_before_a_cache_is_made_smaller() -> None:
    model = placing(header())
    assert not model.reaches(Goal.ACCELERATED, Space(16 * GB, {"CUDA0": 8 * GB}))
    assert model.reaches(Goal.ACCELERATED, Space(16 * GB, {"CUDA0": 10 * GB}))
    assert model.reaches(Goal.GOOD, Space(16 * GB, {"CUDA0": 4 * GB}))


def device(
    name: str, kind: str = "gpu", *, backend: str = "CUDA", pci: str = ""
) -> Device:
    return Device(name, f"A {name}", kind, 10 * GB, 16 * GB, backend, pci)


DISCRETE, OTHER = (
    device("CUDA0", pci="0000:01:00.0"),
    device("CUDA1", pci="0000:02:00.0"),
)
TWICE = device("Vulkan0", backend="Vulkan", pci="0000:01:00.0")
INTEGRATED = device("Vulkan1", "igpu", backend="Vulkan", pci="0000:00:02.0")
WORKER = device("RPC0", backend="RPC")
PROCESSOR = device("CPU", "cpu", backend="CPU")


@pytest.mark.parametrize(
    ("there", "wanted", "expected", "missing"),
    [
        ([DISCRETE, PROCESSOR], (), "CUDA0", 0),
        ([DISCRETE, TWICE, INTEGRATED, PROCESSOR], (), "CUDA0", 0),
        ([INTEGRATED, PROCESSOR], (), "Vulkan1", 0),
        ([INTEGRATED, WORKER, PROCESSOR], (), "Vulkan1 RPC0", 0),
        ([DISCRETE, OTHER, WORKER, PROCESSOR], (), "CUDA0 CUDA1 RPC0", 0),
        ([DISCRETE, OTHER, INTEGRATED], ("cuda1", "vulkan1"), "CUDA1 Vulkan1", 0),
        ([DISCRETE, OTHER], ("1",), "CUDA1", 0),
        ([DISCRETE, OTHER], ("cpu",), "", 0),
        ([DISCRETE, OTHER], ("cuda7", "9"), "", 2),
        ([PROCESSOR], ("cuda0",), "", 1),
    ],
)
def test_which_devices_are_meant(
    there: list[Device], wanted: tuple[str, ...], expected: str, missing: int
) -> None:
    found, warnings = chosen(there, wanted)
    assert [d.name for d in found] == expected.split()
    assert len(warnings) == missing


def test_some_of_a_device_s_memory_stays_free() -> None:
    space = Accelerators((DISCRETE,)).space(8 * GB)
    assert 8.9 * GB < space.of("CUDA0") < 10 * GB
    assert Accelerators((DISCRETE,)).space(8 * GB, 3 * GB) == space - Space(
        0, {"CUDA0": 3 * GB}
    )
    metal = device("MTL0", backend="MTL")
    assert Accelerators((metal,)).space(4 * GB) == Space(4 * GB, {"MTL0": 4 * GB})


@pytest.mark.parametrize(
    ("size", "num_gpu", "is_named", "layers"),
    [
        (0.0001, None, False, 0),
        (0.0001, None, True, None),
        (0.0001, 99, False, 99),
        (0.0001, -1, False, None),
        (1.0, None, False, None),
        (1.0, 0, False, 0),
    ],
)
def test_very_small_models(size: float, num_gpu: int | None, is_named: bool, layers: int | None) -> None:  # fmt: skip
    small = Header(3, {}, (_tensor("output.weight", size),), 0, 0)
    assert num_layers(small, num_gpu, is_named=is_named) == layers
