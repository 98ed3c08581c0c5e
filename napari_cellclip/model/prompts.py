"""Templates of prompts: sentences about perturbations as a model was trained on them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from napari_cellclip.vocabulary import Control, Kind, Perturbation

LONGEST = 512
"""Characters above which a compound's prompt is shortened."""


class PromptTemplates(BaseModel):
    """The wordings of a model card; the defaults are those of the published CellCLIP.

    Attributes
    ----------
    compound, smiles_only, name_only, too_long : str
        A compound with structure; without name, or too long with it; without structure; with a structure that
        is too long by itself.
    vehicle : str
        A named vehicle, such as DMSO.
    control : str
        A control without further word.
    untreated : str
        Nothing done to the cells.
    knockout, knockout_guide : str
        A CRISPR knockout by gene alone, and with the guide's sequence.
    expression : str
        An over-expressed open reading frame.
    mechanism : str
        A mechanism of action in words; ``{mechanism}`` stands for them. The published model knew none, and
        gets them where a compound's name stands.
    cell_line : str
        Used where neither the plate map nor the asker names one.

    Examples
    --------
    >>> PromptTemplates().for_knockout("TUBB")
    'U2OS cells treated with crispr, targeting genes: TUBB'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    compound: str = "{cell} cells treated with compound: {name}, SMILES: {smiles}"
    smiles_only: str = "{cell} cells treated with SMILES: {smiles}"
    name_only: str = "{cell} cells treated with compound: {name}"
    too_long: str = "{cell} cells treated with compound, {name}"
    vehicle: str = "{cell} cells treated with compound: control, {name}, SMILES: {smiles}"
    control: str = "{cell} cells treated with compound: control"
    untreated: str = "{cell} cells treated with control, no treatment."
    knockout: str = "{cell} cells treated with crispr, targeting genes: {gene}"
    knockout_guide: str = "{cell} cells treated with crispr sequence: {guide}, targeting genes: {gene}"
    expression: str = "{cell} cells treated with orf, targeting genes: {gene}"
    mechanism: str = "{cell} cells treated with compound: {mechanism}"
    cell_line: str = "U2OS"

    def without_cell_line(self) -> PromptTemplates:
        """Leave out of the wordings the word on which cells they are, for models trained so."""
        shorter = {
            name: text.replace("{cell} ", "")
            for name, text in self.model_dump().items()
            if isinstance(text, str) and name != "cell_line"
        }
        return self.model_copy(update=shorter)

    def for_compound(self, name: str, smiles: str = "", cell_line: str = "") -> str:
        """Prompt of a compound; what is unknown is left out, and a name that grows the prompt too long."""
        cell, smiles = cell_line or self.cell_line, smiles.strip()
        if not smiles:
            return self.name_only.format(cell=cell, name=name)
        whole = self.compound.format(cell=cell, name=name, smiles=smiles)
        if name and len(whole) <= LONGEST:
            return whole
        structure = self.smiles_only.format(cell=cell, smiles=smiles)
        return (
            structure if not name or len(structure) <= LONGEST else self.too_long.format(cell=cell, name=name)
        )

    def for_knockout(self, gene: str, guide: str = "", cell_line: str = "") -> str:
        """Prompt of a CRISPR knockout."""
        template = self.knockout_guide if guide else self.knockout
        return template.format(cell=cell_line or self.cell_line, guide=guide, gene=gene)

    def for_expression(self, gene: str, cell_line: str = "") -> str:
        """Prompt of an over-expressed gene."""
        return self.expression.format(cell=cell_line or self.cell_line, gene=gene)

    def for_mechanism(self, words: str, cell_line: str = "") -> str:
        """Prompt of a mechanism of action, in any words."""
        return self.mechanism.format(cell=cell_line or self.cell_line, mechanism=words)

    def for_control(self, name: str = "", smiles: str = "", cell_line: str = "") -> str:
        """Prompt of a negative control: with its vehicle where that is named, else untreated."""
        cell = cell_line or self.cell_line
        if "DMSO" in name.upper():
            # Plate maps often leave the structure of the vehicle out; it is always the same.
            return self.vehicle.format(cell=cell, name=name, smiles=smiles or "CS(C)=O")
        return self.control.format(cell=cell) if name else self.untreated.format(cell=cell)

    def for_perturbation(self, perturbation: Perturbation, cell_line: str = "") -> str:
        """Prompt of a well's treatment, as used in training.

        Parameters
        ----------
        perturbation : Perturbation
            From the plate map. Dose and mechanism take no part: the published model was not told them.
        cell_line : str
            Used where the perturbation names none.
        """
        p = perturbation
        cell = p.cell_line or cell_line
        gene = ", ".join(p.genes) or p.name
        if p.control in (Control.NEGATIVE, Control.EMPTY) or (p.kind is Kind.CONTROL and p.control is None):
            return self.for_control(p.name, p.smiles, cell)
        if p.kind is Kind.CRISPR:
            return self.for_knockout(gene, cell_line=cell)
        if p.kind is Kind.ORF:
            return self.for_expression(gene, cell_line=cell)
        if not (p.name or p.smiles):
            return self.for_mechanism(p.mechanism, cell) if p.mechanism else self.for_control(cell_line=cell)
        return self.for_compound(p.name, p.smiles, cell)
