"""How many tokens the prompt of a request can count as: never less than a provider may find in it."""

import re
from collections.abc import Sequence
from typing import Final

from yescale.protocols.inline import BYTES_PER_SOUND_TOKEN, BYTES_PER_TOKEN, IMAGE_TOKENS, count_inline
from yescale.protocols.openai_responses.schema import WireHead, WireItemHead

WHOLE_CONTEXT: Final = 2**40  # the prompt may fill whatever the model takes
_CLIENTS_OWN: Final = frozenset({"function", "custom", "namespace", "local_shell", "apply_patch"})

# A quote within a text is escaped, so only JSON itself can match these.
_INLINE: Final = re.compile(rb'"(?:image_url"\s*:\s*"data:[^"\\]{0,100};base64,|data"\s*:\s*")')
_FILE: Final = re.compile(rb'"(?:file_id|file_data|file_url)"\s*:(?!\s*null)')  # text that we do not see
_PICTURE: Final = re.compile(rb'"type"\s*:\s*"(?:input_image|computer_screenshot|image_generation_call)"')
_SOUND: Final = re.compile(rb'"input_audio"\s*:')


def bound_prompt(items: Sequence[WireItemHead], tools: Sequence[WireHead], raw: bytes, size: int) -> int:
    """More tokens than the prompt can count as: half its bytes, pictures and sound by table, and the whole context
    where the provider adds text that we do not see: files, items that it keeps, what its own tools find. `raw`: the
    input; `size`: bytes of the request.
    """
    if any(tool.type not in _CLIENTS_OWN for tool in tools) or any(map(_is_reference, items)) or _FILE.search(raw):
        return WHOLE_CONTEXT
    pictures = len(_PICTURE.findall(raw))
    sounds = _SOUND.search(raw) is not None
    inline = count_inline(raw, _INLINE) if pictures or sounds else 0
    instead = pictures * IMAGE_TOKENS + (inline // BYTES_PER_SOUND_TOKEN if sounds else 0)
    return (size - inline) // BYTES_PER_TOKEN + instead + 1


def _is_reference(item: WireItemHead) -> bool:
    return item.type == "item_reference" or (item.type is None and item.role is None)
