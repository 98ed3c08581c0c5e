"""The bundled model of real profiles: small, offline, honest, and asked at once of a table it has never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip import ask
from napari_cellclip.explore.references.choice import proven_by
from napari_cellclip.model import load_model
from napari_cellclip.model.card import FITTED_PLATES, read_card
from napari_cellclip.model.prototypes.profile_sets import FILE, read_profile_sets
from napari_cellclip.model.registry import profiles_folder
from napari_cellclip.screen import Screen, import_profiles

ASKED = "tubulin polymerization inhibitor"


def written_table(folder: Path, plate: str, share: float) -> Path:
    """A plate of control wells and of profiles the model was fitted to, with noise, on a part of the features."""
    found = read_profile_sets(profiles_folder() / FILE)[0]
    rng = np.random.default_rng(0)
    kept = np.sort(rng.permutation(len(found.features))[: round(share * len(found.features))])
    carriers = [i for i, labels in enumerate(found.labels) if ASKED in labels][:4]
    others = [i for i, labels in enumerate(found.labels) if "adrenergic receptor antagonist" in labels][:12]
    controls = found.controls[rng.permutation(len(found.controls))[:32]]
    noise = found.controls[rng.permutation(len(found.controls))[: len(carriers) + len(others)]]
    values = np.concatenate([controls, found.profiles[[*carriers, *others]] + 0.5 * noise])[:, kept]
    names = ["DMSO"] * 32 + [f"T{i}" for i in range(len(carriers))] + [f"A{i}" for i in range(len(others))]
    table = pd.DataFrame(values, columns=[found.features[i] for i in kept])
    table.insert(0, "Metadata_Plate", plate)
    table.insert(1, "Metadata_Well", [f"{'ABCDEFGH'[i // 12]}{i % 12 + 1:02d}" for i in range(len(names))])
    table.insert(2, "Metadata_pert_iname", names)
    table.insert(3, "Metadata_control_type", ["negcon" if name == "DMSO" else "" for name in names])
    table.to_csv(folder / f"{plate}.csv", index=False)
    return folder / f"{plate}.csv"


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("profiles")
    return import_profiles(written_table(folder, "Q1", 0.5), folder / "screen")


def test_it_is_small_and_says_what_it_is() -> None:
    assert sum(file.stat().st_size for file in profiles_folder().iterdir()) <= 10_000_000
    card = read_card(profiles_folder())
    assert not card.simulated
    assert (card.text_tower, card.sentence_encoder) == ("bert", None), "words need no other package"
    for part in (
        "CC0",
        "CC BY 4.0",
        "Apache-2.0",
        "10.1038/s41592-024-02241-6",
        "10.1038/s41467-023-36829-x",
    ):
        assert part in card.licence_text
    figures = card.scores["mechanisms-by-words"]["figures"]
    assert figures["map"] > 3 * figures["chance"]
    assert len(figures["by seed"]) == 3
    assert "BR00117010" in card.training[FITTED_PLATES]


def test_a_table_with_half_of_the_features_is_asked_at_once(screen: Screen) -> None:
    assert screen.has_head
    assert screen.card.name == "profiles"
    assert proven_by(screen) is not None
    for words in (ASKED, "tubulin polymerisation inhibitor"):
        answer = ask(screen, words, evidence="words")
        assert set(answer.treatments_table["treatment"].head(4)) == {"T0", "T1", "T2", "T3"}
    assert ask(screen, ASKED).evidence == "words", "no reference carries it, and the words are proven"


def test_mechanisms_of_the_second_set_are_in_the_vocabulary() -> None:
    vocabulary = read_card(profiles_folder()).vocabulary
    assert {"HDAC inhibitor", "actin polymerisation inhibitor", "topoisomerase inhibitor"} <= set(vocabulary)


def test_half_precision_on_disk_is_full_in_memory() -> None:
    model = load_model("profiles", device="cpu")
    assert {str(parameter.dtype) for parameter in model.cellclip.parameters()} == {"torch.float32"}
    texts = model.embed_texts(["tubulin inhibitor", "microtubule inhibitor", "HDAC inhibitor"])
    unit = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2
    assert not texts[:, -1].any(), "the constant of images is none of the words' business"


@pytest.mark.real_data
def test_plates_it_was_fitted_to_are_not_answered_from_memory(real_data: Path, tmp_path: Path) -> None:
    tables = real_data / "prof_cpjump1_cellprofiler"
    screen = import_profiles(
        tables / "BR00117010_normalized_feature_select_negcon_batch.csv.gz",
        tmp_path / "screen",
        annotations=tables / "JUMP-Target-1_compound_metadata_additional_annotations.tsv",
    )
    answer = ask(screen, ASKED)
    assert answer.evidence == "look-alikes"
    assert "from memory" in answer.evidence_reason


def test_its_words_rank_and_make_no_match(screen: Screen) -> None:
    """Of matches in words on real cells about one in eighteen was right (docs/models.md)."""
    answer = ask(screen, ASKED, evidence="words")
    assert answer.match is None
    assert answer.matches.empty
    assert answer.scores["q"].isna().all()
    assert answer.treatments_table["q"].isna().all()
    assert answer.treatments_table["p"].notna().any()
    assert set(answer.treatments_table["treatment"][:4]) == {f"T{i}" for i in range(4)}
    assert any("rank wells and make no match" in note for note in answer.notes)
