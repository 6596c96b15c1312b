"""Feature extractors: networks of other runs whose features a metric compares, such as a Fréchet distance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dlx.engine.data.batches import build_transforms
from dlx.engine.data.inverse_transforms import inverse_transforms
from dlx.engine.inference.restore import restore
from dlx.engine.rng import random_state, restore_random_state
from dlx.errors import UsageError
from dlx.nn.protocols import ComparesFeatures, Embeds
from dlx.plan import Plan


def attach(module: nn.Module, plan: Plan) -> None:
    """Attach a feature extractor to every metric that compares the features of another run."""
    for metric in module.modules():
        if isinstance(metric, ComparesFeatures) and metric.feature_run is not None:
            metric.features = FeatureExtractor(metric.feature_run, plan)


def load_features(module: nn.Module) -> None:
    """Restore the runs of attached feature extractors. Raises: UsageError if one is not there, or takes other data."""
    for metric in module.modules():
        if isinstance(metric, ComparesFeatures) and isinstance(metric.features, FeatureExtractor):
            metric.features.restore()


class FeatureExtractor:
    """The network of a run as a feature extractor for samples of another run; it is restored at its first call.

    Samples are brought back to the units of the data, and from there to those of the extractor.
    """

    def __init__(self, run: str, plan: Plan) -> None:
        self.run, self.plan = run, plan
        self.units = inverse_transforms(plan)
        self._restored: Any = None

    def __deepcopy__(self, memo: Any) -> FeatureExtractor:
        return self  # it does not learn

    def restore(self) -> Any:
        """Return the run, restored. Raises: UsageError; CheckpointError."""
        if self._restored is None:
            threads, random = torch.get_num_threads(), random_state()
            found = restore(self.run)  # which takes its own number of threads, and draws weights before it reads them
            torch.set_num_threads(threads)
            restore_random_state(random)
            self._check(found.plan, found.module)
            transforms = build_transforms(found.plan.recipe.data.transforms, found.plan.facts)  # type: ignore[arg-type]
            self._restored = found.module, found.plan.facts.inputs[0], transforms
        return self._restored

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Return the features (B, F) of samples."""
        module, name, transforms = self.restore()
        module.to(x.device)
        batch = {name: self.units(x.float()), "rows": torch.arange(len(x), device=x.device)}
        for transform in transforms:
            batch = transform(batch)
        features_BF: Tensor = module.embed(batch)
        return features_BF

    def _check(self, other: Plan, module: nn.Module) -> None:
        if not isinstance(module, Embeds):
            raise UsageError(f"the run {self.run} cannot extract features: {other.recipe.task.type} has no features")
        if self.units.not_invertible is not None:
            what = f"{self.units.not_invertible} cannot be undone"
            raise UsageError(f"the run {self.run} cannot extract features: {what}")
        theirs = [other.facts.fields[name] for name in other.facts.inputs]
        if theirs != [self.units.spec]:
            wanted = ", ".join(f"{x} {x.dtype}" for x in theirs)
            raise UsageError(
                f"the run {self.run} takes {wanted}, but samples are {self.units.spec} {self.units.spec.dtype}"
            )
