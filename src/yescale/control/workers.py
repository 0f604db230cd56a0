"""The connections of this node's workers: who is there, what is told to all of them, and the recall of idle money."""

import asyncio
import logging
from asyncio import StreamWriter
from collections.abc import Callable, Iterable
from typing import Final

from yescale.control.frames import encode_frame
from yescale.control.wellness import Wellness
from yescale.domain.ids import Incarnation, PurseId
from yescale.domain.link import Alive, FromControl, Hello, Peers, Publish, Recall
from yescale.domain.memory import FromMemory
from yescale.domain.snapshot import Snapshot

_LOG: Final = logging.getLogger(__name__)
_UNSENT_BYTES: Final = 128 * 1024 * 1024  # two whole frames; a worker that reads less is cut off and comes again


def _nobody(_nodes: int) -> None:
    """Where nothing is shared out among nodes."""


class Connection:
    """One connection: messages go out in the order in which they are sent. `hello` is None for a command line."""

    def __init__(self, writer: StreamWriter) -> None:
        self.hello: Hello | None = None
        self._writer = writer

    def send(self, message: FromControl | FromMemory) -> None:
        """Send one message; does not wait."""
        self.send_frame(encode_frame(message))

    def send_frame(self, frame: bytes) -> None:
        """Send a message that is encoded already; a peer that does not read is cut off."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        self._writer.write(frame)
        if transport.get_write_buffer_size() > _UNSENT_BYTES:
            _LOG.error("a peer of the link does not read; its connection is cut")
            transport.abort()

    def close(self) -> None:
        """End the connection; what was sent still goes out."""
        self._writer.close()


class Round:
    """One recall in flight: the answers that are outstanding. `answered` is set at each answer and at the end."""

    def __init__(self, waiting_for: Iterable[Incarnation]) -> None:
        self.waiting_for = set(waiting_for)
        self.answered = asyncio.Event()

    def strike(self, incarnation: Incarnation) -> None:
        """This worker answered, or is gone."""
        self.waiting_for.discard(incarnation)
        self.answered.set()


class Workers:
    """The workers that said Hello, by incarnation."""

    def __init__(self, counted: Callable[[int], object] = _nobody) -> None:
        self._counted = counted  # hears how many nodes there are
        self._connections: dict[Incarnation, Connection] = {}
        self._rounds: dict[int, Round] = {}
        self._last_round = 0
        self._node_lives = False
        self._peers = Peers(workers=1, nodes=1)
        self.wellness = Wellness()
        self.snapshot_frame = encode_frame(Publish(snapshot=Snapshot(version=0)))  # the newest, encoded once for all

    def __len__(self) -> int:
        return len(self._connections)

    def hellos(self) -> list[Hello]:
        """What the connected workers said of themselves, by slot."""
        hellos = (connection.hello for connection in self._connections.values())
        return sorted((hello for hello in hellos if hello is not None), key=lambda hello: hello.slot)

    def join(self, incarnation: Incarnation, connection: Connection) -> None:
        """A worker said Hello; an older connection of the same worker is closed."""
        older = self._connections.get(incarnation)
        if older is not None and older is not connection:
            older.close()
        self._connections[incarnation] = connection
        if self._node_lives:
            connection.send(Alive())
        connection.send(self._peers)
        self._count(self._peers.nodes)

    def leave(self, incarnation: Incarnation, connection: Connection) -> bool:
        """A connection ended; who waits for an answer of that worker waits no longer. False: it has another by now."""
        if self._connections.get(incarnation) is not connection:
            return False
        del self._connections[incarnation]
        self._count(self._peers.nodes)
        self.wellness.forget(incarnation)
        for open_round in self._rounds.values():
            open_round.strike(incarnation)
        return True

    def count_nodes(self, nodes: int) -> None:
        """How many nodes there are, which share out what only one can count."""
        self._counted(nodes)
        self._count(nodes)

    def _count(self, nodes: int) -> None:
        peers = Peers(workers=max(1, len(self._connections)), nodes=nodes)
        if peers != self._peers:
            self._peers = peers
            self.tell(peers)

    def tell(self, message: FromControl) -> None:
        """Send to all of them."""
        self.tell_frame(encode_frame(message))

    def tell_frame(self, frame: bytes) -> None:
        """Send an encoded message to all of them."""
        for connection in tuple(self._connections.values()):
            connection.send_frame(frame)

    def publish(self, snapshot: Snapshot) -> None:
        """Send a snapshot to all of them; who comes later gets it with the welcome."""
        self.snapshot_frame = encode_frame(Publish(snapshot=snapshot))
        self.tell_frame(self.snapshot_frame)

    def tell_of_node(self, lives: bool) -> None:
        """After each heartbeat: whether the database has taken it. Who joins later hears the newest."""
        self._node_lives = lives
        if lives:
            self.tell(Alive())

    def start_anew(self) -> None:
        """End every connection: workers come again at once and ask for everything that they knew."""
        for connection in tuple(self._connections.values()):
            connection.close()

    def recall(self, purses: tuple[PurseId, ...], asker: Incarnation | None = None) -> tuple[int, Round]:
        """Ask every worker but the asker for the idle money of these purses. `close_round` ends it."""
        others = {name: connection for name, connection in self._connections.items() if name != asker}
        self._last_round += 1
        opened = self._rounds[self._last_round] = Round(others)
        frame = encode_frame(Recall(id=self._last_round, purses=purses))
        for connection in others.values():
            connection.send_frame(frame)
        return self._last_round, opened

    def recall_soon(self, purse: PurseId) -> None:
        """Ask every worker for the idle money of a purse, without waiting for it."""
        number, _ = self.recall((purse,))
        self.close_round(number)

    def recalled(self, incarnation: Incarnation, number: int) -> None:
        """A worker answered a recall."""
        if number in self._rounds:
            self._rounds[number].strike(incarnation)

    def close_round(self, number: int) -> None:
        """Stop waiting for the answers of a recall."""
        self._rounds.pop(number, None)
