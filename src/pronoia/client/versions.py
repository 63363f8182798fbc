from __future__ import annotations

import threading
from collections import OrderedDict

MAXIMUM_USERS = 10_000


class SeenVersions:
    """The highest memory version seen of each user, so that a read is never older than a write before it.

    Holds the `MAXIMUM_USERS` users that were seen last. May be shared by threads.
    """

    def __init__(self, *, maximum_users: int = MAXIMUM_USERS) -> None:
        self._maximum_users = maximum_users
        self._versions: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, user: str) -> int | None:
        """Give the version to ask for, or None if nothing was seen of this user."""
        with self._lock:
            return self._versions.get(user)

    def saw(self, user: str, version: int) -> None:
        """Note the version an answer carried; an older one changes nothing."""
        with self._lock:
            self._versions[user] = max(version, self._versions.get(user, version))
            self._versions.move_to_end(user)
            if len(self._versions) > self._maximum_users:
                self._versions.popitem(last=False)

    def forget(self, user: str) -> None:
        """Drop a user: a forgotten user may start again from a lower version, which a kept one would wait out."""
        with self._lock:
            self._versions.pop(user, None)
