from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.plates import PlateMap, find_platemap, open_plate
from napari_cellclip.plates.platemaps.columns import is_blank
from napari_cellclip.plates.platemaps.tables import read_table
from napari_cellclip.vocabulary import Control, Kind, Perturbation, PlateMapError, well_name
from napari_cellclip.vocabulary.mechanism_lists import listed_mechanisms

PLAIN = """well,treatment,kind,smiles,genes,mechanism,dose,effect,control_type
A01,nocodazole,compound,CCO,TUBB|TUBA1A,tubulin polymerisation inhibitor,1.5,0.8,
A02,DMSO,control,,,,,0,negcon
A03,TUBB,crispr,,TUBB,,,0.5,
A04,AMG900,compound,CC,AURKB,Aurora kinase inhibitor,3,1,poscon
A05,,control,,,,,,empty
"""


def write(tmp_path: Path, text: str, name: str = "platemap.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("sign", ["|", ";", "; ", ", ", ","])
def test_mechanisms_and_genes_are_lists_by_whichever_sign(tmp_path: Path, sign: str) -> None:
    """As in profile tables: two mechanisms were one unheard-of where a plate map parted them by ; or commas."""
    mechanisms, genes = sign.join(["CDK inhibitor", "PLK inhibitor"]), sign.join(["CDK1", "PLK1"])
    text = f'well,treatment,mechanism,target\nA01,x,"{mechanisms}","{genes}"\nA02,y,"transport inhibitor, mitochondrial",\n'
    found = PlateMap.read(write(tmp_path, text))
    assert found.get("A01").mechanism == "CDK inhibitor|PLK inhibitor"
    assert found.get("A01").genes == ("CDK1", "PLK1")
    assert found.get("A02").mechanism == "transport inhibitor, mitochondrial"


def test_the_plain_form(tmp_path):
    platemap = PlateMap.read(write(tmp_path, PLAIN))
    assert platemap.get("a1") == Perturbation(
        Kind.COMPOUND, "nocodazole", "CCO", ("TUBB", "TUBA1A"), "tubulin polymerisation inhibitor", 1.5
    )
    assert platemap.get("A02").control is Control.NEGATIVE
    assert platemap.get("A03").kind is Kind.CRISPR
    assert (platemap.get("A04").kind, platemap.get("A04").control) == (Kind.COMPOUND, Control.POSITIVE)
    assert platemap.get("A05").control is Control.EMPTY
    assert platemap.get("H12") == Perturbation()
    assert dict(platemap.effects) == {"A01": 0.8, "A02": 0.0, "A03": 0.5, "A04": 1.0}
    assert platemap.problems == ()


def test_writing_and_reading_give_the_same_map(tmp_path):
    first = PlateMap.read(write(tmp_path, PLAIN))
    first.to_csv(tmp_path / "again.csv")
    second = PlateMap.read(tmp_path / "again.csv")
    assert dict(second.wells) == dict(first.wells)
    assert dict(second.effects) == dict(first.effects)


WORDS = st.text("abcdefghijklm nopq-αβµ|,;\"'", max_size=12).map(str.strip)


def _listed(words: str) -> str:
    """A list of mechanisms as plate maps are written: parted by ``|``."""
    return "|".join(listed_mechanisms(words))


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.builds(well_name, st.integers(0, 31), st.integers(0, 47)),
        st.builds(
            Perturbation,
            kind=st.sampled_from([Kind.COMPOUND, Kind.CRISPR, Kind.ORF]),
            name=st.from_regex(r"[a-z]{4}[0-9]{1,3}", fullmatch=True),
            smiles=st.sampled_from(["", "CCO", "C[C@H](N)C(=O)O"]),
            genes=st.lists(st.from_regex(r"[A-Z]{3}[0-9]", fullmatch=True), max_size=3).map(tuple),
            mechanism=WORDS.map(_listed).filter(lambda w: not is_blank(w)) | st.just(""),
            dose=st.none() | st.floats(0.001, 1000).map(lambda d: round(d, 6)),
            control=st.none() | st.just(Control.POSITIVE),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_map_survives_its_csv(tmp_path_factory, wells):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    PlateMap.from_perturbations(wells).to_csv(path)
    assert dict(PlateMap.read(path).wells) == dict(PlateMap(wells).wells)


@pytest.mark.parametrize(
    "head",
    [
        "well",
        "Well",
        "Metadata_Well",
        "well_position",
        "Well Position",
        "Well ID",
        "WELL_NAME",
        "pert_well",
        "Image_Metadata_Well",
    ],
)
def test_the_well_column_under_many_names(tmp_path, head):
    platemap = PlateMap.read(write(tmp_path, f"{head},compound\nb3,taxol\nB-04,taxol\n C5 ,taxol\n"))
    assert list(platemap) == ["B03", "B04", "C05"]


@pytest.mark.parametrize(
    ("heads", "rows", "wells"),
    [
        ("Row,Column", ["2,3", "16,24"], ["B03", "P24"]),
        ("Metadata_Row,Metadata_Col", ["B,3", "P,24"], ["B03", "P24"]),
        ("row,col", ["1.0,2.0", "2.0,3.0"], ["A02", "B03"]),
        ("RowIndex,ColumnIndex", ["0,2", "1,0"], ["A03", "B01"]),
        ("row,column", ["B,0", "C,1"], ["B01", "C02"]),
    ],
)
def test_rows_and_columns_as_letters_and_numbers(tmp_path, heads, rows, wells):
    text = f"{heads},treatment\n" + "".join(f"{row},taxol\n" for row in rows)
    assert list(PlateMap.read(write(tmp_path, text))) == wells


@pytest.mark.parametrize(
    ("treatment", "control"),
    [
        ("DMSO", Control.NEGATIVE),
        ("dmso 0.5%", Control.NEGATIVE),
        ("Vehicle", Control.NEGATIVE),
        ("non-targeting", Control.NEGATIVE),
        ("Non-targeting control 3", Control.NEGATIVE),
        ("no-guide", Control.NEGATIVE),
        ("untreated", Control.NEGATIVE),
        ("empty", Control.EMPTY),
        ("Blank", Control.EMPTY),
        ("media only", Control.EMPTY),
        ("positive control", Control.POSITIVE),
        ("nocodazole", None),
        ("compound 17", None),
        ("sample", None),
    ],
)
def test_controls_are_recognised_by_name(tmp_path, treatment, control):
    assert PlateMap.read(write(tmp_path, f"well,treatment\nA1,{treatment}\n")).get("A1").control is control


@pytest.mark.parametrize(
    ("head", "value", "control", "kind"),
    [
        ("control_type", "negcon", Control.NEGATIVE, Kind.CONTROL),
        ("control_type", "poscon_diverse", Control.POSITIVE, Kind.UNKNOWN),
        ("control_type", "NA", None, Kind.UNKNOWN),
        ("Metadata_pert_type", "trt", None, Kind.UNKNOWN),
        ("pert_type", "trt_cp", None, Kind.COMPOUND),
        ("pert_type", "ctl_vehicle", Control.NEGATIVE, Kind.CONTROL),
        ("pert_type", "ctl_untrt", Control.NEGATIVE, Kind.CONTROL),
        ("pert_type", "trt_xpr", None, Kind.CRISPR),
        ("pert_type", "trt_oe", None, Kind.ORF),
        ("pert_type", "trt_poscon.es", Control.POSITIVE, Kind.UNKNOWN),
        ("pert_type", "empty", Control.EMPTY, Kind.CONTROL),
    ],
)
def test_controls_and_kinds_by_their_columns(tmp_path, head, value, control, kind):
    found = PlateMap.read(write(tmp_path, f"well,treatment,{head}\nA1,abc,{value}\n")).get("A1")
    assert (found.control, found.kind) == (control, kind)


def test_reporter_genes_are_negative_controls_of_genetic_plates_only(tmp_path):
    text = "well,gene,kind\nA1,LacZ,orf\nA2,TUBB,orf\nA3,LacZ,\n"
    platemap = PlateMap.read(write(tmp_path, text))
    assert [platemap.get(w).control for w in ("A1", "A2", "A3")] == [Control.NEGATIVE, None, None]
    assert platemap.get("A2").genes == ("TUBB",)


@pytest.mark.parametrize(
    ("head", "value", "dose"),
    [
        ("dose", "2.5", 2.5),
        ("Dose (µM)", "2.5", 2.5),
        ("concentration_uM", "1e-1", 0.1),
        ("dose_nM", "250", 0.25),
        ("mmoles_per_liter", "10", 10.0),
        ("Metadata_mmoles_per_liter", "3.33", 3.33),
        ("dose", "10 nM", 0.01),
        ("dose", "10 µM", 10.0),
        ("dose", "2 mM", 2000.0),
        ("dose", "2,5", 2.5),
        ("dose", "NA", None),
    ],
)
def test_doses_are_micromolar(tmp_path, head, value, dose):
    text = f"well;treatment;{head}\nA1;taxol;{value}\n"
    found = PlateMap.read(write(tmp_path, text)).get("A1").dose
    assert found == (pytest.approx(dose) if dose is not None else None)


def test_a_unit_column_counts(tmp_path):
    text = "well,treatment,dose,dose_unit\nA1,taxol,500,nM\n"
    assert PlateMap.read(write(tmp_path, text)).get("A1").dose == pytest.approx(0.5)


def test_a_dose_that_is_no_number_is_said_and_costs_no_well(tmp_path):
    platemap = PlateMap.read(write(tmp_path, "well,treatment,dose\nA1,taxol,high\nA2,taxol,1\n"))
    assert [platemap.get(well).dose for well in ("A01", "A02")] == [None, 1]
    assert platemap.get("A01").name == "taxol"
    assert "line 2" in platemap.problems[0].subject


def test_jump_map_joined_on_broad_sample(tmp_path):
    text = "well_position\tbroad_sample\tsolvent\nA01\tBRD-1\tDMSO\nA02\t\tDMSO\nA03\tBRD-9\tDMSO\n"
    platemap = write(tmp_path, text, "JUMP_platemap.tsv")
    metadata = write(
        tmp_path,
        "broad_sample\tpert_iname\tpert_type\tcontrol_type\tsmiles\ttarget_list\n"
        "BRD-1\tfenebrutinib\ttrt\tNA\tCCO\tBTK|TEC\nNA\tDMSO\tcontrol\tnegcon\tCS(C)=O\t\n",
        "JUMP_metadata.tsv",
    )
    joined = PlateMap.read(platemap, metadata)
    assert joined.get("A01") == Perturbation(Kind.COMPOUND, "fenebrutinib", "CCO", ("BTK", "TEC"))
    assert (joined.get("A02").name, joined.get("A02").control) == ("DMSO", Control.NEGATIVE)
    assert joined.get("A03").name == "BRD-9"
    alone = PlateMap.read(platemap)
    assert (alone.get("A02").name, alone.get("A02").control) == ("DMSO", Control.NEGATIVE)
    with pytest.raises(PlateMapError, match="share no column"):
        PlateMap.read(platemap, write(tmp_path, "a,b\n1,2\n", "other.csv"))


def test_lincs_map(tmp_path):
    text = (
        "plate_map_name\twell_position\tbroad_sample\tmg_per_ml\tmmoles_per_liter\tsolvent\n"
        "C-7161-01\tA01\t\t\t\tDMSO\nC-7161-01\tA07\tBRD-K18250272-003-03-7\t1.04\t3.33\tDMSO\n"
    )
    platemap = PlateMap.read(write(tmp_path, text, "C-7161-01.txt"))
    assert platemap.get("A01").is_negative_control
    treated = platemap.get("A07")
    assert (treated.kind, treated.dose) == (Kind.COMPOUND, pytest.approx(3.33))
    assert treated.control is None


def test_several_plates_in_a_map_need_a_choice(tmp_path):
    path = write(tmp_path, "Metadata_Plate,well,treatment\nP1,A1,taxol\nP2,A1,DMSO\n")
    with pytest.raises(PlateMapError, match=r"plate=.*P1, P2"):
        PlateMap.read(path)
    assert PlateMap.read(path, plate="P2").get("A1").name == "DMSO"
    with pytest.raises(PlateMapError, match="does not list plate 'P9'"):
        PlateMap.read(path, plate="P9")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators_just_work(tmp_path, encoding, separator):
    text = "well,treatment,dose\nA01,Béraprost,1\nB02,naïve µ-factor,2\n".replace(",", separator)
    platemap = PlateMap.read(write(tmp_path, text, encoding=encoding))
    assert [platemap.get(w).name for w in ("A01", "B02")] == ["Béraprost", "naïve µ-factor"]


def test_excel_and_gzip(tmp_path):
    book = openpyxl.Workbook()
    for row in (
        ["Well", "Compound", "Dose (µM)"],
        ["A1", "taxol", 2],
        ["A2", "DMSO", None],
        [None, None, None],
    ):
        book.active.append(row)
    book.save(tmp_path / "map.xlsx")
    platemap = PlateMap.read(tmp_path / "map.xlsx")
    assert platemap.get("A01").dose == 2.0
    assert platemap.get("A02").is_negative_control
    assert len(platemap) == 2
    (tmp_path / "map.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    assert len(PlateMap.read(tmp_path / "map.csv.gz")) == 5


JUNK = {
    "empty": b"",
    "blank": b"  \n\n",
    "binary": bytes(range(256)) * 20,
    "png": b"\x89PNG\r\n\x1a\n" + bytes(range(200)),
    "zip": b"PK\x03\x04" + bytes(500),
    "old excel": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "broken gzip": gzip.compress(b"well,treatment\n" * 500)[:-40],
    "heading only": b"well,treatment\n",
    "no wells": b"name,dose\ntaxol,1\n",
    "no such wells": b"well,treatment\nfoo,taxol\n",
}


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK.keys())
def test_an_unreadable_map_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "map.csv"
    path.write_bytes(content)
    with pytest.raises(PlateMapError, match=r"map\.csv") as told:
        PlateMap.read(path)
    assert "\n" not in str(told.value)


def test_a_missing_map_is_refused(tmp_path):
    with pytest.raises(PlateMapError, match="cannot be read"):
        PlateMap.read(tmp_path / "nowhere.csv")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(content)
    with suppress(PlateMapError):  # the only error it may raise
        assert isinstance(read_table(path), pd.DataFrame)


def test_ragged_rows_and_doubled_headings(tmp_path):
    table = read_table(write(tmp_path, "well,dose,dose\nA1\nA2,1,2,3,4\n\n,,\n"))
    assert list(table.columns) == ["well", "dose", "dose (2)"]
    assert table.to_numpy().tolist() == [["A1", "", ""], ["A2", "1", "2"]]


def test_conflicting_rows_keep_the_first_and_tell(tmp_path):
    text = "well,treatment\nA1,taxol\nA01,taxol\na1,DMSO\nA2,DMSO\nfoo,taxol\n,\n"
    platemap = PlateMap.read(write(tmp_path, text))
    assert platemap.get("A1").name == "taxol"
    assert [p.subject.split()[-1] for p in platemap.problems] == ["4", "6"]


def test_check_names_wells_that_do_not_exist_were_not_imaged_or_are_not_listed(tmp_path, phenix):
    plate = open_plate(phenix())  # A01 and B03 of a 384-well plate
    text = "well,treatment\nA01,taxol\nC07,taxol\nAF48,taxol\nfoo,taxol\n"
    found = PlateMap.read(write(tmp_path, text)).check(plate)
    text = " | ".join(str(p) for p in found)
    assert len(found) == 4
    assert "foo" in text
    assert "AF48: 1 well of the plate map does not exist on a plate of 16 x 24" in text
    assert "C07: 1 well of the plate map has no images" in text
    assert "B03: 1 imaged well is not in the plate map" in text
    assert PlateMap.from_perturbations({"A1": Perturbation(), "b3": Perturbation()}).check(plate) == []


def test_a_blind_map_holds_wells_and_control_types_only(tmp_path):
    blind = PlateMap.read(write(tmp_path, PLAIN)).blind()
    assert list(blind) == ["A01", "A02", "A03", "A04", "A05"]
    assert [p.control for p in blind.wells.values()] == [
        None, Control.NEGATIVE, None, Control.POSITIVE, Control.EMPTY,
    ]  # fmt: skip
    told = blind.table.drop(
        columns=["Metadata_Well", "Metadata_control_type", "Metadata_kind", "Metadata_dose"]
    )
    assert not told.any().any()
    assert blind.table["Metadata_dose"].isna().all()
    assert set(blind.table["Metadata_kind"]) == {"control", "unknown"}


def test_the_table_has_pycytominer_columns(tmp_path):
    table = PlateMap.read(write(tmp_path, PLAIN)).table
    assert list(table["Metadata_Well"]) == ["A01", "A02", "A03", "A04", "A05"]
    assert list(table["Metadata_control_type"]) == ["", "negcon", "", "poscon", "empty"]
    assert table["Metadata_dose"].dtype == float
    assert table.loc[0, "Metadata_genes"] == "TUBB|TUBA1A"


@pytest.mark.parametrize("name", ["platemap.csv", "plate_map.xlsx", "BR1-platemap.tsv", "Plate Map.txt"])
@pytest.mark.parametrize("start", ["BR1", "BR1/Images"])
def test_the_map_beside_the_images_is_found(tmp_path, name, start):
    (tmp_path / "BR1" / "Images").mkdir(parents=True)
    assert find_platemap(tmp_path / "BR1") is None
    path = write(tmp_path / "BR1", PLAIN, name)
    assert find_platemap(tmp_path / start) == path


def test_a_folder_that_may_not_be_listed_holds_no_plate_map(tmp_path, monkeypatch):
    """Of the one above a plate's folder that is often so."""
    (tmp_path / "BR1").mkdir()
    listed = Path.iterdir

    def iterdir(folder):
        if folder == tmp_path:
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert find_platemap(tmp_path / "BR1") is None
