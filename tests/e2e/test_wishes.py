"""What OpenAI's SDK for Python says to yescale itself: tags, preferred providers, the cost, a model on its way out."""

import json
import uuid
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.e2e.installation import Installation

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def client(installation: Installation) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{installation.base_url}/v1", api_key=installation.api_key, max_retries=0) as made:
        yield made


def test_a_tagged_call_is_found_and_its_answer_tells_its_charge(installation: Installation, client: OpenAI) -> None:
    session = uuid.uuid4().hex
    asked = {"provider": {"order": ["OpenAI"], "only": ["openai"]}, "usage": {"include": True}}
    before = installation.last_arrival()
    headers = {"X-YEScale-Metadata": json.dumps({"session_id": session, "feature": "search"})}
    whole = client.chat.completions.create(
        model="gpt-4o", messages=HELLO, user=f"ann-{session}", extra_body=asked, extra_headers=headers
    )
    assert whole.usage is not None
    streamed = list(
        client.chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, extra_body=asked, extra_headers=headers
        )
    )
    told = [chunk.usage for chunk in streamed if chunk.usage is not None]
    assert len(told) == 1
    costs = [(usage.model_extra or {})["cost"] for usage in (whole.usage, *told)]
    found = installation.system("GET", f"/yescale/logs?tag=session_id:{session}").json()["data"]["items"]
    charged = sorted(json.loads(row["other"])["amount_nano"] / 1e9 for row in found)
    assert charged == sorted(costs)
    assert len(costs) == 2
    assert min(costs) > 0
    listed = installation.admin("log", "list", "--tag", f"user:ann-{session}")
    assert [row["tags"] for row in listed] == [{"feature": "search", "session_id": session, "user": f"ann-{session}"}]
    for arrival in installation.arrived(before):
        assert not {"provider", "usage"} & arrival["body"].keys()
        assert not [name for name in arrival["headers"] if "metadata" in str(name).lower()]


def test_what_cannot_be_kept_is_refused_by_name(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="X-YEScale-Metadata"):
        client.chat.completions.create(model="gpt-4o", messages=HELLO, extra_headers={"X-YEScale-Metadata": "[]"})
    with pytest.raises(openai.BadRequestError, match="zdr"):
        client.chat.completions.create(model="gpt-4o", messages=HELLO, extra_body={"provider": {"zdr": True}})
    with pytest.raises(openai.NotFoundError, match="widen or leave out 'provider'"):
        client.chat.completions.create(model="gpt-4o", messages=HELLO, extra_body={"provider": {"only": ["nobody"]}})
