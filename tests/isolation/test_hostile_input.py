"""What attackers send to every route that takes a body or a query. Run with -s to see how much was tried."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from example_requests import PARAMETER, WORD, example, fields_of
from hostile import LONG_TEXTS, ODD, REFUSED_TEXTS, SQL, ask, raw_bodies, watching
from msgspec import inspect
from tenants import OWNER, furnish, make_tenant

from pronoia.faces.http.application import OPERATIONS
from pronoia.faces.http.operation import Nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from hostile import Told
    from tenants import Tenant, World

    from pronoia.faces.http.operation import AnyOperation

pytestmark = pytest.mark.anyio

MEGABYTE = b" " * 1_000_000
LONGEST_TURN = 10.0
"""In millions of steps of an empty loop: a fifth of a second where a million takes 20 ms."""
WITH_BODY = [one for one in OPERATIONS if one.body is not Nothing and one.permission is not None]
WITH_QUERY = [one for one in OPERATIONS if one.query is not Nothing and one.method == "GET"]
NUMBERS = ("-1", "0", "1e999", "NaN", "9" * 400, "-" + "9" * 30, "1.5", "0x10", "true", "%D9%A1")
PLAIN = {"limit": "1"}


class Attacked:
    """A furnished organisation, and what is sent to it as its owner."""

    def __init__(self, world: World, tenant: Tenant) -> None:
        self.world = world
        self.tenant = tenant
        self.tries = 0
        self.broken = 0

    async def ask(self, operation: AnyOperation, *chunks: bytes, query: bytes = b"", **headers: str) -> Told:
        self.tries += 1
        path = example(operation, self.tenant.ids | {"user_id": OWNER}).path
        sent = {"X-API-Key": self.tenant.keys["owner"], **headers}
        told = await ask(self.world.app, operation.method, path, chunks or (b"",), query=query, headers=sent)
        self.broken += told.status >= 500
        return told

    def body(self, operation: AnyOperation) -> dict[str, Any]:
        return example(operation, self.tenant.ids | {"user_id": OWNER}).body or {}


@pytest.fixture(scope="module")
async def attacked(opening: Callable[..., Any]) -> AsyncIterator[Attacked]:
    async with opening() as world:
        tenant = make_tenant()
        await furnish(world, tenant)
        yield (attacked := Attacked(world, tenant))
        print(f"\nhostile requests {attacked.tries}, answers of 5xx {attacked.broken}")  # noqa: T201 - the report
        assert attacked.broken == 0


def texts_of(kind: Any) -> Iterator[str]:
    """Name the fields that take a text."""
    for name, taken in fields_of(kind).items():
        kinds = taken.types if isinstance(taken, inspect.UnionType) else (taken,)
        if any(isinstance(one.type if isinstance(one, inspect.Metadata) else one, inspect.StrType) for one in kinds):
            yield name


def check_refused(told: Told, what: str, *statuses: int) -> None:
    """Hold an answer to the shape of errors."""
    assert told.status in (statuses or (400,)), (what, told.status, told.body[:300])
    error = told.error
    assert {"error", "message", "code", "requestId", "timestamp"} <= set(error), (what, error)
    if told.status == 400:
        assert error.get("details", {}).get("field"), (what, error)


async def test_what_is_no_json_is_refused_by_every_route_and_names_the_body(attacked: Attacked):
    for operation in WITH_BODY:
        for name, body in raw_bodies(attacked.body(operation)).items():
            told = await attacked.ask(operation, body, **({"Content-Encoding": "gzip"} if name == "gzip" else {}))
            check_refused(told, f"{operation.path} {name}")


async def test_a_text_that_is_not_utf_8_is_refused_by_every_route(attacked: Attacked):
    for operation in WITH_BODY:
        for field in texts_of(operation.body):
            body = json.dumps({**attacked.body(operation), field: "MARK"}).encode().replace(b"MARK", b"\xff\xfe")
            check_refused(await attacked.ask(operation, body), f"{operation.path} {field}")


@pytest.mark.parametrize("name", REFUSED_TEXTS)
async def test_a_text_that_cannot_be_stored_never_breaks_anything(attacked: Attacked, name: str):
    for operation in WITH_BODY:
        for field in texts_of(operation.body):
            told = await attacked.ask(
                operation, json.dumps({**attacked.body(operation), field: REFUSED_TEXTS[name]}).encode()
            )
            if told.status >= 300:
                check_refused(told, f"{operation.path} {field}", 400, 403, 404, 409)
            assert told.status < 500


async def test_sql_is_a_text_like_any_other_in_every_field(attacked: Attacked):
    for operation in WITH_BODY:
        for field in texts_of(operation.body):
            statuses = {}
            # The last one is for what changes a memory: the next routes look for the others, and find none.
            for text in (ODD, *SQL, WORD):
                body = json.dumps({**attacked.body(operation), field: text}).encode()
                statuses[text] = (await attacked.ask(operation, body)).status
            del statuses[WORD]
            assert set(statuses.values()) == {statuses[ODD]}, f"{operation.path} {field} {statuses}"
    for operation in WITH_QUERY:
        for field in texts_of(operation.query):
            statuses = {
                text: (await attacked.ask(operation, query=f"{field}={quote(text)}".encode())).status
                for text in (ODD, *SQL)
            }
            assert set(statuses.values()) == {statuses[ODD]}, (operation.path, field, statuses)
            assert statuses[ODD] < 500, (operation.path, field)


async def test_sql_in_names_and_metadata_finds_and_changes_nothing(attacked: Attacked):
    http, headers = attacked.world.http, {"X-Service-Token": attacked.tenant.keys["service"]}
    mine = {**headers, "X-User-ID": "mallory"}
    assert (await http.post("/api/v1/memories", json={"text": "kept"}, headers=mine)).status_code == 201
    for text in SQL:
        found = await http.get("/api/v1/memories", params={"user_id": text}, headers=headers)
        assert (found.status_code, found.json()["memories"]) == (200, [])
        for query in ({"metadata": json.dumps({text: text})}, {"tags": text}, {"project_id": text}, {"source": text}):
            found = await http.get("/api/v1/memories", params=query, headers=mine)
            assert (found.status_code, found.json()["memories"]) == (200, [])
        found = await http.get("/api/v1/memories", params={"sort": text}, headers=mine)
        assert (found.status_code, found.json()["details"]["field"]) == (400, "sort")
        assert (await http.get(f"/api/v1/users/{quote(text, safe='')}", headers=headers)).status_code == 404
    kept = (await http.get("/api/v1/memories", headers=mine)).json()
    assert [one["text"] for one in kept["memories"]] == ["kept"]


async def test_numbers_and_cursors_that_cannot_be_are_refused_by_name(attacked: Attacked):
    for operation in WITH_QUERY:
        for field in fields_of(operation.query):
            for value in (*NUMBERS, "%00", "%ff", "%ed%a0%80", "AAAA", "00000000-0000-0000-0000-000000000000"):
                told = await attacked.ask(operation, query=f"{field}={value}".encode())
                if told.status >= 300:
                    check_refused(told, f"{operation.path} {field}={value}", 400, 404)
        told = await attacked.ask(operation, query=b"&".join(b"a=1" for _ in range(1_000)))
        check_refused(told, operation.path)


async def test_an_id_in_a_path_that_cannot_be_is_the_id_of_nothing(attacked: Attacked):
    for operation in OPERATIONS:
        if "{" in operation.path and operation.permission is not None:
            for value in ("\0", "a\0b", "..", "%00", "x" * 5_000, "1e999", "\n", " ", *SQL):
                path = PARAMETER.sub(lambda _, value=value: value, operation.path)
                body = json.dumps(attacked.body(operation)).encode()
                headers = {"X-API-Key": attacked.tenant.keys["owner"]}
                told = await ask(attacked.world.app, operation.method, path, [body], headers=headers)
                if told.status >= 300:
                    check_refused(told, f"{operation.method} {path!r}", 400, 404, 405)


async def test_no_text_holds_the_event_loop(attacked: Attacked):
    told: list[tuple[str, str, int]] = []
    with watching(asyncio.get_running_loop()) as watch:
        for operation in WITH_BODY:
            for name, text in LONG_TEXTS.items():
                for field in texts_of(operation.body):
                    body = json.dumps({**attacked.body(operation), field: text}).encode()
                    told.append((operation.path, name, (await attacked.ask(operation, body)).status))
    assert [one for one in told if one[-1] >= 500] == []
    print(f"\nlongest turn of the loop {watch.relative:.1f} million steps, in {len(told)} requests")  # noqa: T201
    assert watch.relative < LONGEST_TURN


TOO_MUCH: dict[str, dict[str, Any]] = {
    "a million tags": {"tags": ["a"] * 1_000_000},
    "a key of a megabyte": {"metadata": {"k" * 1_000_000: 1}},
    "a hundred thousand keys": {"metadata": {str(number): number for number in range(100_000)}},
    "a text of a megabyte": {"text": "a" * 1_000_000},
    "a number of 10,000 digits": {"metadata": {"a": 1}},
    "nested metadata": {"metadata": {"a": 1}},
}
REPLACED = {
    "a number of 10,000 digits": "1" * 10_000,
    "nested metadata": '{"a":' * 500 + "1" + "}" * 500,
}


@pytest.mark.parametrize("name", TOO_MUCH)
async def test_more_than_a_memory_may_hold_is_refused(attacked: Attacked, name: str):
    text = json.dumps({"text": "x", **TOO_MUCH[name]})
    body = text.replace('{"a": 1}', f'{{"a": {REPLACED[name]}}}' if name in REPLACED else '{"a": 1}').encode()
    for operation in WITH_BODY:
        if operation.path in {"/api/v1/memories", "/api/v1/memories/learn"}:
            with watching(asyncio.get_running_loop()) as watch:
                told = await attacked.ask(operation, body)
            check_refused(told, name, 400, 413)
            assert watch.relative < LONGEST_TURN


async def test_fifty_megabytes_and_bombs_are_refused_unread_and_never_inflated(attacked: Attacked):
    bomb = gzip.compress(b"0" * 50_000_000)
    for operation in WITH_BODY:
        check_refused(await attacked.ask(operation, *[MEGABYTE] * 50), operation.path, 413)
        with watching(asyncio.get_running_loop()) as watch:
            told = await attacked.ask(
                operation, bomb, **{"Content-Encoding": "gzip", "Content-Type": "application/json"}
            )
        check_refused(told, operation.path)
        assert watch.relative < LONGEST_TURN


async def test_of_a_key_that_is_given_twice_one_counts(attacked: Attacked):
    (operation,) = [one for one in WITH_BODY if one.path == "/api/v1/memories"]
    told = await attacked.ask(operation, b'{"text": "one", "text": "two", "user_id": "eve", "user_id": "ada"}')
    assert told.status == 201
    assert (told.error["text"], told.error["user_id"]) == ("two", OWNER)


async def test_addresses_in_texts_are_never_called(attacked: Attacked):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/canary"
        for operation in WITH_BODY:
            for field in texts_of(operation.body):
                await attacked.ask(operation, json.dumps({**attacked.body(operation), field: address}).encode())
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_markup_is_answered_as_json_that_no_browser_takes_for_a_page(attacked: Attacked):
    markup = "<img src=x onerror=alert(1)>"
    http, headers = attacked.world.http, {"X-API-Key": attacked.tenant.keys["owner"]}
    stored = await http.post("/api/v1/memories", json={"text": markup}, headers=headers)
    assert stored.json()["text"] == markup
    lost = await http.get(f"/{quote(markup)}", headers=headers)
    for answer in (stored, lost):
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["x-content-type-options"] == "nosniff"
    page = await http.get("/docs", params={"q": markup})
    assert page.status_code == 200
    assert "onerror" not in page.text
