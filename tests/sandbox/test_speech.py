"""Calls that a prompt spells out, as every fake model reads them."""

import pytest

from yescale_sandbox.speech import MOST_DICTATED, MOST_DICTATED_CHARS, Dictated, dictated


def test_each_line_that_spells_out_a_call_is_one() -> None:
    text = 'Please.\n  sandbox-call: Bash  {"command": "ls  -l"}\r\nsandbox-call: look {}\nI say sandbox-call: no {}'
    assert dictated(text) == [Dictated("Bash", '{"command": "ls  -l"}'), Dictated("look", "{}")]


@pytest.mark.parametrize("line", ["", "Bash", "Bash {broken", "Bash [1]", 'Bash "x"', "Bash " + '{"a":' * 100_000])
def test_a_broken_line_is_no_call(line: str) -> None:
    assert dictated(f"sandbox-call: {line}") == []


def test_calls_are_bounded_in_size_and_number() -> None:
    def spelled(length: int) -> str:
        return 'sandbox-call: Bash {"a":"' + "x" * (length - 8) + '"}'

    assert len(dictated(spelled(MOST_DICTATED_CHARS))) == 1
    assert dictated(spelled(MOST_DICTATED_CHARS + 1)) == []
    assert len(dictated("\n".join(["sandbox-call: Bash {}"] * 100))) == MOST_DICTATED
