"""What a well may be called: its plate map's words in a model's own wording."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from napari_cellclip.model import PromptTemplates
from napari_cellclip.training.config_sections import CaptionConfig
from napari_cellclip.training.data.bags import Caption
from napari_cellclip.vocabulary import Control, Kind, Perturbation

FULL_ONLY = CaptionConfig(full=1.0, name=0.0, smiles=0.0, mechanism=0.0, genes=0.0)
"""As the published model was trained: one wording a well."""


def caption_of(
    perturbation: Perturbation, templates: PromptTemplates, cell_line: str, *, empty_wells: bool = False
) -> str:
    """Caption of a well in full; empty where the plate map does not say what was done.

    Parameters
    ----------
    perturbation : Perturbation
        From the plate map.
    templates : PromptTemplates
        The model card's.
    cell_line : str
        Used where the perturbation names none.
    empty_wells : bool
        Caption wells without treatment as untreated cells.
    """
    if perturbation.control is Control.EMPTY:
        return templates.for_control(cell_line=perturbation.cell_line or cell_line) if empty_wells else ""
    if perturbation.kind is Kind.UNKNOWN:
        return ""
    if not (perturbation.name or perturbation.smiles or perturbation.genes or perturbation.control):
        return ""
    return templates.for_perturbation(perturbation, perturbation.cell_line or cell_line)


def captions_of(
    perturbation: Perturbation,
    templates: PromptTemplates,
    cell_line: str,
    odds: CaptionConfig = FULL_ONLY,
    *,
    empty_wells: bool = False,
) -> tuple[Caption, ...]:
    """All captions a well can be drawn with, the fullest first; none where nothing is known of it.

    A mechanism's words stand where a compound's name stands, as they do when a user asks for them. Where the
    plate map names several mechanisms or genes, each is a caption of its own.

    Parameters
    ----------
    perturbation, templates, cell_line, empty_wells
        As in `caption_of`.
    odds : CaptionConfig
        How often each kind is drawn; kinds that the plate map cannot fill give their share to the others.

    Returns
    -------
    tuple of Caption
        Odds sum to 1.
    """
    p, cell = perturbation, perturbation.cell_line or cell_line
    full = caption_of(p, templates, cell_line, empty_wells=empty_wells)
    if not full:
        return ()
    treated = not (p.is_negative_control or p.control is Control.EMPTY or p.kind is Kind.CONTROL)
    if odds.only == "mechanisms" and treated:
        names = parts(p.mechanism)
        return tuple(Caption(templates.for_mechanism(n, cell), 1 / len(names), True) for n in names)
    kinds: list[tuple[float, list[str]]] = [(odds.full, [full])]
    if treated:
        compound = p.kind is Kind.COMPOUND
        if compound and p.name:
            kinds.append((odds.name, [templates.for_compound(p.name, cell_line=cell)]))
        if compound and p.smiles:
            kinds.append((odds.smiles, [templates.for_compound("", p.smiles, cell)]))
        if names := parts(p.mechanism):
            kinds.append((odds.mechanism, [templates.for_mechanism(name, cell) for name in names]))
        if compound and p.genes:
            kinds.append((odds.genes, [templates.for_compound(gene, cell_line=cell) for gene in p.genes]))
    drawn = [(share, texts) for share, texts in kinds if share > 0] or [(1.0, [full])]
    total = sum(share for share, _ in drawn)
    found: dict[str, float] = {}
    for share, texts in drawn:
        for text in texts:
            found[text] = found.get(text, 0.0) + share / total / len(texts)
    mechanisms = {templates.for_mechanism(name, cell) for name in parts(p.mechanism)}
    return tuple(Caption(text, share, text in mechanisms) for text, share in found.items())


def parts(words: str) -> list[str]:
    """Several mechanisms in one cell of a table, as ``|`` or ``;`` separate them.

    Examples
    --------
    >>> parts("HDAC inhibitor | cell cycle inhibitor|HDAC inhibitor")
    ['HDAC inhibitor', 'cell cycle inhibitor']
    """
    return list(dict.fromkeys(part.strip() for part in re.split(r"[|;]", words) if part.strip()))


def platemap_vocabulary(perturbations: Iterable[Perturbation], odds: CaptionConfig) -> dict[str, list[str]]:
    """List what captions call the things they name, by thing: the vocabulary in the model card.

    Parameters
    ----------
    perturbations : iterable of Perturbation
        Of the training wells.
    odds : CaptionConfig
        Which wordings were drawn.
    """
    things: dict[str, dict[str, None]] = {}
    for p in dict.fromkeys(replace(p, dose=None) for p in perturbations):
        if p.is_negative_control:
            things.setdefault("control", {})["control"] = None
        named = things.setdefault(p.name or p.smiles or "|".join(p.genes) or "control", {})
        compound = p.kind is Kind.COMPOUND
        for share, texts in (
            (odds.full + (odds.name if compound else 0), (p.name,)),
            (odds.full + (odds.smiles if compound else 0), (p.smiles,)),
            (odds.genes if compound else odds.full, p.genes),
        ):
            if share:
                named |= dict.fromkeys(texts)
        if odds.mechanism and not p.is_negative_control:
            for name in parts(p.mechanism):
                things.setdefault(name, {})[name] = None
    found = {thing: [text for text in texts if text] for thing, texts in things.items()}
    return {thing: texts for thing, texts in sorted(found.items()) if texts}
