from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dlx.facts import DataFacts
from dlx.tasks import Learning
from dlx.tasks._generative.autoencoder_spec import AutoencoderTask

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class Autoencoder(AutoencoderTask):
    """Autoencoder: reconstructs its input from a low-dimensional latent code.

    An encoder maps the input to the code, a decoder maps it back. Linear networks find the plane of PCA, deeper ones a
    curved surface. With `noise` the input is made noisy first and must be reconstructed without it (denoising
    autoencoder); `sparsity` and `contractive_weight` keep a code from copying where it is wide enough to.

    Shapes:  encoder: input → (latent_dim,); decoder: (latent_dim,) → input.
    Units:   psnr in decibels over the range of the train split; psnr_gain is over that of the noisy input; loss and mse
             are in the units that the network sees.
    Source:  Hinton & Salakhutdinov 2006, Science 313; noise: Vincent et al. 2008, doi:10.1145/1390156.1390294;
             contraction: Rifai et al. 2011, here estimated by one random projection; kl: Ng 2011, CS294A notes.

    Example:
        {type: autoencoder, latent_dim: 32, noise: gaussian, noise_level: 0.3}
    """

    type: Literal["autoencoder"] = "autoencoder"

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks._generative.autoencoder_module import AutoencoderModule

        return AutoencoderModule(networks, facts, learning, self)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.figures.embedding import embedding
        from dlx.figures.samples import strips

        images = outputs.extras.get("reconstructions")
        rows = ("input", "reconstruction") if self.noise == "none" else ("input", "noisy", "reconstruction")
        drawn = {} if images is None else {"reconstructions": strips(images, rows)}
        return {**drawn, "codes": embedding(outputs.values["code"], outputs.values["error"], "error")}
