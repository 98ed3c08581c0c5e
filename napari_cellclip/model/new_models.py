"""Starting a model: a published channel encoder with a head that has learnt nothing yet."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_cellclip.model.card import EncoderCard, FileCard, ModelCard
from napari_cellclip.model.encoders.channel_encoders import encoder_and_crop, load_encoder
from napari_cellclip.model.encoders.intensity import IntensityScaling
from napari_cellclip.model.encoders.tiling import Tiling
from napari_cellclip.model.encoders.transformers_encoder import quiet_transformers
from napari_cellclip.model.network.cellclip import CellCLIP, CellCLIPConfig
from napari_cellclip.model.network.tokenizer import WordPieceTokenizer
from napari_cellclip.model.registry import demo_folder
from napari_cellclip.model.weights.hub import hub_file, require_licence, verify
from napari_cellclip.model.weights.hub_client import AbsentError, stated_licence
from napari_cellclip.model.weights.hub_notes import pin
from napari_cellclip.model.weights.model_folders import save_model
from napari_cellclip.model.weights.weight_files import NAMES
from napari_cellclip.vocabulary import STAINS, ModelError, Stain

SMALL_TEXT = {
    "text_width": 256,
    "text_layers": 4,
    "text_heads": 4,
    "text_intermediate": 1024,
    "text_positions": 256,
}
"""Sizes of the small text tower, 4 million parameters with the bundled vocabulary."""


@dataclass(frozen=True)
class EncoderSource:
    """Where a channel encoder (or a BERT) comes from.

    Attributes
    ----------
    name : str
        Repository or folder, as it was asked for.
    repo, revision : str
        Repository on the hub, and its commit, tag or branch; empty for a folder.
    folder : Path or None
        The folder, for files that are here.
    licence : str
        As the repository's page states it.
    """

    name: str
    repo: str = ""
    revision: str = ""
    folder: Path | None = None
    licence: str = ""

    def as_card(self) -> ModelCard:
        """A card to show and accept the licence of the repository by."""
        return ModelCard(
            name=self.name,
            title=self.name,
            licence=self.licence,
            licence_text=f"{self.name} comes from https://huggingface.co/{self.repo}, whose page states its "
            f"licence ({self.licence}): read it there. Nothing of it comes with this program."
            if self.repo
            else "",
            encoder=EncoderCard(kind="vit", name=self.name, dim=1, weights=self._file("model.safetensors")),
            embed_dim=1,
        )

    def files(self, *names: str) -> tuple[Path, FileCard]:
        """Path and verified card of the first of these files that there is.

        Raises
        ------
        ModelError
            If there is none of them.
        """
        for name in names:
            if self.folder is not None:
                if (self.folder / name).is_file():
                    return self.folder / name, FileCard(file=name)
                continue
            asked = self._file(name)
            try:
                path, found = hub_file(asked)
            except AbsentError:
                continue
            verified = verify(path, found)
            pin(asked, verified)
            return path, verified
        raise AbsentError(f"{self.name} has no {' or '.join(names)}: name another repository or folder")

    def _file(self, name: str) -> FileCard:
        return FileCard(repo=self.repo, file=name, revision=self.revision)


def encoder_source(name: str | Path, *, revision: str = "main") -> EncoderSource:
    """What a name means: a folder with the files of a repository, or a repository on the hub.

    The hub is asked for the licence; where it cannot be asked, its page is referred to.

    Raises
    ------
    ModelError
        If it is neither.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return EncoderSource(str(name), folder=folder)
    text = str(name)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        raise ModelError(
            f"{text!r} is neither a folder nor a repository on the hub, such as facebook/dinov2-small"
        )
    return EncoderSource(
        text, repo=text, revision=revision, licence=stated_licence(text) or "stated on its page"
    )


