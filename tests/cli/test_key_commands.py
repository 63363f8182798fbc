from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Run

KEY = re.compile(r"pronoia_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9a-z]{7}\n")


def test_quiet_prints_the_key_and_nothing_else(pronoia: Run, database_url: str) -> None:
    result = pronoia("keys", "create", "--database-url", database_url, "--user", "ada", "--quiet")
    assert result.exit_code == 0
    assert KEY.fullmatch(result.stdout)
    assert result.stderr == ""


def test_a_created_key_is_listed_without_its_secret_and_can_be_revoked(pronoia: Run, database_url: str) -> None:
    place = ("--database-url", database_url, "--json")
    created = json.loads(
        pronoia("keys", "create", *place, "--user", "ada", "--plan", "team", "--scopes", "read,write").stdout
    )
    (listed,) = json.loads(pronoia("keys", "list", *place).stdout)
    assert listed == {name: value for name, value in created.items() if name != "key"}
    assert (listed["user_id"], listed["plan"], listed["scopes"]) == ("ada", "team", ["read", "write"])
    assert listed["revoked_at"] is None
    revoked = json.loads(pronoia("keys", "revoke", listed["id"], *place).stdout)
    (after,) = json.loads(pronoia("keys", "list", *place).stdout)
    assert revoked == after
    assert after["revoked_at"] is not None


def test_a_service_key_belongs_to_no_user(pronoia: Run, database_url: str) -> None:
    created = json.loads(pronoia("keys", "create", "--service", "--json", "--database-url", database_url).stdout)
    assert (created["user_id"], created["service"], created["plan"]) == (None, True, "enterprise")


def test_revoking_an_unknown_key_fails_and_says_where_the_ids_are(pronoia: Run, database_url: str) -> None:
    result = pronoia("keys", "revoke", "nobody", "--database-url", database_url)
    assert result.exit_code == 1
    assert result.stderr == "Error: There is no key nobody. See `pronoia keys list`.\n"


def test_a_key_needs_a_user_or_service_and_known_scopes(pronoia: Run) -> None:
    assert pronoia("keys", "create").exit_code == 2
    assert pronoia("keys", "create", "--user", "ada", "--service").exit_code == 2
    result = pronoia("keys", "create", "--user", "ada", "--scopes", "read,fly")
    assert result.exit_code == 2
    assert "fly is not among read, write, learn, admin" in result.stderr


def test_a_database_that_refuses_is_a_matter_of_configuration(pronoia: Run, database_url: str) -> None:
    result = pronoia("keys", "list", "--database-url", database_url.replace("/test_", "/absent_"))
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: The database refuses us:")
