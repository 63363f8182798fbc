"""What texts look like in the database: as they are, or encrypted with AES-256-GCM.

An encrypted text is a mark, a keyed digest of owner and text by which SQL recognises duplicates, and in base64 the
number of the key, the nonce and the ciphertext. It is bound to organisation, user, the row's id and the digest: in
another place it does not open.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import os
from typing import TYPE_CHECKING, Protocol, cast
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pronoia.domain.errors import EncryptedTextError
from pronoia.domain.identifiers import ENCRYPTED_MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGEST_BYTES = 16
DIGEST_CHARACTERS = 22
NUMBER_BYTES = 4
NONCE_BYTES = 12
ESCAPED_MARK = msgspec.json.encode(ENCRYPTED_MARK).decode().strip('"')
TEXTS_AT_ONCE = 100
"""Decrypting these takes about a millisecond."""
HEAD = len(ENCRYPTED_MARK) + DIGEST_CHARACTERS


class TextCipher(Protocol):
    """Turns an organisation's texts into what is stored, and back."""

    def seal(self, user_id: str, row_id: UUID, text: str) -> str:
        """Give what is stored of a text in a row."""
        ...

    def open(self, user_id: str, row_id: UUID, stored: str) -> str:
        """Give the text that was stored in a row. Raises EncryptedTextError rather than to give anything else."""
        ...

    async def open_column(self, user_id: str, row_ids: bytes, stored: list[str]) -> list[str]:
        """Open the texts of rows with ids of 16 bytes each. Raises as open() does."""
        ...


class Texts(Protocol):
    """Knows every organisation's cipher. It may ask the database: not to be asked while a connection is held."""

    async def reading(self, organisation_id: UUID) -> TextCipher:
        """Give the cipher that opens what is there."""
        ...

    async def writing(self, organisation_id: UUID) -> TextCipher:
        """Give the cipher that seals as well."""
        ...


class PlainTexts:
    """Stores texts as they are."""

    async def reading(self, organisation_id: UUID) -> TextCipher:  # noqa: ARG002 - all have the same
        """Give itself."""
        return self

    async def writing(self, organisation_id: UUID) -> TextCipher:  # noqa: ARG002 - all have the same
        """Give itself."""
        return self

    def seal(self, user_id: str, row_id: UUID, text: str) -> str:  # noqa: ARG002 - bound to nothing
        """Give the text."""
        return text

    def open(self, user_id: str, row_id: UUID, stored: str) -> str:  # noqa: ARG002 - bound to nothing
        """Give the text, unless another process has encrypted it."""
        if stored.startswith(ENCRYPTED_MARK):
            raise _no_key()
        return stored

    async def open_column(self, user_id: str, row_ids: bytes, stored: list[str]) -> list[str]:  # noqa: ARG002 - as above
        """Give the same list."""
        for text in stored:
            if text.startswith(ENCRYPTED_MARK):
                raise _no_key()
        return stored


PLAIN_TEXTS = PlainTexts()


class EncryptedTexts:
    """The cipher of one organisation. Texts from before it was switched on are read as they are."""

    def __init__(self, organisation_id: UUID, keys: Mapping[int, bytes]) -> None:
        """`keys` are 256 random bits each, by number; the highest seals. Without any it opens nothing."""
        self._organisation = organisation_id.bytes
        self._ciphers = {number: AESGCM(_derive(key, b"texts")) for number, key in keys.items()}
        self._number = max(keys, default=0)
        self._digest_key = _derive(keys[self._number], b"digests") if keys else b""

    def seal(self, user_id: str, row_id: UUID, text: str) -> str:
        """Encrypt, under a nonce drawn by chance."""
        plain, user = text.encode(), user_id.encode()
        digest = hmac.digest(self._digest_key, len(user).to_bytes(4) + user + plain, "sha256")[:DIGEST_BYTES]
        nonce = os.urandom(NONCE_BYTES)
        shown = base64.b64encode(digest)[:DIGEST_CHARACTERS]
        sealed = self._ciphers[self._number].encrypt(nonce, plain, self._bound_to(user, row_id, shown))
        body = base64.b64encode(self._number.to_bytes(NUMBER_BYTES) + nonce + sealed)
        return ENCRYPTED_MARK + shown.decode() + body.decode()

    def open(self, user_id: str, row_id: UUID, stored: str) -> str:
        """Decrypt what is encrypted."""
        if not stored.startswith(ENCRYPTED_MARK):
            return stored
        try:
            body = base64.b64decode(stored[HEAD:], validate=True)
            number, rest = int.from_bytes(body[:NUMBER_BYTES]), body[NUMBER_BYTES:]
            shown = stored[len(ENCRYPTED_MARK) : HEAD].encode()
            bound_to = self._bound_to(user_id.encode(), row_id, shown)
            return self._ciphers[number].decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], bound_to).decode()
        except (InvalidTag, KeyError, ValueError, binascii.Error) as error:
            raise EncryptedTextError(
                "A stored text cannot be decrypted: it was changed or moved outside of Pronoia, or its key is missing.",
                id=str(row_id),
            ) from error

    async def open_column(self, user_id: str, row_ids: bytes, stored: list[str]) -> list[str]:
        """Let others have their turn between slices."""
        opened: list[str] = []
        for start in range(0, len(stored), TEXTS_AT_ONCE):
            for place, text in enumerate(stored[start : start + TEXTS_AT_ONCE], start):
                opened.append(self.open(user_id, UUID(bytes=row_ids[16 * place : 16 * place + 16]), text))
            await asyncio.sleep(0)
        return opened

    def _bound_to(self, user: bytes, row_id: UUID, shown: bytes) -> bytes:
        return self._organisation + row_id.bytes + shown + user


def open_record(cipher: TextCipher, user_id: str, record: str) -> str:
    """Open every text in a row that was written as JSON; each is bound to the id beside it."""
    if ESCAPED_MARK not in record:
        return record
    return msgspec.json.encode(_opened(cipher, user_id, msgspec.json.decode(record))).decode()


def _opened(cipher: TextCipher, user_id: str, value: object) -> object:
    match value:
        case dict():
            fields = cast("dict[str, object]", value)
            row_id = fields.get("id") or fields.get("memory_id")
            return {
                name: cipher.open(user_id, UUID(str(row_id)), field)
                if isinstance(field, str) and field.startswith(ENCRYPTED_MARK)
                else _opened(cipher, user_id, field)
                for name, field in fields.items()
            }
        case list():
            return [_opened(cipher, user_id, one) for one in cast("list[object]", value)]
        case _:
            return value


def _no_key() -> EncryptedTextError:
    return EncryptedTextError("A text is encrypted and this process has no master key. See docs/security.md.")


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"pronoia " + purpose).derive(key)
