"""The recipe of the bundled ``profiles`` model: ``python -m napari_cellclip.training.profiles``.

1. Public tables of labelled compounds are imported: CPJUMP1 (24 and 48 h) and Dahlin et al. 2023 (24 h).
2. A small text tower learns to give the whitened vectors of a published sentence encoder, phrase by phrase.
3. The head is fitted to all of them in closed form; what it reaches on compounds left out goes into its card.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from sklearn.metrics import average_precision_score
from torch import nn

from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    FileCard,
    Model,
    ModelCard,
    PromptTemplates,
    WordPieceTokenizer,
)
from napari_cellclip.model.card import FITTED_PLATES, VOCABULARY
from napari_cellclip.screen import Progress, Screen
from napari_cellclip.training.closed_form import fitted_model, save_closed_form
from napari_cellclip.training.data.labelled_profiles import joined, profile_set
from napari_cellclip.training.loop.mechanism_score import chance_precision
from napari_cellclip.training.loop.trained_card import MECHANISMS_BY_WORDS
from napari_cellclip.training.profiles.held_out import Asked, iter_held_out
from napari_cellclip.training.profiles.phrases import package_phrases, wide_phrases
from napari_cellclip.training.profiles.public_tables import CLASSES, cpjump1_screen, dahlin_screen
from napari_cellclip.training.profiles.text_tower import (
    DistilledText,
    TextTowerRecipe,
    Whitening,
    iter_distil,
    read_by_teacher,
)

BUNDLED_MODEL = Path(__file__).parents[2] / "model" / "profiles"

MOST_CONTROLS = 400
"""Control wells of each set that go into the model folder."""

WEIGHTS = {"CPJUMP1": 1.0, "Dahlin 2023": 0.5}
"""How much each set counts; from .3 to 1 for the second the first one's figures differ by .01."""

EVERY_HELD_OUT = 20
"""One phrase in so many is left out of the text tower's training, to see how it reads new ones."""

PROMPTS = PromptTemplates(
    compound="{name}",
    smiles_only="{smiles}",
    name_only="{name}",
    too_long="{name}",
    vehicle="{name}",
    control="negative control",
    untreated="untreated cells",
    knockout="loss of {gene}",
    knockout_guide="loss of {gene}",
    expression="{gene}",
    mechanism="{mechanism}",
)
"""Bare words: the text tower was trained on phrases without a frame."""


