"""OpenAI's error object, and the exception by which a request is refused with it."""

import msgspec

from yescale_sandbox.exchange import Headers
from yescale_sandbox.jsontype import Json


class RefusedError(Exception):
    """The request is at fault. `body` is what OpenAI answers."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.body = error_body(message, param=param, code=code)
        self.param = param
        self.code = code


def error_body(
    message: str, *, type_: str = "invalid_request_error", param: str | None = None, code: str | int | None = None
) -> bytes:
    """The error object of openapi.json, `ErrorResponse`."""
    error: Json = {"message": message, "type": type_, "param": param, "code": code}
    return msgspec.json.encode({"error": error})


# https://github.com/ChatGPTNextWeb/NextChat/issues/4064; a `model` that is no string gets the same answer.
def unparsable() -> RefusedError:
    return RefusedError(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
        "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
        "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
    )


# https://github.com/openai/openai-agents-python/issues/458
def no_such_model(model: str) -> RefusedError:
    return RefusedError(
        f"The model `{shortened(model)}` does not exist or you do not have access to it.",
        code="model_not_found",
        status=404,
    )


def unknown_parameter(path: str) -> RefusedError:
    return RefusedError(f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")


def missing(path: str) -> RefusedError:
    return RefusedError(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


def unsupported_parameter(path: str, hint: str = "") -> RefusedError:
    text = f"Unsupported parameter: '{path}' is not supported with this model.{hint}"
    return RefusedError(text, param=path, code="unsupported_parameter")


def unsupported_value(path: str, value: str, hint: str = "") -> RefusedError:
    text = f"Unsupported value: '{path}' does not support {value} with this model.{hint}"
    return RefusedError(text, param=path, code="unsupported_value")


def shortened(value: str, most: int = 100) -> str:
    """A value of the client as errors show it: whole, or its first and last three characters."""
    return value if len(value) <= most else f"{value[:3]}...{value[-3:]}"


def listed(values: tuple[str, ...], joint: str = "and") -> str:
    """`'a'`, `'a' and 'b'`, or `'a', 'b', and 'c'`."""
    *first, last = [f"'{value}'" for value in values]
    if not first:
        return last
    comma = "," if first[1:] else ""
    return f"{', '.join(first)}{comma} {joint} {last}"
