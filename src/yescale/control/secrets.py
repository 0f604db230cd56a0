"""One master secret, the purpose keys derived from it, and the credentials that are made and checked with them.

Every purpose has its own key (HKDF-SHA256), so that what is learnt of one opens nothing else.
"""

import hashlib
import hmac
import os
import secrets
import string
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

KEY_PREFIX: Final = "sk-"
KEY_LENGTH: Final = 48
ACCESS_KEY_LENGTH: Final = 32
PASSWORD_LENGTH: Final = 20
MASTER_FILE: Final = "master.key"
MASTER_BYTES: Final = 32
LEAST_MASTER_LENGTH: Final = 32  # characters of a configured master secret

CODE_PREFIX: Final = "YS-"

_ALPHABET: Final = string.ascii_letters + string.digits
_CODE_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no letter that is read as a digit, nor U
_CODE_LENGTH: Final = 16  # of 32 letters and digits each: 80 bits
_MISREAD: Final = str.maketrans("ILO", "110")
_NONCE_BYTES: Final = 12
_PASSWORDS: Final = PasswordHasher()


class SecretUnusable(ValueError):
    """A stored secret cannot be opened: it was sealed under another master secret, or it is damaged."""


class Vault(Struct, frozen=True):
    """The purpose keys. `repr` shows none of them."""

    pepper: bytes  # API and access keys are stored as HMAC-SHA-256 under it
    channels: bytes  # AES-256-GCM of the providers' secrets
    sessions: bytes
    webhooks: bytes
    artifacts: bytes
    conversations: bytes  # AES-256-GCM of the responses that are kept
    answers: bytes  # AES-256-GCM of the answers that are kept under idempotency keys

    def __repr__(self) -> str:
        return "Vault(...)"


def open_vault(home: Path, configured: str) -> Vault:
    """The purpose keys of an installation; its first start makes the master secret (0600) unless one is configured.

    Raises ValueError where the configured secret is too short to be one.
    """
    return derive_vault(_configured_master(configured) if configured else _home_master(home / MASTER_FILE))


def derive_vault(master: bytes) -> Vault:
    """The purpose keys of a master secret."""
    return Vault(*(_derive(master, purpose) for purpose in Vault.__struct_fields__))


def _configured_master(configured: str) -> bytes:
    if len(configured) < LEAST_MASTER_LENGTH:
        raise ValueError(
            f"master_secret has {len(configured)} characters; give it {LEAST_MASTER_LENGTH} or more random ones, "
            "for example from: openssl rand -base64 32"
        )
    return configured.encode()


def _home_master(path: Path) -> bytes:
    try:
        # O_EXCL decides between two first starts: exactly one makes the secret.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        master = path.read_bytes()
        if len(master) != MASTER_BYTES:
            raise ValueError(
                f"{path.name} in the home folder has {len(master)} bytes instead of {MASTER_BYTES}; "
                "restore it from a backup: without it no stored secret can be read"
            ) from None
        return master
    with os.fdopen(descriptor, "wb") as file:
        master = secrets.token_bytes(MASTER_BYTES)
        file.write(master)
        file.flush()
        os.fsync(file.fileno())
    return master


def _derive(master: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"yescale/{purpose}/1".encode()).derive(master)


def new_api_key() -> str:
    """A fresh API key: `sk-` and 48 letters and digits. Shown once, never stored."""
    return KEY_PREFIX + _random_text(KEY_LENGTH)


def new_access_key() -> str:
    """A fresh access key of the System API: 32 letters and digits."""
    return _random_text(ACCESS_KEY_LENGTH)


def new_password() -> str:
    """A random password for the first administrator."""
    return _random_text(PASSWORD_LENGTH)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def hash_api_key(pepper: bytes, key: str) -> bytes:
    """The stored form of an API key, with or without its prefix: the whole of the rest counts."""
    return hmac.digest(pepper, key.removeprefix(KEY_PREFIX).encode(), hashlib.sha256)


def hash_access_key(pepper: bytes, key: str) -> bytes:
    """The stored form of an access key. The label keeps it apart from API keys under the same pepper."""
    return hmac.digest(pepper, b"access/" + key.encode(), hashlib.sha256)


def new_code() -> str:
    """A fresh redemption code: `YS-` and four groups of four. Shown once, never stored."""
    body = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH))
    return CODE_PREFIX + "-".join(body[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


def hash_code(pepper: bytes, code: str) -> bytes | None:
    """The stored form of a redemption code, however it is written; None of what can be none."""
    written = "".join(letter for letter in code.upper() if letter not in "- \t\r\n")
    body = (written if len(written) == _CODE_LENGTH else written.removeprefix("YS")).translate(_MISREAD)
    if len(body) != _CODE_LENGTH or set(body) - set(_CODE_ALPHABET):
        return None
    return hmac.digest(pepper, b"code/" + body.encode(), hashlib.sha256)


def mask_code(code: str) -> str:
    """How a redemption code is shown ever after: its last group."""
    return f"{CODE_PREFIX}****-****-****-{code[-4:]}"


def mask_api_key(key: str) -> str:
    """How an API key is shown ever after: `sk-`, first 4, ten asterisks, last 4."""
    body = key.removeprefix(KEY_PREFIX)
    return f"{KEY_PREFIX}{body[:4]}{'*' * 10}{body[-4:]}"


def mask_access_key(key: str) -> str:
    """How an access key is shown ever after: first 4, ten asterisks, last 4."""
    return f"{key[:4]}{'*' * 10}{key[-4:]}"


def seal(key: bytes, secret: str, place: str) -> bytes:
    """Encrypt a provider's secret. `place` (as `channel/7`) binds it to its row: elsewhere it does not open."""
    return seal_data(key, secret.encode(), place)


def seal_data(key: bytes, data: bytes, place: str) -> bytes:
    """The same for bytes of any kind."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, place.encode())


def unseal(key: bytes, sealed: bytes, place: str) -> str:
    """Decrypt what `seal` made for the same place. Raises SecretUnusable."""
    try:
        return _open(key, sealed, place).decode()
    except (InvalidTag, ValueError) as error:
        raise SecretUnusable(
            f"the secret of {place} cannot be opened; was the master secret changed? Set the secret again"
        ) from error


def unseal_data(key: bytes, sealed: bytes, place: str) -> bytes:
    """Decrypt what `seal_data` made for the same place. Raises SecretUnusable."""
    try:
        return _open(key, sealed, place)
    except (InvalidTag, ValueError) as error:
        raise SecretUnusable(f"the data of {place} cannot be opened; was the master secret changed?") from error


def _open(key: bytes, sealed: bytes, place: str) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())


def hash_password(password: str) -> str:
    """The stored form of a password (argon2id). Takes tens of milliseconds: call it in a thread."""
    return _PASSWORDS.hash(password)


def verify_password(stored: str, password: str) -> bool:
    """Whether a password is the stored one. Takes tens of milliseconds: call it in a thread."""
    try:
        return _PASSWORDS.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
