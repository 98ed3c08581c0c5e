"""Files of the published code: captions understood, features read into screens one can train on and ask."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.model import PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports.published_captions import (
    captions_of_wells,
    perturbation_of_caption,
    read_captions,
)
from napari_cellclip.screen.imports.published_features import PUBLISHED_ORDER, import_published_features
from napari_cellclip.vocabulary import STAINS, Control, Kind, Perturbation, ScreenError

D = 16
names = (
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ()+-]{0,20}", fullmatch=True)
    .map(str.strip)
    .filter(
        lambda n: n.lower() not in ("nan", "none") and "control" not in n.lower() and "dmso" not in n.lower()
    )
)
smiles = st.from_regex(r"[CNO]{1,8}(=O)?", fullmatch=True)
genes = st.from_regex(r"[A-Z][A-Z0-9]{2,5}", fullmatch=True).filter(lambda g: g != "NAN" and g != "NONE")
cells = st.sampled_from(["U2OS", "A549", "HUVEC"])


@given(names, smiles, genes, cells)
def test_captions_are_understood_back(name, structure, gene, cell):
    t = PromptTemplates()
    for made in (
        Perturbation(Kind.COMPOUND, name, smiles=structure, cell_line=cell),
        Perturbation(Kind.COMPOUND, name, cell_line=cell),
        Perturbation(Kind.COMPOUND, smiles=structure, cell_line=cell),
        Perturbation(Kind.CRISPR, gene, genes=(gene,), cell_line=cell),
        Perturbation(Kind.ORF, gene, genes=(gene,), cell_line=cell),
        Perturbation(Kind.CONTROL, "DMSO", smiles="CS(C)=O", cell_line=cell, control=Control.NEGATIVE),
        Perturbation(Kind.CONTROL, cell_line=cell, control=Control.NEGATIVE),
    ):
        assert perturbation_of_caption(t.for_perturbation(made)) == made


@pytest.mark.parametrize(
    ("text", "kind", "name", "control"),
    [
        ("U2OS cells treated with compound: nan, SMILES: CCO", Kind.COMPOUND, "", None),
        ("U2OS cells treated with compound, drug", Kind.COMPOUND, "drug", None),
        ("HUVEC cells treated with compound: control", Kind.CONTROL, "", Control.NEGATIVE),
        ("U2OS cells treated with crispr sequence: TATG, targeting genes: HIF1A", Kind.CRISPR, "HIF1A", None),
        (
            "A549 cells treated with crispr sequence: ACAG, control negcon",
            Kind.CRISPR,
            "ACAG",
            Control.NEGATIVE,
        ),
        (
            "A549 cells treated with crispr sequence: TGAT, control poscon_orf",
            Kind.CRISPR,
            "TGAT",
            Control.POSITIVE,
        ),
        ("HUVEC cells treated with crispr ,targeting genes: RPL27A", Kind.CRISPR, "RPL27A", None),
        (
            "HUVEC cells treated with crispr sequence: CRISPR_control, targeting genes: nan",
            Kind.CRISPR,
            "CRISPR_control",
            Control.NEGATIVE,
        ),
        (
            "A549 cells treated with orf control negcon, targeting genes: SGK3.",
            Kind.ORF,
            "SGK3",
            Control.NEGATIVE,
        ),
        ("A549 cells treated with control, no treatment.", Kind.CONTROL, "", Control.NEGATIVE),
        ("a picture of a cat", Kind.UNKNOWN, "a picture of a cat", None),
        ("U2OS cells treated with kindness", Kind.UNKNOWN, "kindness", None),
    ],
)
def test_the_wordings_of_the_published_tables(text, kind, name, control):
    found = perturbation_of_caption(text)
    assert (found.kind, found.name, found.control) == (kind, name, control)


@pytest.mark.parity
def test_every_published_case_is_understood(golden):
    for case in json.loads((golden / "prompts.json").read_text()):
        cell, kind, target, info = case["args"][:4]
        found = perturbation_of_caption(case["prompt"])
        assert found.cell_line == cell, case["case"]
        assert found.kind is not Kind.UNKNOWN, case["case"]
        if kind == "compound" and info and not found.control and f"SMILES: {info}" in case["prompt"]:
            assert found.smiles == info
        if kind != "compound" and target and f"genes: {target}" in case["prompt"]:
            assert found.genes == (target,)


@given(st.text(max_size=60))
def test_any_caption_gives_a_perturbation(text):
    assert isinstance(perturbation_of_caption(text), Perturbation)


def write_captions(path: Path, rows: dict[str, str]) -> Path:
    path.write_text(
        "ID,prompt\n" + "".join(f'{key},"{text}"\n' for key, text in rows.items()), encoding="utf-8"
    )
    return path


def test_caption_ids_of_all_three_forms(tmp_path):
    table = read_captions(
        write_captions(
            tmp_path / "captions.csv",
            {
                "24277-A01-1": "U2OS cells treated with compound: a, SMILES: CCO",
                "24277-A01-2": "another caption of the same well",
                "BR1-B02-r02c02-4": "A549 cells treated with orf, targeting genes: KCNN1",
                "gene-001_2_AA07": "HUVEC cells treated with crispr ,targeting genes: TUBB",
                "not an id": "x",
            },
        )
    )
    found = captions_of_wells(table)
    assert list(found.index) == ["24277/A01", "BR1/B02", "gene-001_2/AA07"]
    assert found["24277/A01"].endswith("SMILES: CCO")
    with pytest.raises(ScreenError, match="none of the 1 caption IDs such as 'not an id'"):
        captions_of_wells(table[["not an id"]])


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "", "ID,text\nx,y\n"])
def test_tables_that_are_no_captions(tmp_path, content):
    (tmp_path / "c.csv").write_text(content)
    with pytest.raises(ScreenError, match=r"c\.csv"):
        read_captions(tmp_path / "c.csv")


def bags(n: int, seed: int = 0) -> np.ndarray:
    """[n, 6, 5, D] with 6, 5, … fields filled."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(n, 6, 5, D)).astype(np.float32)
    for i in range(n):
        found[i, 6 - i % 3 :] = 0
    return found


