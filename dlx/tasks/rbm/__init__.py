from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dlx.errors import ShapeError
from dlx.facts import DataFacts
from dlx.layers import Layer, walk
from dlx.models import Model
from dlx.tasks import Learning, Networks
from dlx.tasks._base.heads import numeric_input
from dlx.tasks._ssl.spec import ROLE, EncoderTask
from dlx.tensors import elements

if TYPE_CHECKING:
    import pytorch_lightning as pl
    from torch import nn


class RBMTask(EncoderTask):
    """Restricted Boltzmann machine: learns the distribution of samples, by the layers `rbm` of the model.

    Contrastive divergence: weights move toward the correlations of hidden and visible units on the data, and away from
    those after `gibbs_steps` of Gibbs sampling, which began at the data or where the last step's ended (persistent).
    Several `rbm` layers are a deep belief network: they are trained one after the other (greedy layer-wise), each that
    is not frozen in an equal part of all steps, on the probabilities of the one below. A classifier of the same layers
    can then begin with them (`init_from`).

    Shapes:  any → any; the layers hold `visible` units of 0 or 1, or gaussian ones.
    Units:   loss is the negative pseudo-likelihood in nats for bernoulli units, estimated from one unit of each sample,
             half the squared error of reconstruction for gaussian ones, and the sum over layers for several;
             log_likelihood is in nats per sample.
    Raises:  ShapeError if the model has no layer `rbm`.
    Source:  contrastive divergence: Hinton 2002, doi:10.1162/089976602760128018; persistent: Tieleman 2008,
             doi:10.1145/1390156.1390290; deep: Hinton, Osindero & Teh 2006, doi:10.1162/neco.2006.18.7.1527; annealed
             importance sampling: Salakhutdinov & Murray 2008, doi:10.1145/1390156.1390266.

    Example:
        {type: rbm, gibbs_steps: 1, persistent: true}
    """

    type: Literal["rbm"] = "rbm"
    gibbs_steps: int = Field(1, ge=1)
    """k of CD-k: steps of Gibbs sampling, hidden and then visible units, to the negative phase."""
    persistent: bool = False
    """Persistent contrastive divergence: Gibbs sampling goes on where it ended, and not from the data again."""
    chains: int = Field(100, ge=1)
    """With `persistent`: how many chains are sampled side by side."""
    ais_chains: int = Field(0, ge=0)
    """Chains of the annealed importance sampling by which log_likelihood is estimated on val and test; 0 leaves it
    out.
    """
    ais_temperatures: int = Field(1000, ge=2)
    """With `ais_chains`: steps from a machine without weights to the trained one."""

    def network(self, role: str, model: Model, facts: DataFacts) -> Layer:
        tree = super().network(role, model, facts)
        x = numeric_input(facts, self.type)
        found = [layer for _, layer, _ in walk(tree, x) if layer.is_energy_based]
        if not found:
            raise ShapeError("the task rbm learns layers of that name, but the model has none; write {rbm: 64}")
        if self.ais_chains and (len(found) > 1 or getattr(found[0], "visible", "") != "bernoulli"):
            raise ShapeError("ais_chains needs one rbm, of bernoulli units")
        return tree

    def buffer_elements(self, networks: Networks, facts: DataFacts) -> int:
        inside = walk(*networks[ROLE])
        visible = sum(elements(x) for _, layer, x in inside if layer.is_energy_based)
        return super().buffer_elements(networks, facts) + (self.chains * visible if self.persistent else 0)

    def metric_names(self, facts: DataFacts) -> dict[str, str]:
        estimated = {"log_likelihood": "higher"} if self.ais_chains else {}
        return {**super().metric_names(facts), **estimated}

    def build(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning) -> pl.LightningModule:
        from dlx.tasks.rbm.module import RBMModule

        return RBMModule(networks, facts, learning, self)

    def figures(self, outputs: Any, facts: DataFacts) -> dict[str, Any]:
        from dlx.figures.samples import sheet

        samples = outputs.extras.get("samples")
        drawn = {} if samples is None else {"samples": sheet(samples, f"{len(samples)} samples")}
        return {**super().figures(outputs, facts), **drawn}
