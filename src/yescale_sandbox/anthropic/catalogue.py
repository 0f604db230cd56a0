"""The models that the sandbox knows, with what each can do.

Names and maxima: https://platform.claude.com/docs/en/about-claude/models/overview; least cacheable prompts:
https://platform.claude.com/docs/en/build-with-claude/prompt-caching.
"""

from collections.abc import Mapping

from msgspec import Struct

LONG_CONTEXT = 1_000_000


class Model(Struct, frozen=True, kw_only=True):
    """A model. `stretches` says that the beta `context-1m-2025-08-07` gives it the long context."""

    dated: str
    aliases: tuple[str, ...]
    title: str
    created: str
    most_output: int
    context: int = 200_000
    least_cached: int = 1_024
    thinks: bool = True
    stretches: bool = False
    one_sampling: bool = False  # takes temperature or top_p, not both
    efforts: bool = False
    structured: bool = False


MODELS = (
    Model(
        dated="claude-opus-4-5-20251101",
        aliases=("claude-opus-4-5",),
        title="Claude Opus 4.5",
        created="2025-11-24T00:00:00Z",
        most_output=64_000,
        least_cached=4_096,
        one_sampling=True,
        efforts=True,
        structured=True,
    ),
    Model(
        dated="claude-haiku-4-5-20251001",
        aliases=("claude-haiku-4-5",),
        title="Claude Haiku 4.5",
        created="2025-10-15T00:00:00Z",
        most_output=64_000,
        least_cached=4_096,
        one_sampling=True,
        structured=True,
    ),
    Model(
        dated="claude-sonnet-4-5-20250929",
        aliases=("claude-sonnet-4-5",),
        title="Claude Sonnet 4.5",
        created="2025-09-29T00:00:00Z",
        most_output=64_000,
        stretches=True,
        one_sampling=True,
        structured=True,
    ),
    Model(
        dated="claude-opus-4-1-20250805",
        aliases=("claude-opus-4-1",),
        title="Claude Opus 4.1",
        created="2025-08-05T00:00:00Z",
        most_output=32_000,
        one_sampling=True,
        structured=True,
    ),
    Model(
        dated="claude-opus-4-20250514",
        aliases=("claude-opus-4-0",),
        title="Claude Opus 4",
        created="2025-05-22T00:00:00Z",
        most_output=32_000,
    ),
    Model(
        dated="claude-sonnet-4-20250514",
        aliases=("claude-sonnet-4-0",),
        title="Claude Sonnet 4",
        created="2025-05-22T00:00:00Z",
        most_output=64_000,
        stretches=True,
    ),
    Model(
        dated="claude-3-7-sonnet-20250219",
        aliases=("claude-3-7-sonnet-latest",),
        title="Claude Sonnet 3.7",
        created="2025-02-24T00:00:00Z",
        most_output=64_000,
    ),
    Model(
        dated="claude-3-5-sonnet-20241022",
        aliases=("claude-3-5-sonnet-latest",),
        title="Claude Sonnet 3.5 (New)",
        created="2024-10-22T00:00:00Z",
        most_output=8_192,
        thinks=False,
    ),
    Model(
        dated="claude-3-5-haiku-20241022",
        aliases=("claude-3-5-haiku-latest",),
        title="Claude Haiku 3.5",
        created="2024-10-22T00:00:00Z",
        most_output=8_192,
        least_cached=2_048,
        thinks=False,
    ),
)
_BY_NAME: Mapping[str, Model] = {name: model for model in MODELS for name in (model.dated, *model.aliases)}


def find(name: str) -> Model | None:
    """The model of a dated name or an alias."""
    return _BY_NAME.get(name)
