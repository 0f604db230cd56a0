"""OpenAI's chat completions and embeddings.

Sources: https://platform.openai.com/docs/api-reference/chat and .../embeddings, and the openai/openai-openapi document.
"""

from typing import Final

from yescale.domain.ids import ProtocolId
from yescale.protocols.openai_chat import errors, requests, responses, stream
from yescale.protocols.passthrough import Format

CHAT: Final = Format(
    id=ProtocolId("openai.chat"),
    peek=requests.peek_chat,
    rewrite=requests.rewrite,
    tap=stream.ChatTap,
    read_answer=responses.read_chat,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
)
EMBEDDINGS: Final = Format(
    id=ProtocolId("openai.embeddings"),
    peek=requests.peek_embeddings,
    rewrite=requests.rewrite,
    tap=stream.ChatTap,
    read_answer=responses.read_embeddings,
    render=errors.render,
    render_event=errors.render_event,
    read_error=errors.read_error,
)
