"""The models that the sandbox knows, with what each can do."""

from collections.abc import Mapping

from msgspec import Struct

LOW_TO_HIGH = ("low", "medium", "high")


class ChatModel(Struct, frozen=True):
    """A chat model. `efforts` is empty where the model does not reason; `refused` are fields that it never takes.

    `hears` says that it takes and gives audio; one that does not chat answers in Responses alone.
    """

    name: str
    dated: str
    created: int
    context: int
    most_output: int
    efforts: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()
    sees: bool = True
    structured: bool = True
    verbosities: tuple[str, ...] = ("medium",)
    hears: bool = False
    chats: bool = True

    @property
    def reasons(self) -> bool:
        return bool(self.efforts)


class EmbeddingModel(Struct, frozen=True):
    """An embedding model; `shortens` says that `dimensions` may be asked for."""

    name: str
    dated: str
    created: int
    dimensions: int
    shortens: bool = True


# Which fields reasoning models refuse: github.com/openai/openai-python/issues/2046, /simonw/llm/issues/724 and the
# reasoning guide; `stop` is refused since o4-mini (openapi.json, StopConfiguration).
_REASONING = frozenset(
    {"presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias", "prediction", "top_p"}
)
_O_SERIES = _REASONING | {"parallel_tool_calls"}
_NO_STOP = _REASONING | {"stop"}
_GPT_5_EFFORTS = ("minimal", *LOW_TO_HIGH)


def _audio(name: str, dated: str, created: int) -> ChatModel:
    return ChatModel(name, dated, created, 128_000, 16_384, sees=False, structured=False, hears=True)


def _gpt_5(name: str, dated: str, created: int, efforts: tuple[str, ...] = _GPT_5_EFFORTS) -> ChatModel:
    return ChatModel(
        *(name, dated, created, 400_000, 128_000, efforts, _NO_STOP), verbosities=LOW_TO_HIGH, chats="codex" not in name
    )


# https://platform.openai.com/docs/models
CHAT_MODELS: Mapping[str, ChatModel] = {
    model.name: model
    for model in (
        ChatModel("gpt-4o", "gpt-4o-2024-08-06", 1715367049, 128_000, 16_384),
        ChatModel("gpt-4o-mini", "gpt-4o-mini-2024-07-18", 1721172741, 128_000, 16_384),
        ChatModel("gpt-4.1", "gpt-4.1-2025-04-14", 1744316542, 1_047_576, 32_768),
        ChatModel("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 1744318173, 1_047_576, 32_768),
        ChatModel("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14", 1744321707, 1_047_576, 32_768),
        ChatModel("gpt-3.5-turbo", "gpt-3.5-turbo-0125", 1677610602, 16_385, 4_096, sees=False, structured=False),
        ChatModel(
            *("gpt-3.5-turbo-1106", "gpt-3.5-turbo-1106", 1698959748, 16_385, 4_096), sees=False, structured=False
        ),
        ChatModel("gpt-4-turbo", "gpt-4-turbo-2024-04-09", 1712361441, 128_000, 4_096, structured=False),
        _audio("gpt-4o-audio-preview", "gpt-4o-audio-preview-2024-12-17", 1727460443),
        _audio("gpt-4o-mini-audio-preview", "gpt-4o-mini-audio-preview-2024-12-17", 1734387424),
        ChatModel("o1", "o1-2024-12-17", 1734375816, 200_000, 100_000, LOW_TO_HIGH, _O_SERIES),
        ChatModel("o1-mini", "o1-mini-2024-09-12", 1725649008, 128_000, 65_536, ("medium",), _O_SERIES, sees=False),
        ChatModel("o3", "o3-2025-04-16", 1744225308, 200_000, 100_000, LOW_TO_HIGH, _NO_STOP),
        ChatModel("o3-mini", "o3-mini-2025-01-31", 1737146383, 200_000, 100_000, LOW_TO_HIGH, _O_SERIES, sees=False),
        ChatModel("o4-mini", "o4-mini-2025-04-16", 1744225351, 200_000, 100_000, LOW_TO_HIGH, _NO_STOP),
        _gpt_5("gpt-5", "gpt-5-2025-08-07", 1754425777),
        _gpt_5("gpt-5-mini", "gpt-5-mini-2025-08-07", 1754425928),
        _gpt_5("gpt-5-nano", "gpt-5-nano-2025-08-07", 1754426384),
        _gpt_5("gpt-5-codex", "gpt-5-codex", 1757527818, LOW_TO_HIGH),
        _gpt_5("gpt-5.1", "gpt-5.1-2025-11-13", 1762800673, ("none", *LOW_TO_HIGH)),
        _gpt_5("gpt-5.1-codex", "gpt-5.1-codex", 1762988221, LOW_TO_HIGH),
    )
}

EMBEDDING_MODELS: Mapping[str, EmbeddingModel] = {
    model.name: model
    for model in (
        EmbeddingModel("text-embedding-3-small", "text-embedding-3-small", 1705948997, 1536),
        EmbeddingModel("text-embedding-3-large", "text-embedding-3-large", 1705953180, 3072),
        EmbeddingModel("text-embedding-ada-002", "text-embedding-ada-002-v2", 1671217299, 1536, shortens=False),
    )
}

# Models of the older completions: name, time, context (https://platform.openai.com/docs/models).
TEXT_MODELS: Mapping[str, tuple[int, int]] = {
    "gpt-3.5-turbo-instruct": (1692901427, 4_096),
    "davinci-002": (1692634301, 16_384),
    "babbage-002": (1692634615, 16_384),
}
# Names and times of the models that judge texts and pictures.
MODERATION_MODELS: Mapping[str, int] = {
    "omni-moderation-latest": 1731689265,
    "omni-moderation-2024-09-26": 1732734466,
    "text-moderation-latest": 1680739200,
    "text-moderation-stable": 1680739200,
    "text-moderation-007": 1680739200,
}

_BY_DATE: Mapping[str, ChatModel] = {model.dated: model for model in CHAT_MODELS.values()}


def chat_model(name: str) -> ChatModel | None:
    """The model of a short or a dated name."""
    return CHAT_MODELS.get(name) or _BY_DATE.get(name)


def created_times() -> Mapping[str, int]:
    """Every name that the models endpoint lists, with its time."""
    chat = {name: model.created for model in CHAT_MODELS.values() for name in (model.name, model.dated)}
    others = {model.name: model.created for model in EMBEDDING_MODELS.values()}
    texts = {name: created for name, (created, _) in TEXT_MODELS.items()}
    return {**chat, **others, **texts, **MODERATION_MODELS}