def write_features(path: Path, embeddings: np.ndarray, ids, key: str = "well_id") -> Path:
    with h5py.File(path, "w") as data:
        data["embeddings"] = embeddings
        data.create_dataset(key, data=list(ids), dtype=h5py.string_dtype())
    return path


WELLS = ("24277-A01", "24277-A02", "24277-B01", "24278-A01")
CAPTIONS = {
    "24277-A01-1": "U2OS cells treated with compound: taxol, SMILES: CCO",
    "24277-A02-1": "U2OS cells treated with compound: control, DMSO, SMILES: CS(C)=O",
    "24278-A01-1": "U2OS cells treated with compound: taxol, SMILES: CCO",
}


def test_bags_become_fields_and_padding_is_left_out(tmp_path):
    stored = bags(4)
    file = write_features(tmp_path / "bray.h5", stored, WELLS)
    captions = write_captions(tmp_path / "captions.csv", CAPTIONS)
    screen = import_published_features(file, tmp_path / "screen", captions=captions)
    assert list(screen.plates) == ["24277", "24278"]
    assert screen.wells["Metadata_sites"].tolist() == [6, 5, 4, 6]
    assert list(screen.fields.index[:2]) == ["24277/A01/1", "24277/A01/2"]
    found = screen.features(["24277/A02/3"])[0]
    order = [PUBLISHED_ORDER.index(stain) for stain in STAINS]
    np.testing.assert_allclose(found, stored[1, 2][order], atol=2e-3)  # half precision
    assert screen.wells["Metadata_treatment"].tolist() == ["taxol", "DMSO", "", "taxol"]
    assert screen.wells["Metadata_prompt"].iloc[0] == CAPTIONS["24277-A01-1"]
    assert list(screen.control_ids) == ["24277/A02"]
    np.testing.assert_allclose(screen.embeddings[3], stored[3].mean(axis=(0, 1)), atol=1e-5)
    with pytest.raises(ScreenError, match="train a"):
        screen.require_head()


def test_rows_of_fields_with_names(tmp_path):
    stored = np.random.default_rng(0).normal(size=(3, 5, D)).astype(np.float32)
    file = write_features(
        tmp_path / "f.h5", stored, ["r01c01-A01-1", "r01c01-A01-2", "r02c03-B03-1"], "names"
    )
    screen = import_published_features(file, tmp_path / "s", stain_order=STAINS, plate="BR00116991")
    assert list(screen.fields.index) == ["BR00116991/A01/1", "BR00116991/A01/2", "BR00116991/B03/1"]
    np.testing.assert_allclose(screen.features(["BR00116991/A01/2"])[0], stored[1], atol=2e-3)


def test_a_head_is_trained_on_it_and_asked(tmp_path):
    from napari_cellclip.training import train

    rng = np.random.default_rng(0)
    wells = [f"P1-{row}{column:02d}" for row in "AB" for column in range(1, 9)]
    drugs = [("alpha", "CC"), ("beta", "CCO")] * 8
    stored = rng.normal(size=(16, 2, 5, D)).astype(np.float32)
    stored[::2] += 1.5
    file = write_features(tmp_path / "f.h5", stored, wells)
    texts = {
        f"{well}-1": f"U2OS cells treated with compound: {name}, SMILES: {smiles}"
        for well, (name, smiles) in zip(wells, drugs, strict=True)
    }
    captions = write_captions(tmp_path / "c.csv", texts)
    screen = import_published_features(file, tmp_path / "screen", captions=captions)
    torch.manual_seed(0)
    model = train([screen], tmp_path / "model", epochs=2, device="cpu")
    assert model.card.encoder.dim == D
    shown = screen.derive_wells(model)
    assert Screen.open(shown.path).has_head
    assert np.isfinite(shown.embeddings).all()


