"""Parameters are read by their declared types, and refused with what would be right."""

from typing import Any

import pytest

from timewright.cli.exit_codes import USAGE, CommandError
from timewright.cli.parameters import parse_parameters
from timewright.resources.kinds import Parameter

DECLARED = [
    Parameter.model_validate(each)
    for each in (
        {"name": "text", "default": "x"},
        {"name": "whole", "type": "integer", "default": 1},
        {"name": "real", "type": "number", "default": 1.5},
        {"name": "flag", "type": "boolean", "default": False},
        {"name": "colour", "default": "red", "allowedValues": ["red", "green"]},
    )
]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ([], {}),
        (["text="], {"text": ""}),
        (["text=a=b"], {"text": "a=b"}),
        (["text=42"], {"text": "42"}),
        (["whole=-7", "real=2", "flag=true"], {"whole": -7, "real": 2, "flag": True}),
        (["real=1e3"], {"real": 1000.0}),
        (["colour=green"], {"colour": "green"}),
    ],
)
def test_values(given: list[str], values: dict[str, Any]) -> None:
    assert parse_parameters(DECLARED, given) == values


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["text"], "--parameter text: expected NAME=VALUE"),
        (["text=1", "text=2"], "text is given twice"),
        (["nope=1"], "declares no parameter 'nope'; it declares text (string), whole (integer)"),
        (["whole=1.5"], "--parameter whole=1.5: expected type integer, such as 42"),
        (["whole=true"], "expected type integer"),
        (["real=NaN"], "expected type number, such as 2.5"),
        (["real=Infinity"], "expected type number"),
        (["flag=yes"], "expected type boolean, such as true or false"),
        (["colour=blue"], "--parameter colour: 'blue' is not among the allowed values"),
    ],
)
def test_errors(given: list[str], words: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse_parameters(DECLARED, given)
    assert words in str(caught.value)
    assert caught.value.code == USAGE


def test_a_required_parameter() -> None:
    with pytest.raises(CommandError, match="--parameter month: required"):
        parse_parameters([Parameter(name="month")], [])


def test_a_task_without_parameters() -> None:
    with pytest.raises(CommandError, match="it declares none"):
        parse_parameters([], ["a=1"])
