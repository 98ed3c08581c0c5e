"""Prompts for what was recognised: names, compounds and genes, each with its share and its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from napari_cellclip.explore.wording.library import PLATE_MAP, Drug, Entry, Library
from napari_cellclip.explore.wording.wording import Prompt, Wording
from napari_cellclip.vocabulary import Kind
from napari_cellclip.vocabulary.annotations import OWN_TABLE, Effect

if TYPE_CHECKING:
    from napari_cellclip.model.prompts import PromptTemplates

MOST_COMPOUNDS, MOST_GENES, MOST_NAMES = 5, 3, 3
NAMES, COMPOUNDS, GENES = 1.0, 0.5, 0.25
"""Shares of the mechanism's names, its compounds and its genes; divided among the prompts of each."""


class Expansion:
    """Makes prompts.

    Parameters
    ----------
    templates : PromptTemplates
    cell_line : str
    known : Library
        Of the tables.
    plate : Library or None
        Of the plate map; what stands in it goes first.
    """

    def __init__(
        self, templates: PromptTemplates, cell_line: str, known: Library, plate: Library | None
    ) -> None:
        self.templates, self.cell_line, self.known, self.plate = templates, cell_line, known, plate

    def typed(self, text: str, on: bool = True) -> tuple[Prompt, ...]:
        """The text in the words of the model card, as it was typed."""
        prompts = self.templates.for_query(text, self.cell_line)
        return tuple(Prompt(prompt, 1 / len(prompts), "typed", "free", on) for prompt in prompts)

    def drug(self, drug: Drug, weight: float = 1.0) -> Prompt:
        """A compound, or a gene of the plate map that was perturbed."""
        if drug.kind is Kind.CRISPR:
            text = self.templates.for_knockout(", ".join(drug.genes) or drug.name, cell_line=self.cell_line)
            return Prompt(text, weight, drug.source, "knockout")
        if drug.kind is Kind.ORF:
            text = self.templates.for_expression(", ".join(drug.genes) or drug.name, self.cell_line)
            return Prompt(text, weight, drug.source, "overexpression")
        text = self.templates.for_compound(drug.name, drug.smiles, self.cell_line)
        return Prompt(text, weight, drug.source, "compound")

    def knockout(self, text: str, genes: Sequence[str], notes: tuple[str, ...] = ()) -> Wording:
        """A knockout of these genes."""
        name = ", ".join(genes)
        prompt = Prompt(
            self.templates.for_knockout(name, cell_line=self.cell_line), 1.0, "template", "knockout"
        )
        return Wording(text, "knockout", (prompt,), notes, f"{name} knockout")

    def expression(self, text: str, genes: Sequence[str]) -> Wording:
        """Over-expression of these genes."""
        name = ", ".join(genes)
        prompt = Prompt(
            self.templates.for_expression(name, self.cell_line), 1.0, "template", "overexpression"
        )
        return Wording(text, "overexpression", (prompt,), (), f"{name} over-expression")

    def compound(self, text: str, drug: Drug, notes: tuple[str, ...] = ()) -> Wording:
        """A compound by name, and with its structure where a table has it."""
        bare = Prompt(self.templates.for_compound(drug.name, "", self.cell_line), 1.0, "template", "compound")
        prompts = (bare,) if not drug.smiles else (self.drug(drug), bare)
        return Wording(text, "compound", prompts, notes, drug.name)

    def mechanism(
        self, text: str, entries: Sequence[Entry], notes: tuple[str, ...] = (), first: Drug | None = None
    ) -> Wording:
        """A mechanism by its names, by compounds that act so and by knockouts that look alike."""
        related = self._related(entries)
        best = next((entry for entry in reversed(related) if entry.source == OWN_TABLE), entries[-1])
        known_as = {t.casefold() for entry in related for t in entry.texts}
        verbatim = text.casefold() in known_as
        names = self._names(text, best, related, verbatim)
        compounds = self._compounds(related, first)
        genes = self._knockouts(related)
        prompts = (*_shared(names, NAMES), *_shared(compounds, COMPOUNDS), *_shared(genes, GENES))
        if not verbatim:
            prompts += self.typed(text, on=False)
            notes = notes or (f"Read as {best.name}.",)
        said = tuple(dict.fromkeys((best.name, *(name for entry in related for name in entry.texts))))
        return Wording(text, "mechanism", prompts, notes, best.name, said)

    def target(self, text: str, genes: tuple[str, ...], sense: int) -> Wording:
        """What acts upon the products of these genes, in one sense."""
        effect = Effect.INHIBITS if sense < 0 else Effect.ACTIVATES
        about = {entry: None for gene in genes for entry in self.known.for_gene(gene)}
        entries = [e for e in about if e.effect is effect or _is_called(e, text)]
        names = self._target_names(text, genes, entries)
        compounds = self._prompts(self._acting(genes, entries, sense))
        symbols = [
            Prompt(self.templates.for_knockout(gene, cell_line=self.cell_line), 1.0, "template", "knockout")
            for gene in (genes[:MOST_GENES] if sense < 0 else ())
        ]
        prompts = (*_shared(names, NAMES), *_shared(compounds, COMPOUNDS), *_shared(symbols, GENES))
        notes = () if compounds else ("No table knows a compound that acts upon it.",)
        name = f"{', '.join(genes)} {'inhibitor' if sense < 0 else 'activator'}"
        return Wording(text, "target", prompts, notes, name)

    def _target_names(self, text: str, genes: tuple[str, ...], entries: Sequence[Entry]) -> list[Prompt]:
        """The mechanism that is called so, or the only one that is about all of these genes."""
        called = [entry for entry in entries if _is_called(entry, text)]
        wholly = [entry for entry in entries if set(genes) <= {*entry.targets, *entry.knockouts}]
        meant = called or (wholly if len(wholly) == 1 else [])
        names = [self._name(text, "typed")] if called or not meant else []
        return names + [self._name(e.name, e.source) for e in meant if e.name.casefold() != text.casefold()]

    def _acting(self, genes: tuple[str, ...], entries: Sequence[Entry], sense: int) -> list[Drug]:
        """Compounds upon these targets: of the plate map, of mechanisms in this sense, the most selective.

        Tables do not say in which sense a compound acts; for activators only those of known mechanisms count.
        """
        own = [drug for entry in entries for drug in entry.drugs if set(genes) & set(drug.genes)]
        known = {drug.name.casefold() for drug in own}
        drugs = [
            drug
            for library in filter(None, (self.plate, self.known))
            for found in library.drugs.values()
            for drug in found
            if drug.kind is Kind.COMPOUND
            and (drug.name.casefold() in known or (sense < 0 and set(genes) & set(drug.genes)))
        ]
        drugs.sort(key=lambda drug: len(drug.genes))
        here = [drug for drug in drugs if drug.source == PLATE_MAP]
        return [*here, *own, *drugs]

    def _related(self, entries: Sequence[Entry]) -> list[Entry]:
        """These mechanisms, and those of other sources that are called the same; the plate map first."""
        phrases = [phrase for entry in entries for phrase in entry.phrases]
        own = {entry.source for entry in entries}
        here = self.plate.entries if self.plate else ()
        others = (e for e in (*here, *self.known.entries) if e.source not in own and e.says(phrases))
        return list(dict.fromkeys((*others, *entries)))

    def _names(self, text: str, best: Entry, related: Sequence[Entry], verbatim: bool) -> list[Prompt]:
        names = dict.fromkeys([best.name, *best.texts])
        out = [self._name(text, "typed")] if verbatim else []
        out += [self._name(name, best.source) for name in names if name.casefold() != text.casefold()]
        return out[:MOST_NAMES]

    def _name(self, words: str, source: str) -> Prompt:
        return Prompt(self.templates.for_mechanism(words, self.cell_line), 1.0, source, "mechanism")

    def _compounds(self, related: Sequence[Entry], first: Drug | None) -> list[Prompt]:
        # What this package's table says of a compound was gone through by hand: it outweighs other tables,
        # of which some call taxanes microtubule inhibitors.
        curated = {drug.name.casefold() for e in related if e.source == OWN_TABLE for drug in e.drugs}
        elsewhere = {
            drug.name.casefold()
            for entry in (self.known.entries if curated else ())
            if entry.source == OWN_TABLE
            for drug in entry.drugs
        } - curated
        drugs = [drug for entry in related for drug in entry.drugs if drug.name.casefold() not in elsewhere]
        named = {drug.name.casefold() for drug in drugs}
        here: list[Drug] = []
        if self.plate:
            here = [
                drug
                for found in self.plate.drugs.values()
                for drug in found
                if drug.name.casefold() in named and drug.kind is Kind.COMPOUND
            ]
        tables = [drug for drug in drugs if drug.source != PLATE_MAP]
        # A table may list fifty: those that this package's own table has also are the best known.
        tables.sort(key=lambda drug: (drug.source == OWN_TABLE, drug.name.casefold() not in curated))
        return self._prompts((*((first,) if first else ()), *here, *tables))

    def _prompts(self, drugs: Iterable[Drug]) -> list[Prompt]:
        chosen: dict[str, Drug] = {}
        for drug in drugs:
            chosen.setdefault(drug.name.casefold(), drug)
        return [self.drug(drug) for drug in list(chosen.values())[:MOST_COMPOUNDS]]

    def _knockouts(self, related: Sequence[Entry]) -> list[Prompt]:
        genes = dict.fromkeys(gene for entry in related for gene in entry.knockouts)
        sources = {gene: entry.source for entry in reversed(related) for gene in entry.knockouts}
        return [
            Prompt(
                self.templates.for_knockout(gene, cell_line=self.cell_line), 1.0, sources[gene], "knockout"
            )
            for gene in list(genes)[:MOST_GENES]
        ]


def _is_called(entry: Entry, text: str) -> bool:
    return text.casefold() in map(str.casefold, entry.texts)


def _shared(prompts: Sequence[Prompt], share: float) -> tuple[Prompt, ...]:
    return tuple(Prompt(p.text, share / len(prompts), p.source, p.kind, p.on) for p in prompts)
