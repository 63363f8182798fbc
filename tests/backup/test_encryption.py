from __future__ import annotations

import random
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from pronoia.adapters.backup import encryption
from pronoia.adapters.backup.encryption import (
    CHUNK_BYTES,
    HEADER_BYTES,
    TAG_BYTES,
    BackupKey,
    EncryptedWriter,
    decrypted,
    read_key,
    write_new_key,
)
from pronoia.domain.errors import BackupError, ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

KEY = BackupKey(bytes(range(32)))
WHOLE = CHUNK_BYTES + TAG_BYTES


class KeptFile(BytesIO):
    """A file without a place on the disk."""

    def fileno(self) -> int:
        return 0


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption.os, "fsync", lambda _: None)


def sealed(data: bytes, name: str = "part", pieces: int = 1) -> bytes:
    file = KeptFile()
    writer = EncryptedWriter(file, KEY, name)
    step = max(1, len(data) // pieces)
    for start in range(0, len(data), step):
        writer.write(data[start : start + step])
    writer.finish()
    return file.getvalue()


def opened(text: bytes, name: str = "part", key: BackupKey = KEY) -> bytes:
    return b"".join(decrypted(BytesIO(text), key, name))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
@pytest.mark.parametrize("pieces", [1, 7])
def test_what_was_encrypted_comes_back(size: int, pieces: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311 - any bytes
    assert opened(sealed(data, pieces=pieces)) == data


def test_the_same_text_is_never_encrypted_the_same_and_is_not_to_be_seen() -> None:
    one, other = sealed(b"Ada likes tea"), sealed(b"Ada likes tea")
    assert one[HEADER_BYTES:] != other[HEADER_BYTES:]
    assert b"Ada" not in one


@pytest.mark.parametrize("place", [HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + WHOLE, -1])
def test_a_changed_byte_is_noticed_wherever_it_is(place: int) -> None:
    text = bytearray(sealed(bytes(CHUNK_BYTES + 5)))
    text[place] ^= 1
    with pytest.raises(BackupError, match="part is damaged"):
        opened(bytes(text))


@pytest.mark.parametrize("end", [HEADER_BYTES, HEADER_BYTES + WHOLE, HEADER_BYTES + 2 * WHOLE, -1])
def test_a_file_that_was_cut_off_is_noticed_wherever_it_was_cut(end: int) -> None:
    with pytest.raises(BackupError, match="part is damaged"):
        opened(sealed(bytes(2 * CHUNK_BYTES + 5))[:end])


def test_chunks_that_were_swapped_repeated_or_left_out_are_noticed() -> None:
    text = sealed(b"a" * CHUNK_BYTES + b"b" * CHUNK_BYTES + b"c")
    header, one, two, last = (
        text[:HEADER_BYTES],
        text[HEADER_BYTES : HEADER_BYTES + WHOLE],
        text[HEADER_BYTES + WHOLE : HEADER_BYTES + 2 * WHOLE],
        text[HEADER_BYTES + 2 * WHOLE :],
    )
    for changed in (header + two + one + last, header + one + one + last, header + one + last, header + text[-17:]):
        with pytest.raises(BackupError, match="part is damaged"):
            opened(changed)


def test_a_part_under_another_name_is_noticed() -> None:
    with pytest.raises(BackupError, match="other is damaged"):
        opened(sealed(b"Ada", name="part"), name="other")


def test_another_key_is_told_from_damage() -> None:
    with pytest.raises(ConfigurationError, match="another key"):
        opened(sealed(b"Ada"), key=BackupKey(bytes(32)))


def test_a_key_is_for_its_owner_alone_and_is_never_overwritten(tmp_path: Path) -> None:
    key = write_new_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert read_key(tmp_path / "key") == key
    assert key.secret.hex() not in repr(key)
    with pytest.raises(ConfigurationError, match="No key is ever overwritten"):
        write_new_key(tmp_path / "key")
    assert read_key(tmp_path / "key") == key


@pytest.mark.parametrize("text", ["", "tea", "ab" * 16])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(ConfigurationError, match="holds no key"):
        read_key(tmp_path / "key")
