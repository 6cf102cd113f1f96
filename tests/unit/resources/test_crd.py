"""The CustomResourceDefinitions: generated, structural, small, and described field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from timewright.resources.crd import custom_resource_definitions, render
from timewright.resources.scheduled_task import KINDS

CRDS = Path(__file__).parents[3] / "crds"
FILES = sorted(custom_resource_definitions())

Schema = dict[str, Any]


def schema_of(file: str) -> Schema:
    versions = custom_resource_definitions()[file]["spec"]["versions"]
    schema: Schema = versions[0]["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every schema within a schema."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


def fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every named field of spec and status."""
    for child_path, node in nodes(schema, path):
        for name, child in node.get("properties", {}).items():
            if child_path or name in ("spec", "status"):
                yield f"{child_path}.{name}", child


def test_what_is_committed_is_what_the_models_say() -> None:
    committed = {path.name: path.read_text() for path in CRDS.glob("*.yaml")}
    generated = {name: render(definition) for name, definition in custom_resource_definitions().items()}

    assert committed == generated, "run `make generate`"


@pytest.mark.parametrize("file", FILES)
def test_it_reads_back_as_it_was_generated(file: str) -> None:
    definition = custom_resource_definitions()[file]

    assert yaml.safe_load(render(definition)) == definition


@pytest.mark.parametrize("file", FILES)
def test_the_schema_is_structural(file: str) -> None:
    not_structural = {"$ref", "$defs", "definitions", "anyOf", "allOf", "oneOf", "not", "const", "patternProperties"}
    for path, node in nodes(schema_of(file)):
        assert not not_structural & set(node), path
        assert "type" in node or node.get("x-kubernetes-preserve-unknown-fields"), path
        assert not isinstance(node.get("type"), list), path
        if "additionalProperties" in node:
            assert isinstance(node["additionalProperties"], dict), path
            assert "properties" not in node, path


@pytest.mark.parametrize("file", FILES)
def test_an_array_says_what_it_holds_and_an_object_what_it_has(file: str) -> None:
    for path, node in nodes(schema_of(file)):
        if node.get("type") == "array":
            assert "items" in node, path
        if node.get("type") == "object" and path != ".metadata":
            assert {"properties", "additionalProperties", "x-kubernetes-preserve-unknown-fields"} & set(node), path


@pytest.mark.parametrize("file", FILES)
def test_required_fields_exist_and_defaults_satisfy_their_own_schema(file: str) -> None:
    types = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    for path, node in nodes(schema_of(file)):
        assert set(node.get("required", [])) <= set(node.get("properties", {})), path
        if "default" in node:
            assert isinstance(node["default"], types[node["type"]]), path
            assert node["default"] in node.get("enum", [node["default"]]), path


@pytest.mark.parametrize("file", FILES)
def test_a_list_that_merges_by_key_requires_its_keys(file: str) -> None:
    for path, node in nodes(schema_of(file)):
        for key in node.get("x-kubernetes-list-map-keys", []):
            assert key in node["items"]["required"], path


@pytest.mark.parametrize("file", FILES)
def test_client_side_apply_can_keep_it_in_an_annotation(file: str) -> None:
    definition = custom_resource_definitions()[file]

    assert len(json.dumps(definition)) < 262_144


@pytest.mark.parametrize("file", FILES)
def test_every_field_is_described(file: str) -> None:
    undescribed = [path for path, node in fields(schema_of(file)) if len(node.get("description", "")) < 8]

    assert undescribed == []


@pytest.mark.parametrize("file", FILES)
def test_descriptions_are_sentences_for_a_terminal(file: str) -> None:
    for path, node in fields(schema_of(file)):
        text = node["description"]
        assert text[0].isupper() or text.startswith("`"), path
        assert text.rstrip("`)").endswith("."), path
        assert "<" not in text, path
        assert ">" not in text, path


@pytest.mark.parametrize("file", FILES)
def test_uninstalling_a_chart_keeps_it(file: str) -> None:
    assert custom_resource_definitions()[file]["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize("file", FILES)
def test_printer_columns_show_fields_that_exist(file: str) -> None:
    definition = custom_resource_definitions()[file]
    paths = {path for path, _ in nodes(schema_of(file))}
    for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]:
        path = column["jsonPath"].partition("[?")[0]
        assert path in paths or path.startswith(".metadata."), column


def test_short_names_and_status_are_there() -> None:
    specs = [definition["spec"] for definition in custom_resource_definitions().values()]

    assert [spec["names"]["shortNames"] for spec in specs] == [["st"], ["tr"], ["td"]]
    assert all(spec["versions"][0]["subresources"] == {"status": {}} for spec in specs)


def test_a_scheduled_task_has_every_field_of_a_cron_job_with_the_same_defaults() -> None:
    spec = schema_of("scheduledtasks.yaml")["properties"]["spec"]["properties"]

    native: dict[str, Any] = {
        "schedule": None,
        "timeZone": None,
        "startingDeadlineSeconds": None,
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "jobTemplate": None,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    assert {name: spec[name].get("default") for name in native} == native


def test_an_empty_concurrency_policy_passes_as_it_does_in_a_cron_job() -> None:
    spec = schema_of("scheduledtasks.yaml")["properties"]["spec"]["properties"]

    assert spec["concurrencyPolicy"]["enum"] == ["Allow", "Forbid", "Replace", "Queue", ""]


def test_foreign_objects_are_left_to_the_api_that_owns_them() -> None:
    spec = schema_of("scheduledtasks.yaml")["properties"]["spec"]["properties"]

    for field in ("jobTemplate", "podTemplate", "resources"):
        assert spec[field]["x-kubernetes-preserve-unknown-fields"] is True, field
        assert "properties" not in spec[field], field
    for field in ("env", "envFrom"):
        assert spec[field]["items"]["x-kubernetes-preserve-unknown-fields"] is True, field


def test_rules_name_only_fields_that_exist() -> None:
    for file in FILES:
        for path, node in nodes(schema_of(file)):
            for rule in node.get("x-kubernetes-validations", []):
                for word in rule["rule"].replace("(", " ").replace(")", " ").split():
                    if word.startswith("self.") and not word.startswith("self.metadata."):
                        assert word.removeprefix("self.") in node["properties"], f"{path}: {word}"
                assert rule["message"], path


def test_the_rule_of_one_kind_names_every_kind() -> None:
    rules = schema_of("scheduledtasks.yaml")["properties"]["spec"]["x-kubernetes-validations"]

    assert all(f"has(self.{kind})" in rules[0]["rule"] for kind in KINDS)
