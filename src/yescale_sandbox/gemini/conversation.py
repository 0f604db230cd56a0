"""The contents of a request: roles, parts, the order of function calls and responses, signatures of thoughts."""

from collections.abc import Iterator, Sequence

from yescale_sandbox.gemini import media, seal
from yescale_sandbox.gemini.catalogue import Model
from yescale_sandbox.gemini.dialect import Dialect, Fault
from yescale_sandbox.gemini.prompt import Content, FunctionResponse, GenerateRequest, Part
from yescale_sandbox.gemini.refusal import RefusedError


def check(request: GenerateRequest, model: Model, dialect: Dialect) -> None:
    """Raises: RefusedError."""
    _check_roles(request.contents, dialect)
    found = list(_part_faults(request))
    if found:
        raise dialect.faulted(found)
    for content in request.contents:
        for part in content.parts:
            _check_part(part)
    _check_turns(request.contents)
    if model.seals:
        _check_sealed(request.contents, dialect)


def check_contents(contents: Sequence[Content], dialect: Dialect) -> None:
    """What countTokens looks at.

    Raises: RefusedError.
    """
    _check_roles(contents, dialect)
    for content in contents:
        for part in content.parts:
            _check_part(part)


def _check_roles(contents: Sequence[Content], dialect: Dialect) -> None:
    for content in contents:
        if content.role not in dialect.roles:
            # https://github.com/songquanpeng/one-api/issues/1385
            raise RefusedError("Please use a valid role: user, model.")


def _part_faults(request: GenerateRequest) -> Iterator[Fault]:
    if not request.contents:
        # https://github.com/ikechan8370/chatgpt-plugin/issues/733
        yield "contents", "contents is not specified"
    places = [(f"contents[{index}]", one) for index, one in enumerate(request.contents)]
    if request.system_instruction is not None:
        places.append(("system_instruction", request.system_instruction))
    for place, content in places:
        if not content.parts:
            yield f"{place}.parts", "contents.parts must not be empty."
        for index, part in enumerate(content.parts):
            yield from _faults_of(part, f"{place}.parts[{index}]")


def _faults_of(part: Part, place: str) -> Iterator[Fault]:
    if part.is_empty and part.thought_signature is None:
        yield f"{place}.data", "required oneof field 'data' must have one initialized field"
    if part.function_call is not None and not part.function_call.name:
        yield f"{place}.function_call.name", "Name cannot be empty."
    if part.function_response is not None:
        yield from _response_faults(part.function_response, f"{place}.function_response")
    yield from _file_faults(part, place)
    yield from _code_faults(part, place)


def _response_faults(response: FunctionResponse, place: str) -> Iterator[Fault]:
    if not response.name:
        yield f"{place}.name", "Name cannot be empty."
    if response.response is None:
        yield f"{place}.response", "response is not specified"
    for index, part in enumerate(response.parts):
        yield from _faults_of(part, f"{place}.parts[{index}]")


def _file_faults(part: Part, place: str) -> Iterator[Fault]:
    if part.inline_data is not None and not part.inline_data.mime_type:
        yield f"{place}.inline_data.mime_type", "mime_type is not specified"
    if part.inline_data is not None and not part.inline_data.data:
        yield f"{place}.inline_data.data", "data is not specified"
    if part.file_data is not None and not part.file_data.file_uri:
        yield f"{place}.file_data.file_uri", "file_uri is not specified"


def _code_faults(part: Part, place: str) -> Iterator[Fault]:
    code, result = part.executable_code, part.code_execution_result
    if code is not None and code.language != "PYTHON":
        yield f"{place}.executable_code.language", "language is not specified"
    if code is not None and not code.code:
        yield f"{place}.executable_code.code", "code is not specified"
    if result is not None and result.outcome in {"", "OUTCOME_UNSPECIFIED"}:
        yield f"{place}.code_execution_result.outcome", "outcome is not specified"


def _check_part(part: Part) -> None:
    if part.inline_data is not None:
        media.check_inline(part.inline_data)
    if part.file_data is not None:
        media.check_file(part.file_data)
    for inner in part.function_response.parts if part.function_response is not None else ():
        _check_part(inner)
    if part.thought_signature is not None:
        words = seal.fault(part.thought_signature)
        if words is not None:
            raise RefusedError(words)


def _check_turns(contents: Sequence[Content]) -> None:
    """Calls after a user or a response, as many responses right after calls; contents of one side are one turn.

    https://github.com/google-gemini/gemini-cli/issues/26486, /5443 and GoogleCloudPlatform/generative-ai/pull/368
    """
    before, open_calls = "", 0
    for kind, turn in _turns(contents):
        calls = sum(len(content.calls) for content in turn)
        if kind == "response" and before != "call":
            raise RefusedError(
                "Please ensure that function response turn comes immediately after a function call turn."
            )
        answered = sum(len(content.responses) for content in turn)
        if before == "call" and answered != open_calls:
            raise _unequal()
        if calls and before not in {"user", "response"}:
            raise RefusedError(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )
        before, open_calls = "call" if calls else kind, calls
    if before == "call":
        raise _unequal()


def _turns(contents: Sequence[Content]) -> Iterator[tuple[str, list[Content]]]:
    turn: list[Content] = []
    kind = ""
    for content in contents:
        side = "model" if content.role == "model" else "response" if content.responses else "user"
        if turn and side != kind:
            yield kind, turn
            turn = []
        kind = side
        turn.append(content)
    if turn:
        yield kind, turn


def _unequal() -> RefusedError:
    return RefusedError(
        "Please ensure that the number of function response parts is equal to the number of function call parts of the "
        "function call turn."
    )


def _check_sealed(contents: Sequence[Content], dialect: Dialect) -> None:
    """Since the last words of the user, the first call of every step carries its signature."""
    start = max((index for index, one in enumerate(contents) if one.role != "model" and not one.responses), default=0)
    for index, content in enumerate(contents[start:], start=start):
        first = next((part for part in content.parts if part.function_call is not None), None)
        if content.role == "model" and first is not None and first.thought_signature is None:
            name = first.function_call.name if first.function_call is not None else ""
            raise RefusedError(dialect.unsigned(name, index + 1))
