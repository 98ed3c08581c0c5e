"""The chemical baseline of the text tower: structures in place of words."""

from __future__ import annotations

from torch import Tensor, nn

from napari_cellclip.model.network.image_tower import LayerNorm
from napari_cellclip.model.network.stain_perceptron import ResidualPerceptron


class FingerprintTower(nn.Module):
    """A perceptron on the counts of a structure's fragments, in place of a text tower.

    The usual molecule tower of CLOOME (Sanchez-Fernandez et al. 2023) and its kin, for comparing words with
    structures. Fragments come as `FingerprintTokenizer` gives them, each as often as it occurs, so that the
    sum of their vectors is the first linear layer on the count fingerprint.

    Parameters
    ----------
    features : int
        Length of the tokenizer: folded fingerprint plus the tokens for padding and for no structure.
    width : int
        Length of the vectors.
    layers : int
        Residual perceptrons after the first layer; at least one.
    dropout : float
        Used in training only.
    """

    def __init__(self, features: int, width: int, layers: int = 3, dropout: float = 0.1) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError("a fingerprint tower needs at least one layer")
        self.structure = nn.Embedding(features, width)
        self.ln_pre = LayerNorm(width)
        self.perceptrons = nn.Sequential(*(ResidualPerceptron(width, dropout) for _ in range(layers)))
        self.ln_post = LayerNorm(width)
        nn.init.normal_(self.structure.weight, std=0.02)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Embed structures.

        Parameters
        ----------
        input_ids, attention_mask : Tensor
            int64 [B, T]: a fragment's number for each time it occurs, and where there is one.

        Returns
        -------
        Tensor
            [B, width].
        """
        vectors = self.structure(input_ids)
        counted = (vectors * attention_mask.unsqueeze(-1).to(vectors.dtype)).sum(dim=1)
        return self.ln_post(self.perceptrons(self.ln_pre(counted)))
