"""Long base64 past the codecs: what is cut out comes back byte for byte, or not at all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yescale.protocols.holes import fill, punch

LONG = "QUJD" * 70_000
OTHER = "/+9a" * 80_000 + "QQ=="


def request(*values: str, key: str = "data") -> bytes:
    return json.dumps({"model": "m", "parts": [{key: value, "text": "a"} for value in values]}).encode()


@pytest.mark.parametrize(
    "values",
    [(LONG,), (LONG, OTHER), (f"data:image/png;base64,{OTHER}", "short"), (LONG, LONG)],
    ids=("one", "two", "url", "twice"),
)
def test_what_is_cut_out_comes_back(values: tuple[str, ...]) -> None:
    body = request(*values)
    punched = punch(body)
    assert punched is not None
    assert len(punched.body) < 1_000
    assert json.loads(punched.body)["model"] == "m"
    assert fill(punched.body, punched, body) == body


def test_what_comes_out_in_another_order_is_filled_in_that() -> None:
    body = request(LONG, OTHER)
    punched = punch(body)
    assert punched is not None
    turned = json.dumps(json.loads(punched.body)["parts"][::-1]).encode()
    filled = fill(turned, punched, body)
    assert filled is not None
    assert [part["data"] for part in json.loads(filled)] == [OTHER, LONG]


@pytest.mark.parametrize(
    "value",
    [LONG.replace("Q", "_"), f"{LONG} ", f"{LONG}=A", LONG[:1_000], "word " * 60_000],
    ids=("urlsafe", "space", "padding", "short", "text"),
)
def test_what_is_no_long_base64_stays(value: str) -> None:
    assert punch(request(value)) is None


def test_a_text_that_looks_like_base64_stays() -> None:
    assert punch(request(LONG, key="instructions")) is None


def test_a_hole_that_did_not_come_out_as_it_went_in_is_not_filled() -> None:
    """Then the codecs are asked again, with the whole body."""
    body = request(LONG)
    punched = punch(body)
    assert punched is not None
    assert fill(b"{}", punched, body) is None
    assert fill(punched.body * 2, punched, body) is None
    assert punch(body.replace(b'"m"', b'"ysHole000"')) is None


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from([LONG, OTHER, OTHER[:-1], "x" * 300_000, "é" * 200_000, 'a"b\\'])),
    st.sampled_from([",", ", ", ',\n "more": "",']),
)
def test_any_body_is_the_same_again(values: list[str], gap: str) -> None:
    body = request(*values).replace(b", ", gap.encode())
    punched = punch(body)
    if punched is not None:
        assert fill(punched.body, punched, body) == body


def test_hostile_bodies_take_no_longer_than_others() -> None:
    """Runs that are a little too short, and quotes that are far away, are looked at once."""
    for piece in ("A" * 262_000 + "!", "A" * 131_072 + " ", '"' + "A" * 140_000):
        assert punch(piece.encode() * 100) is None
