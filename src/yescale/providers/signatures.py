"""Amazon's Signature Version 4 of a request, as a pure function of what it covers and the time.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote

from msgspec import Struct

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_UNRESERVED: Final = "~"  # beside letters, digits and `_.-`, which are never quoted


class Keys(Struct, frozen=True, gc=False):
    """What a request is signed with; `session` is that of keys that expire."""

    access: str
    secret: str
    session: str = ""

    def __repr__(self) -> str:
        return f"Keys({self.access[:4]}...)"


class Scope(Struct, frozen=True, gc=False):
    """Where and for what a signature holds."""

    region: str
    service: str


class Signed(Struct, frozen=True, kw_only=True, gc=False):
    """What a signature covers. `target` is path and query as they are sent."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def sign(signed: Signed, keys: Keys, scope: Scope, now_s: int) -> Mapping[str, str]:
    """The headers that carry the signature, `x-amz-date` and the session's token among them."""
    stamp = datetime.fromtimestamp(now_s, UTC).strftime(_STAMP)
    added = {"x-amz-date": stamp} | ({"x-amz-security-token": keys.session} if keys.session else {})
    headers = {**signed.headers, **added}
    names = ";".join(sorted(headers))
    place = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    hashed = sha256(canonical(signed, headers).encode()).hexdigest()
    key = f"AWS4{keys.secret}".encode()
    for step in place.split("/"):
        key = hmac.digest(key, step.encode(), sha256)
    signature = hmac.digest(key, f"{ALGORITHM}\n{stamp}\n{place}\n{hashed}".encode(), sha256).hex()
    words = f"{ALGORITHM} Credential={keys.access}/{place}, SignedHeaders={names}, Signature={signature}"
    return {**added, "authorization": words}


def canonical(signed: Signed, headers: Mapping[str, str]) -> str:
    """The request as it is signed: its path, encoded as it travels, is encoded once more."""
    path, _, query = signed.target.partition("?")
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in sorted(headers))
    return "\n".join(
        (
            signed.method,
            quote(path or "/", safe=f"/{_UNRESERVED}"),
            _query(query),
            lines,
            ";".join(sorted(headers)),
            sha256(signed.body).hexdigest(),
        )
    )


def _query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)
