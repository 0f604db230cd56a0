"""Amazon Bedrock: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html

A channel's secret is `ACCESS:SECRET` or `ACCESS:SECRET:SESSION`, or one of Bedrock's own API keys, which go as a
bearer: https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html. Its base URL says the region.
"""

import re
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from yescale.domain.ids import ProviderId
from yescale.domain.profile import Profile
from yescale.protocols import bedrock_converse
from yescale.protocols.anthropic_messages import clouds
from yescale.providers import anthropic, betas, quirks
from yescale.providers.provider import BadChannel, Blame, Endpoint, Passed, Provider, Unsigned
from yescale.providers.signatures import Keys, Scope, Signed, sign

_SERVICE: Final = "bedrock"
_REGION: Final = re.compile(r"(?:^|\.)bedrock-runtime(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.")
_ANYWHERE: Final = "us-east-1"  # where the host names none: an endpoint of one's own, or a proxy
_ACCESS: Final = re.compile(r"[A-Z0-9]{16,128}")
_CLAUDE: Final = "anthropic."
_CACHING: Final = (_CLAUDE, "amazon.nova")
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-invoke.html: what we want of an answer is JSON, be it
# framed or not.
_HEADERS: Final = {"accept": "application/json"}


def authorize(request: Unsigned) -> Mapping[str, str]:
    """The headers that say who asks. Raises BadChannel for a secret of no known kind."""
    access, colon, rest = request.secret.partition(":")
    if not colon:
        return {"authorization": f"Bearer {request.secret}"}
    secret, _, session = rest.partition(":")
    if not _ACCESS.fullmatch(access) or not secret:
        raise BadChannel("a secret for Bedrock is ACCESS:SECRET, ACCESS:SECRET:SESSION or an API key without a colon")
    signed = Signed(method="POST", target=request.target, headers={"host": request.host}, body=request.body)
    return sign(signed, Keys(access, secret, session), Scope(region_of(request.host), _SERVICE), request.now_s)


def region_of(host: str) -> str:
    """The region that a host of Bedrock's stands in."""
    found = _REGION.search(host)
    return found.group(1) if found is not None else _ANYWHERE


def profile(model: str) -> Profile:
    """What a model takes; a Claude what it takes at home."""
    _, claude, name = model.rpartition(_CLAUDE)
    if claude:
        return anthropic.profile(name)
    return Profile(
        thinks="effort" if "gpt-oss" in model else "no",
        late_system=False,
        schemas=False,
        cache_points=any(family in model for family in _CACHING),
    )


BLAME: Final = (
    Blame(who="provider", status=424),  # the model failed
    Blame(who="account", status=404, words="model"),  # not there in this region, or not opened for us
    Blame(who="account", status=400, words="model identifier is invalid"),
    Blame(who="account", status=400, words="on-demand throughput isn"),
    Blame(who="account", status=400, words="operation not allowed"),
)
BEDROCK: Final = Provider(
    id=ProviderId("bedrock"),
    title="Amazon Bedrock",
    base_url="https://bedrock-runtime.us-east-1.amazonaws.com",
    auth=authorize,
    endpoints={
        "chat": (
            Endpoint(
                format=bedrock_converse.CONVERSE,
                path="/model/{model}/converse",
                stream_path="/model/{model}/converse-stream",
                headers=_HEADERS,
            ),
        )
    },
    profile=profile,
    blame=BLAME,
)
# Claude in its own format, which says more than Converse does.
BEDROCK_ANTHROPIC: Final = replace(
    BEDROCK,
    id=ProviderId("bedrock_anthropic"),
    title="Amazon Bedrock (Claude)",
    endpoints={
        "chat": (
            Endpoint(
                format=clouds.BEDROCK,
                path="/model/{model}/invoke",
                stream_path="/model/{model}/invoke-with-response-stream",
                headers=_HEADERS,
                passes=(Passed(b"anthropic-beta", known=betas.BEDROCK, member="anthropic_beta"),),
                quirks=(quirks.leave_out("service_tier"),),
            ),
        )
    },
)
