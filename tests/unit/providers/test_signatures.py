"""Signature Version 4 against botocore, and against the example of AWS's own documentation."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from yescale.providers.bedrock import authorize, region_of
from yescale.providers.provider import BadChannel, Unsigned
from yescale.providers.signatures import Keys, Scope, Signed, sign

HOST = "bedrock-runtime.eu-central-1.amazonaws.com"
ACCESS, SECRET = "AKIDEXAMPLE000000000", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
AT = 1_440_938_160  # 2015-08-30 12:36:00


class Frozen(SigV4Auth):
    """botocore's signer at a time of our choice."""

    def add_auth(self, request: AWSRequest) -> None:
        request.context["timestamp"] = datetime.fromtimestamp(AT, UTC).strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        signature = self.signature(self.string_to_sign(request, self.canonical_request(request)), request)
        self._inject_signature_to_request(request, signature)


def by_botocore(target: str, body: bytes, session: str | None) -> str:
    request = AWSRequest(method="POST", url=f"https://{HOST}{target}", data=body, headers={"host": HOST})
    Frozen(Credentials(ACCESS, SECRET, session), "bedrock", "eu-central-1").add_auth(request)
    return request.headers["Authorization"]


def unsigned(secret: str, target: str = "/model/m/converse", body: bytes = b"{}", host: str = HOST) -> Unsigned:
    return Unsigned(host=host, target=target, body=body, secret=secret, now_s=AT)


@given(
    model=st.text(min_size=1, max_size=40).filter(lambda name: name not in (".", "..")),
    body=st.binary(max_size=100),
    session=st.none() | st.just("FwoGZXIvYXdzEXAMPLE//token=="),
)
def test_botocore_signs_the_same(model: str, body: bytes, session: str | None) -> None:
    target = f"/model/{quote(model.encode(errors='replace'), safe=':@~-._')}/converse-stream"
    secret = f"{ACCESS}:{SECRET}" + (f":{session}" if session else "")
    headers = authorize(unsigned(secret, target, body))
    assert headers["authorization"] == by_botocore(target, body, session)
    assert headers.get("x-amz-security-token") == session
    assert headers["x-amz-date"] == "20150830T123600Z"


@pytest.mark.parametrize(
    ("target", "signature"),
    [
        ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ],
    ids=["get-vanilla", "get-vanilla-query-order-key-case"],
)
def test_the_cases_of_amazon_s_own_suite_have_their_signatures(target: str, signature: str) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html tells of the suite."""
    signed = Signed(method="GET", target=target, headers={"host": "example.amazonaws.com"}, body=b"")
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    headers = sign(signed, keys, Scope("us-east-1", "service"), AT)
    assert headers["authorization"].endswith(f"Signature={signature}")


def test_an_api_key_goes_as_a_bearer() -> None:
    assert authorize(unsigned("bedrock-api-key-abc")) == {"authorization": "Bearer bedrock-api-key-abc"}


@pytest.mark.parametrize("secret", ["AKIA:secret", f"{ACCESS}:", "lower-case-access-key:secret"])
def test_a_secret_of_no_known_kind_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(BadChannel) as refused:
        authorize(unsigned(secret))
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, "eu-central-1"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443", "us-gov-west-1"),
        ("bedrock-runtime.us-east-2.api.aws", "us-east-2"),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("vpce-0a1b-2c3d.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("my-bedrock-runtime.eu-west-1.example.com", "us-east-1"),
        ("127.0.0.1:8080", "us-east-1"),
    ],
)
def test_the_region_stands_in_the_host(host: str, region: str) -> None:
    assert region_of(host) == region


def test_keys_do_not_show_themselves() -> None:
    assert SECRET not in repr(Keys(ACCESS, SECRET, "session"))
