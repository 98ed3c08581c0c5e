"""A small plate of real TIFFs and a screen that stands in for an encoded one: no torch, no training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import tifffile

from napari_cellclip.explore import Answer, StainContributions, Verdict
from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.model import ModelCard, known_cards
from napari_cellclip.plates import Plate, PlateMap
from napari_cellclip.plates.images.field_quality import QUALITY_COLUMNS
from napari_cellclip.vocabulary import STAINS, Control, Kind, Perturbation, Stain, well_name

WELLS = [(row, column) for row in range(2, 5) for column in range(3, 7)]  # C04 … E07: does not start at A01
MISSING = (3, 4)  # D05 was not imaged
SITES = 2


def perturbations() -> dict[str, Perturbation]:
    """Two negative controls, one positive, the rest compounds."""
    found = {}
    for place, (row, column) in enumerate(WELLS):
        if place < 2:
            p = Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE)
        elif place == 2:
            p = Perturbation(Kind.COMPOUND, "nocodazole", dose=1.0, control=Control.POSITIVE)
        else:
            p = Perturbation(Kind.COMPOUND, f"compound-{place}", mechanism="some <mechanism>", dose=3.0)
        found[well_name(row, column)] = p
    return found


def write_plate(folder: Path) -> Path:
    """11 wells, 2 sites, 5 stains, 24 x 32 px; the level of each image tells well, site and stain."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for row, column in WELLS:
        if (row, column) == MISSING:
            continue
        for site in range(1, SITES + 1):
            for channel, stain in enumerate(STAINS):
                image = (level_of(row, column, site, channel) + rng.integers(0, 9, (24, 32))).astype(
                    np.uint16
                )
                tifffile.imwrite(folder / f"{well_name(row, column)}_s{site}_{stain.value}.tif", image)
    PlateMap.from_perturbations(perturbations()).to_csv(folder / "platemap.csv")
    return folder


def level_of(row: int, column: int, site: int, channel: int) -> int:
    """Counts of an image of the toy plate."""
    return 1000 * row + 100 * column + 20 * site + channel


@dataclass
class FakeScreen:
    """What the gui uses of a screen; each preview's colour tells its well."""

    wells: pd.DataFrame
    labels: dict[str, Perturbation]
    path: Path = Path("toy.screen")
    name: str = "toy"
    card: ModelCard = field(default_factory=lambda: known_cards()["demo"])

    @classmethod
    def of(cls, plate: Plate) -> FakeScreen:
        ids = [w.id for w in plate.wells]
        table = pd.DataFrame(
            {
                "Metadata_Plate": plate.name,
                "Metadata_Well": [w.name for w in plate.wells],
                "Metadata_treatment": "x",
                "Metadata_sites": SITES,
            },
            index=pd.Index(ids, name="well_id"),
        )
        known = perturbations()
        return cls(table, {w.id: known[w.name] for w in plate.wells})

    @property
    def plates(self) -> dict[str, None]:
        return dict.fromkeys(self.wells["Metadata_Plate"])

    @property
    def failures(self) -> pd.DataFrame:
        return pd.DataFrame(columns=["Metadata_Site_id", "Metadata_Well_id", "Metadata_Failure"])

    @property
    def quality(self) -> pd.DataFrame:
        """Two sites a well, of which the first of C06 is out of focus."""
        sites = [f"{well}/{n}" for well in self.wells.index for n in range(1, SITES + 1)]
        table = pd.DataFrame(1.0, pd.Index(sites, name="site_id"), list(QUALITY_COLUMNS))
        table["Quality_cells"] = np.arange(len(sites), dtype=float)
        flags = ["out of focus (DNA)" if site == "toy/C06/1" else "" for site in sites]
        wells = [site.rsplit("/", 1)[0] for site in sites]
        return table.assign(Metadata_Well_id=wells, Quality_flags=flags, Metadata_Excluded="")

    excluded: ClassVar[dict[str, str]] = {}
    correction = None

    def perturbation(self, well: str) -> Perturbation:
        return self.labels[well]

    def contrast(self, plate: str) -> dict[Stain, tuple[float, float]]:
        return {stain: (100.0 + i, 5000.0) for i, stain in enumerate(STAINS)}

    def preview(self, well: str) -> np.ndarray:
        shade = 20 * self.wells.index.get_loc(well)
        return np.full((12, 16, 3), shade, np.uint8)

    def with_platemap(self, platemap: PlateMap, *, plate: str | None = None) -> FakeScreen:
        labels = {i: platemap.get(w) for i, w in self.wells["Metadata_Well"].items()}
        return FakeScreen(self.wells, labels, self.path, self.name, self.card)


def answer_for(
    screen: FakeScreen,
    scores: dict[str, float],
    query: str = "tubulin inhibitor",
    match: bool | None = None,
    fdr: float = 0.05,
) -> Answer:
    """An answer with these scores; wells not named score 0. Each well stands alone; q falls with its score."""
    score = pd.Series(0.0, index=screen.wells.index)
    for identifier, value in scores.items():
        score[identifier] = value
    q = np.exp(-score.abs())
    table = pd.DataFrame(
        {
            "cosine": score / 100,
            "score": score,
            "rank": score.rank(ascending=False, method="first").astype(int),
            "z": score / 2,
            "q": q if match is not None else np.nan,
        }
    ).sort_values("rank")
    treatments = pd.DataFrame(
        {"treatment": "x", "n_wells": 1, "score": score, "p": q, "q": q, "active": True},
        index=screen.wells.index,
    )
    sent = (Prompt("prompt one", source="template"), Prompt("prompt two", weight=0.5))
    return Answer(
        query=query,
        prompts=("prompt one", "prompt two"),
        source="templates",
        scores=table,
        model="demo",
        notes=("A note.",),
        outcome=next(outcome for outcome in Verdict if outcome.match is match),
        fdr=fdr,
        treatments_table=treatments,
        null={"kind": "toy", "n": 99} if match is not None else {},
        sent=sent,
        direction=np.ones(4, np.float32) / 2,
    )


def contributions(wells, spread=0.1):
    """Stain i of well k adds (i + 1) * (k + 1) hundredths to the cosine; Mito takes away."""
    index = pd.Index(wells, name="well_id")
    parts = np.outer(np.arange(1, len(wells) + 1), [0.01, 0.02, 0.03, 0.04, -0.05])
    return StainContributions(
        cosine=pd.DataFrame(parts, index=index, columns=[str(s) for s in STAINS]),
        value=pd.Series(parts.sum(1), index=index),
        baseline=pd.Series(0.0, index=index),
        spread=pd.Series(spread, index=index),
    )


def projection_for(screen: FakeScreen, method: str = "umap") -> SimpleNamespace:
    """Wells on a circle, in the order of the screen."""
    angle = np.linspace(0, 2 * np.pi, len(screen.wells), endpoint=False)
    xy = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    return SimpleNamespace(ids=tuple(screen.wells.index), xy=xy, method=method, parameters={})


class AnsweringSession(Session):
    """Answers questions at once, as the controller does in a worker."""

    def request(self, request: Any) -> None:
        if isinstance(request, AskRequest):
            self.questions.remember(request)
            answer = answer_for(self.screen, {"toy/C06": float(len(request.text))}, request.text)
            self.show_answer(answer, request)
