"""What people are in their organisation, and what that lets them do."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pronoia.domain.records import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(StrEnum):
    ADMIN = "admin"
    MEMBER = "member"
    READER = "reader"


PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.MEMBER: frozenset({Permission.READ, Permission.WRITE, Permission.LEARN}),
    Role.READER: frozenset({Permission.READ}),
}
