"""What the bundled model is told about simulated wells: one treatment in many wordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from napari_cellclip.model import PromptTemplates
from napari_cellclip.training.data.bags import Caption
from napari_cellclip.vocabulary import Control, Kind, Perturbation, is_gene_symbol
from napari_cellclip.vocabulary.mechanisms import Compound, Mechanism

CELL_LINE = "U2OS"

CONTROL_WORDS = (
    "DMSO",
    "DMSO control",
    "vehicle control",
    "negative control",
    "untreated cells",
    "no treatment",
    "inactive compound",
    "no effect",
)
"""Ways of asking for cells that nothing happened to."""

# Shares of the kinds of wording; within a kind all wordings are drawn alike.
FULL, NAME, SMILES, GENES, MECHANISM = 0.14, 0.16, 0.08, 0.07, 0.55


def treatment_captions(
    perturbation: Perturbation, mechanism: Mechanism | None, templates: PromptTemplates
) -> tuple[Caption, ...]:
    """Wordings of one treatment: in full, by name, by structure, by target gene and by mechanism.

    Parameters
    ----------
    perturbation : Perturbation
        The treatment of a well; its dose does not enter.
    mechanism : Mechanism or None
        ``None`` for inert compounds, which are known only by name and structure.
    templates : PromptTemplates
        The model card's.

    Returns
    -------
    tuple of Caption
        Odds sum to 1.
    """
    kinds: list[tuple[float, list[str]]] = [(FULL, [templates.for_perturbation(perturbation, CELL_LINE)])]
    asked = _Asked(templates)
    if perturbation.kind is Kind.CRISPR:
        symbols = perturbation.genes or (perturbation.name,)
        kinds.append(
            (
                NAME + SMILES + GENES,
                _asked((f"{gene} knockout" for gene in symbols), asked.knockout),
            )
        )
        kinds.append((GENES, _asked(symbols, asked.name)))
    else:
        named = templates.for_perturbation(replace(perturbation, smiles=""), CELL_LINE)
        kinds.append((NAME, [named, *_asked([perturbation.name], asked.name)]))
        if perturbation.smiles:
            kinds.append((SMILES, _asked([perturbation.smiles], asked.structure)))
        if perturbation.genes and mechanism is not None:
            kinds.append(
                (GENES, _asked((f"{gene} inhibitor" for gene in perturbation.genes), asked.mechanism))
            )
    if mechanism is not None:
        phrases = (mechanism.name, mechanism.name, *mechanism.synonyms)
        kinds.append((MECHANISM, _asked(phrases, asked.mechanism)))
    return _shares(kinds)


def control_captions(perturbation: Perturbation, templates: PromptTemplates) -> tuple[Caption, ...]:
    """Wordings of a negative control; odds sum to 1."""
    return _shares(
        [
            (0.4, [templates.for_perturbation(perturbation, CELL_LINE)]),
            (0.6, _asked(CONTROL_WORDS, _Asked(templates).control)),
        ]
    )


def known_texts(
    mechanisms: Iterable[Mechanism], inert: Iterable[Compound], templates: PromptTemplates
) -> list[str]:
    """All captions that treatments of these mechanisms can be given: the corpus of the vocabulary.

    Compounds that must stay unknown have to be taken out of `mechanisms` beforehand.
    """
    texts: set[str] = set()
    for found in mechanisms:
        for compound in found.compounds:
            texts |= {c.text for c in treatment_captions(as_perturbation(compound, found), found, templates)}
            texts |= {text for name in compound.synonyms for text in _asked([name], _Asked(templates).name)}
        for gene in found.genes:
            knockout = Perturbation(Kind.CRISPR, gene, genes=(gene,), mechanism=found.name)
            texts |= {c.text for c in treatment_captions(knockout, found, templates)}
    for compound in inert:
        texts |= {c.text for c in treatment_captions(as_perturbation(compound, None), None, templates)}
    dmso = Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE)
    texts |= {c.text for c in control_captions(dmso, templates)}
    return sorted(texts)


def caption_vocabulary(mechanisms: Iterable[Mechanism], inert: Iterable[Compound]) -> dict[str, list[str]]:
    """List what captions call the things they name, by thing: the vocabulary in the model card.

    Parameters
    ----------
    mechanisms, inert
        As for :func:`known_texts`: without what must stay unknown.
    """
    groups = {
        found.key: [
            found.name,
            *found.synonyms,
            *(text for compound in found.compounds for text in (compound.name, compound.smiles)),
            *found.genes,
            *{gene: "" for compound in found.compounds for gene in compound.genes},
        ]
        for found in mechanisms
    }
    groups |= {compound.name: [compound.name, compound.smiles] for compound in inert}
    groups["control"] = list(CONTROL_WORDS)
    return {name: list(dict.fromkeys(text for text in texts if text)) for name, texts in groups.items()}


def as_perturbation(compound: Compound, mechanism: Mechanism | None) -> Perturbation:
    """Make the treatment that a compound of the mechanism table stands for."""
    return Perturbation(
        Kind.COMPOUND,
        compound.name,
        smiles=compound.smiles,
        genes=compound.genes,
        mechanism=mechanism.name if mechanism else "",
    )


@dataclass(frozen=True)
class _Asked:
    """The prompts that a typed text of each kind is sent as."""

    templates: PromptTemplates

    def name(self, text: str) -> list[str]:
        """Word a compound or a gene: codes such as JQ1 are written like symbols, and asked as both."""
        compound = self.templates.for_compound(text, cell_line=CELL_LINE)
        if is_gene_symbol(text):
            return [self.templates.for_knockout(text, cell_line=CELL_LINE), compound]
        return list(dict.fromkeys((compound, self.templates.for_mechanism(text, CELL_LINE))))

    def structure(self, text: str) -> list[str]:
        return [self.templates.for_compound("", text, CELL_LINE)]

    def knockout(self, text: str) -> list[str]:
        return [self.templates.for_knockout(text.removesuffix(" knockout"), cell_line=CELL_LINE)]

    def mechanism(self, text: str) -> list[str]:
        """Word a mechanism; a phrase that speaks of cells is a sentence already."""
        return [text] if " cells " in f" {text} " else [self.templates.for_mechanism(text, CELL_LINE)]

    def control(self, text: str) -> list[str]:
        if text in ("DMSO", "negative control", "no treatment"):
            return [self.templates.for_control(text if text == "DMSO" else "", cell_line=CELL_LINE)]
        return self.mechanism(text)


def _asked(texts: Iterable[str], prompts: Callable[[str], list[str]]) -> list[str]:
    """Texts as people type them, and the prompts that each is sent as."""
    return [wording for text in texts for wording in (text, *prompts(text))]


def _shares(kinds: list[tuple[float, list[str]]]) -> tuple[Caption, ...]:
    total = sum(share for share, _ in kinds)
    odds: dict[str, float] = {}
    for share, texts in kinds:
        for text in texts:
            odds[text] = odds.get(text, 0.0) + share / total / len(texts)
    return tuple(Caption(text, p) for text, p in odds.items())
