"""Image URLs of vision parts: a data URL must hold an image of a kind that OpenAI reads; a web address is trusted."""

import base64
import binascii

from yescale_sandbox.openai.refusal import RefusedError

KINDS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8", "image/webp": b"RIFF"}


def media_type(url: str, path: str) -> str:
    """What kind of image the URL holds, or `web` for an address.

    Raises: RefusedError.
    """
    if url.startswith(("http://", "https://")):
        return "web"
    if not url.startswith("data:"):
        raise _unusable(path, "a value without the 'data:' prefix")
    kind, separator, encoded = url[5:].partition(";base64,")
    if not separator:
        raise _unusable(path, "a value without the ';base64' separator")
    if not kind.startswith("image/"):
        raise _unusable(path, f"unsupported MIME type '{kind[:40]}'")
    if not encoded:
        raise _unusable(path, "empty base64-encoded bytes")
    try:
        picture = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _unusable(path, "an invalid base64-encoded value") from None
    found = next((name for name, magic in KINDS.items() if picture.startswith(magic)), None)
    if found is None:
        # https://github.com/CosmosShadow/gptpdf/issues/6
        raise RefusedError(
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
            "['png', 'jpeg', 'gif', 'webp'].",
            code="invalid_image_format",
        )
    return found


# https://github.com/anomalyco/opencode/issues/23983
def _unusable(path: str, got: str) -> RefusedError:
    return RefusedError(
        f"Invalid image URL: '{path}'. Expected a base64-encoded data URL with an image MIME type "
        f"(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got {got}.",
        param=path,
        code="invalid_value",
    )
