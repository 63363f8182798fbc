"""Who calls: by an API key, or by a token of an identity provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pronoia.domain.principals import Principal
    from pronoia.services.identity.tokens import Tokens
    from pronoia.services.keys import Keys
    from pronoia.services.users import Users


class Authentication:
    """Tells keys and tokens apart by their form: no key has a dot."""

    def __init__(self, *, keys: Keys, tokens: Tokens, users: Users) -> None:
        self._keys = keys
        self._tokens = tokens
        self._users = users

    async def authenticate(self, text: str | None) -> Principal:
        """Give whom a text proves, with what their role in the organisation leaves them.

        Raises MissingCredentialError or InvalidCredentialError.
        """
        if text is not None and self._tokens.are_like(text):
            return await self._tokens.authenticate(text, self._users.standing)
        return await self._keys.authenticate(text)

    def knows(self, text: str | None) -> bool:
        """Whether a text proved itself in this process lately; such a caller is no stranger."""
        if text is not None and self._tokens.are_like(text):
            return self._tokens.knows(text)
        return self._keys.knows(text)
