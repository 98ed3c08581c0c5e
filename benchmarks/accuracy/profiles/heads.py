"""Train small heads on the compounds of a screen, to be tested on others of its compounds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.accuracy.profiles.compounds import Compound
from napari_cellclip.model import CellCLIP, CellCLIPConfig, PromptTemplates, WordPieceTokenizer, load_model
from napari_cellclip.model.network.fingerprint_tokenizer import FingerprintTokenizer
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.training import Bag, Caption, TrainingConfig, iter_fit
from napari_cellclip.training.data.bags import pad

Reads = Literal["words", "structures"]
Features = Mapping[str, NDArray[np.float32]]
"""``[5, D]`` of each well."""

CONTROL = "DMSO"


@dataclass(frozen=True)
class HeadSettings:
    """Sizes and settings of a head; those of CPJUMP1 were chosen on compounds held out within training.

    Attributes
    ----------
    width, layers, embed_dim : int
        Of the image tower and the shared space.
    text_width, text_layers : int
        Of what reads captions.
    text_length : int
        Most tokens of a caption; the ends of long structures are cut.
    steps, batch : int
        Steps, and compounds in each.
    rate, weight_decay, feature_noise : float
        See :class:`~napari_cellclip.training.TrainingConfig`.
    whole, structure, mechanism, gene : float
        Odds of the wordings of a compound: name and structure, structure alone, a mechanism, a target.
    most_genes : int
        Targets of a compound that are worded.
    fragments : int
        Length of the folded fingerprint that structures are read by.
    """

    width: int = 64
    layers: int = 1
    embed_dim: int = 128
    text_width: int = 64
    text_layers: int = 1
    text_length: int = 32
    steps: int = 100
    batch: int = 128
    rate: float = 1e-3
    weight_decay: float = 0.1
    feature_noise: float = 0.3
    whole: float = 0.3
    structure: float = 0.1
    mechanism: float = 0.5
    gene: float = 0.1
    most_genes: int = 6
    fragments: int = 1024


class ProfileHead:
    """A head and what it reads captions by.

    Parameters
    ----------
    network : CellCLIP
        Trained.
    words : tokenizer
        Of its text tower.
    templates : PromptTemplates
        Wording of its captions.
    """

    def __init__(
        self,
        network: CellCLIP,
        words: WordPieceTokenizer | FingerprintTokenizer,
        templates: PromptTemplates,
    ) -> None:
        self.network, self.words, self.templates = network.eval(), words, templates

    def embed_compounds(self, compounds: Sequence[Compound], features: Features) -> NDArray[np.float32]:
        """Unit embeddings (n, E) of compounds, all their wells pooled."""
        bags = [np.stack([features[well] for well in compound.wells]) for compound in compounds]
        return self._embed(bags)

    def embed_wells(self, wells: Sequence[str], features: Features) -> NDArray[np.float32]:
        """Unit embeddings (n, E) of wells, each alone."""
        return self._embed([features[well][None] for well in wells])

    def _embed(self, bags: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return unit_rows(self.network.embed_bags(torch.from_numpy(pad(bags))).numpy())

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings (n, E) of prompts."""
        with torch.inference_mode():
            return unit_rows(self.network.encode_text(**self.words(texts)).numpy())

    def whole(self, compound: Compound) -> str:
        """Caption of a compound: its name and structure, as the paper words it."""
        return self.templates.for_compound(compound.name, compound.smiles)


