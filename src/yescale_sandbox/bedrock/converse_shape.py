"""The fields of a Converse request (botocore's `bedrock-runtime` model, `ConverseRequest`).

Left out are kinds of content that Anthropic's models on Bedrock do not take: video, audio, S3, guarded content.
"""

from yescale_sandbox.bedrock.shapes import (
    Choice,
    Field,
    Fields,
    Flag,
    Items,
    Number,
    Open,
    Pairs,
    Text,
    need,
    one_of,
)

NAME = Text(1, 64, "[a-zA-Z0-9_-]+")
TOOL_USE_ID = Text(1, 64, "[a-zA-Z0-9_.:-]+")
BYTES = Text(1)
CITING = Fields({"enabled": need(Flag())})
CACHE_POINT = Fields({"type": need(Choice(("default",))), "ttl": Field(Choice(("5m", "1h")))})
IMAGE = Fields({"format": need(Choice(("png", "jpeg", "gif", "webp"))), "source": need(one_of(bytes=BYTES))})
_TEXT_ONLY = Fields({"text": need(Text())})
DOCUMENT = Fields(
    {
        "format": Field(Choice(("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"))),
        "name": need(Text(1, 200)),
        "source": need(one_of(bytes=BYTES, text=Text(), content=Items(_TEXT_ONLY))),
        "context": Field(Text()),
        "citations": Field(CITING),
    }
)
SEARCH_RESULT = Fields(
    {
        "source": need(Text()),
        "title": need(Text()),
        "content": need(Items(_TEXT_ONLY)),
        "citations": Field(CITING),
    }
)


class Anything(Text, frozen=True):
    """Any JSON."""

    def check(self, value: object, path: str) -> None:
        """Nothing is refused."""


_PLACE = Fields(
    {
        "documentIndex": Field(Number(0, whole=True)),
        "start": Field(Number(0, whole=True)),
        "end": Field(Number(0, whole=True)),
    }
)
_CITATION = Fields(
    {
        "title": Field(Text()),
        "source": Field(Text()),
        "sourceContent": Field(Items(one_of(text=Text()))),
        "location": Field(one_of(documentChar=_PLACE, documentPage=_PLACE, documentChunk=_PLACE)),
    }
)
CONTENT = one_of(
    text=Text(),
    image=IMAGE,
    document=DOCUMENT,
    toolUse=Fields({"toolUseId": need(TOOL_USE_ID), "name": need(NAME), "input": need(Open())}),
    toolResult=Fields(
        {
            "toolUseId": need(TOOL_USE_ID),
            "content": need(
                Items(one_of(text=Text(), json=Anything(), image=IMAGE, document=DOCUMENT, searchResult=SEARCH_RESULT))
            ),
            "status": Field(Choice(("success", "error"))),
        }
    ),
    cachePoint=CACHE_POINT,
    reasoningContent=one_of(
        reasoningText=Fields({"text": need(Text()), "signature": Field(Text())}), redactedContent=Text()
    ),
    citationsContent=Fields({"content": Field(Items(one_of(text=Text()))), "citations": Field(Items(_CITATION))}),
    searchResult=SEARCH_RESULT,
)
REQUEST = Fields(
    {
        "messages": need(
            Items(Fields({"role": need(Choice(("user", "assistant"))), "content": need(Items(CONTENT))}), least=1)
        ),
        "system": Field(Items(one_of(text=Text(1), cachePoint=CACHE_POINT))),
        "inferenceConfig": Field(
            Fields(
                {
                    "maxTokens": Field(Number(1, whole=True)),
                    "temperature": Field(Number(0, 1)),
                    "topP": Field(Number(0, 1)),
                    "stopSequences": Field(Items(Text(1), most=2500)),
                }
            )
        ),
        "toolConfig": Field(
            Fields(
                {
                    "tools": need(
                        Items(
                            one_of(
                                toolSpec=Fields(
                                    {
                                        "name": need(NAME),
                                        "description": Field(Text(1)),
                                        "inputSchema": need(one_of(json=Open())),
                                        "strict": Field(Flag()),
                                    }
                                ),
                                cachePoint=CACHE_POINT,
                            ),
                            least=1,
                        )
                    ),
                    "toolChoice": Field(one_of(auto=Fields({}), any=Fields({}), tool=Fields({"name": need(NAME)}))),
                }
            )
        ),
        "guardrailConfig": Field(Open()),
        "additionalModelRequestFields": Field(Open()),
        "additionalModelResponseFieldPaths": Field(Items(Text(1, 256, "/.*"), most=10)),
        "requestMetadata": Field(Pairs(Text(0, 256), 16)),
        "performanceConfig": Field(Fields({"latency": Field(Choice(("standard", "optimized")))})),
        "serviceTier": Field(Fields({"type": need(Choice(("priority", "default", "flex", "reserved")))})),
        "outputConfig": Field(
            Fields(
                {
                    "textFormat": Field(
                        Fields(
                            {
                                "type": need(Choice(("json_schema",))),
                                "structure": need(
                                    one_of(
                                        jsonSchema=Fields(
                                            {
                                                "schema": need(Text(1)),
                                                "name": Field(Text()),
                                                "description": Field(Text()),
                                            }
                                        )
                                    )
                                ),
                            }
                        )
                    )
                }
            )
        ),
    }
)
