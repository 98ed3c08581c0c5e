"""List the public profile tables that reference sets are built from: files, checksums, licences, columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PublicFile:
    """A file of a public data set.

    Attributes
    ----------
    name : str
        File name; a file that a user has is looked for under it.
    address : str
        Where it can be fetched; by content, so that it cannot change.
    sha256 : str
    size : int
        Bytes.
    """

    name: str
    address: str
    sha256: str
    size: int


@dataclass(frozen=True)
class PublicSet:
    """A public data set of profiles of treatments whose identity is known.

    Attributes
    ----------
    name, title : str
    licence, attribution : str
        Shown before anything is fetched, and kept in the reference file.
    cell_line : str
    tables : dict of float to tuple of PublicFile
        Profile tables by hours of treatment; 0 where the column `hours_column` says it.
    annotations : PublicFile or None
        What is known of each compound.
    columns : mapping of str to str
        Names of the table's own columns as this package reads them.
    hours_column : str
        Column with the hours of treatment.
    no_mechanism : tuple of str
        Values of the mechanism's column that name none.
    """

    name: str
    title: str
    licence: str
    attribution: str
    cell_line: str
    tables: Mapping[float, tuple[PublicFile, ...]]
    annotations: PublicFile | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    hours_column: str = ""
    no_mechanism: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[PublicFile, ...]:
        """All files."""
        tables = tuple(file for files in self.tables.values() for file in files)
        return tables if self.annotations is None else (*tables, self.annotations)


def _blob(repository: str, blob: str) -> str:
    """Address of a file by its content: it stays the same wherever the repository moves it."""
    return f"https://api.github.com/repos/{repository}/git/blobs/{blob}"


def _cpjump1(plate: str, blob: str, sha256: str, size: int) -> PublicFile:
    name = f"{plate}_normalized_feature_select_negcon_batch.csv.gz"
    return PublicFile(name, _blob("CaicedoLab/CHAMMI-75", blob), sha256, size)


def _dahlin(part: str, blob: str, sha256: str, size: int) -> PublicFile:
    repository = "WayScience/Cytotoxic-Nuisance-Metadata-Analysis"
    return PublicFile(f"dahlin2023_{part}_holdout.csv.gz", _blob(repository, blob), sha256, size)


CPJUMP1 = PublicSet(
    name="cpjump1",
    title="CPJUMP1: 302 annotated compounds at one dose, seven plates of U2OS cells after 24 and 48 h",
    licence="CC0 (images and profiles), MIT (the tables)",
    attribution="Chandrasekaran et al. 2024, doi:10.1038/s41592-024-02241-6, Cell Painting Gallery cpg0000;"
    " tables from CHAMMI-75 (CaicedoLab)",
    cell_line="U2OS",
    tables={
        48.0: (
            _cpjump1(
                "BR00117010",
                "8aeebb80cac1c53af889de54b886100644f42aa5",
                "3df0391e6fac9985338ca10c87db55455b92c842a88902cd3a6f886b53b8d6e8",
                1162570,
            ),
            _cpjump1(
                "BR00117011",
                "10c124388ab7233c3ece065eb1eae8644db777f0",
                "32a158685c5074f0faf7546148148868d26241c7216cda49d2e53463739f9473",
                1162343,
            ),
            _cpjump1(
                "BR00117012",
                "08454304d90e91405a86560e1d1fdd5347b7a267",
                "c768e4de8a82fca675b5b882b8835b7219af346a19190535dca0b9e90f8c0fe6",
                1168712,
            ),
            _cpjump1(
                "BR00117013",
                "95e1d8fd22da9eb79021ff700dae4f61f73c1a11",
                "71f4d968c9d36eeacd4665d5b675d6f62cc9bfa3675237a7bd4961f56530220e",
                1163592,
            ),
        ),
        24.0: (
            _cpjump1(
                "BR00117024",
                "0fa070899dcf5362865340bc9040cabadf5a8f9f",
                "ab1608b3c7dc011d1948b8720cfa56a00ac81535e8e48b1c37aeed4a15263144",
                1157362,
            ),
            _cpjump1(
                "BR00117025",
                "3c0ed563f86fe1c075a77a9eeb7505b35bfd65c2",
                "c6bf24fb753b0625bdad435fb728bbeb40b21011e6cb0891ae75748c4a6190b7",
                1156682,
            ),
            _cpjump1(
                "BR00117026",
                "5e1adbbbaf25e9f64ebafe9a2ea0507a66f2191e",
                "8ce8dd40b5e4004d0969b38fa54d46790ea60cf736cdf2d050cf088b59f1927d",
                1158483,
            ),
        ),
    },
    annotations=PublicFile(
        "JUMP-Target-1_compound_metadata_additional_annotations.tsv",
        _blob("CaicedoLab/CHAMMI-75", "a466c0fd7a1583f776f5fa6f1a38e05872b52505"),
        "2e1c8e592317752ccb1e1e25b79f4943c0581ae1c00d1db76bc290d62ec102fe",
        61824,
    ),
)

DAHLIN2023 = PublicSet(
    name="dahlin2023",
    title="Dahlin et al. 2023: 143 cytotoxic or nuisance compounds in several doses, 84 plates of U2OS cells",
    licence="CC BY 4.0",
    attribution="Dahlin et al. 2023, Nat Commun 14:1364, doi:10.1038/s41467-023-36829-x, image set idr0133;"
    " profiles from WayScience/Cytotoxic-Nuisance-Metadata-Analysis, which states no licence of its own",
    cell_line="U2OS",
    tables={
        0.0: (
            _dahlin(
                "plate",
                "c5d43df98e7f2dc841674d0b984e92de0d425ac5",
                "49f52b0dc0d139f59c9cf8a8dc100f7e24a1b476e62c5717507ecb7b465b4cf3",
                2403247,
            ),
            _dahlin(
                "treatment",
                "0e8313af52f64f1dfbc10cde0eb6f92ed8f8ada3",
                "2348eebb8780fd24bf5ebeb402da7893c8529e3f0eac9a7b911c1477f5b1f366",
                3676211,
            ),
            _dahlin(
                "well",
                "cef2366a3cf5e33d87b43071cf96b581c1bf1ed0",
                "3f18076658188acdeb2653eda3ffd9a413a046841e70b7392fae1b9153588587",
                2275935,
            ),
        )
    },
    columns={
        "Plate": "Metadata_Plate",
        "Well": "Metadata_Well",
        "Compound Name": "Metadata_treatment",
        "Compound SMILES": "Metadata_smiles",
        "Compound InChIKey": "Metadata_InChIKey",
        "Compound Concentration (microMolar)": "Metadata_doseum",
        "injury_type": "Metadata_mechanism",
        "Characteristics [Cell Line]": "Metadata_cell_line",
        "Control Type": "Metadata_control_type",
    },
    hours_column="Experimental Condition [Treatment time (h)]",
    no_mechanism=("Control", "Miscellaneous", "Nonspecific reactive"),
)

PUBLIC_SETS = {found.name: found for found in (CPJUMP1, DAHLIN2023)}
