"""Feature extractors: networks of other runs whose features a metric compares, such as a Fréchet distance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dlx.engine.data.batches import transforming
from dlx.engine.data.inverse_transforms import units_of
from dlx.engine.inference.restore import restore
from dlx.engine.rng import random_state, restore_random_state
from dlx.errors import UsageError
from dlx.plan import Plan


def attach(module: nn.Module, plan: Plan) -> None:
    """Give every metric that asks for the features of another run the way to them."""
    for metric in module.modules():
        run = getattr(metric, "feature_run", None)
        if run is not None:
            metric.features = FeatureExtractor(run, plan)  # type: ignore[assignment]


def load_features(module: nn.Module) -> None:
    """Read the runs that metrics ask for. Raises: UsageError if there is no such run, or it takes other data."""
    for metric in module.modules():
        extractor = getattr(metric, "features", None)
        if isinstance(extractor, FeatureExtractor):
            extractor.read()


class FeatureExtractor:
    """What the network of a run makes of samples that another run's network sees; it is read when it is first asked.

    Samples are taken back to the units of the data, and brought from there to those of the extractor.
    """

    def __init__(self, run: str, plan: Plan) -> None:
        self.run, self.plan = run, plan
        self.units = units_of(plan)
        self._restored: Any = None

    def __deepcopy__(self, memo: Any) -> FeatureExtractor:
        return self  # it does not learn

    def read(self) -> Any:
        """Return the run, restored. Raises: UsageError; CheckpointError."""
        if self._restored is None:
            threads, random = torch.get_num_threads(), random_state()
            found = restore(self.run)  # which takes its own number of threads, and draws weights before it reads them
            torch.set_num_threads(threads)
            restore_random_state(random)
            self._check(found.plan, found.module)
            steps = transforming(found.plan.recipe.data.transforms, found.plan.facts)  # type: ignore[arg-type]
            self._restored = found.module, found.plan.facts.inputs[0], steps
        return self._restored

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Return the features (B, F) of samples."""
        module, name, steps = self.read()
        module.to(x.device)
        batch = {name: self.units(x.float()), "rows": torch.arange(len(x), device=x.device)}
        for step in steps:
            batch = step(batch)
        features_BF: Tensor = module.embed(batch)
        return features_BF

    def _check(self, other: Plan, module: nn.Module) -> None:
        if not hasattr(module, "embed"):
            raise UsageError(f"the run {self.run} cannot extract features: {other.recipe.task.type} has no features")
        if self.units.stuck is not None:
            raise UsageError(f"the run {self.run} cannot extract features: {self.units.stuck} cannot be undone")
        theirs = [other.facts.fields[name] for name in other.facts.inputs]
        if theirs != [self.units.spec]:
            wanted = ", ".join(f"{x} {x.dtype}" for x in theirs)
            raise UsageError(
                f"the run {self.run} takes {wanted}, but samples are {self.units.spec} {self.units.spec.dtype}"
            )
