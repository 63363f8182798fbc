from __future__ import annotations

import gc
import struct
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from pronoia.domain.records import Relationship, RelationshipType
from pronoia.memory.link_table import RELATIONSHIP_TYPES
from pronoia.memory.links import FEWEST_JOINED, Links
from pronoia.ports.snapshots import RelationshipColumns

AT = datetime(2026, 5, 4, 12, 30, 15, 123456, tzinfo=UTC)
ONE, TWO, THREE = (uuid4() for _ in range(3))


def relationship(number: int, one: UUID, two: UUID, strength: float) -> Relationship:
    kind = RelationshipType.SIMILAR_TO if number % 2 else RelationshipType.FOLLOWS
    return Relationship(UUID(int=number << 8), one, two, kind, strength, f"Reason {number}.", AT)


FIRST, SECOND = relationship(1, ONE, TWO, 0.5), relationship(2, ONE, THREE, 0.75)


@pytest.fixture
def links() -> Links:
    loaded = (FIRST, SECOND)
    return Links(
        RelationshipColumns(
            ids=b"".join(one.id.bytes for one in loaded),
            memory_ids=b"".join(one.memory_id.bytes for one in loaded),
            related_memory_ids=b"".join(one.related_memory_id.bytes for one in loaded),
            types=bytes(list(RelationshipType).index(one.type) for one in loaded),
            strengths=struct.pack(">2d", *(one.strength for one in loaded)),
            explanations=[one.explanation for one in loaded],
            explained_by=struct.pack("<2i", 0, 1),
            created_at=struct.pack(">2d", *(one.created_at.timestamp() for one in loaded)),
        )
    )


def test_loaded_relationships_are_found_from_either_end_strongest_first(links: Links) -> None:
    assert links.outgoing(ONE) == [SECOND, FIRST]
    assert links.incoming(TWO) == [FIRST]
    assert links.incoming(ONE) == []
    assert links.find(SECOND.id) == SECOND
    assert links.find(uuid4()) is None


def test_what_is_added_stands_among_what_was_loaded(links: Links) -> None:
    between = relationship(3, ONE, TWO, 0.6)
    links.add([between])
    assert links.outgoing(ONE) == [SECOND, between, FIRST]
    assert len(links) == 3


def test_one_with_the_id_of_a_loaded_one_replaces_it(links: Links) -> None:
    stronger = Relationship(FIRST.id, ONE, TWO, FIRST.type, 0.9, "Now stronger.", AT)
    links.add([stronger])
    assert links.outgoing(ONE) == [stronger, SECOND]
    columns = links.columns()
    strengths = {kind: columns.strengths[places].tolist() for kind, places in columns.places_by_type().items()}
    assert strengths == {RelationshipType.FOLLOWS: [0.75], RelationshipType.SIMILAR_TO: [0.9]}


def test_a_memory_that_goes_takes_its_loaded_relationships_with_it(links: Links) -> None:
    links.remove_memory(TWO)
    assert links.outgoing(ONE) == [SECOND]
    assert links.find(FIRST.id) is None
    assert len(links) == 1


def test_relationships_are_gone_through_as_they_were_when_that_began(links: Links) -> None:
    """A reader in another thread must neither fail nor see half of a change."""
    links.add([relationship(7, uuid4(), uuid4(), 0.5)])
    before = [link.id for link in links]
    walk = iter(links)
    seen = [next(walk).id]
    links.add([relationship(8, uuid4(), uuid4(), 0.5)])
    links.remove(before[-1])
    assert seen + [link.id for link in walk] == before


def test_the_columns_hold_what_is_there_loaded_or_added(links: Links) -> None:
    between = relationship(3, TWO, THREE, 0.6)
    links.add([between])
    links.remove(FIRST.id)
    columns = links.columns()
    assert columns.ids.tobytes() == SECOND.id.bytes + between.id.bytes
    assert columns.from_ids.tobytes() == ONE.bytes + TWO.bytes
    assert columns.to_ids.tobytes() == THREE.bytes + THREE.bytes
    assert [RELATIONSHIP_TYPES[place] for place in columns.types] == [SECOND.type, between.type]
    assert columns.strengths.tolist() == [0.75, 0.6]
    assert columns.created_at.tolist() == [AT.timestamp()] * 2


def test_a_removed_relationship_leaves_no_explanation_unless_another_has_the_same(links: Links) -> None:
    links.remove(FIRST.id)
    assert FIRST.explanation not in vars(links)["_loaded"]._explanations
    assert links.find(SECOND.id) == SECOND
    assert [link.explanation for link in links] == [SECOND.explanation]


def test_what_is_around_a_memory_is_told_from_both_ends_strongest_first(links: Links) -> None:
    between = relationship(3, TWO, ONE, 0.6)
    links.add([between])
    around = links.around(ONE)
    assert around.others.tobytes() == THREE.bytes + TWO.bytes + TWO.bytes
    assert around.strengths.tolist() == [0.75, 0.6, 0.5]
    assert [RELATIONSHIP_TYPES[place] for place in around.types] == [SECOND.type, between.type, FIRST.type]
    links.remove(SECOND.id)
    assert links.around(ONE).others.tobytes() == TWO.bytes + TWO.bytes
    assert len(links.around(uuid4()).others) == 0


def test_many_that_are_added_join_what_was_loaded_and_what_was_frozen_stays(links: Links) -> None:
    before = links.frozen()
    added = [relationship(4 + number, TWO, THREE, number / 2_000) for number in range(2 * FEWEST_JOINED)]
    for first in range(0, len(added), 100):
        links.add(added[first : first + 100][::-1])
    links.remove(FIRST.id)
    assert len(vars(links)["_added"]) <= FEWEST_JOINED
    assert sorted(links, key=lambda link: link.id) == [SECOND, *added]
    assert links.find(added[0].id) == added[0]
    assert links.outgoing(TWO) == sorted(added, key=lambda link: (-link.strength, link.id))
    assert links.around(TWO).strengths.tolist() == sorted((link.strength for link in added), reverse=True)
    assert {link.id for link in before} >= {FIRST.id, SECOND.id}


def test_the_garbage_collector_has_nothing_to_look_at_in_what_was_added(links: Links) -> None:
    links.add([relationship(number, ONE, uuid4(), 0.5) for number in range(3, 100)])
    gc.collect()
    held = vars(links)
    assert len(held["_added"]) == 97
    assert not any(gc.is_tracked(one) for one in (*held["_added"].values(), *held["_ends"].values()))
