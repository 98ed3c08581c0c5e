"""Exports of a session: hit lists, AnnData, Parquet, and a Python script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from collections.abc import Iterable


def hit_list(session: Session, ids: Iterable[str] | None = None) -> pd.DataFrame:
    """Make the hit list: wells, best first, each row with query and model.

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
        "from napari_cellclip import Screen, ask, like",
        "",
        f"screen = Screen.open({str(session.screen.path)!r})",
    ]
    if session.answer is not None:
        lines += [*_query_lines(session), "print(answer.verdict)", "print(answer.treatments_table.head(20))"]
    if session.selection.ids:
        lines.append(f"selected = screen.wells.loc[{sorted(session.selection.ids)!r}]")
    return "\n".join(lines) + "\n"


def _query_lines(session: Session) -> list[str]:
    """Write the last query as Python."""
    assert session.answer is not None
    query = session.history[-1] if session.history else AskRequest(session.answer.query)
    fdr = f"fdr={session.view.fdr:g}"
    if query.like:
        but_not = f", {list(query.but_not)!r}" if query.but_not else ""
        return [f"answer = like(screen, {list(query.like)!r}{but_not}, {fdr})"]
    options, lines = [fdr], []
    if query.prompts is not None:
        sent = "".join(f"    Prompt({p.text!r}, {p.weight:g}),\n" for p in session.answer.sent if p.on)
        lines += ["from napari_cellclip.explore.wording.wording import Prompt", "", f"prompts = [\n{sent}]"]
        options.append("prompts=prompts")
    if query.combine != "mean":
        options.append(f"combine={query.combine!r}")
    if not query.use_platemap:
        options.append("use_platemap=False")
    return [*lines, f"answer = ask(screen, {query.text!r}, {', '.join(options)})"]
