"""A connection after its switch to WebSocket: bytes become messages, messages become steps to play."""

from collections.abc import Iterator

from yescale_sandbox import websocket
from yescale_sandbox.exchange import Cut, Send, Step, Talk
from yescale_sandbox.websocket import BrokenError, Close, Decoder, Message, Ping, Pong

NOT_ACCEPTED = 1003


class Conversation:
    """What the client's bytes come to. A single step is to be played at once, steps when it is their turn."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._decoder = Decoder()

    def feed(self, data: bytes) -> Iterator[Send | Cut | Iterator[Step]]:
        try:
            for happening in self._decoder.feed(data):
                yield from self._answer(happening)
        except BrokenError as broken:
            yield Send(websocket.close(broken.code, str(broken)))
            yield Cut()

    def _answer(self, happening: websocket.Happening) -> Iterator[Send | Cut | Iterator[Step]]:
        match happening:
            case Message(data=data, is_text=True):
                yield self._talk.received(data)
            case Message():
                yield Send(websocket.close(NOT_ACCEPTED, "text only"))
                yield Cut()
            case Ping(data=data):
                yield Send(websocket.pong(data))
            case Pong():
                pass
            case Close(code=code):
                yield Send(websocket.close(code or websocket.NORMAL))
                yield Cut()
