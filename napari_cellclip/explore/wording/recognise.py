"""Recognise what a typed text is: structure, gene, control, compound, target, mechanism or free text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellclip.explore.wording.expansion import Expansion
from napari_cellclip.explore.wording.name_index import MechanismMatch, NamedMechanism, NameIndex
from napari_cellclip.explore.wording.phrases import read_phrase
from napari_cellclip.explore.wording.smiles import check_structure, is_like_structure
from napari_cellclip.explore.wording.wording import Prompt, Wording
from napari_cellclip.vocabulary import Kind, is_gene_symbol

if TYPE_CHECKING:
    from napari_cellclip.model.prompts import PromptTemplates

GOOD = 0.66
"""Score of a mechanism (see :meth:`NameIndex.matches`) from which a text is taken for it."""

TIE = 0.005
"""Difference of scores below which two mechanisms are meant alike."""

_SENTENCE = re.compile(r"(?i)\bcells? treated with (?:compound\b|crispr\b|orf\b|smiles\b|control\b)")
_FRAME_BEFORE = re.compile(
    r"(?i)^(?:please\s+)?(?:(?:show|find|give|get|list|search|rank)(?:\s+me)?\s+(?:for\s+)?)?(?:all\s+|the\s+|any\s+)*"
    r"(?:(?:which|what)\s+)?(?:wells?|cells?|treatments?|hits?|plates?)\s+"
    r"(?:that\s+|which\s+)?(?:are\s+|were\s+|look(?:s|ing)?\s+|appear\s+)?"
    r"(?:treated\s+with|exposed\s+to|with|like|as\s+if\s+treated\s+with|similar\s+to|under)\s+(?:an?\s+|the\s+)?"
)
_FRAME_TREATED = re.compile(
    r"(?i)^(?:\S+\s+)?(?:cells?\s+)?(?:treated\s+with|treatment\s+with|exposed\s+to|effects?\s+of|exposure\s+to"
    r"|addition\s+of)\s+(?:an?\s+|the\s+)?"
)
_FRAME_AFTER = re.compile(
    r"(?i)[\s-]+(?:treatment|treated(?:\s+(?:cells?|wells?))?|exposure|phenotype|effect)\s*[?.!]?$"
)
_LIKE = re.compile(
    r"(?i)^(?:an?\s+)?(.{2,60}?)(?:[\s-]+like|[\s-]+analog(?:ue)?s?|[\s-]+mimetics?)(?:\s+\w+)?$"
)
_SIMILAR = re.compile(
    r"(?i)^(?:\w+\s+)?(?:similar\s+to|resembling|resembles|looks?\s+like|acts?\s+like|like)\s+(.{2,60})$"
)
_KNOCKOUT = re.compile(
    r"(?i)\b(?:crispr(?:[- ]?cas9)?|cas9|knock[- ]?outs?|knocked[- ]out|knock[- ]?downs?|knocked[- ]down"
    r"|sgrnas?|sirnas?|shrnas?|guides?|kos?|-/-|null|deletion|deleted|depletion|silencing|loss)(?:\b|(?<=-))(?:\s+(?:of|for|against|targeting))?:?"
)
_SURE = re.compile(r"(?i)crispr|cas9|knock|rna|guide|\bkos?\b|-/-")
_EXPRESSION = re.compile(
    r"(?i)\b(?:orfs?|over[- ]?express(?:ion|ed|ing)|cdna|ectopic expression|transgene)\b(?:\s+of)?:?"
)
_CONTROL = re.compile(
    r"(?i)(?:an?\s+|the\s+)?(?:(?:negative|vehicle|solvent|mock|dmso|untreated)\s+)*"
    r"(?:dmso|vehicle|solvent|negcon|untreated|mock|no\s+treatment|controls?)"
    r"(?:\s+(?:only|alone|control|treated|cells?|wells?))*s?"
)
_SYMBOL = re.compile(r"\b[A-Z][A-Z0-9]{1,9}(?:orf\d{1,3})?\b|\b[A-Za-z]{2,6}\d{1,3}[A-Za-z]?\d?\b")


class Recogniser:
    """Recognise what texts are, by the names in the tables and the plate map.

    Parameters
    ----------
    templates : PromptTemplates
    cell_line : str
    known : NameIndex
        Of the tables.
    plate : NameIndex or None
        Of the plate map.
    """

    def __init__(
        self, templates: PromptTemplates, cell_line: str, known: NameIndex, plate: NameIndex | None
    ) -> None:
        self.templates, self.cell_line, self.known, self.plate = templates, cell_line, known, plate
        self.expansion = Expansion(templates, cell_line, known, plate)

    def read(self, text: str) -> Wording:
        """Recognise a text as the first thing that it can be.

        Structures come first, for they are unlike anything else; then what is named exactly; guesses and
        misspellings last.
        """
        if not text:
            return Wording(text, "free", (), ("There is nothing to ask: write a few words.",))
        if _SENTENCE.search(text):
            return self._free(text, "A whole sentence in the style of the model card: sent as typed.")
        bare = self._unframed(text)
        steps: tuple[Callable[[str], Wording | None], ...] = (
            self._structure, self._knockout, self._expression, self._control, self._compound, self._gene,
            self._like, self._target, self._mechanism, self._unknown_target, self._misspelt,
        )  # fmt: skip
        for attempt in dict.fromkeys((text, bare)):
            for step in steps:
                if found := step(attempt):
                    return found
        return self._free(text, "Not recognised: sent as typed.")

    def _unframed(self, text: str) -> str:
        for frame in (_FRAME_BEFORE, _FRAME_TREATED, _FRAME_AFTER):
            text = frame.sub("", text).strip(" ?.!,") or text
        return text

    def _free(self, text: str, note: str) -> Wording:
        return Wording(text, "free", self.expansion.typed(text), (note,))

    def _structure(self, text: str) -> Wording | None:
        labelled = re.match(r"(?i)smiles\s*[:=]\s*", text)
        smiles = text[labelled.end() :] if labelled else text
        if not (labelled or is_like_structure(smiles)):
            return None
        structure = check_structure(smiles)
        if structure.error:
            if not labelled and structure.doubtful:
                return None
            note = f"This looks like a structure, but {structure.error}: correct the SMILES."
            return Wording(text, "smiles", (), (note,))
        named = next(
            (d for found in self.known.treatments.values() for d in found if d.smiles == structure.smiles),
            None,
        )
        prompts = [Prompt(self.templates.for_compound("", smiles, self.cell_line), 1.0, "typed", "smiles")]
        if named:
            prompts.append(self.expansion.treated_with(named))
        notes = structure.notes + ((f"The structure of {named.name}.",) if named else ())
        return Wording(text, "smiles", tuple(prompts), notes, named.name if named else structure.smiles)

    def _knockout(self, text: str) -> Wording | None:
        genes = self._marked(text, _KNOCKOUT)
        return self.expansion.knockout(text, genes) if genes else None

    def _expression(self, text: str) -> Wording | None:
        genes = self._marked(text, _EXPRESSION)
        return self.expansion.expression(text, genes) if genes else None

    def _marked(self, text: str, marks: re.Pattern[str]) -> tuple[str, ...]:
        """Genes of a text that says what was done to them, if it says nothing else."""
        bare = marks.sub(" ", text)
        if bare == text:
            return ()
        words = [
            w
            for w in re.split(r"[\s,/+&;]+", bare)
            if w and w.casefold() not in ("and", "the", "of", "gene", "cells")
        ]
        genes = tuple(self._gene_of(word, bool(_SURE.search(text))) for word in words)
        return genes if genes and len(genes) <= 6 and all(genes) else ()

    def _gene_of(self, word: str, sure: bool) -> str:
        upper = word if re.fullmatch(r"C\d{1,2}orf\d{1,3}", word) else word.upper()
        # "actin depletion" names no gene; "actb knockout" does.
        if not is_gene_symbol(upper) or not (sure or word == upper or upper in self._genes()):
            return ""
        return upper

    def _genes(self) -> frozenset[str]:
        return self.known.genes | (self.plate.genes if self.plate else frozenset())

    def _control(self, text: str) -> Wording | None:
        if not _CONTROL.fullmatch(text):
            return None
        prompt = self.templates.for_control(
            "DMSO" if "dmso" in text.casefold() else "", cell_line=self.cell_line
        )
        return Wording(text, "control", (Prompt(prompt, 1.0, "template", "control"),), (), "negative control")

    def _compound(self, text: str) -> Wording | None:
        for index in filter(None, (self.plate, self.known)):
            found = [d for d in index.treatments_named(text) if d.kind in (Kind.COMPOUND, Kind.UNKNOWN)]
            if found:
                return self.expansion.compound(text, found[0])
        for treatment in self.known.treatments_of_family(text):
            return self.expansion.compound(text, treatment, (f"Read as {treatment.name}.",))
        return None

    def _gene(self, text: str) -> Wording | None:
        if not (is_gene_symbol(text) and text in self._genes()):
            return None
        if self.plate and any(d.kind is Kind.ORF for d in self.plate.treatments_named(text)):
            return self.expansion.expression(text, (text,))
        return self.expansion.knockout(text, (text,))

    def _like(self, text: str) -> Wording | None:
        match = _LIKE.match(text) or _SIMILAR.match(text)
        if match is None:
            return None
        for index in filter(None, (self.known, self.plate)):
            treatments = [
                d
                for d in index.treatments_named(match[1]) or index.treatments_of_family(match[1])
                if d.mechanisms
            ]
            if not treatments:
                continue
            # What this package's table says of a compound was gone through by hand; tables may list a dozen.
            treatment = treatments[-1]
            mechanisms = [
                e for e in index.mechanisms if e.name in treatment.mechanisms and e.source == treatment.source
            ]
            if mechanisms:
                note = f"Read as: acts like {treatment.name}, {mechanisms[0].name}."
                return self.expansion.mechanism(text, mechanisms, (note,), treatment)
        # A compound whose mechanism nobody says: what is meant is what looks like the compound itself.
        found = self._control(match[1]) or self._compound(match[1])
        return replace(found, text=text, notes=(f"Read as {found.recognised}.",)) if found else None

    def _target(self, text: str) -> Wording | None:
        """A gene and what is done to its product: ``BRD4 inhibitor``, ``TOP2 poison``."""
        genes: list[str] = []
        rest = text
        for symbol in _SYMBOL.findall(text):
            named = self._symbol(symbol)
            if named:
                genes += named
                rest = rest.replace(symbol, " ")
        phrase = read_phrase(rest)
        if not genes or not phrase.sense or phrase.concepts - {"protein", "recept"} or len(genes) > 8:
            return None
        return self.expansion.target(text, tuple(dict.fromkeys(genes)), phrase.sense)

    def _symbol(self, symbol: str) -> tuple[str, ...]:
        """Genes that a symbol names: itself, or its family; lower case only where it has a number."""
        upper = symbol.upper()
        if symbol != upper and not re.search(r"\d", symbol):
            return ()
        if upper in self._genes():
            return (upper,)
        return self.known.gene_family(upper) if re.search(r"\d", upper) else ()

    def _unknown_target(self, text: str) -> Wording | None:
        """A symbol in capitals that no table knows, and what is done to its product."""
        genes = [symbol for symbol in _SYMBOL.findall(text) if is_gene_symbol(symbol)]
        if len(genes) != 1:
            return None
        phrase = read_phrase(text.replace(genes[0], " "))
        return (
            self.expansion.target(text, (genes[0],), phrase.sense)
            if phrase.sense and not phrase.concepts
            else None
        )

    def _mechanism(self, text: str) -> Wording | None:
        sources = [index for index in (self.known, self.plate) if index is not None]
        for index in sources:
            if named := index.mechanisms_named(text):
                return self.expansion.mechanism(text, named)
        for index in sources:
            found = [match for match in index.matches(index.read(text)) if match.score >= GOOD]
            mechanisms = _best(found)
            if mechanisms:
                return self.expansion.mechanism(text, mechanisms)
            if found:
                names = list(dict.fromkeys(match.mechanism.name for match in found))[:4]
                return self._free(text, f"This may be {' or '.join(names)}: write which one. Sent as typed.")
        return None

    def _misspelt(self, text: str) -> Wording | None:
        if read_phrase(text).acts:  # "cat inhibitor" is no name
            return None
        for index in filter(None, (self.plate, self.known)):
            for treatment in index.treatments_misspelt(text):
                return self.expansion.compound(text, treatment, (f"Read as {treatment.name}.",))
        return None


def _best(found: Sequence[MechanismMatch]) -> list[NamedMechanism]:
    """The best mechanism from all sources; none if different ones are as good."""
    best = [match.mechanism for match in found if match.score >= found[0].score - TIE]
    names = {mechanism.name for mechanism in best if mechanism.source == best[-1].source}
    return best if len(names) == 1 else []
