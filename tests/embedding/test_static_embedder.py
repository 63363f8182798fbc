from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import numpy as np
import pytest

from pronoia.adapters.embedding.static import CHUNK_CHARACTERS, INLINE_CHARACTERS, MODEL_FOLDER, StaticEmbedder

pytestmark = pytest.mark.anyio


async def test_meaning_is_found_without_a_shared_word(static: StaticEmbedder) -> None:
    question, near, far = [
        np.frombuffer(vector.values, "<f4")
        for vector in await static.embed(
            ["musical instruments", "She plays the violin in an orchestra", "The build fails on Windows"]
        )
    ]
    assert question @ near > question @ far + 0.1


async def test_many_texts_leave_the_event_loop_free(static: StaticEmbedder) -> None:
    texts = ["Grace keeps bees in the garden."] * (4 * CHUNK_CHARACTERS // 30)
    embedding = asyncio.create_task(static.embed(texts))
    await asyncio.sleep(0)
    assert not embedding.done()
    assert len(await embedding) == len(texts)


async def test_a_short_text_is_embedded_without_giving_way(static: StaticEmbedder) -> None:
    others_ran = False

    def note() -> None:
        nonlocal others_ran
        others_ran = True

    asyncio.get_running_loop().call_soon(note)
    await static.embed(["x " * (INLINE_CHARACTERS // 2)])
    assert not others_ran


async def test_the_model_folder_carries_its_card_and_its_licence() -> None:
    settings = json.loads((MODEL_FOLDER / "config.json").read_text())
    card = (MODEL_FOLDER / "MODEL_CARD.md").read_text()
    assert settings["space"] in card
    assert "Apache License" in (MODEL_FOLDER / "LICENSE").read_text()
    assert "all-MiniLM-L6-v2" in (MODEL_FOLDER / "LICENSE").read_text()


def test_loading_brings_in_no_library_that_can_download_a_model() -> None:
    program = (
        "import json, sys; from pronoia.adapters.embedding.static import StaticEmbedder; StaticEmbedder();"
        "print(json.dumps([name for name in ('huggingface_hub', 'torch', 'model2vec') if name in sys.modules]))"
    )
    command = [sys.executable, "-c", program]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603  # our own
    assert json.loads(outcome.stdout) == []
