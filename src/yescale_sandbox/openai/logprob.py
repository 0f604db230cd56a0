"""Log probabilities of tokens (openapi.json, `ChatCompletionTokenLogprob`): invented, but never above zero."""

from collections.abc import Iterator

from yescale_sandbox.jsontype import Json, JsonObject
from yescale_sandbox.speech import BYTES_PER_TOKEN, equal_parts


def token_logprobs(text: str, top: int) -> Iterator[JsonObject]:
    """One object for each token of a text, with that many of the likeliest in its place."""
    for place, token in enumerate(equal_parts(text, BYTES_PER_TOKEN)):
        others = [f"other{rank}" for rank in range(1, top)]
        best: list[Json] = [
            _logprob(one, token_logprob(place) - rank) for rank, one in enumerate([token, *others][:top])
        ]
        yield {**_logprob(token, token_logprob(place)), "top_logprobs": best}


def token_logprob(place: int) -> float:
    """The logarithm for the token in a place."""
    return -0.01 * (place % 7)


def _logprob(token: str, value: float) -> JsonObject:
    return {"token": token, "logprob": round(value, 4), "bytes": list(token.encode())}
