"""A server in a process of its own, whose provider is a file."""

from __future__ import annotations

import time
from uuid import uuid4

import httpx2
import msgspec
from identity_provider import AUDIENCE, claims, encode, key_set, signing_key

ISSUER = "https://login.example.com"
ORGANISATION = uuid4()
MEMORIES = "/api/v1/memories"


def test_tokens_are_refused_counted_and_told_of_without_a_word_of_them(serve, database_url, tmp_path):
    path, log = tmp_path / "providers.toml", tmp_path / "server.log"
    path.write_text(
        f"[providers.corporate]\nissuer = '{ISSUER}'\naudience = '{AUDIENCE}'\n"
        f"organisation = '{ORGANISATION}'\nkeys_file = 'keys.json'\n"
    )
    (tmp_path / "keys.json").write_bytes(key_set(signing_key("RS256", "RS256")))
    now = time.time()
    canary = claims(ISSUER, now, canary="the-canary-sings", sub="canary-of-a-subject")
    honest = signing_key("RS256", "RS256").sign(claims(ISSUER, now))
    forged = [signing_key("RS256", "forged").sign(canary, kid=f"canary-{number}") for number in range(30)]
    forged[0] = signing_key("RS256", "RS256").sign({**canary, "aud": "canary-of-an-audience"})
    with (
        log.open("wb") as file,
        serve(database_url, log=file, PRONOIA_IDENTITY_PROVIDERS=str(path), PRONOIA_LOG_LEVEL="debug") as server,
        httpx2.Client(base_url=server.url, timeout=30) as http,
    ):

        def status(token: str) -> int:
            return http.get(MEMORIES, headers={"Authorization": f"Bearer {token}"}).status_code

        created = http.post(MEMORIES, json={"text": "Saffron."}, headers={"Authorization": f"Bearer {honest}"})
        assert created.status_code == 201
        statuses = [status(token) for token in forged]
        assert status(honest) == 200
        metrics = http.get("/metrics").text
    refused = statuses.count(401)
    # An attempt is given back every three seconds.
    assert 20 <= refused < 30
    assert set(statuses) == {401, 429}
    assert 'identity_tokens_total{outcome="accepted"} 2.0' in metrics
    assert 'identity_tokens_total{outcome="audience"} 1.0' in metrics
    assert 'identity_tokens_total{outcome="key"} ' + f"{refused - 1}.0" in metrics
    assert 'identity_key_fetches_total{outcome="fetched"} 1.0' in metrics
    text = log.read_text()
    lines = [msgspec.json.decode(line) for line in text.splitlines()]
    assert [line["reason"] for line in lines if line["message"] == "token.refused"] == ["audience"] + ["key"] * (
        refused - 1
    )
    assert "canary" not in text
    for token in (honest, *forged):
        for part in (*token.split("."), encode(canary)):
            assert part not in text
