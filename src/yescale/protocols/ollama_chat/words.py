"""The format's id and its fixed words."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yescale.domain.chat import StopReason
from yescale.domain.ids import ProtocolId

ID: Final = ProtocolId("ollama.chat")
STOP_REASONS: Final[Mapping[str, StopReason]] = MappingProxyType(
    {"stop": StopReason.END, "length": StopReason.LENGTH, "": StopReason.OTHER}
)
