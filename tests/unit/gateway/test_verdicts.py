"""What the errors of providers mean: by status, and by what each provider is known to mean."""

import pytest

from yescale.gateway.relay.verdicts import GARBAGE, Verdict, judge_answer
from yescale.protocols.openai_chat import CHAT
from yescale.protocols.passthrough import UpstreamError
from yescale.providers.provider import Blame

ROWS = (
    Blame(who="account", status=400, words="incorrect api key"),
    Blame(who="account", code="1008"),
    Blame(who="caller", code="1026"),
    Blame(who="busy", status=498),
    Blame(who="provider", status=424),
)


def kind(verdict: Verdict) -> str:
    """Whom a verdict blames."""
    if verdict.own:
        return "caller"
    if verdict.rest_secret:
        return "account"
    return "provider" if verdict.counts else "busy"


@pytest.mark.parametrize(
    ("status", "body", "blamed"),
    [
        (400, b'{"code":"invalid","error":"Incorrect API key provided: xai-***"}', "account"),
        (400, b'{"code":"invalid","error":"Argument not supported: n"}', "caller"),
        (200, b'{"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}', "account"),
        (200, b'{"base_resp":{"status_code":1026,"status_msg":"input new_sensitive"}}', "caller"),
        (498, b"{}", "busy"),
        (424, b'{"message":"the model failed"}', "provider"),
        (402, b"{}", "account"),
        (429, b'{"error":{"code":"insufficient_quota"}}', "account"),
        (429, b"{}", "busy"),
        (422, b"{}", "caller"),
        (500, b"{}", "provider"),
    ],
)
def test_an_error_is_blamed_on_whom_the_provider_means(status: int, body: bytes, blamed: str) -> None:
    assert kind(judge_answer(status, CHAT.read_error(body), ROWS)) == blamed


def test_a_success_that_is_no_answer_and_tells_no_known_error_is_garbage() -> None:
    zero = CHAT.read_error(b'{"base_resp":{"status_code":0,"status_msg":"success"}}')
    assert judge_answer(200, zero, ROWS) is GARBAGE
    assert judge_answer(200, UpstreamError(), ()) is GARBAGE


def test_the_first_row_that_fits_decides() -> None:
    rows = (Blame(who="busy", status=403, words="flagged"), Blame(who="caller", status=403))
    assert kind(judge_answer(403, UpstreamError(message="Input was FLAGGED"), rows)) == "busy"
    assert kind(judge_answer(403, UpstreamError(message="other"), rows)) == "caller"
