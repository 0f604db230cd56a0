"""Google's service accounts: their files, and the signed assertions that an access token is given for.

Source: https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
"""

from base64 import urlsafe_b64encode
from typing import Final, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_LIFETIME_S: Final = 3_600  # the most that Google grants
_ENCODER: Final = msgspec.json.Encoder()


class AccountUnusable(ValueError):
    """An account that no token can be had for; says what to mend, never a secret."""


class ServiceAccount(Struct, frozen=True, kw_only=True):
    """The file of a service account, as Google's console gives it."""

    type: Literal["service_account"]
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, no secret

    def __repr__(self) -> str:  # the key must not reach a log through a representation
        return f"ServiceAccount({self.client_email!r})"


_ACCOUNT: Final = msgspec.json.Decoder(ServiceAccount)


def read_account(secret: str) -> ServiceAccount | None:
    """The account that a channel's secret is; None where it is another kind of secret."""
    if not secret.lstrip().startswith("{"):
        return None
    try:
        return _ACCOUNT.decode(secret)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def is_account(secret: str) -> bool:
    """Whether a channel's secret is the file of a service account."""
    return read_account(secret) is not None


def write_assertion(account: ServiceAccount, now_s: int) -> str:
    """A JSON web token that says who asks, signed with RS256. Raises AccountUnusable."""
    claims = {
        "iss": account.client_email,
        "scope": _SCOPE,
        "aud": account.token_uri,
        "iat": now_s,
        "exp": now_s + _LIFETIME_S,
    }
    head = {"alg": "RS256", "typ": "JWT", "kid": account.private_key_id}
    said = f"{_packed(_ENCODER.encode(head))}.{_packed(_ENCODER.encode(claims))}"
    return f"{said}.{_packed(_key(account).sign(said.encode(), PKCS1v15(), SHA256()))}"


def _key(account: ServiceAccount) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(account.private_key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise AccountUnusable("its private key is no RSA key in PEM form")
    return key


def _packed(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
