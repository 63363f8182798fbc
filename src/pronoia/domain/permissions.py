"""What permissions come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pronoia.domain.records import Permission
from pronoia.domain.roles import PERMISSIONS

if TYPE_CHECKING:
    from collections.abc import Collection

    from pronoia.domain.roles import Role


def granted(permissions: Collection[Permission]) -> frozenset[Permission]:
    """Give all that somebody with these permissions may do: `admin` stands for every one."""
    return frozenset(Permission if Permission.ADMIN in permissions else permissions)


def bounded(permissions: Collection[Permission], role: Role | None) -> frozenset[Permission]:
    """Give what is left of permissions to a user of this role; None bounds nothing."""
    return frozenset(permissions) if role is None else granted(permissions) & PERMISSIONS[role]