def test_a_models_head_embeds_the_wells_at_once(tmp_path):
    from napari_cellclip.model import (
        CellCLIP,
        CellCLIPConfig,
        EncoderCard,
        Model,
        ModelCard,
        SmallEncoder,
        WordPieceTokenizer,
    )

    words = WordPieceTokenizer.build(["U2OS cells"], size=250, max_length=16)
    torch.manual_seed(0)
    config = CellCLIPConfig(
        width=D,
        embed_dim=8,
        layers=1,
        pool_hidden=8,
        text_vocabulary=len(words),
        text_width=8,
        text_layers=1,
        text_heads=2,
        text_intermediate=8,
        text_positions=16,
    )
    card = ModelCard(
        name="tiny",
        encoder=EncoderCard(kind="small", name="tiny", dim=D, widths=(8, 8), depths=(1, 1)),
        stain_order=PUBLISHED_ORDER,
        embed_dim=8,
    )
    model = Model(card, CellCLIP(config), words, SmallEncoder(D, (8, 8), (1, 1)), device="cpu")
    stored = bags(4)
    file = write_features(tmp_path / "f.h5", stored, WELLS)
    screen = import_published_features(file, tmp_path / "screen", model=model)
    expected = model.embed_wells(
        [b[(b != 0).any(axis=(1, 2))].astype(np.float16).astype(np.float32) for b in stored]
    )
    np.testing.assert_allclose(screen.embeddings, expected, atol=1e-5)
    with pytest.raises(ScreenError, match=r"7 numbers a stain, 'tiny' takes 16"):
        import_published_features(
            write_features(tmp_path / "g.h5", stored[..., :7], WELLS), tmp_path / "other", model=model
        )


def test_rows_that_cannot_be_used_are_told(tmp_path):
    stored = bags(3)
    stored[0, 1, 2, 3] = np.nan
    stored[2] = 0
    screen = import_published_features(write_features(tmp_path / "f.h5", stored, WELLS[:3]), tmp_path / "s")
    assert screen.failures["Metadata_Site_id"].tolist() == ["24277/A01/2", "24277/B01/1"]
    assert "not finite" in screen.failures["Metadata_Failure"].iloc[0]
    assert screen.wells["Metadata_sites"].tolist() == [5, 5, 0]


@pytest.mark.parametrize(
    ("shape", "ids", "message"),
    [
        ((2, 1, 512), ["P-A01", "P-A02"], "embeddings of wells"),
        ((2, 6, 4, D), ["P-A01", "P-A02"], "embeddings of wells"),
        ((2, 5, D), ["P-A01"], "2 rows of features and 1 names"),
        ((2, 5, D), ["P-A01", "somewhere"], "row 1 of .*'somewhere' is no name"),
        ((0, 5, D), [], "holds no rows"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, shape, ids, message):
    file = write_features(tmp_path / "f.h5", np.ones(shape, np.float32), ids)
    with pytest.raises(ScreenError, match=message):
        import_published_features(file, tmp_path / "s")


def test_without_h5py_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    file = write_features(tmp_path / "f.h5", np.ones((1, 5, D), np.float32), ["P-A01-1"])
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ScreenError, match=r"napari-cellclip\[hdf5\]"):
        import_published_features(file, tmp_path / "s")


def test_damaged_foreign_and_sly_files_are_refused(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(ScreenError, match=r"text\.h5 cannot be read"):
        import_published_features(tmp_path / "text.h5", tmp_path / "s")
    with h5py.File(tmp_path / "other.h5", "w") as data:
        data["images"] = np.ones(3)
    with pytest.raises(ScreenError, match="no dataset 'embeddings'"):
        import_published_features(tmp_path / "other.h5", tmp_path / "s")
    write_features(tmp_path / "secret.h5", bags(1), WELLS[:1])
    with h5py.File(tmp_path / "link.h5", "w") as data:
        data["embeddings"] = h5py.ExternalLink("secret.h5", "embeddings")
    with pytest.raises(ScreenError, match="no plain dataset of this file"):
        import_published_features(tmp_path / "link.h5", tmp_path / "s")
    file = write_features(tmp_path / "good.h5", bags(1), WELLS[:1])
    with pytest.raises(ScreenError, match="stain_order must name each"):
        import_published_features(file, tmp_path / "s", stain_order=STAINS[:4])
    other = write_captions(tmp_path / "c.csv", {"99999-A01-1": "x"})
    with pytest.raises(ScreenError, match="none of the captions is of a well"):
        import_published_features(file, tmp_path / "s", captions=other)
