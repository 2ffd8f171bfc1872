"""The relay by which other tests make links fail (support/relay.py).

SPDX-License-Identifier: MIT
"""

import socket
import threading

import pytest

from support.client import DEADLINE
from support.relay import Relay


class Echo:
    """A server that says everything back, and how each connection ended."""

    def __init__(self, path=None):
        family = socket.AF_UNIX if path else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen()
        self.address = str(path) if path else self.listener.getsockname()
        self.got = b""
        self.ends = []
        self.news = threading.Condition()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(link,),
                             daemon=True).start()

    def tell(self, data=b"", end=None):
        with self.news:
            self.got += data
            if end:
                self.ends.append(end)
            self.news.notify_all()

    def serve(self, link):
        while True:
            try:
                data = link.recv(65536)
                if not data:
                    self.tell(end="fin")
                    link.close()
                    return
                self.tell(data)
                link.sendall(data)
            except OSError:
                self.tell(end="rst")
                return

    def until(self, condition):
        with self.news:
            assert self.news.wait_for(condition, DEADLINE), (self.got,
                                                            self.ends)


def dial(address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    link = socket.socket(family)
    link.settimeout(DEADLINE)
    link.connect(address)
    return link


def receive(link, count):
    data = b""
    while len(data) < count:
        piece = link.recv(count - len(data))
        assert piece, f"the end after {data!r}"
        data += piece
    return data


def nothing_comes(link):
    link.settimeout(0.05)
    with pytest.raises(TimeoutError):
        link.recv(1)
    link.settimeout(DEADLINE)


def end_of(link):
    try:
        while link.recv(100):
            pass
    except ConnectionResetError:
        return "rst"
    return "fin"


@pytest.fixture(params=["tcp", "unix"])
def echo(request, tmp_path):
    server = Echo(tmp_path / "echo.sock" if request.param == "unix" else None)
    yield server
    server.listener.close()


@pytest.fixture
def relay(echo):
    relay = Relay(echo.address)
    yield relay
    relay.close()


def test_it_passes_everything_and_each_end(relay, echo):
    link = dial(relay.address)
    block = bytes(range(256)) * 4096
    threading.Thread(target=link.sendall, args=(block,)).start()
    assert receive(link, len(block)) == block
    link.shutdown(socket.SHUT_WR)
    assert link.recv(1) == b""
    echo.until(lambda: echo.ends == ["fin"])


def test_a_reset_is_passed_on_and_cutting_makes_one(relay, echo):
    link = dial(relay.address)
    link.sendall(b"x")
    receive(link, 1)
    relay.cut()
    assert end_of(link) == ("rst" if isinstance(relay.address, tuple)
                            else "fin")
    echo.until(lambda: len(echo.ends) == 1)
    assert relay.connections == []
    link = dial(relay.address)
    link.sendall(b"again")
    assert receive(link, 5) == b"again"


def test_refusing_and_accepting(relay):
    relay.down()
    with pytest.raises(OSError):
        dial(relay.address)
    relay.accept()
    link = dial(relay.address)
    link.sendall(b"x")
    assert receive(link, 1) == b"x"


def test_each_direction_is_held_on_its_own(relay, echo):
    link = dial(relay.address)
    link.sendall(b"1")
    receive(link, 1)
    relay.hold("down")
    link.sendall(b"2")
    echo.until(lambda: echo.got == b"12")
    nothing_comes(link)
    relay.hold("up")
    link.sendall(b"3")
    relay.release("down")
    assert receive(link, 1) == b"2"
    nothing_comes(link)
    late = dial(relay.address)
    late.sendall(b"4")
    nothing_comes(late)
    # An end that is held back is not seen either.
    late.close()
    assert echo.ends == []
    relay.release()
    assert receive(link, 1) == b"3"
    echo.until(lambda: len(echo.ends) == 1)


def test_a_pattern_is_found_wherever_the_reads_cut_it(relay, echo):
    watch = relay.watch(b"COMMIT", "hold", nth=2, when="before")
    link = dial(relay.address)
    for byte in b"a COMMIT b COMCOMMIT c":
        link.sendall(bytes([byte]))
    watch.wait()
    echo.until(lambda: echo.got == b"a COMMIT b COM")
    assert receive(link, 14) == b"a COMMIT b COM"
    nothing_comes(link)
    watch.connection.release()
    assert receive(link, 8) == b"COMMIT c"


def test_a_pattern_cuts_or_calls(relay, echo):
    called = []
    after = relay.watch(b"stop", "hold", when="after")
    calls = relay.watch(b"l", called.append, "down", always=True)
    link = dial(relay.address)
    link.sendall(b"all stop here")
    after.wait()
    assert receive(link, 8) == b"all stop"
    calls.wait()
    assert len(called) == 2 and called[0] in relay.connections
    assert called[0].opening.startswith(b"all")
    cut = relay.watch(b"here", "cut", when="before")
    relay.release()
    link.sendall(b"here")
    cut.wait()
    end_of(link)
    echo.until(lambda: len(echo.ends) == 1)
    assert echo.got == b"all stop here"


def test_delay_and_rate_change_nothing_but_time(relay):
    relay.delay(0.02)
    relay.limit(200_000)
    link = dial(relay.address)
    block = bytes(range(256)) * 40
    link.sendall(block)
    assert receive(link, len(block)) == block
