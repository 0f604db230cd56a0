"""Google's token endpoint: a signed assertion in, an access token out, and later the token known again.

https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests, and its error codes.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from yescale_sandbox.exchange import Request
from yescale_sandbox.gemini.proto import decoded
from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.vertex.account import EMAIL, GRANT_PATH

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SCOPES = "https://www.googleapis.com/auth/"
MOST_S = 3_600
SKEW_S = 300
USUAL_S = 3_599
MARK = "ya29.c.sandbox-"
_SECRET = b"the sandbox signs access tokens with this, and nothing else"


class DeniedError(Exception):
    """No token. `body` is what Google's token endpoint answers."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body = msgspec.json.encode({"error": error, "error_description": description})


class Access(Struct, frozen=True):
    """What an access token says: until when, and for what."""

    expires: float
    scope: str


class Claims(Struct, frozen=True):
    """What an assertion must say; another type than these makes it malformed."""

    iss: str = ""
    aud: str = ""
    scope: str = ""
    iat: float | None = None
    exp: float | None = None


def granted(request: Request, key: RSAPublicKey, now: float) -> JsonObject:
    """A token for a request.

    Raises: DeniedError.
    """
    form = parse_qs(request.body.decode("utf-8", "replace"))
    grant, assertion = form.get("grant_type", [""])[-1], form.get("assertion", [""])[-1]
    if grant != GRANT:
        raise DeniedError("unsupported_grant_type", f"Invalid grant_type: {grant[:100]}")
    if not assertion:
        raise DeniedError("invalid_request", "Missing required parameter: assertion")
    claims = _verified(assertion, key)
    _check(claims, _audiences(request), now)
    lifetime = _lifetime(parse_qs(request.query))
    token = minted(Access(now + lifetime, claims.scope))
    return {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}


def minted(access: Access) -> str:
    payload = base64.urlsafe_b64encode(msgspec.json.encode(access)).decode().rstrip("=")
    return f"{MARK}{payload}.{_proof(payload)}"


def access_of(token: str) -> Access | None:
    """What a token says; None if it is not one of the sandbox's."""
    payload, _, proof = token.removeprefix(MARK).partition(".")
    if not token.startswith(MARK) or not hmac.compare_digest(proof.encode(), _proof(payload).encode()):
        return None
    return msgspec.json.decode(decoded(payload), type=Access)


def _verified(assertion: str, key: RSAPublicKey) -> Claims:
    """The claims of an assertion that the account signed (RFC 7515, RS256)."""
    head, _, rest = assertion.partition(".")
    payload, _, signature = rest.partition(".")
    try:
        header: Json = msgspec.json.decode(decoded(head))
        claims = msgspec.json.decode(decoded(payload), type=Claims)
        raw = decoded(signature)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise DeniedError("invalid_request", "Bad Request") from None
    if not isinstance(header, dict) or header.get("alg") != "RS256":
        raise DeniedError("invalid_grant", "Invalid JWT: The algorithm must be RS256.")
    if claims.iss != EMAIL:
        raise DeniedError("invalid_grant", "Invalid grant: account not found")
    try:
        key.verify(raw, f"{head}.{payload}".encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        raise DeniedError("invalid_grant", "Invalid JWT Signature.") from None
    return claims


def _check(claims: Claims, audiences: frozenset[str], now: float) -> None:
    if claims.aud not in audiences:
        right = " or ".join(sorted(audiences))
        raise DeniedError("invalid_grant", f"Invalid JWT: Failed audience check. The right audience is {right}")
    iat, exp = claims.iat, claims.exp
    timely = iat is not None and exp is not None and iat - SKEW_S <= now < exp and 0 < exp - iat <= MOST_S
    if not timely:
        raise DeniedError(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat "
            "and exp values in the JWT claim.",
        )
    scopes = claims.scope.split()
    if not scopes or not all(scope.startswith(SCOPES) for scope in scopes):
        raise DeniedError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")


def _audiences(request: Request) -> frozenset[str]:
    """The endpoint's own address, and Google's, which Google's libraries write whatever the file says."""
    here = f"http://{request.headers.get('host', '')}{GRANT_PATH}"
    return frozenset({GOOGLE_AUDIENCE, here, f"{here}?{request.query}"})


def _lifetime(query: Mapping[str, list[str]]) -> int:
    asked = query.get("lifetime", [""])[-1]
    return min(int(asked[:9]), USUAL_S) if asked.isascii() and asked.isdigit() else USUAL_S


def _proof(payload: str) -> str:
    return hmac.digest(_SECRET, payload.encode(), "sha256").hex()[:32]
