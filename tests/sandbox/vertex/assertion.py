"""JWT assertions, signed as RFC 7515 says."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def assertion(account: dict[str, Any], now: float, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """An assertion for the account; keywords change its claims, an Ellipsis takes one out."""
    claims = {
        "iss": account["client_email"],
        "aud": account["token_uri"],
        "scope": SCOPE,
        "iat": int(now),
        "exp": int(now) + 3600,
    }
    kept = {name: value for name, value in (claims | changes).items() if value is not ...}
    key = load_pem_private_key(account["private_key"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    signed = f"{_part(header or {'alg': 'RS256', 'typ': 'JWT'})}.{_part(kept)}"
    return f"{signed}.{_encoded(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(value: dict[str, Any]) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
