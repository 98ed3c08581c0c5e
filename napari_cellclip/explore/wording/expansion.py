"""Prompts for what was recognised: names, compounds and genes, each with its share and its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from napari_cellclip.explore.wording.name_index import PLATE_MAP, NamedMechanism, NamedTreatment, NameIndex
from napari_cellclip.explore.wording.wording import Prompt, Wording
from napari_cellclip.vocabulary import Kind, is_gene_symbol
from napari_cellclip.vocabulary.annotations import OWN_TABLE, Effect

if TYPE_CHECKING:
    from napari_cellclip.model.prompts import PromptTemplates

MOST_COMPOUNDS, MOST_GENES, MOST_NAMES = 5, 3, 3
NAMES, COMPOUNDS, GENES = 1.0, 0.5, 0.25
"""Shares of the mechanism's names, its compounds and its genes; divided among the prompts of each."""


_MECHANISM_WORD = re.compile(
    r"(?i)(?:inhibit|agoni|block|activat|agent|disrupt|stabili[sz]|uncoupl|poison|damage|stress|induc|modulat"
    r"|intercalat|ionophore|depolymeri|polymeri[sz]|arrest|degrad|chelat|antimetabolite|tropic|toxin)"
)
"""Single words that name no compound."""


class Expansion:
    """Write the prompts of what was recognised.

    Parameters
    ----------
    templates : PromptTemplates
    cell_line : str
    known : NameIndex
        Of the tables.
    plate : NameIndex or None
        Of the plate map; what stands in it goes first.
    """

    def __init__(
        self, templates: PromptTemplates, cell_line: str, known: NameIndex, plate: NameIndex | None
    ) -> None:
        self.templates, self.cell_line, self.known, self.plate = templates, cell_line, known, plate

    def typed(self, text: str, on: bool = True) -> tuple[Prompt, ...]:
        """Word the text as typed, in the templates that fit its form; sentences about cells as they are."""
        t, cell = self.templates, self.cell_line
        if re.search(r"(?i)\bcells?\b", text):
            prompts = [text]
        elif is_gene_symbol(text):
            prompts = [t.for_knockout(text, cell_line=cell), t.for_compound(text, cell_line=cell)]
        elif " " in text or _MECHANISM_WORD.search(text):
            prompts = [t.for_mechanism(text, cell)]
        else:
            prompts = list(dict.fromkeys((t.for_compound(text, cell_line=cell), t.for_mechanism(text, cell))))
        return tuple(Prompt(prompt, 1 / len(prompts), "typed", "free", on) for prompt in prompts)

    def treated_with(self, treatment: NamedTreatment) -> Prompt:
        """Word a treatment: a compound, or a gene of the plate map that was perturbed."""
        if treatment.kind is Kind.CRISPR:
            text = self.templates.for_knockout(
                ", ".join(treatment.genes) or treatment.name, cell_line=self.cell_line
            )
            return Prompt(text, 1.0, treatment.source, "knockout")
        if treatment.kind is Kind.ORF:
            text = self.templates.for_expression(", ".join(treatment.genes) or treatment.name, self.cell_line)
            return Prompt(text, 1.0, treatment.source, "overexpression")
        text = self.templates.for_compound(treatment.name, treatment.smiles, self.cell_line)
        return Prompt(text, 1.0, treatment.source, "compound")

    def knockout(self, text: str, genes: Sequence[str]) -> Wording:
        """Word a knockout of these genes."""
        name = ", ".join(genes)
        prompt = Prompt(
            self.templates.for_knockout(name, cell_line=self.cell_line), 1.0, "template", "knockout"
        )
        return Wording(text, "knockout", (prompt,), (), f"{name} knockout")

    def expression(self, text: str, genes: Sequence[str]) -> Wording:
        """Over-expression of these genes."""
        name = ", ".join(genes)
        prompt = Prompt(
            self.templates.for_expression(name, self.cell_line), 1.0, "template", "overexpression"
        )
        return Wording(text, "overexpression", (prompt,), (), f"{name} over-expression")

    def compound(self, text: str, treatment: NamedTreatment, notes: tuple[str, ...] = ()) -> Wording:
        """Word a compound by name, and with its structure where a table has it."""
        bare = Prompt(
            self.templates.for_compound(treatment.name, "", self.cell_line), 1.0, "template", "compound"
        )
        prompts = (bare,) if not treatment.smiles else (self.treated_with(treatment), bare)
        return Wording(text, "compound", prompts, notes, treatment.name)

    def mechanism(
        self,
        text: str,
        mechanisms: Sequence[NamedMechanism],
        notes: tuple[str, ...] = (),
        first: NamedTreatment | None = None,
    ) -> Wording:
        """Word a mechanism by its names, by compounds that act so and by knockouts that look alike."""
        related = self._related(mechanisms)
        best = next(
            (mechanism for mechanism in reversed(related) if mechanism.source == OWN_TABLE), mechanisms[-1]
        )
        known_as = {t.casefold() for mechanism in related for t in mechanism.texts}
        verbatim = text.casefold() in known_as
        names = self._names(text, best, related, verbatim)
        compounds = self._compounds(related, first)
        genes = self._knockouts(related)
        prompts = (*_shared(names, NAMES), *_shared(compounds, COMPOUNDS), *_shared(genes, GENES))
        if not verbatim:
            prompts += self.typed(text, on=False)
            notes = notes or (f"Read as {best.name}.",)
        called = tuple(
            dict.fromkeys((best.name, *(name for mechanism in related for name in mechanism.texts)))
        )
        return Wording(text, "mechanism", prompts, notes, best.name, called)

    def target(self, text: str, genes: tuple[str, ...], sense: int) -> Wording:
        """Word what acts upon the products of these genes, in one sense."""
        effect = Effect.INHIBITS if sense < 0 else Effect.ACTIVATES
        about = {mechanism: None for gene in genes for mechanism in self.known.mechanisms_of_gene(gene)}
        mechanisms = [e for e in about if e.effect is effect or _is_called(e, text)]
        names = self._target_names(text, genes, mechanisms)
        compounds = self._prompts(self._acting(genes, mechanisms, sense))
        symbols = [
            Prompt(self.templates.for_knockout(gene, cell_line=self.cell_line), 1.0, "template", "knockout")
            for gene in (genes[:MOST_GENES] if sense < 0 else ())
        ]
        prompts = (*_shared(names, NAMES), *_shared(compounds, COMPOUNDS), *_shared(symbols, GENES))
        notes = () if compounds else ("No table lists a compound that acts on it.",)
        name = f"{', '.join(genes)} {'inhibitor' if sense < 0 else 'activator'}"
        return Wording(text, "target", prompts, notes, name)

    def _target_names(
        self, text: str, genes: tuple[str, ...], mechanisms: Sequence[NamedMechanism]
    ) -> list[Prompt]:
        """The mechanism that is called so, or the only one that is about all of these genes."""
        called = [mechanism for mechanism in mechanisms if _is_called(mechanism, text)]
        wholly = [
            mechanism for mechanism in mechanisms if set(genes) <= {*mechanism.targets, *mechanism.knockouts}
        ]
        meant = called or (wholly if len(wholly) == 1 else [])
        names = [self._name(text, "typed")] if called or not meant else []
        return names + [self._name(e.name, e.source) for e in meant if e.name.casefold() != text.casefold()]

    def _acting(
        self, genes: tuple[str, ...], mechanisms: Sequence[NamedMechanism], sense: int
    ) -> list[NamedTreatment]:
        """Compounds upon these targets: of the plate map, of mechanisms in this sense, the most selective.

        Tables do not say in which sense a compound acts; for activators only those of known mechanisms count.
        """
        own = [
            treatment
            for mechanism in mechanisms
            for treatment in mechanism.treatments
            if set(genes) & set(treatment.genes)
        ]
        known = {treatment.name.casefold() for treatment in own}
        treatments = [
            treatment
            for index in filter(None, (self.plate, self.known))
            for found in index.treatments.values()
            for treatment in found
            if treatment.kind is Kind.COMPOUND
            and (treatment.name.casefold() in known or (sense < 0 and set(genes) & set(treatment.genes)))
        ]
        treatments.sort(key=lambda treatment: len(treatment.genes))
        here = [treatment for treatment in treatments if treatment.source == PLATE_MAP]
        return [*here, *own, *treatments]

    def _related(self, mechanisms: Sequence[NamedMechanism]) -> list[NamedMechanism]:
        """These mechanisms, and those of other sources that are called the same; the plate map first."""
        phrases = [phrase for mechanism in mechanisms for phrase in mechanism.phrases]
        own = {mechanism.source for mechanism in mechanisms}
        here = self.plate.mechanisms if self.plate else ()
        others = (e for e in (*here, *self.known.mechanisms) if e.source not in own and e.says(phrases))
        return list(dict.fromkeys((*others, *mechanisms)))

    def _names(
        self, text: str, best: NamedMechanism, related: Sequence[NamedMechanism], verbatim: bool
    ) -> list[Prompt]:
        names = dict.fromkeys([best.name, *best.texts])
        out = [self._name(text, "typed")] if verbatim else []
        out += [self._name(name, best.source) for name in names if name.casefold() != text.casefold()]
        return out[:MOST_NAMES]

    def _name(self, words: str, source: str) -> Prompt:
        return Prompt(self.templates.for_mechanism(words, self.cell_line), 1.0, source, "mechanism")

    def _compounds(self, related: Sequence[NamedMechanism], first: NamedTreatment | None) -> list[Prompt]:
        # What this package's table says of a compound was gone through by hand: it outweighs other tables,
        # of which some call taxanes microtubule inhibitors.
        curated = {
            treatment.name.casefold() for e in related if e.source == OWN_TABLE for treatment in e.treatments
        }
        elsewhere = {
            treatment.name.casefold()
            for mechanism in (self.known.mechanisms if curated else ())
            if mechanism.source == OWN_TABLE
            for treatment in mechanism.treatments
        } - curated
        treatments = [
            treatment
            for mechanism in related
            for treatment in mechanism.treatments
            if treatment.name.casefold() not in elsewhere
        ]
        named = {treatment.name.casefold() for treatment in treatments}
        here: list[NamedTreatment] = []
        if self.plate:
            here = [
                treatment
                for found in self.plate.treatments.values()
                for treatment in found
                if treatment.name.casefold() in named and treatment.kind is Kind.COMPOUND
            ]
        tables = [treatment for treatment in treatments if treatment.source != PLATE_MAP]
        # A table may list fifty: those that this package's own table has also are the best known.
        tables.sort(
            key=lambda treatment: (treatment.source == OWN_TABLE, treatment.name.casefold() not in curated)
        )
        return self._prompts((*((first,) if first else ()), *here, *tables))

    def _prompts(self, treatments: Iterable[NamedTreatment]) -> list[Prompt]:
        chosen: dict[str, NamedTreatment] = {}
        for treatment in treatments:
            chosen.setdefault(treatment.name.casefold(), treatment)
        return [self.treated_with(treatment) for treatment in list(chosen.values())[:MOST_COMPOUNDS]]

    def _knockouts(self, related: Sequence[NamedMechanism]) -> list[Prompt]:
        genes = dict.fromkeys(gene for mechanism in related for gene in mechanism.knockouts)
        sources = {gene: mechanism.source for mechanism in reversed(related) for gene in mechanism.knockouts}
        return [
            Prompt(
                self.templates.for_knockout(gene, cell_line=self.cell_line), 1.0, sources[gene], "knockout"
            )
            for gene in list(genes)[:MOST_GENES]
        ]


def _is_called(mechanism: NamedMechanism, text: str) -> bool:
    return text.casefold() in map(str.casefold, mechanism.texts)


def _shared(prompts: Sequence[Prompt], share: float) -> tuple[Prompt, ...]:
    return tuple(Prompt(p.text, share / len(prompts), p.source, p.kind, p.on) for p in prompts)
