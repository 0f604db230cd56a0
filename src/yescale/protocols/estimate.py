"""Estimates of a prompt's tokens from its characters alone, without any model's vocabulary.

Expect them within 30 % for prose and code, and within 50 % for other scripts, long numbers, pictures and PDF.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

_ASCII_PER_TOKEN: Final = 4
_OTHERS_PER_TOKEN: Final = 1.2  # characters of other scripts, emoji included
_PICTURE: Final = 1_600  # a large one: about width * height / 750
_BYTES_PER_PAGE_TOKEN: Final = 40  # base64 of a PDF
_MEDIA: Final = ("media_type", "mimeType", "mime_type")


def weigh(whole: list[Any]) -> Iterator[float]:
    """The tokens of each string within, names of fields included; a picture or a document is one value."""
    left = whole
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield _weigh_text(value)
        elif isinstance(value, list):
            left += cast("list[Any]", value)
        elif isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            if isinstance(fields.get("data"), str) and any(name in fields for name in _MEDIA):
                yield _weigh_source(fields)
                continue
            yield sum(map(len, fields)) / _ASCII_PER_TOKEN
            left += fields.values()
        elif value is not None:
            yield 1


def _weigh_text(text: str) -> float:
    plain = len(text.encode("ascii", "ignore"))
    return plain / _ASCII_PER_TOKEN + (len(text) - plain) / _OTHERS_PER_TOKEN


def _weigh_source(fields: dict[str, Any]) -> float:
    pdf = "application/pdf" in (fields.get(name) for name in _MEDIA)
    return len(fields["data"]) / _BYTES_PER_PAGE_TOKEN if pdf else _PICTURE
