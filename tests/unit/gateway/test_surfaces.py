"""Paths: what clients make of the three base URLs, decided on the raw bytes."""

import pytest

from yescale.gateway.surfaces import SURFACES, Kind, find


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/chat/completions",
        b"/chat/completions",
        b"//v1//chat/completions",
        b"/v1/v1/chat/completions",
        b"/v1/v1/v1/chat/completions",
        b"/v1/chat/completions/",
        b"/v1/chat/completions/chat/completions",
        b"/v1/chat/completions//chat/completions/",
        b"/chat/completions/chat/completions",
    ],
)
def test_every_base_url_reaches_chat(path: bytes) -> None:
    place = find(path)
    assert place is not None
    assert place.methods[b"POST"].path == b"/v1/chat/completions"


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/v1",
        b"/v1/",
        b"/v2/chat/completions",
        b"/v1/chat",
        b"/v1/chat/completionsx",
        b"/v1/%63hat/completions",
        b"/v1%2Fchat/completions",
        b"/v1/../v1/chat/completions",
        b"/v1/./chat/completions",
        b"/V1/chat/completions",
        b"/v1/chat/completions;x",
        b"/yescale/user",
        b"/v1/responses/resp_1",
        b"/v1/responses/resp_1/input_items",
        b"/responses/resp_1/cancel",
        b"/v1/models*",
        b"/v1/healthz/x",
        b"/v1" * 10_000 + b"/chat/completions",
        b"",
    ],
)
def test_other_paths_are_controls(path: bytes) -> None:
    """Nothing is decoded or resolved: two readers of a path must not see two paths."""
    assert find(path) is None


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        (b"/v1/models", b""),
        (b"/models/", b""),
        (b"/v1/models/gpt-4o", b"gpt-4o"),
        (b"/models/meta/llama", b"meta/llama"),
        (b"/v1/models/*", b"*"),
    ],
)
def test_models_are_listed_and_looked_up(path: bytes, rest: bytes) -> None:
    place = find(path)
    assert place is not None
    assert place.rest == rest
    assert place.methods[b"GET"].kind is Kind.MODELS


def test_every_surface_that_reaches_an_upstream_is_metered() -> None:
    """Promise 19: what is no relay or list of ours carries no call."""
    metered = {Kind.RELAY, Kind.REALTIME}
    assert {surface.kind for surface in SURFACES if surface.operation} == metered
    assert all(surface.operation for surface in SURFACES if surface.kind in metered)
