"""The recipe of the bundled ``demo`` model: ``python -m napari_cellclip.training.demo``.

Three stages, each seeded and each kept in the work folder, so that a stopped run goes on where it was:

1. Plates are simulated with the training compounds; two compounds of each mechanism or fewer are held out.
2. The channel encoder learns, one stain at a time, to tell mechanism and effect of a field through a linear
   head on the five stains' features. The head is thrown away and the encoder frozen.
3. Field features are computed as at inference; the CellCLIP head learns which captions go with which wells.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    Model,
    ModelCard,
    SmallEncoder,
    Tiling,
    WordPieceTokenizer,
    save_model,
)
from napari_cellclip.model.encoders.intensity import scale_field
from napari_cellclip.model.weights.model_folders import sha256
from napari_cellclip.screen import Progress
from napari_cellclip.training.data.bags import Bag
from napari_cellclip.training.demo.channel_encoder import (
    LabelledFields,
    iter_train_encoder,
    standardise,
)
from napari_cellclip.training.demo.demo_captions import known_texts
from napari_cellclip.training.demo.held_out import known_mechanisms
from napari_cellclip.training.demo.mean_intensity import BUNDLED, IntensityReadout, relative_means
from napari_cellclip.training.demo.recipe import Recipe, base_card
from napari_cellclip.training.demo.simulated_bags import balanced, shuffle_captions, tile_bags, well_bags
from napari_cellclip.training.demo.simulated_plates import (
    TrainingPlate,
    iter_simulate_training,
    training_plates,
)
from napari_cellclip.training.loop.fit import iter_fit
from napari_cellclip.vocabulary import STAINS
from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS

BUNDLED_MODEL = Path(__file__).parents[2] / "model" / "demo"


def iter_demo_model(
    work: Path, out: Path, recipe: Recipe, *, shuffled: Path | None = None, workers: int | None = None
) -> Iterator[Progress]:
    """Run the whole recipe, keeping what is finished in `work`.

    Parameters
    ----------
    work : Path
        Where plates, features and times are kept; a second run continues there.
    out : Path
        Model folder to write.
    recipe : Recipe
        Settings and seeds.
    shuffled : Path, optional
        Also train a head with captions shuffled between bags, for comparison, and write it here.
    workers : int, optional
        Processes of the simulation.

    Yields
    ------
    Progress
    """
    seeds = range(recipe.seed, recipe.seed + recipe.plates)
    card = base_card(recipe)
    clock = _Clock(work / "seconds.json")
    yield from iter_simulate_training(
        work / "plates",
        seeds,
        card.intensity,
        wells=recipe.wells,
        sites=recipe.sites,
        size=recipe.size,
        workers=workers,
    )
    plates = training_plates(work / "plates", seeds)
    clock.stop("simulation")
    encoder = _encoder(recipe)
    stored = work / "encoder.safetensors"
    if stored.exists():
        encoder.load_state_dict(load_file(stored))
    else:
        torch.manual_seed(recipe.encoder.seed)
        encoder = _encoder(recipe)
        yield from iter_train_encoder(encoder, labelled_fields(plates, card), len(MECHANISMS), recipe.encoder)
        some = _features(_model(card, encoder, recipe), plates, every=5)
        standardise(encoder, some.reshape(-1, recipe.dim))
        save_file({k: v.contiguous() for k, v in encoder.state_dict().items()}, stored)
    encoder.eval().requires_grad_(False)
    clock.stop("channel encoder")

    words = tokenizer(card, recipe)
    bags: list[Bag] = []
    starting_point = _model(card, encoder, recipe, words)
    kept = work / f"features-{sha256(stored)[:12]}"
    kept.mkdir(exist_ok=True)
    for done, plate in enumerate(plates, start=1):
        found = {}
        for size in (0, *dict(recipe.tiles)):
            path = kept / (f"{plate.name}-{size}.npy" if size else f"{plate.name}.npy")
            if not path.exists():
                np.save(
                    path,
                    _tile_features(starting_point, plate, size)
                    if size
                    else _features(starting_point, [plate]),
                )
            found[size] = np.load(path)
        bags += well_bags(plate.sites, found[0], card.prompts)
        for size, odds in recipe.tiles:
            bags += tile_bags(plate.sites, found[0], found[size], card.prompts, odds)
        yield Progress(done, len(plates), f"features of {plate.name}", stage="fields")
    bags = balanced(bags)
    clock.stop("field features")
    network = yield from _train_head(bags, recipe, words)
    written = save_model(out, card, encoder, network, words)
    clock.stop("head")
    intensity_readout(plates).save(
        BUNDLED if out == BUNDLED_MODEL else out / BUNDLED.name, model=written.card_hash
    )
    if shuffled is not None:
        other = yield from _train_head(shuffle_captions(bags, recipe.shuffle), recipe, words)
        save_model(shuffled, card.model_copy(update={"name": "demo-shuffled"}), encoder, other, words)
        clock.stop("head with shuffled captions")


def labelled_fields(plates: Sequence[TrainingPlate], card: ModelCard) -> LabelledFields:
    """Truth of the training fields in the form the encoder's training wants."""
    number = {mechanism.name: i for i, mechanism in enumerate(MECHANISMS, start=1)}
    rows = [(p, i) for p, plate in enumerate(plates) for i in range(len(plate.pixels))]
    truth = pd.concat([plate.sites for plate in plates])
    return LabelledFields(
        plates=tuple(plate.pixels for plate in plates),
        stats=tuple(plate.stats for plate in plates),
        scaling=card.intensity,
        row=np.array(rows, np.int64),
        mechanism=truth["mechanism"].map(number).fillna(0).to_numpy(np.int64),
        effect=truth["effect"].to_numpy(np.float32),
    )


