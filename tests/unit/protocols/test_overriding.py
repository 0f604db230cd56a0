"""What a channel overrides of a body."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yescale.domain.snapshot import Overrides
from yescale.protocols.overriding import override

BODY = b'{ "a": 1.0e2, "b" : {"x": [1,  2]}, "c": null }'


def test_values_that_stay_are_the_same_bytes() -> None:
    wanted = Overrides(set={"b": "new", "d": [1]}, default={"a": 0, "e": {"k": None}}, remove=("c", "zzz"))
    assert override(BODY, wanted) == b'{"a":1.0e2,"b":"new","e":{"k":null},"d":[1]}'


def test_null_is_said_and_gets_no_default() -> None:
    assert msgspec.json.decode(override(BODY, Overrides(default={"c": 1})))["c"] is None


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b'"x"'])
def test_what_is_no_object_stays(body: bytes) -> None:
    assert override(body, Overrides(set={"a": 1})) == body


NAMES = st.sampled_from(["a", "b", "c", 'quo"te', "ü"])
FIELDS = st.dictionaries(NAMES, st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=3)), max_size=4)


@given(FIELDS, FIELDS, FIELDS, st.frozensets(NAMES))
def test_every_field_is_as_it_should_be(
    said: dict[str, object], put: dict[str, object], default: dict[str, object], remove: frozenset[str]
) -> None:
    found = msgspec.json.decode(
        override(msgspec.json.encode(said), Overrides(set=put, default=default, remove=tuple(remove)))
    )
    assert found == default | {name: value for name, value in said.items() if name not in remove} | put
