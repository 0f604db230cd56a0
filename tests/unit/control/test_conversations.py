"""Responses sealed for their account and id."""

import pytest

from yescale.control.conversations import seal_kept, unseal_kept
from yescale.control.secrets import SecretUnusable
from yescale.domain.ids import AccountId
from yescale.domain.memory import Kept

KEY = b"k" * 32
KEPT = Kept(input=b'[{"role":"user","content":"my secret"}]' * 50, answer=b'{"id":"resp_1"}')


def test_a_response_comes_back_whole_and_is_neither_legible_nor_as_long() -> None:
    sealed = seal_kept(KEY, AccountId(1), "resp_1", KEPT)
    assert unseal_kept(KEY, AccountId(1), "resp_1", sealed) == KEPT
    assert b"secret" not in sealed
    assert len(sealed) < len(KEPT) // 4


@pytest.mark.parametrize(("account", "response"), [(2, "resp_1"), (1, "resp_2"), (11, "resp_1")])
def test_in_another_accounts_row_it_does_not_open(account: int, response: str) -> None:
    with pytest.raises(SecretUnusable):
        unseal_kept(KEY, AccountId(account), response, seal_kept(KEY, AccountId(1), "resp_1", KEPT))
