"""Stands between the workers of a run with `link = "tcp"`: passes bytes on, late or not at all, and cuts connections.

Worker N is reached at the port `base + N`. Its own port is looked for when somebody connects, so that a replaced worker is found.
"""

import selectors
import socket
import threading
import time
from collections import deque
from typing import Callable, Deque, Dict, List, Optional, Tuple

CHUNK = 65536
#: Bytes that wait on one way before its sender has to wait.
MOST = 1 << 20


class Way:
    """One direction of a connection."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        #: What was read, and when it is due to be written.
        self.held: Deque[Tuple[float, bytes]] = deque()
        self.size = 0
        self.ended = False


class Connection:
    """A connection of a worker to the worker of a slot."""

    def __init__(self, slot: int, near: socket.socket, far: socket.socket) -> None:
        self.slot = slot
        self.sockets = (near, far)
        self.ways = (Way(near, far), Way(far, near))
        self.stalled_until = 0.0
        self.delay = 0.0
        self.delayed_until = 0.0


class Proxy:
    """All links of a run, in one thread."""

    def __init__(self, workers: int, port_of: Callable[[int], Optional[int]]) -> None:
        self._port_of = port_of
        self._listeners = listen(workers)
        self.base = self._listeners[0].getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._connections: List[Connection] = []
        self._orders: Deque[Callable[[], None]] = deque()
        #: How many connections there have been.
        self.accepted: Dict[int, int] = {slot: 0 for slot in range(workers)}
        #: How many pieces were passed on.
        self.moved = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def connections(self, slot: int) -> int:
        """How many connections to a worker there are."""
        return sum(connection.slot == slot for connection in list(self._connections))

    def cut(self, slot: int) -> None:
        """Closes the connections to a worker, with whatever is on them."""
        self._orders.append(lambda: [self._drop(connection) for connection in self._of(slot)])

    def stall(self, slot: int, span: float) -> None:
        """Passes nothing on to or from a worker; the present connections stay open."""
        until = time.monotonic() + span
        self._orders.append(lambda: [setattr(connection, "stalled_until", until)
                                     for connection in self._of(slot)])

    def delay(self, slot: int, late: float, span: float) -> None:
        """Passes everything on late for a while."""
        def order() -> None:
            for connection in self._of(slot):
                connection.delay, connection.delayed_until = late, time.monotonic() + span
        self._orders.append(order)

    def close(self) -> None:
        self._closing = True
        self._thread.join()

    def _of(self, slot: int) -> List[Connection]:
        return [connection for connection in self._connections if connection.slot == slot]

    def _run(self) -> None:
        for slot, listener in enumerate(self._listeners):
            self._selector.register(listener, selectors.EVENT_READ, slot)
        while not self._closing:
            for key, _ in self._selector.select(0.002):
                if isinstance(key.data, int):
                    self._accept(key.data)
            while self._orders:
                self._orders.popleft()()
            now = time.monotonic()
            moved = self.moved
            for connection in list(self._connections):
                if now >= connection.stalled_until and not self._pass_on(connection, now):
                    self._drop(connection)
            if self.moved == moved:
                time.sleep(0.001)  # What waits to be read may not be read now.
        for connection in list(self._connections):
            self._drop(connection)
        for listener in self._listeners:
            listener.close()
        self._selector.close()

    def _accept(self, slot: int) -> None:
        near, _ = self._listeners[slot].accept()
        port = self._port_of(slot)
        try:
            far = socket.create_connection(("127.0.0.1", port or 0), timeout=1)
        except OSError:
            near.close()  # As if the worker did not listen, which it does not.
            return
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Wakes the loop up; who has something to say is found by trying.
            self._selector.register(end, selectors.EVENT_READ, None)
        self._connections.append(Connection(slot, near, far))
        self.accepted[slot] += 1

    def _pass_on(self, connection: Connection, now: float) -> bool:
        """Whether the connection goes on."""
        late = connection.delay if now < connection.delayed_until else 0.0
        try:
            for way in connection.ways:
                take(way, now + late)
                self.moved += give(way, now)
        except OSError:
            return False
        return not any(way.ended and not way.held for way in connection.ways)

    def _drop(self, connection: Connection) -> None:
        self._connections.remove(connection)
        for end in connection.sockets:
            self._selector.unregister(end)
            end.close()


def listen(count: int) -> List[socket.socket]:
    """Listeners on neighbouring ports."""
    while True:
        listeners = [socket.create_server(("127.0.0.1", 0))]
        base = listeners[0].getsockname()[1]
        try:
            for number in range(1, count):
                listeners.append(socket.create_server(("127.0.0.1", base + number)))
            return listeners
        except (OSError, OverflowError):
            for listener in listeners:
                listener.close()


def take(way: Way, due: float) -> None:
    while way.size < MOST and not way.ended:
        try:
            chunk = way.source.recv(CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            way.ended = True
            return
        way.held.append((due, chunk))
        way.size += len(chunk)


def give(way: Way, now: float) -> int:
    """Writes what is due; how many pieces."""
    given = 0
    while way.held and way.held[0][0] <= now:
        due, chunk = way.held.popleft()
        try:
            sent = way.sink.send(chunk)
        except BlockingIOError:
            sent = 0
        way.size -= sent
        given += sent > 0
        if sent < len(chunk):
            way.held.appendleft((due, chunk[sent:]))
            break
    return given
