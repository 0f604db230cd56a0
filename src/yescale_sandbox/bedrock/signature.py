"""Signature Version 4, verified as https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
says; and bearer API keys (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html).
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from msgspec import Struct

from yescale_sandbox.bedrock.refusal import RefusedError
from yescale_sandbox.exchange import Request

ACCESS_KEY = "AKIASANDBOX000000000"
SIGNS_WITH = "sandbox/secret/access/key/for/tests/only/00"
BEARER_PREFIX = "bedrock-api-key-sandbox-"
SERVICE = "bedrock"
ALGORITHM = "AWS4-HMAC-SHA256"
PATIENCE = timedelta(minutes=5)
STAMP = "%Y%m%dT%H%M%SZ"
_PARTS = re.compile(
    r"Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[^/,\s]+)/aws4_request,\s*"
    r"SignedHeaders=(?P<signed>[a-z0-9;._-]+),\s*Signature=(?P<signature>[0-9a-f]{64})$"
)


class Credential(Struct, frozen=True):
    """What the Authorization header says."""

    key: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def verified_key(request: Request, now: datetime) -> str:
    """The access key or API key of a request that is signed as it should be.

    Raises: RefusedError, status 403.
    """
    header = request.headers.get("authorization", "")
    scheme, _, rest = header.partition(" ")
    if not header:
        raise RefusedError("Missing Authentication Token", "MissingAuthenticationTokenException")
    if scheme.lower() == "bearer":
        if not rest.strip().startswith(BEARER_PREFIX):
            words = "Authentication failed: Please make sure your API Key is valid."
            raise RefusedError(words, "AccessDeniedException")
        return rest.strip()
    found = _PARTS.match(rest.strip()) if scheme == ALGORITHM else None
    if found is None:
        words = (
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter."
        )
        raise RefusedError(words, "IncompleteSignatureException")
    part = found.groupdict()
    credential = Credential(
        part["key"], part["day"], part["region"], part["service"], tuple(part["signed"].split(";")), part["signature"]
    )
    _check_credential(credential)
    _check_date(request, credential, now)
    if not hmac.compare_digest(_signature(request, credential), credential.signature):
        raise RefusedError(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
            "InvalidSignatureException",
        )
    return credential.key


def _check_credential(credential: Credential) -> None:
    if credential.key != ACCESS_KEY:
        raise RefusedError("The security token included in the request is invalid.", "UnrecognizedClientException")
    if credential.service != SERVICE:
        words = f"Credential should be scoped to correct service: '{SERVICE}'."
        raise RefusedError(words, "InvalidSignatureException")
    if not {"host", "x-amz-date"} <= set(credential.signed):
        words = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        raise RefusedError(words, "InvalidSignatureException")


def _check_date(request: Request, credential: Credential, now: datetime) -> None:
    stamp = request.headers.get("x-amz-date", "")
    try:
        signed = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        words = "Date must be in ISO-8601 'basic format'. See the AWS documentation for the request signature."
        raise RefusedError(words, "IncompleteSignatureException") from None
    if not stamp.startswith(credential.day):
        words = f"Credential should be scoped to a valid date: {credential.day} is not that of {stamp}."
        raise RefusedError(words, "InvalidSignatureException")
    # The words: github.com/boto/botocore/issues/3587
    earliest, latest = now - PATIENCE, now + PATIENCE
    if signed < earliest:
        words = f"Signature expired: {stamp} is now earlier than {earliest:{STAMP}} ({now:{STAMP}} - 5 min.)"
        raise RefusedError(words, "InvalidSignatureException")
    if signed > latest:
        words = f"Signature not yet current: {stamp} is still later than {latest:{STAMP}} ({now:{STAMP}} + 5 min.)"
        raise RefusedError(words, "InvalidSignatureException")


def _signature(request: Request, credential: Credential) -> str:
    stamp = request.headers["x-amz-date"]
    hashed = hashlib.sha256(_canonical(request, credential).encode()).hexdigest()
    text = "\n".join([ALGORITHM, stamp, credential.scope, hashed])
    key = f"AWS4{SIGNS_WITH}".encode()
    for step in credential.scope.split("/"):
        key = hmac.digest(key, step.encode(), hashlib.sha256)
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()


def _canonical(request: Request, credential: Credential) -> str:
    """The request as it was signed; its path, encoded as it travels, is encoded once more."""
    headers = "".join(f"{name}:{_folded(request.headers.get(name, ''))}\n" for name in credential.signed)
    return "\n".join(
        [
            request.method,
            quote(request.path, safe="/~"),
            _canonical_query(request.query),
            headers,
            ";".join(credential.signed),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


def _canonical_query(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    encoded = ((quote(unquote(name), safe="~"), quote(unquote(value), safe="~")) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _folded(value: str) -> str:
    return " ".join(value.split())
