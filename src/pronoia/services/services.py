"""All use cases, as the faces receive them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pronoia.services.context import Context
    from pronoia.services.health import Health
    from pronoia.services.keys import Keys
    from pronoia.services.maintenance import Maintenance
    from pronoia.services.memories import Memories
    from pronoia.services.recall import Recall
    from pronoia.services.relationships import Relationships


@dataclass(frozen=True, slots=True)
class Services:
    memories: Memories
    recall: Recall
    context: Context
    relationships: Relationships
    maintenance: Maintenance
    keys: Keys
    health: Health
