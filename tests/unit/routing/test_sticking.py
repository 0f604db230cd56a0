"""What makes a conversation, and that it is the same one in every process."""

import pytest

from yescale.routing.sticking import find_stick, nearest, place_of

LONG = b'{"model":"m","messages":[{"role":"system","content":"' + b"a" * 5_000


def stick(body: bytes, account: int = 1, model: str = "m", *, caches: bool = True) -> int:
    return find_stick(body, account, model, caches=caches)


def test_a_cache_key_makes_a_conversation_whatever_else_is_said() -> None:
    short, other = b'{"prompt_cache_key": "k1","messages":[]}', b'{"a":1,"prompt_cache_key" :"k1"}'
    assert stick(short) == stick(other) != 0
    assert stick(short) != stick(b'{"prompt_cache_key":"k2"}')
    assert stick(short, caches=False) == stick(short)


def test_without_one_the_beginning_of_a_long_prompt_does_where_the_provider_caches() -> None:
    assert stick(LONG + b"one") == stick(LONG + b"another end") != 0
    assert stick(LONG, caches=False) == 0
    assert stick(LONG[:1_000]) == 0, "too short for a provider to cache"
    assert stick(LONG) != stick(LONG.replace(b"system", b"user")) != 0


def test_accounts_and_models_do_not_share_conversations() -> None:
    assert len({stick(LONG), stick(LONG, account=2), stick(LONG, model="n")}) == 3


@pytest.mark.parametrize(
    "body",
    [b'{"prompt_cache_key":null}', b'{"prompt_cache_key":""}', b'{"prompt_cache_key"', b'{"x":"prompt_cache_key"}',
     b'{"x":"a \\"prompt_cache_key\\":\\"b\\""}'],
)  # fmt: skip
def test_what_only_looks_like_a_key_is_none(body: bytes) -> None:
    assert stick(body) == 0


def test_the_choice_is_the_same_in_every_process() -> None:
    """Python's own `hash` would not be: these numbers are fixed."""
    assert stick(b'{"prompt_cache_key":"k1"}') == 5204546978642844465
    options = [(name, place_of(name), 1, 0) for name in "abcdefgh"]
    assert [nearest(n, options) for n in (1, 2, 3, 2**63)] == ["e", "e", "d", "h"]


def test_no_place_takes_more_than_twice_its_share_of_many_calls() -> None:
    loads = dict.fromkeys("abcd", 0)
    for _ in range(400):
        chosen = nearest(7, [(name, place_of(name), 1, load) for name, load in loads.items()])
        loads[chosen] += 1
    assert max(loads.values()) <= 2 * 400 // 4 + 1
