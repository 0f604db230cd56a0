"""Losses: what a target format cannot say, as values, decided before anything is sent."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

Weight = Literal["hint", "setting", "content"]


class Loss(Struct, frozen=True, gc=False):
    """One thing that was left out. `what` is a dotted name of the canonical form: `sampling.seed`, `part.audio`.

    A hint changes nothing that the caller can see; a setting may change the answer; content would be missing from the
    prompt: then another candidate is tried, and without one the call is refused.
    """

    what: str
    why: str
    weight: Weight


# Fields that one format alone knows, where leaving one out is less or more than a change of setting.
_WEIGHTS: Final[Mapping[str, Weight]] = MappingProxyType(
    {
        "client_metadata": "hint",
        "include": "hint",  # of Responses: what its own items are to show besides
        "labels": "hint",
        "metadata": "hint",
        "prompt_cache_key": "hint",
        "prompt_cache_options": "hint",
        "prompt_cache_retention": "hint",
        "safety_identifier": "hint",
        "store": "hint",
        "stream_options": "hint",
        "user": "hint",
        "cachedContent": "content",
        "conversation": "content",
        "previous_response_id": "content",
        "prompt": "content",
    }
)


def weigh_extra(field: str) -> Weight:
    """How much is lost with a field of `extras` in any format but its own."""
    return _WEIGHTS.get(field, "setting")