def tokenizer(card: ModelCard, recipe: Recipe) -> WordPieceTokenizer:
    """Build the model's own vocabulary from every caption a training treatment can have."""
    texts = known_texts(known_mechanisms(), INERT_COMPOUNDS, card.prompts)
    return WordPieceTokenizer.build(texts, size=recipe.words, lowercase=True, max_length=64)


def intensity_readout(plates: Sequence[TrainingPlate]) -> IntensityReadout:
    """Fit the mean-intensity comparison on the same training plates."""
    key = {mechanism.name: mechanism.key for mechanism in MECHANISMS}
    means, labels, weights = [], [], []
    for plate in plates:
        of_site = pd.DataFrame([np.asarray(field).mean((1, 2)) for field in plate.pixels])
        wells = of_site.groupby(plate.sites["well"].to_numpy()).mean()
        truth = plate.sites.drop_duplicates("well").set_index("well").loc[wells.index]
        means.append(relative_means(wells, (truth["control_type"] == "negcon").to_numpy()).to_numpy())
        labels += [key.get(name, "") for name in truth["mechanism"]]
        weights.append(np.where(truth["mechanism"].isin(key), truth["effect"], 1.0))
    return IntensityReadout.fit(
        np.concatenate(means), labels, np.concatenate(weights).astype(np.float64) + 1e-3
    )


def _train_head(
    bags: Sequence[Bag], recipe: Recipe, words: WordPieceTokenizer
) -> Generator[Progress, None, CellCLIP]:
    network = _network(recipe, words)
    unknown = words.vocabulary.index("[UNK]")
    yield from iter_fit(network, bags, words, recipe.head, unknown_token=unknown)
    return network


def _network(recipe: Recipe, words: WordPieceTokenizer) -> CellCLIP:
    torch.manual_seed(recipe.head.seed)
    return CellCLIP(
        CellCLIPConfig(
            width=recipe.dim,
            embed_dim=recipe.embed_dim,
            layers=recipe.layers,
            text_vocabulary=len(words),
            text_width=recipe.text_width,
            text_layers=recipe.text_layers,
            text_heads=4,
            text_intermediate=4 * recipe.text_width,
            text_positions=words.max_length,
        )
    )


def _model(
    card: ModelCard, encoder: SmallEncoder, recipe: Recipe, words: WordPieceTokenizer | None = None
) -> Model:
    """The model as inference has it, so that training features come from the very same code."""
    words = words or tokenizer(card, recipe)
    return Model(card, _network(recipe, words), words, encoder, device="cpu", batch_size=80)


def _features(model: Model, plates: Sequence[TrainingPlate], every: int = 1) -> np.ndarray:
    """Features of each (or each so manyth) field of these plates, rounded as screens store them."""
    found = [
        model.fields_features([np.asarray(field) for field in plate.pixels[::every]], plate.stats)
        for plate in plates
    ]
    return np.concatenate(found).astype(np.float16).astype(np.float32)


def _tile_features(model: Model, plate: TrainingPlate, size: int) -> NDArray[np.float32]:
    """Features of the tiles of each field, side by side: float32 ``[fields, tiles, 5, D]``."""
    slots = [STAINS.index(stain) for stain in model.card.stain_order]
    tiling = Tiling(mode="grid", size=size)
    found = []
    for field in plate.pixels:
        scaled = scale_field(np.asarray(field), model.card.intensity, plate.stats)[slots]
        found.append(model.encode_crops(np.stack(list(tiling.windows(scaled))).astype(np.float32)))
    return np.stack(found).astype(np.float16).astype(np.float32)


def _encoder(recipe: Recipe) -> SmallEncoder:
    return SmallEncoder(recipe.dim, recipe.widths, recipe.depths, recipe.stem)


class _Clock:
    """Seconds each stage took, added up over continued runs."""

    def __init__(self, path: Path) -> None:
        self._path, self._started = path, time.perf_counter()

    def stop(self, stage: str) -> None:
        now = time.perf_counter()
        seconds = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}
        seconds[stage] = round(seconds.get(stage, 0.0) + now - self._started, 1)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(seconds, indent=1) + "\n", encoding="utf-8")
        self._started = now


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the recipe from the command line."""
    usual = Recipe()
    parser = argparse.ArgumentParser(prog="python -m napari_cellclip.training.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=BUNDLED_MODEL, help="model folder to write")
    parser.add_argument("--work", type=Path, help="keep plates and features here and continue from them")
    parser.add_argument(
        "--shuffled", type=Path, help="also write a model trained with shuffled captions here"
    )
    parser.add_argument("--plates", type=int, default=usual.plates)
    parser.add_argument("--steps", type=int, default=usual.encoder.steps, help="of the channel encoder")
    parser.add_argument("--epochs", type=int, default=usual.head.epochs, help="of the head")
    parser.add_argument("--loss", choices=("cwcl", "clip"), default=usual.head.loss)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--shuffle-seed", type=int, default=usual.shuffle, help="of the shuffled captions")
    parser.add_argument("--workers", type=int, help="processes of the simulation")
    given = parser.parse_args(arguments)
    recipe = replace(
        usual,
        seed=given.seed,
        plates=given.plates,
        shuffle=given.shuffle_seed,
        encoder=replace(usual.encoder, steps=given.steps),
        head=replace(usual.head, epochs=given.epochs, loss=given.loss),
    )
    with tempfile.TemporaryDirectory() as scratch:
        work = given.work or Path(scratch)
        steps = iter_demo_model(work, given.out, recipe, shuffled=given.shuffled, workers=given.workers)
        for progress in steps:
            print(f"{progress.stage} {progress.done}/{progress.total}: {progress.message}", flush=True)
        print((work / "seconds.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
