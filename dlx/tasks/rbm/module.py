"""Machines that learn by dreaming. B batch, V visible units, C chains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlx.facts import DataFacts
from dlx.nn.images import as_picture
from dlx.nn.protocols import EnergyBased
from dlx.tasks import Learning
from dlx.tasks._base.optimizer_step import Batch
from dlx.tasks._ssl.module import ProbedModule
from dlx.tasks._ssl.spec import ROLE
from dlx.tasks.rbm._estimates_torch import annealed

if TYPE_CHECKING:
    from dlx.tasks.rbm import RBMTask

DREAM = "dream"
"""Field of a batch: the states that the machine came to from its samples."""
SHEET = 64  # samples that are drawn


class RBMModule(ProbedModule):
    """One machine or several, learned from the lowest to the highest."""

    sampling_steps = 1000

    def __init__(self, networks: Mapping[str, nn.Module], facts: DataFacts, learning: Learning, task: RBMTask) -> None:
        super().__init__(networks, facts, learning, task)
        self.task = task
        self.machines: list[Any] = [m for m in networks[ROLE].modules() if isinstance(m, EnergyBased)]
        self._reached: dict[nn.Module, Tensor] = {}
        self._energies: list[Tensor] = []
        for number, machine in enumerate(self.machines):
            machine.register_forward_pre_hook(self._note)
            if task.persistent:
                anything = torch.full((task.chains, machine.weight.shape[1]), 0.5)
                self.register_buffer(f"chains_{number}", torch.bernoulli(anything))

    @property
    def awake(self) -> int:
        """Number of the machine that learns now: each that is not frozen has an equal part of all steps."""
        learning = [n for n, machine in enumerate(self.machines) if machine.weight.requires_grad] or [0]
        done = self.trainer.global_step * len(learning) // max(self.planned_steps, 1)
        return learning[min(done, len(learning) - 1)]

    def _note(self, machine: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._reached[machine] = inputs[0]

    @torch.no_grad()
    def reached(self, batch: Batch) -> list[Tensor]:
        """Return what reaches the visible units of each machine."""
        self.embed(batch)
        found = [self._reached[machine] for machine in self.machines]
        self._reached.clear()
        return found

    # -- learning -----------------------------------------------------------------------------------------------------

    def learn(self, batch: Batch) -> None:
        """Let the machine dream from the batch, or go on from the last dream; then move from the one to the other."""
        number = self.awake
        machine = self.machines[number]
        if self.task.persistent:
            chains: Tensor = getattr(self, f"chains_{number}")
            chains.copy_(machine.gibbs_sample(chains, self.task.gibbs_steps))
        else:
            batch = {**batch, DREAM: machine.gibbs_sample(self.reached(batch)[number], self.task.gibbs_steps)}
        super().learn(batch)

    def loss_of(self, batch: Batch) -> Tensor:
        """Return the difference of two free energies, whose gradient is the rule by which machines learn.

        With v of the data and v′ dreamt it is, for the weights, p(h|v′) v′ᵀ − p(h|v) vᵀ. The difference itself is no
        measure of anything: what is returned has its gradient, but the value of the loss.
        """
        number = self.awake
        machine = self.machines[number]
        with torch.no_grad():
            self.embed(batch)
        seen_BV = self._reached[machine]
        self._reached.clear()
        dreamt = getattr(self, f"chains_{number}") if self.task.persistent else batch[DREAM]
        contrast = machine.free_energy(seen_BV).mean() - machine.free_energy(dreamt).mean()
        with torch.no_grad():
            surprise = self._surprise(machine, seen_BV, torch.randint_like(batch["rows"], seen_BV.shape[1])).mean()
        missed: Tensor = contrast - contrast.detach() + surprise
        return missed

    # -- judging ------------------------------------------------------------------------------------------------------

    def judged(self, batch: Batch, index_B: Tensor) -> dict[str, Tensor]:
        """Return −log pseudo-likelihood, or the error of reconstruction, of every sample, summed over machines."""
        total_B = torch.zeros(len(index_B), device=index_B.device)
        for machine, seen_BV in zip(self.machines, self.reached(batch), strict=True):
            total_B += self._surprise(machine, seen_BV, index_B % seen_BV.shape[1])
        return {"loss": total_B}

    def _surprise(self, machine: Any, seen_BV: Tensor, unit_B: Tensor) -> Tensor:
        """Return how little a machine expects samples, (B,), looking at one unit of each."""
        if machine.gaussian:
            missed_BV: Tensor = machine.visible_mean(machine(seen_BV)) - seen_BV
            return 0.5 * missed_BV.square().sum(1)
        turned_BV = seen_BV.scatter(1, unit_B[:, None], 1 - seen_BV.gather(1, unit_B[:, None]))
        odds_B = machine.free_energy(turned_BV) - machine.free_energy(seen_BV)
        surprise_B: Tensor = -F.logsigmoid(odds_B) * seen_BV.shape[1]
        return surprise_B

    def begin(self) -> None:
        self._energies = []

    def measure(self, batch: Batch) -> dict[str, Tensor]:
        if self.task.ais_chains:
            (seen_BV,) = self.reached(batch)
            self._energies.append(self.machines[0].free_energy(seen_BV))
        return super().measure(batch)

    def summary(self, split: str) -> dict[str, Tensor]:
        if not self.task.ais_chains:
            return {}
        generator = torch.Generator(self.device).manual_seed(0)
        log_z = annealed(self.machines[0], self.task.ais_chains, self.task.ais_temperatures, generator)
        return {"log_likelihood": -torch.cat(self._energies).mean() - log_z}

    # -- what it dreams -----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, n: int, seed: int, steps: int | None = None) -> Tensor:
        """Return what n dreams of the lowest machine come to, from nothing: means of its visible units.

        They are laid out as samples are, where the units are as many.
        """
        machine, generator = self.machines[0], torch.Generator(self.device).manual_seed(seed)
        start = machine.weight.new_full((n, machine.weight.shape[1]), 0.5)
        state_NV = torch.bernoulli(start, generator=generator)
        for _ in self.watched(range(steps or self.sampling_steps), "making samples"):
            state_NV = machine.gibbs_sample(state_NV, 1, generator)
        made: Tensor = machine.visible_mean(machine(state_NV))
        return made.view(n, *(d or 1 for d in self.spec.dims)) if made.shape[1] == self.spec.elements else made

    def show(self, few: bool = False) -> None:
        if self.spec.axes == "CHW" and self.machines[0].weight.shape[1] == self.spec.elements:
            self.outputs.made["samples"] = as_picture(self.sample(SHEET, 0), self.spec).numpy()
