from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dlx.facts import DataFacts
from dlx.rules import CheckContext, Problem, Rule, Severity
from dlx.tasks import Learning, UnfitSetting
from dlx.tasks._generative.autoencoder_spec import AutoencoderTask

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class NoThreshold(Rule):
    """Without a val split no score is called an anomaly.

    The threshold is a quantile of the scores on val.

    Why:      predictions then hold scores, but no answer.
    Instead:  keep a share of the samples for val: data.split.val.
    """

    code: ClassVar[str] = "DLX502"
    severity: ClassVar[Severity] = "warning"


class Anomaly(AutoencoderTask):
    """Anomaly detection: an autoencoder has a larger reconstruction error on samples unlike its training data.

    The score of a sample is the mean squared error of its reconstruction; above the `quantile` of the scores of normal
    val samples it is an anomaly. Where classes are known, `data.split.holdout_classes` names those that are anomalies:
    none of their samples is trained on, and loss, mse and threshold are of the others alone.

    Shapes:  encoder: input → (latent_dim,); decoder: (latent_dim,) → input.
    Units:   auroc is the probability that an anomaly has a higher score than a normal sample; recall is the fraction
             of anomalies above the threshold, false_positive_rate that of normal samples; anomaly_rate is that of all
             samples where classes are not known.
    Source:  Sakurada & Yairi 2014, doi:10.1145/2689746.2689747.

    Example:
        {type: anomaly, latent_dim: 16, labeled: false}
    """

    type: Literal["anomaly"] = "anomaly"
    latent_dim: int = Field(8, gt=0)
    """Size of the code (latent vector); a wide one reconstructs anomalies as well."""
    quantile: float = Field(0.95, gt=0, lt=1)
    """Fraction of the normal val samples that lie below the threshold."""
    labeled: bool = False
    """Whether the target says which samples are anomalies: those of the classes in `data.split.holdout_classes`."""

    @property
    def target_kind(self) -> str | None:  # type: ignore[override]
        """Classes are read only to evaluate by."""
        return "classes" if self.labeled else None

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        of_classes = {"auroc": "higher", "recall": "higher", "false_positive_rate": "lower"}
        return {"loss": "lower", "mse": "lower", **(of_classes if self.labeled else {"anomaly_rate": "lower"})}

    def baseline_metrics(self, facts: DataFacts) -> list[str]:
        return ["mse", "auroc"] if self.labeled else ["mse"]

    def check(self, context: CheckContext) -> Iterable[Problem]:
        yield from super().check(context)
        if self.labeled and all(context.facts.class_counts):
            message = "no class is an anomaly: name those that are in data.split.holdout_classes"
            yield UnfitSetting.at(message, "labeled")
        if not context.facts.counts.get("val"):
            yield NoThreshold.at("there is no val split, so that no score is above the threshold")

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.anomaly.module import AnomalyModule

        return AnomalyModule(networks, facts, learning, self)

    def predictions_table(self, values: Any, facts: DataFacts) -> dict[str, list[Any]]:
        return {"score": values[:, 0].tolist(), "is_anomaly": [bool(v) for v in values[:, 1]]}

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.figures.samples import score_histogram, strips

        error, anomalous = outputs.values["error"], outputs.values["anomalous"] > 0
        title = f"{len(error)} samples"
        title = f"{int(anomalous.sum())} anomalies among {title}" if self.labeled else title
        drawn = {
            "scores": score_histogram(error[~anomalous], error[anomalous], float(outputs.extras["threshold"]), title)
        }
        images = outputs.extras.get("reconstructions")
        names = ("highest scores", "reconstruction")
        return drawn if images is None else {**drawn, "reconstructions": strips(images, names)}
