"""JSON Schemas before they are compiled."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ollapy.errors import InvalidRequest
from ollapy.grammar.schema import MAX_DEPTH, find, prepared, subschemas


def nested(depth: int) -> dict[str, Any]:
    """A schema whose objects and lists lie so deep in each other."""
    schema: dict[str, Any] = {}
    for _ in range(depth - 1):
        schema = {"items": schema}
    return schema


def test_an_object_that_lists_its_properties_has_no_others() -> None:
    inner = {"type": "object", "properties": {"b": {}}, "additionalProperties": True}
    schema = {
        "type": "object",
        "properties": {"a": {"items": {"properties": {}}}, "b": inner},
    }
    found = prepared(schema)
    assert found["additionalProperties"] is False
    assert found["properties"]["a"]["items"]["additionalProperties"] is False
    assert found["properties"]["b"]["additionalProperties"] is True


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
        {
            "properties": {"a": {}},
            "anyOf": [{"required": ["a"]}, {"properties": {"b": {}}}],
        },
        {
            "$ref": "#/$defs/x",
            "properties": {"a": {}},
            "$defs": {"x": {"properties": {"b": {}}}},
        },
        {"properties": {"a": {}}, "required": ["b"]},
        {"properties": {"a": {}}, "patternProperties": {"^b": {}}},
    ],
)
def test_objects_that_several_schemas_describe_stay_open(
    schema: dict[str, Any],
) -> None:
    before = copy.deepcopy(schema)
    found = prepared(schema)
    del found["x-guidance"]
    assert found == before == schema


def test_what_says_nothing_is_left_out_and_only_that() -> None:
    schema = {"items": {"uniqueItems": False}, "uniqueItems": True}
    assert prepared(schema)["items"] == {}
    assert prepared(schema)["uniqueItems"] is True
    assert schema["items"] == {"uniqueItems": False}


def test_a_schema_cannot_say_how_it_is_compiled() -> None:
    found = prepared({"x-guidance": {"lenient": True}})
    assert found["x-guidance"]["lenient"] is False


def test_finds_a_keyword_and_no_property_of_its_name() -> None:
    schema = {"properties": {"not": {"anyOf": [{"type": "null"}, {"not": {}}]}}}
    assert find(schema, "not") == "/properties/not/anyOf/1/not"
    assert [path for path, _ in subschemas(schema)][-1] == "/properties/not/anyOf/1/not"
    assert find({"enum": [{"not": 1}]}, "not") is None


def test_depth_is_counted_to_the_limit() -> None:
    prepared(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 900):
        with pytest.raises(InvalidRequest, match="nested more than"):
            prepared(nested(depth))


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"const": "x" * (256 << 10)}, "bytes of schema"),
        ({"items": {"minItems": 10**9}}, "/items/minItems is more than"),
        ({"minLength": 100_001}, "/minLength is more than"),
        (
            {"items": {"properties": {"a": {}}, "required": [["a"]]}},
            "/items/required must be a list of strings",
        ),
        ({"minProperties": 1e300}, "/minProperties is more than"),
        (
            {"properties": {str(n): {} for n in range(1001)}},
            "/properties has more than",
        ),
        ({"pattern": "a" * 4097}, "/pattern has more than"),
        ({"allOf": [{"$ref": "#"}] * 1001}, r"more than 1000 \$ref"),
        ({"minProperties": 2}, "one name come twice"),
        ({"minProperties": 3, "required": ["a"]}, "one name come twice"),
    ],
)
def test_what_is_out_of_bounds_is_told(schema: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        prepared(schema)


def test_the_bounds_themselves_are_taken() -> None:
    prepared({"minLength": 100_000, "pattern": "a" * 4096})
    prepared({"properties": {str(n): {} for n in range(1000)}})
    prepared({"minProperties": 2, "required": ["a"]})


CAT = {
    "type": "object",
    "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}},
    "required": ["kind", "lives"],
}
DOG = {
    "type": "object",
    "properties": {"kind": {"enum": ["dog", "hound"]}},
    "required": ["kind"],
}


@pytest.mark.parametrize(
    "alternatives",
    [
        [{"type": "string"}, {"type": "integer"}, {"type": ["null", "array"]}],
        [{"const": 1}, {"enum": [2, "1"]}, {"const": None}],
        [CAT, DOG],
        [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/a~1dog"}],
    ],
)
def test_one_of_what_excludes_each_other_is_any_of_it(alternatives: list[Any]) -> None:
    schema = {
        "type": "object",
        "properties": {"pet": {"oneOf": alternatives}},
        "$defs": {"cat": CAT, "a/dog": DOG},
    }
    pet = prepared(schema)["properties"]["pet"]
    assert len(pet["anyOf"]) == len(alternatives)
    assert "oneOf" not in pet


@pytest.mark.parametrize(
    "alternatives",
    [
        [{"type": "number"}, {"type": "integer"}],
        [{"const": 1}, {"const": 1.0}],
        [{"type": "string"}, {}],
        [CAT, {**DOG, "required": []}],
        [CAT, {"type": "object"}],
        [CAT, {**DOG, "properties": {"kind": {"type": "string"}}}],
        [{"$ref": "#/nowhere"}, {"type": "string"}],
        [{"$ref": "http://x"}, {"type": "string"}],
        [True, False],
        [{"const": n} for n in range(100)],
    ],
)
def test_one_of_what_may_overlap_stays_and_is_refused_later(
    alternatives: list[Any],
) -> None:
    found = prepared({"oneOf": alternatives})
    assert found["oneOf"] == alternatives or "additionalProperties" in str(found)
    assert "anyOf" not in found
