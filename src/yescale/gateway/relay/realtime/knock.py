"""A session until it is admitted: as a call, but for the key's further place and for what follows."""

from yescale.gateway.admission import Order
from yescale.gateway.leases import Reservation
from yescale.gateway.relay.call import Call
from yescale.gateway.relay.realtime.book import Book
from yescale.gateway.relay.realtime.opening import Opening
from yescale.routing.table import Candidate


class Knock(Call):
    """A handshake that asks for a session."""

    __slots__ = ()

    def knock(self) -> None:
        """Find out who asks, and for what; there is no body to wait for."""
        self.open()
        self.receive()

    def _go(self, order: Order, reservation: Reservation, candidate: Candidate | None) -> None:
        """Money for one response is set aside: from here on the session ends it."""
        self._ended = True
        credentials = self._credentials
        if credentials is not None:
            book = Book(self._relay, self._exchange, order, reservation.key, self._id)
            if reservation.taken is not None:
                book.place = reservation.taken.part_at_once()
            Opening(book, self._surface, reservation, credentials).start(candidate)
