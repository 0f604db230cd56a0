"""What chat has no field for, shown in its text: pictures and code that ran, as the contract's clients know them."""

from typing import Final

import msgspec
from msgspec import Struct

from yescale.domain.content import HostedCall, HostedResult, Image, Inline, Part, Stored, Url
from yescale.protocols.openai_chat.parts import data_url

_FENCE: Final = "```"


class _Program(Struct, frozen=True, gc=False):
    """The arguments of a call that runs code."""

    code: str
    language: str = ""


_PROGRAM: Final = msgspec.json.Decoder(_Program)


def show(part: Part) -> str:
    """The part as Markdown; empty where there is nothing to show."""
    match part:
        case Image(source=Inline() as inline):
            return f"![image]({data_url(inline)})"
        case Image(source=Url(url=url)):
            return f"![image]({url})"
        case Image(source=Stored()):
            return ""
        case HostedCall(tool="code_execution", arguments=arguments):
            return _show_program(arguments)
        case HostedResult(tool="code_execution", text=text) if text:
            return _fenced("output", text)
        case _:
            return ""


def _show_program(arguments: str) -> str:
    try:
        program = _PROGRAM.decode(arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    return _fenced(program.language.lower(), program.code)


def _fenced(label: str, text: str) -> str:
    """A block whose fence is longer than any within it."""
    fence = _FENCE
    while fence in text:
        fence += "`"
    return f"{fence}{label}\n{text.removesuffix(chr(10))}\n{fence}\n"
