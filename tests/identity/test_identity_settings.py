"""The operator's file of identity providers: what it may say, and what `doctor` tells of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from identity_provider import key_set, signing_key
from typer.testing import CliRunner

from pronoia.cli.commands import app
from pronoia.cli.exit_codes import ExitCode
from pronoia.domain.errors import ConfigurationError
from pronoia.domain.identifiers import DEFAULT_ORGANISATION
from pronoia.domain.records import Plan
from pronoia.services.identity.providers import read_providers

ENTRY = {
    "issuer": "https://login.example.com",
    "audience": "pronoia",
    "organisation": str(DEFAULT_ORGANISATION),
    "keys_file": "keys.json",
}


def written(folder: Path, **entries: dict[str, object]) -> str:
    """Write entries to a file, and give its path."""
    lines = [
        line
        for name, entry in entries.items()
        for line in (
            f"[providers.{json.dumps(name)}]",
            *(f"{key} = {json.dumps(value)}" for key, value in entry.items()),
        )
    ]
    path = folder / "providers.toml"
    path.write_text("\n".join(lines))
    return str(path)


def test_without_a_file_nobody_is_trusted():
    assert read_providers("") == {}


def test_what_an_entry_leaves_out_has_a_default_and_keys_lie_beside_the_file(tmp_path):
    (provider,) = read_providers(written(tmp_path, corporate=ENTRY)).values()
    assert (provider.user_claim, provider.role_claim, provider.plan) == ("sub", "role", Plan.ENTERPRISE)
    assert provider.organisation == DEFAULT_ORGANISATION
    assert provider.keys_file == str(tmp_path / "keys.json")


def test_the_example_of_the_documentation_is_understood(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    example = text.partition("    [providers.")[2].partition("\n\n")[0]
    path = tmp_path / "providers.toml"
    path.write_text("[providers." + "\n".join(line.strip() for line in example.splitlines()))
    (provider,) = read_providers(str(path)).values()
    assert provider.audience == "pronoia"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"issuer": ""}, "issuer"),
        ({"audience": 7}, "audience"),
        ({"organisation": "acme"}, "organisation"),
        ({"keys_file": ""}, "either keys_url or keys_file"),
        ({"keys_url": "https://login.example.com/keys"}, "either keys_url or keys_file"),
        ({"plan": "gold"}, "plan"),
        ({"algorithms": ["HS256"]}, "algorithms"),
    ],
    ids=str,
)
def test_an_entry_that_is_wrong_is_named(tmp_path, changes, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        read_providers(written(tmp_path, corporate={**ENTRY, **changes}))


def test_two_providers_cannot_be_the_same_issuer(tmp_path):
    with pytest.raises(ConfigurationError, match="b and a have the same issuer"):
        read_providers(written(tmp_path, a=ENTRY, b=ENTRY))


@pytest.mark.parametrize("text", ["[providers", "[providers.UPPER]", "x = 1", "[providers.'a b']", "\x00"])
def test_a_file_that_is_wrong_is_said_to_be_so(tmp_path, text):
    path = tmp_path / "providers.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="PRONOIA_IDENTITY_PROVIDERS"):
        read_providers(str(path))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_providers(str(tmp_path / "none.toml"))


def findings(monkeypatch, data_folder, path):
    """Give what `doctor` says of providers, and its exit code."""
    monkeypatch.setenv("PRONOIA_IDENTITY_PROVIDERS", path)
    result = CliRunner().invoke(app, ["doctor", "--data", str(data_folder), "--json"])
    checks = json.loads(result.stdout)["checks"]
    found = {one["check"]: (one["ok"], one["finding"]) for one in checks if "provider" in one["check"]}
    return found, result.exit_code


def test_doctor_names_the_keys_that_each_provider_publishes(monkeypatch, data_folder, tmp_path):
    (tmp_path / "keys.json").write_bytes(key_set(signing_key("ES256", "2026"), signing_key("RS256", "2025")))
    found, code = findings(monkeypatch, data_folder, written(tmp_path, corporate=ENTRY))
    assert found == {"provider corporate": (True, "publishes 2025 (RS256), 2026 (ES256)")}
    assert code == ExitCode.SUCCESS


def test_doctor_says_whose_keys_cannot_be_had(monkeypatch, data_folder, tmp_path):
    away = {**ENTRY, "keys_file": "", "keys_url": "http://127.0.0.1:1/keys"}
    found, code = findings(monkeypatch, data_folder, written(tmp_path, corporate=away))
    assert found == {
        "provider corporate": (
            False,
            "The keys of the identity provider cannot be had: the connection failed (ConnectError).",
        )
    }
    assert code == ExitCode.UNAVAILABLE


def test_doctor_refuses_an_address_that_is_not_safe_to_ask(monkeypatch, data_folder, tmp_path):
    unsafe = {**ENTRY, "keys_file": "", "keys_url": "http://login.example.com/keys"}
    found, code = findings(monkeypatch, data_folder, written(tmp_path, corporate=unsafe))
    ((ok, finding),) = found.values()
    assert not ok
    assert "keys_url of corporate must begin with https://" in finding
    assert code == ExitCode.CONFIGURATION
