"""Restricted Boltzmann machines, trained by contrastive divergence. B batch, V visible units, C chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.images import to_image
from dlx.nn.protocols import Batch, EnergyBased
from dlx.tasks import Learning
from dlx.tasks._ssl.linear_probe import ProbedEncoder
from dlx.tasks._ssl.spec import ROLE
from dlx.tasks._unsupervised.module import UnsupervisedModule
from dlx.tasks.rbm.partition import annealed_importance_sampling

if TYPE_CHECKING:
    from dlx.tasks.rbm import RBMTask

NEGATIVE_PHASE, UNIT = "negative_phase", "unit"
"""Fields of a batch: the states that Gibbs sampling came to from its samples (B, V), and a unit of each (B,)."""
SHEET = 64  # samples that are drawn


class RBMModule(ProbedEncoder, UnsupervisedModule):
    """One machine or several, trained from the lowest to the highest (greedy layer-wise)."""

    sampling_steps = 1000
    task: RBMTask

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: RBMTask) -> None:
        super().__init__(networks, facts, learning, task)
        self.machines: list[Any] = [m for m in networks[ROLE].modules() if isinstance(m, EnergyBased)]
        self._inputs: dict[nn.Module, Tensor] = {}
        self._free_energies: list[Tensor] = []
        for number, machine in enumerate(self.machines):
            machine.register_forward_pre_hook(self._store_input)
            if task.persistent:
                half = torch.full((task.chains, machine.weight.shape[1]), 0.5)
                self.register_buffer(f"chains_{number}", torch.bernoulli(half))

    def sample_metrics(self) -> Sequence[str]:
        return ("loss",)

    @property
    def current_machine(self) -> int:
        """Index of the machine that is trained now: each that is not frozen has an equal part of all steps."""
        trained = [n for n, machine in enumerate(self.machines) if machine.weight.requires_grad] or [0]
        done = self.trainer.global_step * len(trained) // max(self.total_steps, 1)
        return trained[min(done, len(trained) - 1)]

    def _store_input(self, machine: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._inputs[machine] = inputs[0]

    @torch.no_grad()
    def visible_units(self, batch: Batch) -> list[Tensor]:
        """Return the visible units of each machine for a batch."""
        self.embed(batch)
        found = [self._inputs[machine] for machine in self.machines]
        self._inputs.clear()
        return found

    # -- loss ---------------------------------------------------------------------------------------------------------

    def prepare_step(self, batch: Batch) -> Batch:
        """Run Gibbs sampling from the batch, or on from where the last step's ended (persistent chains)."""
        number = self.current_machine
        machine = self.machines[number]
        if self.task.persistent:
            chains: Tensor = getattr(self, f"chains_{number}")
            chains.copy_(machine.gibbs_sample(chains, self.task.gibbs_steps))
        else:
            visible_BV = self.visible_units(batch)[number]
            batch = {**batch, NEGATIVE_PHASE: machine.gibbs_sample(visible_BV, self.task.gibbs_steps)}
        return {**batch, UNIT: torch.randint_like(batch["rows"], machine.weight.shape[1])}

    def loss(self, batch: Batch) -> Tensor:
        """Return the difference of two free energies, whose gradient is that of contrastive divergence.

        With v of the data and v′ of the negative phase it is, for the weights, p(h|v′) v′ᵀ − p(h|v) vᵀ. The difference
        itself measures nothing: what is returned has its gradient, but the value of the evaluated loss.
        """
        number = self.current_machine
        machine = self.machines[number]
        visible_BV = self.visible_units(batch)[number]
        negative = getattr(self, f"chains_{number}") if self.task.persistent else batch[NEGATIVE_PHASE]
        contrast = machine.free_energy(visible_BV).mean() - machine.free_energy(negative).mean()
        with torch.no_grad():
            value = self._sample_loss(machine, visible_BV, batch[UNIT]).mean()
        loss: Tensor = contrast - contrast.detach() + value
        return loss

    # -- evaluation ---------------------------------------------------------------------------------------------------

    def evaluate_batch(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        """Return the negative pseudo-likelihood, or the error of reconstruction, of every sample, over all machines."""
        total_B = torch.zeros(len(index_B), device=index_B.device)
        for machine, visible_BV in zip(self.machines, self.visible_units(batch), strict=True):
            total_B += self._sample_loss(machine, visible_BV, index_B % visible_BV.shape[1])
        return {"loss": total_B}

    def _sample_loss(self, machine: Any, visible_BV: Tensor, unit_B: Tensor) -> Tensor:
        """Return the negative pseudo-likelihood (B,) of one unit of each sample, or the error of gaussian units."""
        if machine.gaussian:
            error_BV: Tensor = machine.visible_mean(machine(visible_BV)) - visible_BV
            return 0.5 * error_BV.square().sum(1)
        flipped_BV = visible_BV.scatter(1, unit_B[:, None], 1 - visible_BV.gather(1, unit_B[:, None]))
        log_odds_B = machine.free_energy(flipped_BV) - machine.free_energy(visible_BV)
        loss_B: Tensor = -F.logsigmoid(log_odds_B) * visible_BV.shape[1]
        return loss_B

    def on_split_start(self) -> None:
        self._free_energies = []

    def update_metrics(self, batch: Batch) -> None:
        if self.task.ais_chains:
            (visible_BV,) = self.visible_units(batch)
            self._free_energies.append(self.machines[0].free_energy(visible_BV))
        super().update_metrics(batch)

    def split_metrics(self, split: str) -> dict[str, Tensor]:
        if not self.task.ais_chains:
            return {}
        generator = torch.Generator(self.device).manual_seed(0)
        rbm, chains, temperatures = self.machines[0], self.task.ais_chains, self.task.ais_temperatures
        log_z = annealed_importance_sampling(rbm, chains, temperatures, generator)
        return {"log_likelihood": -torch.cat(self._free_energies).mean() - log_z}

    # -- samples ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, seed: int, steps: int | None = None) -> Tensor:
        """Return n samples of the lowest machine by Gibbs sampling from random states: means of its visible units.

        They are laid out as samples are, where the units are as many.
        """
        machine, generator = self.machines[0], torch.Generator(self.device).manual_seed(seed)
        start = machine.weight.new_full((n, machine.weight.shape[1]), 0.5)
        state_NV = torch.bernoulli(start, generator=generator)
        for _ in self.watched(range(steps or self.sampling_steps), "making samples"):
            state_NV = machine.gibbs_sample(state_NV, 1, generator)
        samples: Tensor = machine.visible_mean(machine(state_NV))
        are_inputs = samples.shape[1] == self.spec.elements
        return samples.view(n, *(d or 1 for d in self.spec.dims)) if are_inputs else samples

    def collect_figures(self, few: bool = False) -> None:
        if self.spec.axes == "CHW" and self.machines[0].weight.shape[1] == self.spec.elements:
            self.outputs.extras["samples"] = to_image(self.sample(SHEET, 0), self.spec).numpy()
