"""Bedrock's errors: the exceptions of the service with their status, and how an answer carries them.

https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html; the header and its tail are those of
github.com/fumito-ito/AnthropicSwiftSDK/issues/19.
"""

from collections.abc import Mapping

import msgspec

from yescale_sandbox.exchange import Headers

STATUSES: Mapping[str, int] = {
    "AccessDeniedException": 403,
    "IncompleteSignatureException": 403,
    "InternalServerException": 500,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "ModelErrorException": 424,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "SerializationException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
_TAIL = ":http://internal.amazon.com/coral/com.amazon.bedrock/"


class RefusedError(Exception):
    """The request is at fault."""

    def __init__(self, message: str, kind: str = "ValidationException") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind

    @property
    def status(self) -> int:
        return STATUSES[self.kind]


def error_body(message: str) -> bytes:
    return msgspec.json.encode({"message": message})


def error_headers(kind: str) -> Headers:
    return (("x-amzn-errortype", f"{kind}{_TAIL}"),)


def malformed(fault: str) -> RefusedError:
    """The words: github.com/crmne/ruby_llm/issues/586, ziya-ai/ziya/issues/24, BerriAI/litellm/issues/7416."""
    return RefusedError(f"Malformed input request: {fault}, please reformat your input and try again.")
