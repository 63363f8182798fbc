from __future__ import annotations

import struct
from uuid import UUID

from pronoia.memory.history import History
from pronoia.ports.snapshots import AccessColumns

FIRST, SECOND, THIRD = (UUID(int=number) for number in (1, 2, 3))


def logged(*uses: tuple[UUID, float]) -> AccessColumns:
    return AccessColumns(
        b"".join(memory_id.bytes for memory_id, _ in uses), b"".join(struct.pack(">d", at) for _, at in uses)
    )


def test_memories_are_numbered_as_they_first_appear():
    history = History()
    for memory_id, at in ((SECOND, 1.0), (FIRST, 2.0), (SECOND, 3.5)):
        history.record(memory_id, at)
    assert history.keys == [SECOND.bytes, FIRST.bytes]
    assert history.items.tolist() == [0, 1, 0]
    assert history.times.tolist() == [1.0, 2.0, 3.5]


def test_what_is_pending_here_is_not_counted_again_when_the_log_is_read():
    history = History()
    history.record(FIRST, 1_700_000_000.123457)
    history.extend(logged((THIRD, 1_700_000_000.0), (FIRST, 1_700_000_000.123457), (SECOND, 1_700_000_001.0)))
    assert history.keys == [FIRST.bytes, THIRD.bytes, SECOND.bytes]
    assert history.items.tolist() == [0, 1, 2]


def test_a_use_that_was_confirmed_is_counted_again_if_it_comes_again():
    history = History()
    history.record(FIRST, 1.0)
    assert history.confirm(1)
    history.extend(logged((FIRST, 1.0)))
    assert history.items.tolist() == [0, 0]


def test_no_more_can_be_confirmed_than_is_pending():
    history = History()
    history.record(FIRST, 1.0)
    assert not history.confirm(2)
    assert history.confirm(1)


def test_a_forgotten_memory_leaves_no_use_and_no_number():
    history = History()
    for memory_id, at in ((FIRST, 1.0), (SECOND, 2.0), (THIRD, 3.0), (SECOND, 4.0)):
        history.record(memory_id, at)
    history.forget(SECOND)
    assert history.generation == 1
    assert history.keys == [FIRST.bytes, THIRD.bytes]
    assert (history.items.tolist(), history.times.tolist()) == ([0, 1], [1.0, 3.0])
    assert SECOND.bytes not in history.keys
    assert not history.confirm(3)
