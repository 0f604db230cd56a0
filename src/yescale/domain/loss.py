"""Losses: what a target format cannot say, as values, decided before anything is sent."""

from typing import Literal

from msgspec import Struct


class Loss(Struct, frozen=True, gc=False):
    """One thing that was left out. `what` is a dotted name of the canonical form: `sampling.seed`, `part.audio`.

    A hint changes nothing that the caller can see; a setting may change the answer; content would be missing from the
    prompt: then another candidate is tried, and without one the call is refused.
    """

    what: str
    why: str
    weight: Literal["hint", "setting", "content"]