def new_model(
    encoder: EncoderSource | str | Path,
    out: str | Path,
    *,
    text: str | Path = "small",
    layers: int = 4,
    embed_dim: int = 512,
    intensity: IntensityScaling | None = None,
    tiling: Tiling | None = None,
    stain_order: tuple[Stain, ...] = STAINS,
    seed: int = 0,
    accept_licence: bool = False,
) -> ModelCard:
    """Write a model folder with a published channel encoder and an untrained head.

    Encode plates with it, then train its head on them. The weights of an encoder from the hub stay in the
    hub's cache: the card names repository, commit and hash. Those of a folder are copied.

    Parameters
    ----------
    encoder : EncoderSource, str or Path
        A repository such as ``"facebook/dinov2-small"``, ``"facebook/dino-vits8"``,
        ``"openai/clip-vit-base-patch32"``, ``"google/siglip-base-patch16-224"`` or
        ``"timm/resnet50.a1_in1k"``, or a folder with its files.
    out : path
        Model folder: new, or empty.
    text : str or Path
        ``"small"``: the bundled vocabulary and a small text tower, untrained. Otherwise a BERT with its
        weights: a repository such as ``"google-bert/bert-base-cased"``, or a folder.
    layers, embed_dim : int
        Size of the image tower; the paper has 12 and 512.
    intensity, tiling : optional
        How pixels are scaled and cut; by default the plate's own range, and a grid of the crops the encoder
        was made for.
    stain_order : tuple of Stain
        Stain of each slot.
    seed : int
        Of the random weights; the same gives the same model.
    accept_licence : bool
        Say yes to the licence of what is fetched.

    Returns
    -------
    ModelCard
        As written; ``load_model(out)`` loads the model.

    Raises
    ------
    ModelError
        If a licence is not accepted, a file is missing, damaged or of another kind, or `out` is in use.

    Examples
    --------
    >>> new_model("facebook/dinov2-small", "my-model", accept_licence=True)   # doctest: +SKIP
    >>> encode(open_plate("BR00117006"), None, "my-model", "my-screen")      # doctest: +SKIP
    >>> train([Screen.open("my-screen")], "my-trained-model")                # doctest: +SKIP
    """
    folder = Path(out).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is in use: name a new folder for the model")
    source = encoder if isinstance(encoder, EncoderSource) else encoder_source(encoder)
    require_licence(source.as_card(), accept_licence=accept_licence)
    card, crop, path = _encoder_files(source)
    network: nn.Module | None = None
    if not source.repo:
        network = load_encoder(card, path, size=crop)
    words, sizes, bert = _text_tower(text, accept_licence)
    cellclip = _untrained(card.dim, layers, embed_dim, len(words), sizes, len(stain_order), seed)
    if bert is not None:
        cellclip.text.load_state_dict(bert)
    stated = f"{source.name}: {source.licence}" if source.repo else ""
    return save_model(
        folder,
        ModelCard(
            name=folder.name,
            title=f"CellCLIP head on {source.name}",
            description="The head has learnt nothing yet: its answers to words mean nothing until it was "
            "trained on encoded screens.",
            licence=source.licence or "that of the channel encoder",
            licence_text=source.as_card().licence_text,
            source=stated or f"channel encoder from {source.name}",
            encoder=card,
            intensity=intensity or IntensityScaling(kind="plate"),
            tiling=tiling or Tiling(mode="grid", size=crop),
            stain_order=stain_order,
            embed_dim=embed_dim,
            trained_on="Nothing yet; the channel encoder as published.",
            limits="The channel encoder was made for photographs, and sees each stain as a grey one.",
        ),
        network,
        cellclip,
        words,
    )


def _encoder_files(source: EncoderSource) -> tuple[EncoderCard, int, Path]:
    """Card, crop size and files of a channel encoder; those of the hub fetched and compared."""
    config, _ = source.files("config.json")
    with suppress(AbsentError):  # the family's usual colours and crop then
        source.files("preprocessor_config.json")
    card, crop = encoder_and_crop(config.parent)
    path, weights = source.files(*NAMES)
    named = {"name": source.name} if card.kind != "timm" else {}
    if not source.repo:
        return card.model_copy(update=named), crop, path.parent
    return card.model_copy(update={**named, "weights": weights}), crop, path.parent


def _text_tower(
    text: str | Path, accept_licence: bool
) -> tuple[WordPieceTokenizer, dict[str, int], dict[str, torch.Tensor] | None]:
    """Tokenizer, sizes and, for a BERT, weights of a text tower."""
    if str(text) == "small":
        return WordPieceTokenizer.from_folder(demo_folder(), max_length=256), dict(SMALL_TEXT), None
    from transformers import BertConfig, BertModel

    source = encoder_source(text)
    require_licence(source.as_card(), accept_licence=accept_licence)
    place = source.files("config.json")[0].parent
    source.files("vocab.txt", "tokenizer.json")
    with suppress(AbsentError):  # cased then, as the first BERT's were
        source.files("tokenizer_config.json")
    source.files("model.safetensors", "pytorch_model.bin")
    try:
        config = BertConfig.from_pretrained(str(place), local_files_only=True)
        with quiet_transformers():
            loaded: Any = BertModel.from_pretrained(
                str(place), local_files_only=True, trust_remote_code=False, output_loading_info=True
            )
    except Exception as error:  # transformers lets the kinds of all its readers through
        raise ModelError(f"the BERT of {source.name} cannot be loaded: {error}") from error
    network, report = loaded
    if config.model_type != "bert" or config.hidden_act != "gelu":
        raise ModelError(f"{source.name} is no BERT with exact GELU, which the text tower has: name another")
    if missing := sorted(report["missing_keys"]):
        raise ModelError(f"the BERT of {source.name} lacks {len(missing)} weights, such as {missing[0]}")
    sizes = {
        "text_vocabulary": config.vocab_size,
        "text_width": config.hidden_size,
        "text_layers": config.num_hidden_layers,
        "text_heads": config.num_attention_heads,
        "text_intermediate": config.intermediate_size,
        "text_positions": config.max_position_embeddings,
        "text_token_types": config.type_vocab_size,
    }
    words = WordPieceTokenizer.from_folder(place, max_length=config.max_position_embeddings)
    return words, sizes, dict(network.state_dict())


def _untrained(
    width: int, layers: int, embed_dim: int, vocabulary: int, sizes: dict[str, int], stains: int, seed: int
) -> CellCLIP:
    heads = next(n for n in (8, 6, 4, 3, 2, 1) if width % n == 0)
    settings: dict[str, Any] = {"text_vocabulary": vocabulary, **sizes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = CellCLIPConfig(
            width=width, embed_dim=embed_dim, layers=layers, heads=heads, stains=stains, **settings
        )
        return CellCLIP(config).eval()