def fit_head(
    compounds: Sequence[Compound],
    controls: Collection[str],
    features: Features,
    settings: HeadSettings,
    *,
    reads: Reads = "words",
    seed: int = 0,
) -> ProfileHead:
    """Train a head on compounds and negative controls.

    A compound is one bag of its wells; each step pools a random subset of them, so that single wells and
    means of several are both known. Compounds of the same mechanisms are never each other's negatives.

    Parameters
    ----------
    compounds : sequence of Compound
        With the wells that may be learnt from, and no others.
    controls : collection of str
        Negative control wells.
    features : mapping of str to ndarray (5, D)
        Of all of these wells.
    settings : HeadSettings
        Sizes and settings.
    reads : {"words", "structures"}
        Whether a caption is read by its words (a BERT from scratch with the bundled vocabulary) or by the
        structure in it (Morgan fragments); the latter is shown captions with a structure only.
    seed : int
        Of weights, draws and noise.
    """
    templates = PromptTemplates()
    words = _reader(reads, settings)
    bags = [
        Bag(
            np.stack([features[well] for well in compound.wells]),
            captions_of(compound, templates, settings, reads=reads),
            "|".join(compound.mechanisms) or compound.name,
            name=compound.name,
        )
        for compound in compounds
    ]
    if controls:
        control = np.stack([features[well] for well in controls])
        bags.append(Bag(control, (Caption(templates.for_control(CONTROL, "CS(C)=O")),), CONTROL))
    network = _network(next(iter(features.values())).shape[1], words, settings, reads, seed)
    per_epoch = max(1, len(bags) // min(settings.batch, len(bags)))
    config = TrainingConfig(
        loss="clip",
        epochs=max(1, settings.steps // per_epoch),
        batch=settings.batch,
        rate=settings.rate,
        weight_decay=settings.weight_decay,
        warmup=min(30, settings.steps // 4),
        feature_noise=settings.feature_noise,
        seed=seed,
    )
    for _ in iter_fit(network, bags, words, config):
        pass
    return ProfileHead(network, words, templates)


def captions_of(
    compound: Compound, templates: PromptTemplates, settings: HeadSettings, *, reads: Reads = "words"
) -> tuple[Caption, ...]:
    """Wordings of a compound with their odds."""
    whole = [templates.for_compound(compound.name, compound.smiles)]
    structure = [templates.for_compound("", compound.smiles)] if compound.smiles else []
    kinds = [(settings.whole, whole), (settings.structure, structure)]
    if reads == "words":
        kinds += [
            (settings.mechanism, [templates.for_mechanism(m) for m in compound.mechanisms]),
            (
                settings.gene,
                [templates.for_mechanism(f"{g} inhibitor") for g in compound.genes[: settings.most_genes]],
            ),
        ]
    odds: dict[str, float] = {}
    for share, texts in kinds:
        for text in texts:
            odds[text] = odds.get(text, 0.0) + share / len(texts)
    return tuple(Caption(text, share) for text, share in odds.items() if share > 0)


def _reader(reads: Reads, settings: HeadSettings) -> WordPieceTokenizer | FingerprintTokenizer:
    if reads == "structures":
        return FingerprintTokenizer(bits=settings.fragments)
    bundled = load_model("demo", device="cpu").tokenizer
    assert isinstance(bundled, WordPieceTokenizer)
    return WordPieceTokenizer(
        bundled.vocabulary, lowercase=bundled.lowercase, max_length=settings.text_length
    )


def _network(
    features: int,
    words: WordPieceTokenizer | FingerprintTokenizer,
    settings: HeadSettings,
    reads: Reads,
    seed: int,
) -> CellCLIP:
    torch.manual_seed(seed)
    config = CellCLIPConfig(
        width=settings.width,
        features=features,
        embed_dim=settings.embed_dim,
        layers=settings.layers,
        heads=4,
        text_tower="fingerprint" if reads == "structures" else "bert",
        text_vocabulary=len(words),
        text_width=settings.text_width,
        text_layers=settings.text_layers,
        text_heads=4,
        text_intermediate=2 * settings.text_width,
        text_positions=settings.text_length,
    )
    network = CellCLIP(config, pooling="mean")
    if reads == "words":
        # BERT's 0.02 is made for 768 columns. At 64 the texts all come out alike, and it takes hundreds of
        # steps until they do not.
        for module in network.text.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=settings.text_width**-0.5)
    return network
