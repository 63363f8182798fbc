from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def given(pronoia, database_url):
    """Give what runs a command that must work, and reads what it prints."""

    def run(*arguments):
        result = pronoia(*arguments, "--json", "--database-url", database_url)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return run


def test_an_organisation_has_keys_projects_and_users_of_its_own(given, pronoia, database_url):
    made = given("organisations", "create", "Ada & Sons")
    assert made["name"] == "Ada & Sons"
    mine = ("--organisation", made["id"])
    key = given("keys", "create", "--user", "ada", "--role", "admin", *mine)
    assert (key["organisation_id"], key["scopes"]) == (made["id"], ["admin", "learn", "read", "write"])
    given("keys", "create", "--service")
    assert [one["name"] for one in given("organisations", "list")] == ["Ada & Sons", ""]
    assert len(given("keys", "list", *mine)) == 1
    assert given("organisations", "rename", "Sons", *mine) == {**made, "name": "Sons"}

    project = given("projects", "create", "apollo", "--retention-days", "30", *mine)
    assert (project["project_id"], project["retention_days"]) == ("apollo", 30)
    again = pronoia("projects", "create", "apollo", *mine, "--database-url", database_url)
    assert (again.exit_code, again.stderr) == (1, "Error: A project of this name is declared already.\n")
    assert given("projects", "set-retention", "apollo", *mine)["retention_days"] is None
    archived = given("projects", "archive", "apollo", *mine)
    assert given("projects", "list", *mine) == []
    assert given("projects", "list", "--archived", *mine) == [archived]
    assert given("projects", "archive", "apollo", "--undo", *mine)["archived_at"] is None
    assert given("projects", "list") == []

    bob = given("users", "set-role", "bob", "reader", *mine)
    assert (bob["role"], bob["memory_count"]) == ("reader", 0)
    assert given("users", "list", *mine) == [bob] == [given("users", "show", "bob", *mine)]
    assert given("users", "set-role", "bob", "none", *mine)["role"] is None
    assert given("users", "list") == []


def test_tokens_of_a_user_are_revoked(given, pronoia, database_url):
    given("keys", "create", "--user", "ada")
    before = datetime.now(UTC)
    revoked = given("users", "revoke-tokens", "ada")
    not_before = datetime.fromisoformat(revoked["tokens_not_before"])
    assert timedelta(0) <= not_before - before - timedelta(seconds=30) < timedelta(minutes=1)
    assert given("users", "show", "ada") == revoked
    assert given("users", "set-role", "bob", "reader")["tokens_not_before"] is None
    table = pronoia("users", "list", "--database-url", database_url)
    assert f"{not_before:%Y-%m-%d %H:%M:%S}" in table.stdout


def test_a_key_expires_and_is_rotated_with_an_overlap(given, pronoia, database_url):
    made = given("keys", "create", "--user", "ada", "--expires", "90d")
    ends = datetime.fromisoformat(made["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    rotated = given("keys", "rotate", made["id"], "--overlap", "2h", "--expires", "1w")
    assert rotated["key"].split("_")[1] == made["id"]
    assert rotated["key"] != made["key"]
    until = datetime.fromisoformat(rotated["former_secret_until"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    assert datetime.fromisoformat(rotated["expires_at"]) < ends
    refused = pronoia("keys", "rotate", made["id"], "--database-url", database_url)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: The former secret of this key works until ")
    told = pronoia("keys", "rotate", made["id"], "--replace", "--database-url", database_url)
    assert told.stdout.startswith(f"pronoia_{made['id']}_")
    assert f"works until {until:%Y-%m-%d %H:%M} UTC" in told.stderr
    quiet = pronoia("keys", "rotate", made["id"], "--replace", "--quiet", "--database-url", database_url)
    assert (quiet.stdout.count("\n"), quiet.stderr) == (1, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "--user", "ada", "--role", "reader", "--scopes", "read"),
        ("keys", "create", "--user", "ada", "--expires", "soon"),
        ("keys", "create", "--user", "ada", "--role", "king"),
        ("keys", "rotate", "4fKq0ZxW81aB", "--overlap", "-1h"),
        ("users", "set-role", "ada", "king"),
        ("projects", "create", "apollo", "--retention-days", "0"),
    ],
)
def test_what_cannot_be_is_a_matter_of_usage(pronoia, arguments):
    assert pronoia(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("keys", "rotate", "nobody"), "There is no key nobody. See `pronoia keys list`."),
        (("users", "show", "nobody"), "There is no such user."),
        (("projects", "archive", "nothing"), "Nobody declared a project of this name."),
        (("organisations", "rename", "x", "--organisation", "018f0000-0000-7000-8000-000000000000"),
         "There is no such organisation."),
    ],
)  # fmt: skip
def test_what_is_not_there_fails_and_says_so(pronoia, database_url, arguments, message):
    result = pronoia(*arguments, "--database-url", database_url)
    assert (result.exit_code, result.stderr) == (1, f"Error: {message}\n")
