"""The list of a response's input items: ids for all, and pages that fit together."""

import json
from typing import Any

import pytest

from yescale.protocols.openai_responses.listing import Paging, list_items

ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"type": "message", "role": "assistant", "content": "hello", "id": None},
    {"type": "function_call_output", "call_id": "c", "output": "31"},
    {"type": "reasoning", "id": "rs_1", "summary": []},
]


def listed(paging: Paging, items: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    page = list_items(json.dumps(ITEMS if items is None else items).encode(), "resp_1", paging)
    assert page is not None
    return json.loads(page)


def test_items_have_ids_and_messages_in_short_are_written_out() -> None:
    page = listed(Paging(backwards=False))
    assert page["data"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}], "id": "msg_resp_1_0"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "hello"}],
            "id": "msg_resp_1_1",
        },
        {"type": "function_call_output", "call_id": "c", "output": "31", "id": "function_call_output_resp_1_2"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
    ]
    assert (page["object"], page["has_more"]) == ("list", False)
    assert (page["first_id"], page["last_id"]) == ("msg_resp_1_0", "rs_1")


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_pages_follow_one_another_to_the_end(limit: int, backwards: bool) -> None:
    whole = [item["id"] for item in listed(Paging(100, backwards))["data"]]
    assert whole == sorted(whole, key=["msg_resp_1_0", "msg_resp_1_1", "function_call_output_resp_1_2", "rs_1"].index,
                           reverse=backwards)  # fmt: skip
    found: list[str] = []
    more = True
    while more:
        page = listed(Paging(limit, backwards, found[-1] if found else ""))
        found += [item["id"] for item in page["data"]]
        more = page["has_more"]
    assert found == whole


def test_an_empty_list_is_a_page_and_an_unknown_item_is_none() -> None:
    assert listed(Paging(), []) == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert list_items(json.dumps(ITEMS).encode(), "resp_1", Paging(after="msg_2")) is None
