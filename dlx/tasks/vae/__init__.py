from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem
from dlx.tasks import Learning
from dlx.tasks._generative.autoencoder_spec import EncoderDecoder, check_unit_interval
from dlx.tasks._generative.spec import Generative

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class VAE(EncoderDecoder, Generative):
    """Variational autoencoder (VAE): a latent-variable model; codes sampled from N(0, I) are decoded to new samples.

    The encoder gives a normal distribution of codes for an input, q(z|x), the decoder one of inputs for a code, p(x|z).
    It maximizes the evidence lower bound (ELBO), E_q log p(x|z) − β KL(q(z|x) ‖ N(0, I)), whose gradient flows through
    z = μ + σ ε. β above 1 favors codes with independent dimensions; KL annealing and free bits keep a code from being
    ignored (posterior collapse).

    Shapes:  encoder: input → (2 · latent_dim,), means and log-variances; decoder: (latent_dim,) → input.
    Units:   loss is the negative bound (ELBO) in nats per sample with β = 1, a density for gaussian; kl and
             reconstruction_loss are its two parts; bits_per_dimension is loss / (ln 2 · numbers in a sample), for
             gaussian of values as the network sees them; iwae_loss is the negative of a tighter bound; kl_annealing is
             a fraction of all steps, or steps if ≥ 1.
    Source:  Kingma & Welling 2014, arXiv:1312.6114; β: Higgins et al. 2017; free bits: Kingma et al. 2016,
             arXiv:1606.04934, here for each number of the code; importance weights: Burda et al. 2016,
             arXiv:1509.00519.

    Example:
        {type: vae, latent_dim: 20, likelihood: gaussian, importance_samples: 8}
    """

    type: Literal["vae"] = "vae"
    per_sample: ClassVar[tuple[str, ...]] = ("loss", "reconstruction_loss", "kl", "bits_per_dimension")
    """Metrics that are means over samples."""
    embedding_description: ClassVar[str] = "the mean of the code"
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    """Distribution of an element given the code; bernoulli for black and white, or values between 0 and 1."""
    std: float = Field(1.0, gt=0)
    """With gaussian likelihood: its standard deviation, in the units of the network's input."""
    beta: float = Field(1.0, ge=0)
    """β: weight of the KL divergence from N(0, I) in training."""
    kl_annealing: float = Field(0.0, ge=0)
    """KL annealing: how long β grows linearly from 0."""
    free_bits: float = Field(0.0, ge=0)
    """Nats of KL divergence, of each dimension of the code, that cost nothing."""
    importance_samples: int = Field(0, ge=0)
    """Codes for each sample in the importance-weighted bound (IWAE), on val and test; 0 leaves it out."""

    @property
    def encoder_features(self) -> int:
        return 2 * self.latent_dim

    @property
    def learning_metric(self) -> str:
        return "reconstruction_loss"

    @property
    def compares_samples(self) -> bool:
        return self.free_bits > 0  # a limit of the batch's mean

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        tighter = {"iwae_loss": "lower"} if self.importance_samples else {}
        return {**dict.fromkeys(self.per_sample, "lower"), **tighter, **self.generated_metric_names()}

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if self.likelihood == "bernoulli":
            yield from check_unit_interval(context.facts, "likelihood", "bernoulli")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.vae.module import VAEModule

        return VAEModule(networks, facts, learning, self)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.figures.embedding import embedding
        from dlx.tasks.vae.figures import draw

        codes, values = outputs.values["code"], outputs.values["kl"]
        return {**draw(outputs.extras), "codes": embedding(codes, values, "KL in nats")}
