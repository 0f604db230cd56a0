"""How many tokens a prompt can count as: never less than Google may find in it."""

import re
from typing import Final

from yescale.protocols.inline import BYTES_PER_SOUND_TOKEN, BYTES_PER_TOKEN, IMAGE_TOKENS, count_inline

_WHOLE_CONTEXT: Final = 2**40  # the prompt may fill whatever the model takes

# Where JSON itself, not a text that quotes it, begins a picture or a sound: only these are no text to the model.
_INLINE: Final = re.compile(rb'"data"\s*:\s*"')
_SOUND: Final = re.compile(rb'"mime_?[Tt]ype"\s*:\s*"audio/')
_TYPE: Final = re.compile(rb'"mime_?[Tt]ype"\s*:\s*"')
_TABLED: Final = re.compile(rb'"mime_?[Tt]ype"\s*:\s*"(?:image|audio)/[^"\\]*"')
_BLOB: Final = re.compile(rb'"inline_?[Dd]ata"')
# Files, context caches and tools of Google's own bring text that we do not see.
_UNSEEN: Final = re.compile(
    rb'"(?:file_?[Dd]ata|cached_?[Cc]ontent|google_?[Ss]earch(?:_?[Rr]etrieval)?|url_?[Cc]ontext|code_?[Ee]xecution'
    rb'|file_?[Ss]earch|google_?[Mm]aps|enterprise_?[Ww]eb_?[Ss]earch|mcp_?[Ss]ervers|computer_?[Uu]se)"\s*:'
)
# A name that an escape hides might be one of those.
_HIDDEN: Final = re.compile(rb'"[A-Za-z_]{0,40}\\u00[4-7][^"]{0,99}"\s*:')


def bound_prompt(body: bytes) -> int:
    """More tokens than the prompt can count as: half its bytes, pictures and sound by table, and the whole context
    where Google adds text that we do not see.
    """
    blobs, types = len(_BLOB.findall(body)), len(_TYPE.findall(body))
    # A document may be any number of pages, a film any number of pictures.
    unbounded = blobs and (types < blobs or types > len(_TABLED.findall(body)))
    if unbounded or _UNSEEN.search(body) is not None or _HIDDEN.search(body) is not None:
        return _WHOLE_CONTEXT
    # Where another field is called so, too, it may be text: then nothing is left out.
    inline = count_inline(body, _INLINE) if blobs and len(_INLINE.findall(body)) == blobs else 0
    sound = inline // BYTES_PER_SOUND_TOKEN if _SOUND.search(body) is not None else 0
    return (len(body) - inline) // BYTES_PER_TOKEN + blobs * IMAGE_TOKENS + sound + 1
