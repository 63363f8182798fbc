"""Bodies as a Pronoia server writes them."""

from __future__ import annotations

CREATED = "2026-01-01T10:00:00.000000Z"


def memory(identifier="m1", text="Ada drinks her coffee black.", **fields):
    return {
        "id": identifier,
        "user_id": "ada",
        "text": text,
        "source": "api",
        "project_id": "default",
        "tags": [],
        "metadata": {},
        "created_at": CREATED,
        "updated_at": CREATED,
        "usage_count": 0,
        "last_accessed": None,
        "helpfulness_score": 0.5,
        "access_pattern": {},
        **fields,
    }


def page(*memories, total=None, next_cursor=None):
    count = len(memories)
    return {
        "memories": list(memories),
        "count": count,
        "total": count if total is None else total,
        "limit": 100,
        "offset": 0,
        "next_cursor": next_cursor,
    }


def search(*hits, query="coffee"):
    items = [{**hit, "score": score, "similarity": score, "memory": hit} for hit, score in hits]
    return {"memories": items, "results": items, "count": len(items), "query": query, "weighted": False}


def relationship(identifier="r1"):
    return {
        "id": identifier,
        "memory_id": "m1",
        "related_memory_id": "m2",
        "relationship_type": "caused_by",
        "strength": 0.8,
        "explanation": "one led to the other",
        "created_at": CREATED,
        "related_memory": {"id": "m2", "text": "two", "created_at": CREATED},
    }
