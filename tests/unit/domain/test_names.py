"""Lists of names with `*` in them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.names import Names


@pytest.mark.parametrize(
    ("listed", "name", "held"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o*", "gpt-4o", True),
        ("gpt-4o*", "gpt-4o-mini", True),
        ("gpt-4o*", "my-gpt-4o", False),
        ("claude-*", "claude-3-5-haiku-20241022", True),
        ("*", "anything", True),
        ("*-mini", "o4-mini", True),
        ("*-mini", "o4-mini-high", False),
        ("claude-*-4*", "claude-sonnet-4-5", True),
        ("claude-*-4*", "claude-sonnet-3-5", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("gpt.4o", "gpt-4o", False),
    ],
)
def test_a_pattern_holds_what_it_says(listed: str, name: str, held: bool) -> None:
    assert Names([listed]).hold(name) is held
    assert Names(["other", listed, "else-*"]).hold(name) is held


def test_an_empty_list_holds_nothing() -> None:
    assert not Names([]).hold("gpt-4o")


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_patterns_mean_what_they_mean_to_everyone(pattern: str, name: str) -> None:
    meant = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert Names([pattern]).hold(name) is (re.fullmatch(meant, name) is not None)