def iter_profiles_model(
    cpjump1: Path, dahlin2023: Path, work: Path, out: Path, recipe: TextTowerRecipe
) -> Iterator[Progress]:
    """Run the whole recipe, keeping what is finished in `work`.

    Parameters
    ----------
    cpjump1, dahlin2023 : Path
        Folders of the public tables.
    work : Path
        Where screens, sentence vectors and the text tower are kept; a second run goes on there.
    out : Path
        Model folder to write.
    recipe : TextTowerRecipe
        Settings of the text tower.

    Yields
    ------
    Progress
    """
    screens = {
        "48 h": _screen(work / "cpjump1-48", lambda at: cpjump1_screen(cpjump1, 48, at)),
        "24 h": _screen(work / "cpjump1-24", lambda at: cpjump1_screen(cpjump1, 24, at)),
        "Dahlin": _screen(work / "dahlin-24", lambda at: dahlin_screen(dahlin2023, 24, at)),
    }
    yield Progress(3, 3, "public tables imported", stage="training")
    donor, text_scores = yield from _text_tower(screens["48 h"], work, recipe)
    assay = [screens["48 h"], screens["24 h"]]
    sets = [
        replace(
            joined([profile_set(s, most_controls=MOST_CONTROLS // 2) for s in assay], "CPJUMP1, 24 and 48 h"),
            weight=WEIGHTS["CPJUMP1"],
        ),
        replace(
            profile_set(screens["Dahlin"], name="Dahlin 2023, 24 h", most_controls=MOST_CONTROLS),
            weight=WEIGHTS["Dahlin 2023"],
        ),
    ]
    model = fitted_model(sets, screens["48 h"], donor)
    found: list[Asked] = []
    for asked in iter_held_out(assay, donor):
        found.append(asked)
        yield Progress(len(found), 15, "compounds left out", stage="training")
    phrases = sorted({phrase for one in sets for phrase in one.phrases})
    plates = sorted({plate for screen in screens.values() for plate in screen.plates})
    card = profiles_card(model.card, phrases, plates, _figures(found), text_scores, recipe)
    save_closed_form(out, card, _halved(model), sets)
    yield Progress(1, 1, f"wrote {out.name}", stage="training")


def profiles_card(
    base: ModelCard,
    phrases: Sequence[str],
    plates: Sequence[str],
    figures: dict[str, Any],
    text_scores: dict[str, float],
    recipe: TextTowerRecipe,
) -> ModelCard:
    """Card of the bundled profile model, before hashes are filled in."""
    return base.model_copy(
        update={
            "name": "profiles",
            "title": "profiles: a head for CellProfiler profiles, fitted to real cells",
            "description": "Reads CellProfiler feature names, whichever of them a table has, and is asked in "
            "words without any other package. Fitted in closed form to labelled compounds of two public data "
            "sets; its text tower is distilled from a sentence encoder.",
            "simulated": False,
            "licence": "BSD-3-Clause",
            "licence_text": "Fitted to CPJUMP1 (cpg0000, CC0; Chandrasekaran et al. 2024, doi:10.1038/"
            "s41592-024-02241-6; tables from CHAMMI-75, MIT) and to Dahlin et al. 2023 (idr0133, CC BY 4.0, "
            "doi:10.1038/s41467-023-36829-x; profiles from WayScience/Cytotoxic-Nuisance-Metadata-Analysis, "
            "which states no licence of its own). "
            "Text tower distilled from all-MiniLM-L6-v2 (Apache-2.0).",
            "source": "python -m napari_cellclip.training.profiles",
            "weights": FileCard(file="cellclip.safetensors"),
            "trained_on": "CPJUMP1: 302 compounds in U2OS cells after 24 and 48 h, of which 296 have a known "
            "mechanism; Dahlin et al. 2023: 143 cytotoxic or nuisance compounds in U2OS cells after 24 h, "
            "several doses, labelled by injury class and by this package's own table.",
            "limits": "U2OS cells or ones like them, CellProfiler features, compounds. It finds a mechanism "
            "where that has a strong phenotype and was among those fitted; mechanisms it was not told are "
            "hardly found (see its scores). Plates of the two data sets themselves are answered from memory. "
            "Likeness is not mechanism: look at look-alikes and structures beside it.",
            "training": {
                VOCABULARY: {phrase: [phrase] for phrase in phrases},
                FITTED_PLATES: list(plates),
                "text_tower": {"steps": recipe.steps, "dim": recipe.dim, "seed": recipe.seed},
            },
            "scores": {
                MECHANISMS_BY_WORDS: {
                    "data": "CPJUMP1 at 48 h, five folds over compounds, three seeds: mechanisms of three "
                    "compounds or more, asked among held-out compounds",
                    "figures": figures,
                },
                "text-tower": {
                    "data": "mean cosine with the whitened vectors of the sentence encoder",
                    "figures": text_scores,
                },
            },
        }
    )


def phrases_of(screen: Screen) -> tuple[list[str], list[str], list[str]]:
    """Names that mechanisms go by in CPJUMP1, all phrases that matter most, and all others."""
    table = screen.wells
    names = sorted({part for cell in table["Metadata_mechanism"] for part in str(cell).split("|") if part})
    genes = sorted({gene for cell in table["Metadata_genes"] for gene in str(cell).split("|") if gene})
    core = list(dict.fromkeys([*names, *CLASSES, *package_phrases()]))
    return names, core, wide_phrases(core, genes)


def _text_tower(
    screen: Screen, work: Path, recipe: TextTowerRecipe
) -> Generator[Progress, None, tuple[Model, dict[str, float]]]:
    """Distil the text tower, or take the one that is kept; return it and how well it reads."""
    names, core, wide = phrases_of(screen)
    vectors = _sentence_vectors(list(dict.fromkeys([*core, *wide])), work / "sentences.safetensors")
    whitening = Whitening.fit(
        np.stack([vectors[name] for name in names]), dim=recipe.dim, shrinkage=recipe.shrinkage
    )
    targets = dict(zip(vectors, whitening(np.stack(list(vectors.values()))), strict=True))
    held = wide[7::EVERY_HELD_OUT]
    stored = work / "text_tower"
    if (stored / "vocab.txt").exists():
        words = WordPieceTokenizer.from_folder(stored, max_length=recipe.positions)
        network = DistilledText(recipe, len(words))
        network.load_state_dict(load_file(stored / "text.safetensors"))
    else:
        made: dict[str, Any] = {}
        left = set(held)
        yield from iter_distil(core, [text for text in wide if text not in left], targets, recipe, made)
        network, words = made["network"], made["words"]
        stored.mkdir(parents=True, exist_ok=True)
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, stored / "text.safetensors")
        words.save(stored)
    network.eval()
    scores = {
        what: round(_agreement(network, words, texts, targets), 3)
        for what, texts in (
            ("names of mechanisms", names),
            ("all phrases taught", core),
            ("phrases left out", held),
        )
    }
    return donor_of(network, words, recipe), scores


def donor_of(network: DistilledText, words: WordPieceTokenizer, recipe: TextTowerRecipe) -> Model:
    """Wrap a text tower as a model whose head has not been fitted yet; texts end in a 0."""
    cellclip = CellCLIP(
        CellCLIPConfig(
            width=8,
            embed_dim=recipe.dim + 1,
            layers=1,
            pool_hidden=1,
            image_tower="mean",
            text_vocabulary=len(words),
            text_width=recipe.width,
            text_layers=recipe.layers,
            text_heads=recipe.heads,
            text_intermediate=2 * recipe.width,
            text_positions=recipe.positions,
            text_token_types=1,
        ),
        pooling="mean",
    )
    cellclip.text.load_state_dict(network.text.state_dict())
    with torch.no_grad():
        cellclip.text_proj.weight.zero_()
        cellclip.text_proj.bias.zero_()
        cellclip.text_proj.weight[: recipe.dim].copy_(network.text_proj.weight)
        cellclip.text_proj.bias[: recipe.dim].copy_(network.text_proj.bias)
    card = ModelCard(
        name="profiles",
        encoder={"kind": "small", "name": "none", "dim": 8},
        embed_dim=recipe.dim + 1,
        prompts=PROMPTS,
        pooling="mean",
    )
    return Model(card, cellclip, words, nn.Identity(), device="cpu")


def _halved(model: Model) -> Model:
    """Weights in half precision, as the package carries them."""
    model.cellclip.half()
    return model


def _screen(at: Path, make: Any) -> Screen:
    return Screen.open(at) if (at / "screen.json").exists() else make(at)


def _sentence_vectors(texts: Sequence[str], kept: Path) -> dict[str, NDArray[np.float32]]:
    """Vectors of the sentence encoder by text; computed once."""
    if kept.exists():
        found = load_arrays(kept)["vectors"]
        listed = json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))
        if listed == list(texts):
            return dict(zip(listed, found, strict=True))
    vectors = read_by_teacher(texts)
    save_arrays({"vectors": vectors}, kept)
    kept.with_suffix(".json").write_text(json.dumps(list(texts)), encoding="utf-8")
    return dict(zip(texts, vectors, strict=True))


