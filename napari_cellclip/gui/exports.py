"""What leaves the Explorer: hit lists, AnnData, and a script that says the same headless."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from napari_cellclip.gui.session import Session
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from collections.abc import Iterable


def hit_list(session: Session, ids: Iterable[str] | None = None) -> pd.DataFrame:
    """Wells, best first, with what was asked and by which model in every row.

    Parameters
    ----------
    session : Session
        What is open.
    ids : iterable of str, optional
        Only these wells; all by default.
    """
    table = session.wells
    if ids is not None:
        wanted = set(ids)
        table = table[[i in wanted for i in table.index]]
    if session.answer is not None:
        table = table.sort_values("score", ascending=False, kind="stable")
        table = table.assign(query=session.answer.query)
    if session.screen is not None:
        table = table.assign(model=session.screen.card.name, screen=str(session.screen.path))
    return table


def export(session: Session, path: Path, selected_only: bool = False) -> Path:
    """Write what is open to a file whose suffix names the format.

    Parameters
    ----------
    session : Session
        What is open.
    path : Path
        ``.csv`` and ``.tsv`` hold the hit list; ``.h5ad`` and ``.parquet`` hold the screen with embeddings.
    selected_only : bool
        Leave out the wells that are not selected (hit list only).

    Raises
    ------
    ScreenError
        If nothing is encoded, or the suffix is none of these.
    """
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        ids = session.selection.ids if selected_only else None
        hit_list(session, ids).to_csv(path, sep="\t" if suffix == ".tsv" else ",")
        return path
    if session.screen is None:
        raise ScreenError("Nothing is encoded yet, so there are no embeddings to export.")
    if suffix == ".parquet":
        session.screen.to_parquet(path)
    elif suffix == ".h5ad":
        session.screen.to_anndata().write_h5ad(path)
    else:
        raise ScreenError(f"{path.name}: choose a name ending in .csv, .tsv, .parquet or .h5ad.")
    return path


def python_script(session: Session) -> str:
    """Write the session as a script that gives the same answer without a window.

    Raises
    ------
    ScreenError
        If nothing is encoded.
    """
    if session.screen is None:
        raise ScreenError("Encode a plate first: the script starts from a screen.")
    lines = [
        "from napari_cellclip import Screen, ask",
        "",
        f"screen = Screen.open({str(session.screen.path)!r})",
    ]
    if session.answer is not None:
        prompts = "".join(f"    {p!r},\n" for p in session.answer.prompts)
        lines += [
            f"prompts = [\n{prompts}]",
            f"answer = ask(screen, {session.answer.query!r}, prompts=prompts)",
            f"hits = answer.scores[answer.scores['score'] >= {session.view.threshold!r}]",
            "print(hits.sort_values('score', ascending=False).join(screen.wells[['Metadata_treatment']]))",
        ]
    if session.selection.ids:
        lines.append(f"selected = screen.wells.loc[{sorted(session.selection.ids)!r}]")
    return "\n".join(lines) + "\n"
