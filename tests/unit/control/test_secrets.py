"""Purpose keys, credentials and sealed secrets."""

import re
import stat
from pathlib import Path

import pytest

from yescale.control.secrets import (
    SecretUnusable,
    Vault,
    derive_vault,
    hash_access_key,
    hash_api_key,
    hash_code,
    hash_password,
    mask_api_key,
    mask_code,
    new_access_key,
    new_api_key,
    new_code,
    open_vault,
    seal,
    seal_data,
    unseal,
    unseal_data,
    verify_password,
)


def test_the_first_start_makes_a_master_secret_that_only_its_owner_can_read(tmp_path: Path) -> None:
    first = open_vault(tmp_path, "")
    file = tmp_path / "master.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_bytes()) == 32
    assert open_vault(tmp_path, "") == first


def test_a_damaged_master_secret_is_refused_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_bytes(b"short")
    with pytest.raises(ValueError, match="restore it"):
        open_vault(tmp_path, "")
    assert (tmp_path / "master.key").read_bytes() == b"short"


def test_a_configured_master_secret_makes_no_file_and_must_be_long(tmp_path: Path) -> None:
    assert open_vault(tmp_path, "x" * 32) == open_vault(tmp_path / "elsewhere", "x" * 32)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="32 or more"):
        open_vault(tmp_path, "hunter2")


def test_no_two_purposes_share_a_key() -> None:
    """One key for several purposes let a leak of one escalate (promises B, CVE-2026-114612)."""
    vault = derive_vault(b"m" * 32)
    keys = [getattr(vault, name) for name in Vault.__struct_fields__]
    assert len(set(keys)) == len(keys) == 7
    assert all(len(key) == 32 for key in keys)


def test_a_vault_shows_nothing_of_itself() -> None:
    vault = derive_vault(b"m" * 32)
    assert vault.pepper.hex() not in repr(vault)
    assert repr(vault.pepper) not in repr(vault)


def test_new_credentials_have_the_shape_of_the_contract() -> None:
    assert re.fullmatch(r"sk-[A-Za-z0-9]{48}", new_api_key())
    assert re.fullmatch(r"[A-Za-z0-9]{32}", new_access_key())
    assert new_api_key() != new_api_key()


def test_a_key_is_masked_but_for_four_characters_at_each_end() -> None:
    assert mask_api_key("sk-" + "Abcd" + "x" * 40 + "wXyz") == "sk-Abcd**********wXyz"


def test_the_whole_key_counts_and_its_prefix_does_not() -> None:
    """Cache keys of a prefix mixed up users (promises B, CVE-2026-35030)."""
    pepper = b"p" * 32
    key = "sk-" + "a" * 48
    assert hash_api_key(pepper, key) == hash_api_key(pepper, "a" * 48)
    assert hash_api_key(pepper, key) != hash_api_key(pepper, "sk-" + "a" * 47 + "b")
    assert hash_api_key(pepper, key) != hash_api_key(b"q" * 32, key)


def test_an_api_key_never_passes_for_an_access_key() -> None:
    pepper = b"p" * 32
    assert hash_api_key(pepper, "a" * 32) != hash_access_key(pepper, "a" * 32)


def test_a_sealed_secret_opens_in_its_own_place_only() -> None:
    key = b"k" * 32
    sealed = seal(key, "sk-upstream", "channel/1")
    assert b"sk-upstream" not in sealed
    assert unseal(key, sealed, "channel/1") == "sk-upstream"
    assert seal(key, "sk-upstream", "channel/1") != sealed
    for other_key, other_place, text in (
        (b"l" * 32, "channel/1", sealed),
        (key, "channel/2", sealed),
        (key, "channel/1", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (key, "channel/1", b""),
    ):
        with pytest.raises(SecretUnusable):
            unseal(other_key, text, other_place)


def test_passwords_are_argon2_and_verified_whole() -> None:
    stored = hash_password("correct horse")
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, "correct horse")
    assert not verify_password(stored, "correct horsf")
    assert not verify_password("not a hash", "correct horse")


def test_what_is_sealed_opens_in_its_place_alone() -> None:
    key, data = b"k" * 32, bytes(range(256))
    sealed = seal_data(key, data, "response/1/resp_1")
    assert data not in sealed
    assert sealed != seal_data(key, data, "response/1/resp_1")
    assert unseal_data(key, sealed, "response/1/resp_1") == data
    for other, place, changed in (
        (key, "response/2/resp_1", sealed),
        (key, "response/1/resp_2", sealed),
        (b"l" * 32, "response/1/resp_1", sealed),
        (key, "response/1/resp_1", sealed[:-1]),
        (key, "response/1/resp_1", b""),
    ):
        with pytest.raises(SecretUnusable):
            unseal_data(other, changed, place)


def test_a_code_is_the_same_however_it_is_written() -> None:
    code = new_code()
    hashed = hash_code(b"p", code)
    assert hashed is not None
    written = (code.lower(), code.replace("-", ""), f" {code}\n", code.removeprefix("YS-"), code.replace("-", " "))
    assert {hash_code(b"p", each) for each in written} == {hashed}
    assert hash_code(b"p", "YS-IL0O-0000-0000-0000") == hash_code(b"p", "YS-1100-0000-0000-0000")
    assert hash_code(b"p", "YSYS-0000-0000-0000") == hash_code(b"p", "YS-YSYS-0000-0000-0000")
    assert hash_code(b"q", code) != hashed
    assert code not in mask_code(code)
    for wrong in ("", "YS-", code[:-1], code + "0", code[:-1] + "U", code[:-1] + "é"):
        assert hash_code(b"p", wrong) is None
