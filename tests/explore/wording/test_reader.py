"""What a typed text is taken for, what is sent for it, and where each prompt comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rdkit import Chem

from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.reader import LONGEST, prompts_in_vocabulary, read_text
from napari_cellclip.explore.wording.smiles import check_structure, is_like_structure
from napari_cellclip.explore.wording.vocabulary_prompts import prefer_vocabulary
from napari_cellclip.explore.wording.wording import Prompt, Wording
from napari_cellclip.model.prompts import PromptTemplates
from napari_cellclip.vocabulary.annotation_tables import install_annotations, installed_annotations
from napari_cellclip.vocabulary.annotations import OWN_TABLE, annotated_mechanisms
from napari_cellclip.vocabulary.mechanisms import MECHANISMS

T = PromptTemplates()
TUBULIN = "tubulin polymerisation inhibitor"
NOCODAZOLE = "COC(=O)Nc1nc2ccc(C(=O)c3cccs3)cc2[nH]1"


def read(text: str, **options) -> Wording:
    return read_text(text, templates=T, annotations=options.pop("annotations", ()), **options)


def plate(*rows: tuple[str, str, str, str, str, str]) -> pd.DataFrame:
    columns = ("treatment", "kind", "control_type", "smiles", "genes", "mechanism")
    return pd.DataFrame(rows, columns=[f"Metadata_{column}" for column in columns])


OWN = PromptTemplates(mechanism="{cell} cells treated with {mechanism}", cell_line="A549")

PLATE = plate(
    ("colchicine", "compound", "", "CCO", "TUBB", "microtubule inhibitor"),
    ("paclitaxel", "compound", "", "CCC", "TUBB", "microtubule inhibitor"),
    ("house code 17", "compound", "", "CCN", "", "tubulin polymerization inhibitor"),
    ("odd stuff", "compound", "", "", "BRD4", "flux capacitor blocker"),
    ("HDAC3", "crispr", "", "", "HDAC3", ""),
    ("KRAS", "orf", "", "", "KRAS", ""),
    ("DMSO", "control", "negcon", "CS(C)=O", "", ""),
)


@pytest.mark.parametrize(
    ("text", "kind", "recognised"),
    [
        ("nocodazole", "compound", "nocodazole"),
        ("NOCODAZOLE", "compound", "nocodazole"),
        ("Taxol", "compound", "paclitaxel"),
        ("y-27632 dihydrochloride", "compound", "Y-27632"),
        ("nocodazol", "compound", "nocodazole"),
        ("latrunculin", "compound", "latrunculin A"),
        ("wells treated with nocodazole", "compound", "nocodazole"),
        ("nocodazole treatment", "compound", "nocodazole"),
        ("TUBB", "knockout", "TUBB knockout"),
        ("tubb knockout", "knockout", "TUBB knockout"),
        ("siRNA against TUBB", "knockout", "TUBB knockout"),
        ("loss of TUBB", "knockout", "TUBB knockout"),
        ("CRISPR HDAC1 and HDAC2", "knockout", "HDAC1, HDAC2 knockout"),
        ("KRAS overexpression", "overexpression", "KRAS over-expression"),
        ("ORF: KRAS", "overexpression", "KRAS over-expression"),
        ("tubulin polymerization inhibitor", "mechanism", TUBULIN),
        ("tubulin polymerisation inhibitor", "mechanism", TUBULIN),
        ("microtubule inhibitor", "mechanism", TUBULIN),
        ("Inhibitors of Tubulin-Polymerisation", "mechanism", TUBULIN),
        ("microtubul inhibtor", "mechanism", TUBULIN),
        ("tubulin depolymerization inhibitors", "mechanism", "microtubule stabiliser"),
        ("colchicine-like drug", "mechanism", TUBULIN),
        ("PARPi", "mechanism", "PARP inhibitor"),
        ("β-blocker", "mechanism", "beta adrenergic receptor antagonist"),
        ("oestrogen receptor agonist", "mechanism", "estrogen receptor agonist"),
        ("GSK-3β inhibitor", "mechanism", "GSK-3 inhibitor"),
        ("statins", "mechanism", "HMG-CoA reductase inhibitor"),
        ("cells treated with HDAC inhibitors", "mechanism", "HDAC inhibitor"),
        ("loss of mitochondrial membrane potential", "mechanism", "mitochondrial uncoupler"),
        ("BRD4 inhibitor", "target", "BRD4 inhibitor"),
        ("brd4 blockers", "target", "BRD4 inhibitor"),
        ("TOP2 poison", "target", "TOP2A, TOP2B inhibitor"),
        ("NR3C1 agonist", "target", "NR3C1 activator"),
        ("CAT inhibitor", "target", "CAT inhibitor"),
        (NOCODAZOLE, "smiles", "nocodazole"),
        ("SMILES: CCO", "smiles", "CCO"),
        ("DMSO", "control", "negative control"),
        ("untreated cells", "control", "negative control"),
        ("vehicle control", "control", "negative control"),
    ],
)
def test_texts_are_taken_for_what_they_are(text, kind, recognised):
    wording = read(text)
    assert (wording.kind, wording.recognised) == (kind, recognised)
    assert wording.text == text
    assert any(prompt.on for prompt in wording.prompts)


@pytest.mark.parametrize(
    "text",
    [
        "asdf",
        "cat inhibitor",
        "bread and butter inhibitor",
        "love activator",
        "apple receptor antagonist",
        "200 g flour, 3 eggs, 100 g sugar; bake for 40 minutes",
        "Whisk the eggs with the sugar, fold in the flour and bake",
        "lorem ipsum dolor sit amet",
        "抑制微管蛋白",
        "ингибитор тубулина",
        "مثبط",
        "🙂🙂🙂",
        "inhibitor",
        "protein",
        "kinase inhibitor",
        "histone cake",
        "my golgi is sad",
        "NaN",
        "12345",
        "()",
        "-",
        "p",
        "ER stress inhibitor",
        "actin activator of my heart",
    ],
)
def test_nonsense_and_opposites_stay_free_text(text):
    wording = read(text)
    assert (wording.kind, wording.recognised) == ("free", "")
    assert all(prompt.source == "typed" for prompt in wording.prompts)
    assert "ot recognised" in " ".join(wording.notes)


def test_what_may_be_two_things_is_said_and_not_guessed():
    wording = read("tubulin")
    assert wording.kind == "free"
    assert TUBULIN in wording.notes[0]
    assert "microtubule stabiliser" in wording.notes[0]


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("CC(=O", "a bracket is not closed"),
        ("c1ccccc", "ring 1 is not closed"),
        ("CC(C)(C)(C)(C)C", "too many bonds"),
        ("SMILES: C1CC", "ring 1 is not closed"),
        ("C[N+](C)(C)(C)(C)C", "too many bonds"),
    ],
)
def test_wrong_structures_are_named_and_not_sent(smiles, said):
    wording = read(smiles)
    assert wording.kind == "smiles"
    assert wording.prompts == ()
    assert said in wording.notes[0]


@pytest.mark.parametrize("text", ["p53", "p38", "(+)-JQ1", "taxol", "COX", "5-FU", "BI-2536"])
def test_names_are_no_structures(text):
    assert read(text).kind != "smiles"


def test_structures_without_rdkit(monkeypatch):
    import builtins

    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.startswith("rdkit"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert "RDKit is not installed" in check_structure("CCO").notes[0]
    assert "bracket" in check_structure("CC(=O").error


def test_a_mechanism_is_sent_by_names_compounds_and_knockouts():
    wording = read("tubulin inhibitor")
    kinds = {
        kind: [p for p in wording.prompts if p.kind == kind] for kind in ("mechanism", "compound", "knockout")
    }
    assert sum(p.weight for p in kinds["mechanism"]) == pytest.approx(1.0)
    assert sum(p.weight for p in kinds["compound"]) == pytest.approx(0.5)
    assert sum(p.weight for p in kinds["knockout"]) == pytest.approx(0.25)
    assert kinds["mechanism"][0].source == "typed"
    assert kinds["compound"][0].source == OWN_TABLE
    assert "SMILES: " in kinds["compound"][0].text
    assert kinds["knockout"][0].text == T.for_knockout("TUBB")
    assert all(prompt.on for prompt in wording.prompts)


VOCABULARY = ModelVocabulary.of(
    {
        "tubulin": [TUBULIN, "microtubule destabiliser", NOCODAZOLE, "nocodazole"],
        "proteasome": ["bortezomib"],
        "actin": ["cytochalasin D"],
    }
)


@pytest.mark.parametrize("text", [TUBULIN, TUBULIN.upper(), "microtubule blockers"])
def test_a_mechanism_in_the_vocabulary_is_sent_by_the_names_in_it(text):
    wording = read(text, vocabulary=VOCABULARY)
    assert wording.in_vocabulary
    sent = [prompt.text.casefold() for prompt in wording.prompts if prompt.on]
    assert sent == [T.for_mechanism(TUBULIN).casefold()]
    off = [prompt for prompt in wording.prompts if not prompt.on]
    assert {"mechanism", "compound", "knockout"} <= {prompt.kind for prompt in off}
    assert f"{len(off) - ('blockers' in text) * 1} other prompts are ticked off." in wording.notes[-1]
    everything = read(text)
    assert [replace(p, on=True) for p in wording.prompts] == [replace(p, on=True) for p in everything.prompts]


def test_without_a_name_in_the_vocabulary_its_known_compounds_are_sent():
    groups = {"one": [NOCODAZOLE, "colchicine", "albendazole"], "two": ["sucrose"], "three": ["lactose"]}
    wording = read(TUBULIN, vocabulary=ModelVocabulary.of(groups))
    sent = {prompt.text for prompt in wording.prompts if prompt.on}
    assert T.for_compound("nocodazole", NOCODAZOLE) in sent
    assert all("SMILES: " in text for text in sent)
    assert not any("vincristine" in text for text in sent)


def test_words_outside_the_vocabulary_are_sent_as_ever_and_marked():
    wording = read("EGFR inhibitor", vocabulary=VOCABULARY)
    assert not wording.in_vocabulary
    assert wording.prompts == read("EGFR inhibitor").prompts
    assert read("EGFR inhibitor").in_vocabulary  # nothing is known about its vocabulary


@pytest.mark.parametrize(
    ("text", "kind", "recognised"),
    [
        ("like house code 17", "mechanism", "tubulin polymerization inhibitor"),
        ("like odd stuff", "mechanism", "flux capacitor blocker"),
        ("plain stuff-like", "compound", "plain stuff"),
        ("similar to plain stuff", "compound", "plain stuff"),
        ("like DMSO", "control", "negative control"),
        ("like nocodazole", "mechanism", TUBULIN),
    ],
)
def test_like_a_compound_of_the_plate_map_is_that_compound_or_its_mechanism(text, kind, recognised):
    known = pd.concat([PLATE, plate(("plain stuff", "compound", "", "", "", ""))], ignore_index=True)
    wording = read(text, platemap=known)
    assert (wording.text, wording.kind) == (text, kind)
    assert recognised in (wording.recognised, *wording.names)
    assert wording.notes
    assert any(prompt.on for prompt in wording.prompts)


@pytest.mark.parametrize("text", ["CDK4/6 inhibitor", "palbociclib-like", "V-ATPase inhibitor"])
def test_a_mechanism_is_not_known_by_another_of_the_same_family(text):
    vocabulary = ModelVocabulary.of(
        {"cdk": ["CDK9 inhibitor", "cyclin-dependent kinase 9 inhibitor"], "lyso": ["ATPase"]}
    )
    assert not read(text, vocabulary=vocabulary).in_vocabulary
    assert read("inhibitor of CDK9", vocabulary=vocabulary).in_vocabulary


def test_one_word_of_a_name_makes_no_free_text_known():
    vocabulary = ModelVocabulary.of(
        {"uncoupler": ["mitochondrial uncoupler"], "actin": ["loss of actin fibres"]}
    )
    assert read("mitochondria", vocabulary=vocabulary).kind == "free"
    assert not read("mitochondria", vocabulary=vocabulary).in_vocabulary
    assert read("actin fibres gone", vocabulary=vocabulary).in_vocabulary
    assert read("mitochondria", vocabulary=ModelVocabulary.of({"a": ["mitochondria"]})).in_vocabulary


@pytest.mark.parametrize(
    ("text", "in_vocabulary"),
    [
        (T.for_compound("nocodazole"), True),
        (T.for_compound("nocodazole", NOCODAZOLE), True),
        (T.for_mechanism("CDK9 inhibitor"), True),
        (T.for_knockout("BRD4"), True),
        (T.for_compound("asdf"), False),
        (T.for_knockout("CDK4"), False),
        ("CDK4 inhibitor", False),
        ("CDK9 activator", False),
        ("CDK4 knockout", False),
        ("BRD4 knockout", True),
        ("DMSO", True),
    ],
)
def test_the_vocabulary_holds_in_the_card_s_sentences_too_and_relatives_are_not_in_it(text, in_vocabulary):
    vocabulary = ModelVocabulary.of(
        {"cdk": ["CDK9 inhibitor"], "bet": ["BRD4"], "tubulin": ["nocodazole", NOCODAZOLE]}
    )
    assert read(text, vocabulary=vocabulary).in_vocabulary is in_vocabulary
    prompts = read(text, vocabulary=vocabulary).prompts
    if text != "DMSO":
        assert prompts_in_vocabulary(prompts, vocabulary, T) is in_vocabulary


def test_a_mechanism_is_asked_by_the_name_in_the_vocabulary_whichever_it_is():
    vocabulary = ModelVocabulary.of({"a": ["taxane"], "b": ["sucrose"]})
    wording = read("microtubule stabiliser", vocabulary=vocabulary)
    assert wording.in_vocabulary
    assert [prompt.text for prompt in wording.prompts if prompt.on] == [T.for_mechanism("taxane")]


def test_as_many_unusual_names_as_there_were_prompts_are_sent_in_their_place():
    plain = Wording(
        "x", "mechanism", (Prompt(T.for_mechanism("x")),), (), "x", names=("x", "taxane", "wholly other")
    )
    found = prefer_vocabulary(plain, ModelVocabulary.of({"a": ["taxane"]}), T, "")
    assert [prompt.text for prompt in found.prompts if prompt.on] == [T.for_mechanism("taxane")]
    assert "1 other prompt is ticked off." in found.notes[-1]


def test_one_compound_of_a_mechanism_does_not_make_it_known():
    assert not read(
        TUBULIN, vocabulary=ModelVocabulary.of({"one": ["colchicine"], "two": ["sucrose"]})
    ).in_vocabulary


def test_the_plate_map_is_said_to_take_part_only_where_it_is_sent():
    wording = read(TUBULIN, platemap=PLATE, vocabulary=VOCABULARY)
    assert any(prompt.source == "plate map" for prompt in wording.prompts)
    assert not any("this plate map" in note for note in wording.notes)


def test_words_no_table_has_are_shown_but_not_sent():
    wording = read("stops the assembly of microtubules")
    typed = [prompt for prompt in wording.prompts if prompt.source == "typed"]
    assert typed
    assert not any(prompt.on for prompt in typed)
    assert wording.notes == (f"Read as {TUBULIN}.",)


def test_an_activator_is_not_worded_by_knockouts():
    for text in ("glucocorticoid", "NR3C1 agonist"):
        kinds = {prompt.kind for prompt in read(text).prompts}
        assert "compound" in kinds
        assert "knockout" not in kinds


def test_the_cell_line_and_the_card_s_templates_are_used():
    own = PromptTemplates(mechanism="{cell} cells: {mechanism}", cell_line="HeLa")
    text = read_text("HDAC inhibitor", templates=own, annotations=()).prompts[0].text
    assert text == "HeLa cells: HDAC inhibitor"
    assert (
        read_text("HDAC inhibitor", templates=own, cell_line="A549", annotations=())
        .prompts[0]
        .text.startswith("A549")
    )


def test_sentences_of_the_card_are_sent_as_they_are():
    sentence = "A549 cells treated with compound: nocodazole, SMILES: CCO"
    (prompt,) = read(sentence).prompts
    assert (prompt.text, prompt.source) == (sentence, "typed")


def test_the_plate_map_goes_first_and_says_so():
    wording = read("microtubule blocker", platemap=PLATE)
    here = [prompt for prompt in wording.prompts if prompt.source == "plate map"]
    assert {p.text for p in here} == {
        T.for_compound("colchicine", "CCO"),
        T.for_compound("house code 17", "CCN"),
    }
    assert (
        "2 compounds of this plate map are part of the query: the answer rests on its labels."
        in wording.notes
    )
    without = read("microtubule blocker")
    assert not any(prompt.source == "plate map" for prompt in without.prompts)
    assert not any("this plate map" in note for note in without.notes)


def test_mechanisms_that_only_the_plate_map_knows():
    wording = read("blocks the flux capacitor", platemap=PLATE)
    assert (wording.kind, wording.recognised) == ("mechanism", "flux capacitor blocker")
    assert read("blocks the flux capacitor").kind == "free"


def test_compounds_and_genes_of_the_plate_map():
    (structure, bare) = read("colchicine", platemap=PLATE).prompts
    assert (structure.text, structure.source) == (T.for_compound("colchicine", "CCO"), "plate map")
    assert bare.text == T.for_compound("colchicine")
    assert read("house code 17", platemap=PLATE).kind == "compound"
    assert read("KRAS", platemap=PLATE).kind == "overexpression"
    assert read("HDAC3", platemap=PLATE).kind == "knockout"
    target = read("BRD4 inhibitor", platemap=PLATE)
    assert [p.text for p in target.prompts if p.source == "plate map"] == [T.for_compound("odd stuff")]


def test_controls_of_the_plate_map_take_no_part():
    assert read("DMSO", platemap=PLATE).kind == "control"


@pytest.fixture
def tables(tmp_path: Path):
    file = tmp_path / "mine.csv"
    file.write_text(
        "pert_iname,moa,target,SMILES\n"
        "docetaxel,microtubule inhibitor,,CCC\n"
        "zzyzxin,microtubule inhibitor,TUBB,CCN\n"
        "quuxamide,flux capacitor inhibitor,FLUX1,CCO\n"
    )
    install_annotations([file], tmp_path / "annotations")
    return installed_annotations(tmp_path / "annotations")


def test_installed_tables_go_before_the_own_one(tables):
    compounds = [p for p in read("tubulin inhibitor", annotations=tables).prompts if p.kind == "compound"]
    assert {p.source for p in compounds} == {"mine", OWN_TABLE}
    assert any("zzyzxin" in p.text for p in compounds)
    assert read("flux capacitor blockers", annotations=tables).recognised == "flux capacitor inhibitor"
    assert read("FLUX1 inhibitor", annotations=tables).prompts[1].source == "mine"
    assert read("quuxamid", annotations=tables).recognised == "quuxamide"


def test_what_was_gone_through_by_hand_outweighs_other_tables(tables):
    """Some tables call taxanes microtubule inhibitors; asked for blockers, they must not be sent."""
    for text in ("microtubule inhibitor", "tubulin inhibitor"):
        assert not any("docetaxel" in prompt.text for prompt in read(text, annotations=tables).prompts)


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("nocodazole", ["compound: nocodazole", "nocodazole"]),
        (" Latrunculin  ", ["compound: Latrunculin", "Latrunculin"]),
        ("tubulin inhibitor", ["tubulin inhibitor"]),
        ("microtubule destabilising agent", ["microtubule destabilising agent"]),
        ("uncoupler", ["uncoupler"]),
        ("HDAC1", ["crispr, targeting genes: HDAC1", "compound: HDAC1"]),
        ("p53", ["compound: p53", "p53"]),
        ("TUBB knockout", ["crispr, targeting genes: TUBB"]),
        ("knock-out of tubb", ["crispr, targeting genes: TUBB"]),
        ("CRISPR: C9orf72", ["crispr, targeting genes: C9orf72"]),
        ("KRAS overexpression", ["orf, targeting genes: KRAS"]),
        ("COC(=O)Nc1nc2ccccc2[nH]1", ["SMILES: COC(=O)Nc1nc2ccccc2[nH]1"]),
        ("DMSO", ["compound: control, DMSO, SMILES: CS(C)=O"]),
        ("untreated", ["control, no treatment."]),
    ],
)
def test_texts_are_worded_by_their_form_where_no_table_is_used(text, prompts):
    for line in ("", "HUVEC"):
        found = read_text(text, templates=OWN, cell_line=line, annotations=(), use_own_table=False)
        assert [p.text for p in found.prompts] == [
            f"{line or 'A549'} cells treated with {p}" for p in prompts
        ]
        assert sum(p.weight for p in found.prompts) == pytest.approx(1)


def test_sentences_about_cells_are_sent_as_they_are_and_nothing_as_nothing():
    assert [p.text for p in read("cells with fragmented nuclei").prompts] == ["cells with fragmented nuclei"]
    assert read("  ").prompts == ()


def test_the_own_table_can_be_left_out():
    wording = read("tubulin inhibitor", use_own_table=False)
    assert wording.kind == "free"
    assert [prompt.text for prompt in wording.prompts] == [T.for_mechanism("tubulin inhibitor")]


def test_damaged_tables_are_left_out_with_a_note(tables):
    (tables[0].folder / "table.parquet").write_bytes(b"no")
    wording = read_text(
        "tubulin inhibitor", templates=T, annotations=installed_annotations(tables[0].folder.parent)
    )
    assert wording.recognised == TUBULIN
    assert "left out" in wording.notes[0]


def test_every_name_and_phrase_of_the_own_table_finds_its_own_row():
    wrong = []
    for found in annotated_mechanisms():
        for text in (found.name, *found.synonyms):
            wording = read(text)
            names = {p.text.removeprefix("U2OS cells treated with compound: ") for p in wording.prompts}
            if found.name not in {wording.recognised, *names}:
                wrong.append((text, wording.recognised))
    assert len(wrong) <= 2, wrong


def test_every_compound_of_the_own_table_is_found_by_name_and_structure():
    for mechanism in MECHANISMS:
        for compound in mechanism.compounds:
            assert read(compound.name).recognised == compound.name
            molecule = Chem.MolFromSmiles(compound.smiles)
            other = Chem.MolToSmiles(molecule, rootedAtAtom=molecule.GetNumAtoms() - 1)
            if is_like_structure(other):
                assert read(other).recognised == compound.name


def test_codes_are_not_corrected_into_other_codes():
    assert read("GSK429288A").recognised == ""
    assert read("SB-203581").recognised == ""


def test_long_texts_are_cut_with_a_note():
    wording = read("tubulin inhibitor " + "x" * 10_000)
    assert f"Only the first {LONGEST} of 10018 characters are read." in wording.notes
    assert all(len(prompt.text) <= LONGEST + 100 for prompt in wording.prompts)


@settings(max_examples=120, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.text(alphabet="CNOcn()[]=#123%+-@/\\.Br", max_size=30),
        st.lists(
            st.sampled_from(
                [
                    "tubulin",
                    "inhibitor",
                    "of",
                    "BRD4",
                    "knockout",
                    "like",
                    "similar to",
                    "DMSO",
                    "-",
                    "3",
                    "β",
                    "CC(=O)O",
                ]
            ),
            max_size=7,
        ).map(" ".join),
        st.text(alphabet=st.characters(categories=("Cc", "Cs", "Co", "So", "Lo", "Mn"))),
    )
)
@example("\ud800")
@example("C" * 5000)
@example("(" * 5000)
@example("[" * 40 + "]" * 40)
@example("a-like " * 200)
def test_nothing_typed_crashes(text):
    wording = read(text, platemap=PLATE)
    assert wording.text == text
    assert wording.prompts or wording.notes
    for prompt in wording.prompts:
        assert prompt.text.strip()
        assert prompt.weight > 0
        prompt.text.encode("utf-8")


@pytest.mark.real_data
def test_with_the_real_hub_installed(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "meta_rephub"
    files = [
        folder / "repurposing_drugs_20200324_cleaned.txt.gz",
        folder / "repurposing_samples_20200324_standardized.csv.gz",
    ]
    install_annotations(files, tmp_path, name="hub")
    hub = installed_annotations(tmp_path)
    wording = read("microtubule inhibitor", annotations=hub)
    assert wording.recognised == TUBULIN
    assert {p.source for p in wording.prompts if p.kind == "compound"} == {"hub"}
    assert not any(name in p.text for p in wording.prompts for name in ("taxel", "epothilone"))
    assert read("carbonic anhydrase blockers", annotations=hub).recognised == "carbonic anhydrase inhibitor"
    assert read("acetazolamide", annotations=hub).kind == "compound"
    for nonsense in ("asdf", "cat inhibitor", "bread and butter inhibitor", "chocolate cake", "how are you"):
        assert read(nonsense, annotations=hub).kind == "free", nonsense


def test_a_mechanism_that_the_plate_map_names_is_no_other_of_like_name():
    """ATP1A1 compounds are annotated as "ATPase inhibitor"; that is no V-ATPase."""
    platemap = pd.DataFrame(
        {
            "Metadata_treatment": ["digoxin", "ouabain"],
            "Metadata_kind": "compound",
            "Metadata_smiles": "",
            "Metadata_genes": "ATP1A1",
            "Metadata_mechanism": "ATPase inhibitor",
            "Metadata_control_type": "",
        },
        index=["P/A01", "P/A02"],
    )
    assert read("ATPase inhibitor", platemap=platemap).recognised == "ATPase inhibitor"
    assert read("V-ATPase inhibitor", platemap=platemap).recognised == "V-ATPase inhibitor"
    assert read("ATPase inhibitor").recognised != "V-ATPase inhibitor"
