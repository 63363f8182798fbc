from __future__ import annotations

import answers
from scripted_server import Reply

from pronoia.client.versions import SeenVersions

HEADER = "X-Memory-Version"


def stored(version):
    return Reply(201, answers.memory(), {HEADER: str(version)})


def versions_sent(scripted):
    return [received.headers.get(HEADER) for received in scripted.received]


def test_a_read_asks_for_the_version_of_the_write_before(connect, scripted):
    scripted.will(stored(7), Reply(200, answers.search()), Reply(200, answers.page()), Reply(200, answers.memory()))
    client = connect()
    client.remember("text")
    client.search("coffee")
    client.get_all()
    client.get("m1")
    assert versions_sent(scripted) == [None, "7", "7", "7"]


def test_a_write_asks_for_no_version(connect, scripted):
    scripted.will(stored(7), stored(8))
    client = connect()
    client.remember("text")
    client.remember("text")
    assert versions_sent(scripted) == [None, None]


def test_an_older_answer_does_not_lower_the_version(connect, scripted):
    scripted.will(stored(7), stored(5), Reply(200, answers.page()))
    client = connect()
    client.remember("text")
    client.remember("text")
    client.get_all()
    assert versions_sent(scripted)[-1] == "7"


def test_versions_of_users_are_kept_apart(connect, scripted):
    scripted.will(stored(7), Reply(200, answers.page()), Reply(200, answers.page()))
    client = connect()
    client.remember("text", user_id="ada")
    client.get_all(user_id="bob")
    client.get_all(user_id="ada")
    assert versions_sent(scripted) == [None, None, "7"]


def test_the_clients_own_user_is_the_same_whether_named_or_not(connect, scripted):
    scripted.will(stored(7), Reply(200, answers.page()))
    client = connect(user_id="ada")
    client.remember("text", user_id="ada")
    client.get_all()
    assert versions_sent(scripted) == [None, "7"]


def test_reading_own_writes_can_be_turned_off(connect, scripted):
    scripted.will(stored(7), Reply(200, answers.page()))
    client = connect(read_your_writes=False)
    client.remember("text")
    client.get_all()
    assert versions_sent(scripted) == [None, None]


def test_a_forgotten_user_starts_again_from_the_version_of_the_answer(connect, scripted):
    scripted.will(stored(7), Reply(200, {}, {HEADER: "1"}), Reply(200, answers.page()))
    client = connect()
    client.remember("text", user_id="ada")
    client.delete_all(user_id="ada")
    client.get_all(user_id="ada")
    assert versions_sent(scripted) == [None, None, "1"]


def test_a_version_that_is_no_number_is_ignored(connect, scripted):
    scripted.will(stored("new"), stored("-3"), stored("9" * 5000), Reply(200, answers.page()))
    client = connect()
    for _ in range(3):
        client.remember("text")
    client.get_all()
    assert versions_sent(scripted)[-1] is None


def test_the_users_seen_longest_ago_leave_first():
    versions = SeenVersions(maximum_users=2)
    versions.saw("ada", 1)
    versions.saw("bob", 2)
    versions.saw("ada", 3)
    versions.saw("eve", 4)
    assert [versions.get(user) for user in ("ada", "bob", "eve")] == [3, None, 4]
