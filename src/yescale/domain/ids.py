"""Names for the identifiers that travel between layers, so that one is never passed for another."""

from typing import NewType

AccountId = NewType("AccountId", int)
CallId = NewType("CallId", str)  # = the request id of the answer: 23 digits of local time and 8 letters
ChannelId = NewType("ChannelId", int)
Incarnation = NewType("Incarnation", str)  # one life of one worker process: 32 hexadecimal digits
KeyId = NewType("KeyId", int)
LimitId = NewType("LimitId", int)
ModelName = NewType("ModelName", str)  # as the client says it; an upstream model is a plain str
PriceId = NewType("PriceId", int)
ProtocolId = NewType("ProtocolId", str)
ProviderId = NewType("ProviderId", str)
PurseId = NewType("PurseId", int)