def _agreement(
    network: DistilledText,
    words: WordPieceTokenizer,
    texts: Sequence[str],
    targets: dict[str, NDArray[np.float32]],
) -> float:
    with torch.inference_mode():
        found = np.concatenate(
            [network(**words(texts[i : i + 64])).numpy() for i in range(0, len(texts), 64)]
        )
    return float((found * np.stack([targets[text] for text in texts])).sum(axis=1).mean())


def _figures(found: Sequence[Asked]) -> dict[str, Any]:
    """Mean average precision over all questions, by seed too, and what random orders reach."""
    by_seed: dict[int, list[float]] = {}
    chance = []
    for asked in found:
        for scores, right in zip(asked.scores, asked.right, strict=True):
            by_seed.setdefault(asked.seed, []).append(float(average_precision_score(right, scores)))
            chance.append(chance_precision(len(right), int(right.sum())))
    every = [precision for values in by_seed.values() for precision in values]
    return {
        "map": round(float(np.mean(every)), 4),
        "chance": round(float(np.mean(chance)), 4),
        "queries": len(every),
        "by seed": {str(seed): round(float(np.mean(values)), 4) for seed, values in by_seed.items()},
    }


def main() -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description="Fit the bundled model for CellProfiler profiles again.")
    parser.add_argument("cpjump1", type=Path, help="folder with the CPJUMP1 tables")
    parser.add_argument("dahlin2023", type=Path, help="folder with the tables of Dahlin et al. 2023")
    parser.add_argument("--work", type=Path, default=Path("profiles-model"), help="where steps are kept")
    parser.add_argument("--out", type=Path, default=BUNDLED_MODEL)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    for step in iter_profiles_model(
        given.cpjump1, given.dahlin2023, given.work, given.out, TextTowerRecipe()
    ):
        print(f"{step.done}/{step.total} {step.message}", flush=True)
