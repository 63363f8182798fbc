"""Keys, organisation, projects and users by API: with the scope admin, and of the caller's own organisation alone."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import httpx2
import msgspec
import pytest

from log_files import text_with
from pronoia.adapters.postgres.key_store import PostgresKeyStore
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.records import Permission, Plan
from pronoia.faces.http.application import OPERATIONS
from pronoia.resilience.clock import SystemClock
from pronoia.services.keys import Keys

API = "/api/v1"
ROUTES = [
    ("GET", "/keys"),
    ("POST", "/keys"),
    ("GET", "/keys/{key}"),
    ("POST", "/keys/{key}/rotate"),
    ("DELETE", "/keys/{key}"),
    ("GET", "/organisation"),
    ("PATCH", "/organisation"),
    ("GET", "/projects"),
    ("POST", "/projects"),
    ("GET", "/projects/{project}"),
    ("PATCH", "/projects/{project}"),
    ("GET", "/users"),
    ("GET", "/users/{user}"),
    ("PATCH", "/users/{user}"),
    ("DELETE", "/users/{user}/tokens"),
]
BODY = {"name": "x", "project_id": "x", "user_id": "eve", "role": "admin", "archived": True, "retention_days": 1}


async def _make(database_url, organisation_id, **fields):
    database = await Database.open(database_url, connections=2, timeout_seconds=10)
    try:
        keys = Keys(store=PostgresKeyStore(database), clock=SystemClock())
        given = {"user_id": "ada", "plan": Plan.PRO, "permissions": Permission, **fields}
        return await keys.create(organisation_id=organisation_id, **given)
    finally:
        await database.close()


@dataclass(frozen=True)
class Client:
    """Speaks to the server with one key."""

    http: httpx2.Client
    key: str

    def request(self, method, path, **request):
        return self.http.request(method, API + path, headers={"X-API-Key": self.key}, **request)

    def given(self, method, path, status=200, **body):
        answer = self.request(method, path, json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json()

    def as_key(self, key):
        return replace(self, key=key)


@pytest.fixture
def new_organisation(server, anonymous):
    """Give what makes an organisation with a key of its own, and a client that uses it."""

    def make(**fields):
        organisation_id = uuid4()
        key, text = asyncio.run(_make(server.database_url, organisation_id, **fields))
        return SimpleNamespace(id=organisation_id, key=key, text=text, client=Client(anonymous, text))

    return make


@pytest.fixture
def mine(new_organisation):
    return new_organisation()


@pytest.fixture
def admin(mine):
    return mine.client


def is_known(client, text):
    return client.as_key(text).request("GET", "/memories").status_code == 200


def test_a_key_is_made_listed_without_its_secret_and_revoked(mine, admin):
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    made = admin.given("POST", "/keys", 201, user_id="bob", role="reader", expires_at=ends.isoformat())
    text = made.pop("key")
    assert (made["user_id"], made["service"], made["plan"], made["scopes"]) == ("bob", False, "free", ["read"])
    assert datetime.fromisoformat(made["expires_at"]) == ends
    assert (made["revoked_at"], made["former_secret_until"], made["last_used_at"]) == (None, None, None)
    listed = admin.given("GET", "/keys")
    assert [one["id"] for one in listed["keys"]] == [mine.key.id, made["id"]]
    assert (listed["keys"][1], listed["count"], listed["next"]) == (made, 2, None)
    assert admin.given("GET", f"/keys/{made['id']}") == made
    assert text not in admin.request("GET", "/keys").text
    assert is_known(admin, text)
    assert admin.as_key(text).request("POST", "/memories", json={"text": "x"}).status_code == 403
    revoked = admin.given("DELETE", f"/keys/{made['id']}")
    assert revoked["revoked_at"] is not None
    assert not is_known(admin, text)
    assert admin.given("DELETE", f"/keys/{made['id']}")["revoked_at"] == revoked["revoked_at"]


def test_keys_are_listed_in_pages(admin):
    made = [admin.given("POST", "/keys", 201, service=True)["id"] for _ in range(3)]
    first = admin.given("GET", "/keys?limit=2")
    second = admin.given("GET", f"/keys?limit=2&after={first['next']}")
    third = admin.given("GET", f"/keys?limit=2&after={second['next']}")
    assert [one["id"] for page in (first, second) for one in page["keys"]][1:] == made
    assert (third["count"], third["next"]) == (0, None)


def test_a_rotated_key_has_two_secrets_for_a_while(admin):
    made = admin.given("POST", "/keys", 201, user_id="bob")
    rotated = admin.given("POST", f"/keys/{made['id']}/rotate", overlap_seconds=3_600)
    assert rotated["id"] == made["id"]
    until = datetime.fromisoformat(rotated["former_secret_until"])
    assert timedelta(seconds=3_590) < until - datetime.now(UTC) <= timedelta(seconds=3_600)
    assert [is_known(admin, one["key"]) for one in (made, rotated)] == [True, True]
    refused = admin.given("POST", f"/keys/{made['id']}/rotate", 400)
    assert refused["details"] == {"field": "replace"}
    again = admin.given("POST", f"/keys/{made['id']}/rotate", replace=True)
    assert [is_known(admin, one["key"]) for one in (made, rotated, again)] == [True, False, True]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "user_id"),
        ({"user_id": "bob", "service": True}, "user_id"),
        ({"user_id": "bob", "role": "reader", "scopes": ["read"]}, "scopes"),
        ({"user_id": "bob", "scopes": []}, "scopes"),
        ({"user_id": "bob", "scopes": ["fly"]}, "scopes"),
        ({"user_id": "bob", "role": "king"}, "role"),
        ({"user_id": "bob", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"user_id": " "}, "user_id"),
        ({"user_id": "x" * 256}, "user_id"),
        ({"user_id": "bob", "plan": "gold"}, "plan"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_the_field(admin, body, field):
    answer = admin.request("POST", "/keys", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["field"].partition("[")[0] == field


@pytest.mark.parametrize("overlap", [-1, 2_592_001])
def test_an_overlap_that_cannot_be_is_refused(admin, overlap):
    made = admin.given("POST", "/keys", 201, user_id="bob")
    answer = admin.given("POST", f"/keys/{made['id']}/rotate", 400, overlap_seconds=overlap)
    assert answer["details"]["field"] == "overlap_seconds"


def test_a_key_is_of_the_free_plan_unless_its_maker_has_a_higher_one(admin, new_organisation, server):
    assert admin.given("POST", "/keys", 201, service=True)["plan"] == "free"
    assert admin.given("POST", "/keys", 201, service=True, plan="pro")["plan"] == "pro"
    assert admin.given("POST", "/keys", 403, service=True, plan="team")["details"] == {"plan": "team"}
    richer, _ = asyncio.run(_make(server.database_url, new_organisation().id, plan=Plan.TEAM))
    poor = new_organisation(plan=Plan.FREE)
    rich, text = asyncio.run(_make(server.database_url, poor.id, plan=Plan.TEAM))
    # Its new secret would be in the hands of whoever asks.
    poor.client.given("POST", f"/keys/{rich.id}/rotate", 403)
    poor.client.given("POST", f"/keys/{richer.id}/rotate", 404)
    assert is_known(poor.client, text)


def test_without_the_scope_admin_nothing_is_managed(mine, server):
    for permissions in (set(Permission) - {Permission.ADMIN}, {Permission.READ}, set()):
        _, weak = asyncio.run(_make(server.database_url, mine.id, permissions=permissions))
        client = mine.client.as_key(weak)
        for method, path in ROUTES:
            answer = client.request(method, path.format(key=mine.key.id, project="x", user="ada"), json=BODY)
            assert (answer.status_code, answer.json()["details"]) == (403, {"permission": "admin"})
    assert is_known(mine.client, mine.text)


def test_every_management_route_is_among_those_that_are_tried():
    kinds = {"keys", "organisation", "projects", "users"}
    served = {(one.method, one.path) for one in OPERATIONS if kinds & set(one.path.split("/")[3:4])}
    names = {"key": "{key_id}", "project": "{project_id}", "user": "{user_id}"}
    assert {(method, API + path.format(**names)) for method, path in ROUTES} == served


def test_another_organisation_is_neither_seen_nor_touched(mine, admin, new_organisation):
    admin.given("POST", "/projects", 201, project_id="Zanzibarine", retention_days=30)
    admin.given("PATCH", "/users/ada", role="admin")

    def stored():
        keys = [{**one, "last_used_at": None} for one in admin.given("GET", "/keys")["keys"]]
        return keys, [admin.given("GET", path) for path in ("/organisation", "/projects", "/users")]

    before = stored()
    other = new_organisation().client
    for method, path in ROUTES:
        if "{" in path:
            answer = other.request(method, path.format(key=mine.key.id, project="Zanzibarine", user="ada"), json=BODY)
            # A role or a revocation makes a user of one's own; all else is there for nobody.
            of_everybody = method != "GET" and path.startswith("/users/")
            assert answer.status_code == (200 if of_everybody else 404), answer.text
        else:
            answer = other.request(method, path, json=BODY)
            assert mine.key.id not in answer.text
        assert "Zanzibarine" not in answer.text
        assert str(mine.id) not in answer.text
    assert stored() == before


def test_the_organisation_is_shown_and_renamed(mine, admin):
    assert admin.given("GET", "/organisation")["name"] == ""
    renamed = admin.given("PATCH", "/organisation", name="Ada & Söhne")
    assert (renamed["id"], renamed["name"]) == (str(mine.id), "Ada & Söhne")
    assert admin.given("GET", "/organisation") == renamed
    assert admin.given("PATCH", "/organisation", 400, name=" ")["details"]["field"] == "name"


def test_a_request_that_is_repeated_with_its_key_changes_nothing_again(admin):
    def send(method, path, key, **body):
        headers = {"X-API-Key": admin.key, "Idempotency-Key": key}
        return admin.http.request(method, API + path, headers=headers, json=body)

    assert send("PATCH", "/organisation", "once", name="One").status_code == 200
    for method, path, body in (
        ("PATCH", "/organisation", {"name": "Two"}),
        ("POST", "/projects", {"project_id": "apollo"}),
        ("POST", "/keys", {"service": True}),
    ):
        refused = send(method, path, "once", **body)
        assert (refused.status_code, refused.json()["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    admin.given("PATCH", "/organisation", name="Three")
    # What it is now, not what it was.
    assert send("PATCH", "/organisation", "once", name="One").json() == admin.given("GET", "/organisation")
    assert admin.given("GET", "/organisation")["name"] == "Three"
    refused = send("POST", "/projects", "again", project_id="apollo", retention_days=0)
    made = send("POST", "/projects", "again", project_id="apollo")
    assert (refused.status_code, made.status_code) == (400, 201)


def test_a_key_that_a_repeated_request_made_is_named_and_has_no_twin(mine, admin):
    def send(path, **body):
        headers = {"X-API-Key": admin.key, "Idempotency-Key": "once for " + path}
        return admin.http.request("POST", API + path, headers=headers, json=body)

    made, again = [send("/keys", user_id="bob") for _ in range(2)]
    assert (made.status_code, again.status_code) == (201, 409)
    assert made.json()["id"] in again.json()["message"]
    assert [one["id"] for one in admin.given("GET", "/keys")["keys"]] == [mine.key.id, made.json()["id"]]
    rotated, once_more = [send(f"/keys/{made.json()['id']}/rotate", overlap_seconds=60) for _ in range(2)]
    assert (rotated.status_code, once_more.status_code) == (200, 409)
    assert all(is_known(admin, answer.json()["key"]) for answer in (made, rotated))


def test_projects_are_declared_changed_and_archived_and_memories_need_none(admin):
    made = admin.given("POST", "/projects", 201, project_id="tea & cake", retention_days=30)
    assert (made["project_id"], made["retention_days"], made["archived_at"]) == ("tea & cake", 30, None)
    assert admin.given("POST", "/projects", 409, project_id="tea & cake")["code"] == "ALREADY_EXISTS"
    assert admin.given("GET", "/projects/tea%20%26%20cake") == made
    assert admin.given("PATCH", "/projects/tea%20%26%20cake", archived=False) == made
    kept = admin.request("PATCH", "/projects/tea%20%26%20cake", json={"retention_days": None}).json()
    assert kept == {**made, "retention_days": None}
    archived = admin.given("PATCH", "/projects/tea%20%26%20cake", archived=True, retention_days=7)
    assert archived["archived_at"] is not None
    assert admin.given("GET", "/projects")["projects"] == []
    assert admin.given("GET", "/projects?archived=true")["projects"] == [archived]
    for days in (0, 36_501, 1.5):
        refused = admin.given("PATCH", "/projects/tea%20%26%20cake", 400, retention_days=days)
        assert refused["details"]["field"] == "retention_days"
    for project in ("tea & cake", "nobody declared this"):
        stored = admin.given("POST", "/memories", 201, text=project, project_id=project)
        assert stored["project_id"] == project


def test_users_are_listed_with_counts_and_a_role_bounds_their_keys(admin):
    admin.given("POST", "/memories", 201, text="x")
    writer = admin.given("POST", "/keys", 201, user_id="bob", role="member")["key"]
    assert [(one["user_id"], one["memory_count"], one["role"]) for one in admin.given("GET", "/users")["users"]] == [
        ("ada", 1, None)
    ]
    assert admin.given("GET", "/users/bob", 404)["code"] == "RESOURCE_NOT_FOUND"
    bob = admin.given("PATCH", "/users/bob", role="reader")
    assert (bob["user_id"], bob["role"], bob["memory_count"]) == ("bob", "reader", 0)
    assert admin.given("GET", "/users/bob") == bob
    # The key was never used here, so nothing of it is cached.
    assert admin.as_key(writer).request("GET", "/memories").status_code == 200
    assert admin.as_key(writer).request("POST", "/memories", json={"text": "x"}).status_code == 403
    page = admin.given("GET", "/users?limit=1")
    assert (page["next"], admin.given("GET", "/users?after=ada")["users"]) == ("ada", [bob])
    assert admin.request("PATCH", "/users/bob", json={"role": None}).json()["role"] is None
    for role in ("king", 1):
        assert admin.given("PATCH", "/users/bob", 400, role=role)["details"]["field"] == "role"
    assert admin.request("PATCH", "/users/bob", json={}).status_code == 400


def test_a_service_key_must_name_a_user_wherever_there_is_one(server, anonymous):
    headers = {"X-Service-Token": server.service_key}
    tried = [one for one in OPERATIONS if one.permission is not None and one.of_user]
    assert len(tried) > 40
    for operation in tried:
        path = re.sub(r"\{\w+\}", str(uuid4()), operation.path)
        # Enough of a body for any of them to be read, so that it is the user that is missing.
        body = decodable(operation.body)
        answer = anonymous.request(operation.method, path, headers=headers, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "MISSING_REQUIRED_FIELD"), operation.path
        assert answer.json()["details"] == {"field": "user_id"}, operation.path


def decodable(body):
    """Make the least that a body's type takes."""
    values = {"memories": [{"text": "x"}], "helpful": True, "type": "related_to"}
    required = [one.name for one in msgspec.structs.fields(body) if one.required]
    return {name: values.get(name, str(uuid4())) for name in required}


def test_a_key_in_the_query_string_opens_nothing_and_is_not_logged(logged_server):
    server, log = logged_server
    names = ("key", "api_key", "apikey", "x-api-key", "X-API-Key", "token", "access_token", "authorization")
    with httpx2.Client(base_url=server.url, timeout=30) as client:
        for name in names:
            answer = client.get(API + "/memories", params={name: server.key})
            assert (answer.status_code, answer.json()["code"]) in {
                (401, "MISSING_API_KEY"),
                (429, "RATE_LIMIT_EXCEEDED"),
            }
            assert server.key not in answer.text
        assert client.get(API + "/memories", headers={"Cookie": f"api_key={server.key}"}).status_code == 401
        last = {"X-API-Key": server.key, "X-Request-ID": "last"}
        assert client.get(f"{API}/memories/{server.key}", headers=last).status_code == 404
    assert server.key not in text_with(log, '"request_id":"last"')
