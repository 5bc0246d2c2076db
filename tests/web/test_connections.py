"""Which connection makes room when there are too many."""

import asyncio

from tracker.web.connections import Connections, bounded


class Line(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def test_the_longest_waiting_makes_room() -> None:
    connections = Connections(3)
    lines = [Line() for _ in range(5)]
    for line in lines:
        assert connections.admit(line)
    assert [line.aborted for line in lines] == [True, True, False, False, False]
    assert len(connections) == 3


def test_one_on_which_work_is_done_is_not_interrupted_and_if_all_are_nobody_comes_in() -> None:
    connections = Connections(2)
    first, second, third = Line(), Line(), Line()
    connections.admit(first)
    connections.works_on(first)
    connections.admit(second)
    assert connections.admit(third)
    assert (first.aborted, second.aborted) == (False, True)
    connections.works_on(third)
    assert not connections.admit(Line())
    connections.waits_on(first)
    assert connections.admit(Line())
    assert (first.aborted, third.aborted, len(connections)) == (True, False, 2)


def test_one_over_which_something_was_taken_is_the_last_to_go() -> None:
    connections = Connections(2)
    holder, stranger, later, last = (Line() for _ in range(4))
    connections.admit(holder)
    connections.works_on(holder)
    connections.know(holder)
    connections.waits_on(holder)
    connections.admit(stranger)
    connections.admit(later)
    assert (holder.aborted, stranger.aborted) == (False, True)
    connections.works_on(later)
    connections.know(later)
    connections.admit(last)
    assert holder.aborted  # there was nobody else


def test_what_is_closed_counts_no_more() -> None:
    connections = Connections(2)
    first, second = Line(), Line()
    connections.admit(first)
    connections.works_on(first)
    connections.forget(first)
    connections.waits_on(first)  # its request ends after it
    connections.know(first)
    connections.works_on(first)
    connections.admit(second)
    assert len(connections) == 1
    assert connections.admit(Line())
    assert not second.aborted
    assert connections._known == set()


def test_a_connection_counts_once_when_tls_is_agreed_on_and_waits_anew() -> None:
    connections = Connections(2)
    outside, inside, other = Line(), Line(), Line()
    connections.admit(outside)
    connections.admit(other)
    assert connections.secured(outside, inside)
    assert len(connections) == 2
    assert connections.admit(Line())  # the other has waited longer by now
    assert (other.aborted, inside.aborted) == (True, False)
    connections.forget(outside)  # both ends tell of the end
    connections.forget(inside)
    assert len(connections) == 1


def test_one_that_has_made_room_already_is_not_let_in_when_tls_is_agreed_on() -> None:
    connections = Connections(1)
    outside = Line()
    connections.admit(outside)
    connections.admit(Line())
    assert not connections.secured(outside, Line())
    assert len(connections) == 1


def test_one_that_is_closed_before_tls_is_agreed_on_counts_no_more() -> None:
    connections = Connections(2)
    outside = bounded(asyncio.Protocol(), connections, lambda _: asyncio.BufferedProtocol())
    outside.connection_made(Line())
    assert len(connections) == 1
    outside.connection_lost(None)
    assert len(connections) == 0


def test_with_no_room_at_all_tls_is_not_even_begun() -> None:
    connections, line, refused = Connections(1), Line(), Line()
    connections.admit(line)
    connections.works_on(line)
    begun: list[object] = []

    class Tls(asyncio.BufferedProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            begun.append(transport)

    bounded(asyncio.Protocol(), connections, lambda _: Tls()).connection_made(refused)
    assert (refused.aborted, begun, len(connections)) == (True, [], 1)
