from __future__ import annotations

import asyncio

import pytest

from pronoia.benchmark.in_memory import build_working_set
from pronoia.recall.names import unknown_names
from pronoia.services.drafts import Draft
from pronoia.testing.embedder import HashingEmbedder


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Where does Grace keep bees?", 0),
        ("Where does Hildegard keep bees?", 1),
        ("Did Grace meet Hildegard?", 0.5),
        ("Did Grace's bees sting Hildegard's dog, or Hildegard?", 0.5),
        ("Hildegard keeps bees", 0),
        ("Bees sting. Hildegard knows: Honey helps", 0),
        ("does hildegard keep bees", 0),
        ("what should I do", 0),
        ("", 0),
    ],
)
def test_names_inside_a_sentence_that_no_memory_says_are_unknown(text, share):
    held = asyncio.run(build_working_set(HashingEmbedder(), "ada", [Draft("Grace keeps bees on her roof")]))
    assert unknown_names(held, text) == pytest.approx(share)
