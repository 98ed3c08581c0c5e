"""Declare the sections of a run's settings: every key with its default, its limits and what it does."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

LossName = Literal["clip", "cwcl", "cloob", "sigclip", "s2l", "bi_cwcl", "cwcl_ma"]
SamePerturbation = Literal["positive", "ignore", "negative"]
TextTraining = Literal["full", "lora", "frozen"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Odds = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]
Steps = Annotated[int, Field(ge=0)]

_STRICT = ConfigDict(extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


@dataclass(frozen=True, slots=True, config=_STRICT)
class TrainingConfig:
    """Settings of the optimisation; the defaults suit a few thousand wells."""

    loss: LossName = "cwcl"
    """What is minimised: clip, cwcl (the paper's), cloob, sigclip, s2l; or a variant, bi_cwcl or cwcl_ma."""
    loss_options: dict[str, bool | float | str] = dataclasses.field(default_factory=dict)
    """Further options of the loss, as napari_cellclip.model.losses.contrastive takes them."""
    same_perturbation: SamePerturbation = "positive"
    """What two wells of one perturbation are to each other: positive, ignore, or (as published) negative."""
    epochs: Count = 40
    """Passes; each draws as many wells as there are."""
    batch: Count = 128
    """Wells contrasted with each other at a step, over all processes together."""
    micro_batch: Steps = 0
    """Most wells of a process embedded at once, 0 for all; gradients stay those of the whole batch."""
    rate: Annotated[float, Field(gt=0)] = 5e-4
    """Highest learning rate (AdamW, betas 0.9 and 0.999)."""
    weight_decay: Odds = 0.1
    """AdamW's; gains, biases and the temperature do not decay."""
    warmup: Steps = 50
    """Steps of linear warm-up, at most a quarter of all."""
    cycles: Count = 1
    """Cosine cycles after it, each beginning at the highest rate."""
    max_norm: Annotated[float, Field(gt=0)] = 20.0
    """Gradients are clipped to this norm."""
    fields: Count = 4
    """Most instances (fields) of a bag used at once; each draw takes a random non-empty subset."""
    feature_noise: Odds = 0.0
    """Standard deviation of noise added to features, in units of each feature's own spread."""
    word_dropout: Share = 0.0
    """Share of caption tokens replaced by the unknown token."""
    text: TextTraining = "full"
    """How the text tower learns: full, lora (adapters, merged in the end), or frozen (its output is kept)."""
    lora_rank: Count = 8
    """Rank of the adapters."""
    lora_alpha: Annotated[float, Field(gt=0)] = 16.0
    """Adapters count this over their rank."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Numbers the towers compute in; weights and loss stay fp32. fp16 needs a GPU."""
    checkpoint_every: Count = 1
    """Epochs between checkpoints."""
    seed: int = Field(default=0, ge=0)
    """Decides drawing, noise, dropout and fresh weights."""

    def warmup_of(self, total: int) -> int:
        """Steps of warm-up in a run of so many steps: a short run would not leave it."""
        return min(self.warmup, max(1, total // 4))

    @model_validator(mode="after")
    def _fits(self) -> TrainingConfig:
        if self.word_dropout and self.text == "frozen":
            raise ValueError(
                "word_dropout needs text = 'full' or 'lora': a frozen tower reads each text once"
            )
        return self


class Section(BaseModel):
    """A table of the settings: frozen, without unknown keys."""

    model_config = ConfigDict(**_STRICT, frozen=True)


class DataConfig(Section):
    """Data to learn from."""

    screens: tuple[str, ...] = ()
    """Screen folders written by 'encode', all with one channel encoder; relative paths start at this file."""
    bag: Literal["well", "perturbation"] = "well"
    """What a bag holds: the fields of a well, or those of all wells of a perturbation and dose on a plate."""
    group_by: Literal["treatment", "mechanism"] = "treatment"
    """Wells alike in this are never each other's negatives."""
    negative_controls: Literal["as one", "each", "leave out"] = "as one"
    """Draw a plate's negative controls as often as one treatment of it, as any other well, or not at all."""
    empty_wells: Literal["leave out", "untreated"] = "leave out"
    """Leave wells without treatment out, or learn them as untreated cells."""
    cell_line: str = "U2OS"
    """Used in captions where the plate map names none."""
    memory: Odds = 8.0
    """Gigabytes of features held in memory; more are copied to the folder of the run, and read from there."""


class ModelConfig(Section):
    """Model to start from, and the folder to write."""

    out: str = ""
    """Model folder to write: a new one, or that of an interrupted run; relative paths start at this file."""
    start: str = ""
    """Model (name or folder) whose head is trained further; empty: the one the screens were encoded with."""
    from_scratch: bool = False
    """Forget what the head knows; tokenizer and channel encoder stay. Measured profiles always start so."""
    device: str = "auto"
    """auto, cpu, cuda or mps. Several processes each get their own."""
    pooling: Literal["attention", "mean", "median", "none"] | None = None
    """From scratch or on profiles only, as all that follows. What is left out is as in the start model."""
    image_tower: Literal["channel_former", "concatenation", "mean", "prototypes"] | None = None
    """How stains become one vector; prototypes: on profiles, fitted in closed form instead of trained."""
    text_tower: Literal["bert", "fingerprint", "sentence"] | None = None
    """What reads captions."""
    width: Count | None = None
    """Width of the image tower on measured profiles; on images it is the channel encoder's."""
    embed_dim: Count | None = None
    """Length of the shared embedding."""
    layers: Count | None = None
    """Blocks of the image tower."""
    heads: Count | None = None
    """Attention heads of the image tower; they share its width."""
    text_width: Count | None = None
    """Width of the text tower."""
    text_layers: Count | None = None
    """Blocks of the text tower."""
    text_heads: Count | None = None
    """Attention heads of the text tower."""
    words: Count | None = None
    """Build a new vocabulary of at most so many word pieces from the training captions."""
    text_from: str = ""
    """Model, BERT (folder) or frozen sentence encoder (folder or installed package) that is taken over."""

    @property
    def shape(self) -> dict[str, Any]:
        """Settings of the head's architecture that the file gives."""
        general = ("out", "start", "from_scratch", "device")
        return {name: value for name, value in self if name not in general and value not in (None, "")}


class CaptionConfig(Section):
    """Odds of the wordings a well can be shown with; those its plate map cannot fill are left out."""

    full: Odds = 0.4
    """All that the plate map says in the model's own words: name and structure, or gene."""
    name: Odds = 0.15
    """By name only."""
    smiles: Odds = 0.1
    """By structure only."""
    mechanism: Odds = 0.25
    """By mechanism of action, which the published model was never told."""
    genes: Odds = 0.1
    """By target gene."""
    only: Literal["", "mechanisms"] = ""
    """mechanisms: nothing but these are shown, and treatments without one are left out (controls stay)."""
    cell_line: bool = True
    """Say in every wording which cells they are."""

    @model_validator(mode="after")
    def _some(self) -> CaptionConfig:
        if not any((self.full, self.name, self.smiles, self.mechanism, self.genes)):
            raise ValueError("at least one wording needs odds above 0")
        return self


class SplitConfig(Section):
    """Wells that are held out for validation and test."""

    by: Literal["compound", "scaffold", "plate", "lists", "none"] = "compound"
    """Whole compounds, whole scaffolds, whole plates, the lists below, or nothing."""
    fractions: tuple[Share, Share, Share] = (0.7, 0.1, 0.2)
    """Shares of training, validation and test."""
    seed: int = 0
    """Decides the parts."""
    train: tuple[str, ...] = ()
    """With by = 'lists': wells (plate/B03), plates or treatments. Empty: all that is in no other list."""
    validation: tuple[str, ...] = ()
    """As above."""
    test: tuple[str, ...] = ()
    """As above."""

    @model_validator(mode="after")
    def _fits(self) -> SplitConfig:
        if abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"the fractions add up to {sum(self.fractions):g}, not to 1")
        if (self.by == "lists") != bool(self.train or self.validation or self.test):
            raise ValueError("lists of wells go with by = 'lists', and only with it")
        return self


class ValidationConfig(Section):
    """Choice of the best weights: retrieval among the validation treatments, both ways."""

    score: Literal["auto", "map", "mrr", "r@1", "r@5", "r@10"] = "auto"
    """map (mechanisms asked in words), mrr, r@k (captions, both ways); auto: map on profiles, else mrr."""
    every: Count = 1
    """Epochs between validations."""
    patience: Steps = 10
    """Stop after so many validations without a better one, counted after the warm-up; 0: never."""


class LogConfig(Section):
    """Places of the curves, beside log.csv."""

    tensorboard: bool = False
    """Write TensorBoard events into the model folder (extra 'train')."""
