"""The session as a Python script that gives the same answer without a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.vocabulary import CellClipError, ScreenError, split_id

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen
    from napari_cellclip.vocabulary import Perturbation

LABELS = (
    "Metadata_treatment",
    "Metadata_kind",
    "Metadata_control_type",
    "Metadata_smiles",
    "Metadata_genes",
    "Metadata_mechanism",
    "Metadata_dose",
    "Metadata_cell_line",
)
"""What a plate map says of a well, as columns of ``Screen.wells``."""


def python_script(session: Session) -> str:
    """Write the session as a script: the screen, labels given since, the question, what is highlighted.

    Raises
    ------
    ScreenError
        If nothing is encoded.
    """
    screen = session.screen
    if screen is None:
        raise ScreenError("Encode a plate first: the script starts from a screen.")
    lines = [
        "from napari_cellclip import Screen, ask, like",
        "",
        f"screen = Screen.open({str(screen.path)!r})",
        *_label_lines(screen),
    ]
    if session.answer is not None:
        lines += [*_query_lines(session), "print(answer.verdict)", "print(answer.treatments_table.head(20))"]
        lines += _highlight_lines(session)
    if selected := sorted(session.selection.ids & set(screen.wells.index)):
        lines.append(f"selected = screen.wells.loc[{selected!r}]")
    return "\n".join(lines) + "\n"


def _label_lines(screen: Screen) -> list[str]:
    """Write the labels that the screen on disk does not have: a plate map that was loaded since."""
    from napari_cellclip.screen import Screen as ScreenFolder

    try:
        stored = ScreenFolder.open(screen.path).wells
    except CellClipError:  # moved or changed since: the script says so itself when it opens it
        return []
    if not set(screen.wells.index) <= set(stored.index):
        return []
    now = screen.wells[list(LABELS)]
    before = stored.loc[now.index].reindex(columns=list(LABELS))
    same = (now == before) | (now.isna() & before.isna())
    changed = now.index[~same.all(axis=1).to_numpy(bool)]
    plates = list(dict.fromkeys(split_id(str(well))[0] for well in changed))
    if not plates:
        return []
    lines = [
        "",
        "# The plate map as it is in the window: the screen folder holds another one.",
        "from napari_cellclip.plates import PlateMap",
        "from napari_cellclip.vocabulary import Control, Kind, Perturbation",
        "",
    ]
    for plate in plates:
        wells: dict[Perturbation, list[str]] = {}
        for well in screen.wells.index:
            name, short, _ = split_id(str(well))
            if name == plate:
                wells.setdefault(screen.perturbation(str(well)), []).append(short)
        lines.append("treated = {")
        lines += [f"    {' '.join(names)!r}: {_written(treated)}," for treated, names in wells.items()]
        lines += [
            "}",
            "wells = {well: treatment for names, treatment in treated.items() for well in names.split()}",
            f"screen = screen.with_platemap(PlateMap.from_perturbations(wells), plate={plate!r})",
        ]
    return [*lines, ""]


def _written(treated: Perturbation) -> str:
    parts = [f"Kind.{treated.kind.name}", repr(treated.name)]
    for name in ("smiles", "genes", "mechanism", "dose", "cell_line"):
        if (value := getattr(treated, name)) not in ("", (), None):
            parts.append(f"{name}={value!r}")
    if treated.control is not None:
        parts.append(f"control=Control.{treated.control.name}")
    return f"Perturbation({', '.join(parts)})"


def _highlight_lines(session: Session) -> list[str]:
    """Write which wells are in colour, as they are counted below the hits."""
    if session.highlight == "significant":
        return ["highlighted = list(answer.matching_wells)"]
    if session.highlight == "score":
        least = float(session.view.threshold)
        return [f"highlighted = list(answer.scores.index[answer.scores['score'] >= {least!r}])"]
    return []


def _reference_lines(query: AskRequest) -> list[str]:
    """Write how the references of a question were read."""
    if query.references is None:
        return []
    parts = [
        f"    build_references([Screen.open({str(part.path)!r})]),"
        if part.is_screen
        else f"    read_references({str(part.path)!r}),"
        for part in query.references.parts
    ]
    return [
        "from napari_cellclip.explore import build_references, read_references",
        "from napari_cellclip.explore.references.reference_set import joined",
        "",
        "references = joined([",
        *parts,
        "])",
    ]


def _query_lines(session: Session) -> list[str]:
    """Write the query that gave the answer, with the rate that the answer was tested at."""
    assert session.answer is not None
    query = session.asked or AskRequest(session.answer.query)
    fdr = f"fdr={float(session.answer.fdr)!r}"
    if query.like:
        but_not = f", {list(query.but_not)!r}" if query.but_not else ""
        return [f"answer = like(screen, {list(query.like)!r}{but_not}, {fdr})"]
    options, lines = [fdr], _reference_lines(query)
    if query.prompts is not None:
        sent = "".join(
            f"    {p!r},\n" if isinstance(p, str) else f"    Prompt({p.text!r}, {p.weight!r}, on={p.on!r}),\n"
            for p in query.prompts
        )
        lines += [
            "",
            "from napari_cellclip.explore.wording.wording import Prompt",
            "",
            f"prompts = [\n{sent}]",
        ]
        options.append("prompts=prompts")
    if query.combine != "mean":
        options.append(f"combine={query.combine!r}")
    if not query.use_platemap:
        options.append("use_platemap=False")
    if query.evidence != "auto":
        options.append(f"evidence={query.evidence!r}")
    if query.references is not None:
        options.append("references=references")
    if not query.structures:
        options.append("structures=False")
    if query.ticked_off:
        options.append(f"ticked_off={list(query.ticked_off)!r}")
    return [*lines, f"answer = ask(screen, {query.text!r}, {', '.join(options)})"]
