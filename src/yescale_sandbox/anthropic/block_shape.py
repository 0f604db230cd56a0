"""The content blocks of a message, as the types `*_param.py` of anthropic-sdk-python have them."""

from collections.abc import Mapping

from yescale_sandbox.anthropic.shapes import (
    Choice,
    Field,
    Fields,
    Flag,
    Items,
    ItemsOr,
    Open,
    Tagged,
    Text,
    TextOr,
    Whole,
    may,
    maybe,
    need,
)

ID = Text(pattern="^[a-zA-Z0-9_-]+$")
TOOL_NAME = Text(least=1, most=128, pattern="^[a-zA-Z0-9_-]{1,128}$")
# `scope` is known to a beta only, which a rule looks after.
MARK = maybe(
    Tagged(
        {
            "ephemeral": Fields(
                {"type": need(Text()), "ttl": may(Choice(("5m", "1h"))), "scope": may(Choice(("global",)))}
            )
        }
    )
)
CITING = maybe(Fields({"enabled": may(Flag())}))
TYPE = need(Text())

# What a citation of an earlier answer carries besides its type and `cited_text`.
_DOCUMENT = {"document_index": need(Whole(least=0)), "document_title": maybe(Text()), "file_id": maybe(Text())}
_PLACES: Mapping[str, Mapping[str, Field]] = {
    "char_location": {**_DOCUMENT, "start_char_index": need(Whole(least=0)), "end_char_index": need(Whole())},
    "page_location": {**_DOCUMENT, "start_page_number": need(Whole(least=1)), "end_page_number": need(Whole())},
    "content_block_location": {
        **_DOCUMENT,
        "start_block_index": need(Whole(least=0)),
        "end_block_index": need(Whole()),
    },
    "search_result_location": {
        "search_result_index": need(Whole(least=0)),
        "source": need(Text()),
        "title": maybe(Text()),
        "start_block_index": need(Whole(least=0)),
        "end_block_index": need(Whole()),
    },
    "web_search_result_location": {"encrypted_index": need(Text()), "title": maybe(Text()), "url": need(Text())},
}
CITATION = Tagged({name: Fields({"type": TYPE, "cited_text": need(Text()), **more}) for name, more in _PLACES.items()})

TEXT = Fields({"type": TYPE, "text": need(Text()), "cache_control": MARK, "citations": maybe(Items(CITATION))})
ONLY_TEXT = Fields({**TEXT.known, "type": need(Choice(("text",)))})
_URL = Fields({"type": TYPE, "url": need(Text(least=1))})
_FILE = Fields({"type": TYPE, "file_id": need(Text(least=1))})
_PICTURE_KINDS = Choice(("image/jpeg", "image/png", "image/gif", "image/webp"))
IMAGE = Fields(
    {
        "type": TYPE,
        "source": need(
            Tagged(
                {
                    "base64": Fields({"type": TYPE, "media_type": need(_PICTURE_KINDS), "data": need(Text())}),
                    "file": _FILE,
                    "url": _URL,
                }
            )
        ),
        "cache_control": MARK,
    }
)
DOCUMENT = Fields(
    {
        "type": TYPE,
        "source": need(
            Tagged(
                {
                    "base64": Fields(
                        {"type": TYPE, "media_type": need(Choice(("application/pdf",))), "data": need(Text())}
                    ),
                    "content": Fields(
                        {"type": TYPE, "content": need(TextOr(Items(Tagged({"image": IMAGE, "text": TEXT}))))}
                    ),
                    "file": _FILE,
                    "text": Fields({"type": TYPE, "media_type": need(Choice(("text/plain",))), "data": need(Text())}),
                    "url": _URL,
                }
            )
        ),
        "cache_control": MARK,
        "citations": CITING,
        "context": maybe(Text(least=1)),
        "title": maybe(Text(least=1, most=500)),
    }
)
SEARCH_RESULT = Fields(
    {
        "type": TYPE,
        "content": need(Items(ONLY_TEXT)),
        "source": need(Text()),
        "title": need(Text()),
        "cache_control": MARK,
        "citations": may(Fields({"enabled": may(Flag())})),
    }
)
_IN_RESULT = Tagged({"document": DOCUMENT, "image": IMAGE, "search_result": SEARCH_RESULT, "text": TEXT})
_USE = {"type": TYPE, "id": need(ID), "input": need(Open()), "cache_control": MARK, "caller": may(Open())}
SERVER_TOOLS = ("web_search", "web_fetch", "code_execution", "bash_code_execution", "text_editor_code_execution")
_FOUND = Fields(
    {
        "type": need(Choice(("web_search_result",))),
        "encrypted_content": need(Text()),
        "title": need(Text()),
        "url": need(Text()),
        "page_age": maybe(Text()),
    }
)
_FAULT = {"error_code": need(Text()), "error_message": maybe(Text())}


def _answer(name: str, **variants: Fields) -> Fields:
    """What a server tool answered: one of some objects, or an error."""
    fault = Fields({"type": TYPE, **_FAULT})
    content = Tagged({**variants, f"{name}_error": fault})
    return Fields({"type": TYPE, "tool_use_id": need(ID), "content": need(content), "cache_control": MARK})


def _ran(output: str) -> Fields:
    return Fields(
        {
            "type": TYPE,
            "content": need(Items(Fields({"type": need(Choice((output,))), "file_id": need(Text())}))),
            "return_code": need(Whole()),
            "stderr": need(Text()),
            "stdout": need(Text()),
        }
    )


BLOCK = Tagged(
    {
        "bash_code_execution_tool_result": _answer(
            "bash_code_execution_tool_result", bash_code_execution_result=_ran("bash_code_execution_output")
        ),
        "code_execution_tool_result": _answer(
            "code_execution_tool_result", code_execution_result=_ran("code_execution_output")
        ),
        "container_upload": Fields({"type": TYPE, "file_id": need(Text()), "cache_control": MARK}),
        "document": DOCUMENT,
        "image": IMAGE,
        "redacted_thinking": Fields({"type": TYPE, "data": need(Text())}),
        "search_result": SEARCH_RESULT,
        "server_tool_use": Fields({**_USE, "name": need(Choice(SERVER_TOOLS))}),
        "text": TEXT,
        "thinking": Fields({"type": TYPE, "thinking": need(Text()), "signature": need(Text())}),
        "tool_result": Fields(
            {
                "type": TYPE,
                "tool_use_id": need(ID),
                "content": may(TextOr(Items(_IN_RESULT))),
                "is_error": may(Flag()),
                "cache_control": MARK,
            }
        ),
        "tool_use": Fields({**_USE, "name": need(Text(least=1, most=200))}),
        "web_fetch_tool_result": _answer(
            "web_fetch_tool_result",
            web_fetch_result=Fields(
                {"type": TYPE, "content": need(DOCUMENT), "url": need(Text()), "retrieved_at": maybe(Text())}
            ),
        ),
        "web_search_tool_result": Fields(
            {
                "type": TYPE,
                "tool_use_id": need(ID),
                "content": need(
                    ItemsOr(Items(_FOUND), Fields({"type": need(Choice(("web_search_tool_result_error",))), **_FAULT}))
                ),
                "cache_control": MARK,
            }
        ),
    }
)
