"""The registry of wire formats."""

import pytest

from yescale.protocols import openai_chat
from yescale.protocols.registry import CODECS, FORMATS, index


def test_every_codec_belongs_to_the_format_of_its_name() -> None:
    assert all(FORMATS[name].codec is codec and codec.id == name for name, codec in CODECS.items())
    assert CODECS


def test_two_rows_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"openai\.chat"):
        index((openai_chat.CHAT, openai_chat.CHAT))
