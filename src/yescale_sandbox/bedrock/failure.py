"""How Bedrock fails: the exception of each scenario.

Bedrock has no 401, 402, 502 and 529. What comes nearest: an unknown key and an account that cannot pay are 403, a model
that fails is 424, one that takes too long 408 (API_runtime_Converse.html, "Errors").
"""

import msgspec

from yescale_sandbox.bedrock import eventstream
from yescale_sandbox.bedrock.refusal import STATUSES, error_body, error_headers
from yescale_sandbox.outage import Failure, Failures
from yescale_sandbox.playback import Framing

_NOT_PAID = "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be provided."
_FAILED = "The system encountered an unexpected error during processing. Try your request again."
ELSEWHERE = "/bedrock/model/elsewhere/converse"

# Scenario, exception, words.
_ROWS = (
    ("400", "ValidationException", "Invalid request: this model answers every call so."),
    ("401", "UnrecognizedClientException", "The security token included in the request is invalid."),
    ("402", "AccessDeniedException", _NOT_PAID),
    ("403", "AccessDeniedException", "You don't have access to the model with the specified model ID."),
    ("404", "ResourceNotFoundException", "The resource you requested does not exist."),
    ("429", "ThrottlingException", "Too many requests, please wait before trying again."),
    ("quota", "ThrottlingException", "Too many tokens per day, please wait before trying again."),
    ("500", "InternalServerException", _FAILED),
    ("502", "ModelErrorException", "The model returned an error while it processed the request."),
    ("503", "ServiceUnavailableException", "Bedrock is unable to process your request."),
    ("529", "ModelTimeoutException", "Model has timed out in processing the request. Try your request again."),
)
_BY_NAME = {name: Failure(STATUSES[kind], error_body(words), error_headers(kind)) for name, kind, words in _ROWS}
FAILURES = Failures({**_BY_NAME, "redirect": Failure(307, b"", (("location", ELSEWHERE),))}, error_body)

_BROKEN = {"message": _FAILED, "originalStatusCode": 500, "originalMessage": "Internal server error"}
FRAMING = Framing(
    b"",
    eventstream.exception("modelStreamErrorException", msgspec.json.encode(_BROKEN)),
    eventstream.MEDIA,
    eventstream.event,
)
