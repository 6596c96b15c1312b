from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, FieldSerializationInfo, ValidationInfo, field_serializer, field_validator

from dlx.optimizers import Groups, Optimizer

if TYPE_CHECKING:
    import torch

SHARED_FIELDS = tuple(
    name for name in Optimizer.model_fields if name != "type"
)  # the wrapper has them, and gives them to the base


class SAM(Optimizer):
    """SAM, sharpness-aware minimization: steps by the gradient at the worst nearby point, toward flat minima.

    e = ρ g / |g|;  the base optimizer then steps from θ with the gradient at θ + e. adaptive: e = ρ θ² g / |θ g|,
    which does not depend on the scale of the weights. Doubles the time of a step; pays off where the network
    overfits.

    Units:   rho is a distance in weight space; with adaptive take it about 10 times larger.
    Raises:  ValueError if a field that all optimizers have, such as lr, is given to the base optimizer.
    Source:  Foret et al. 2021, arXiv:2010.01412; adaptive: Kwon et al. 2021, arXiv:2102.11600.

    Example:
        {type: sam, lr: 0.05, base_optimizer: {momentum: {momentum: 0.9}}, rho: 0.05}
    """

    type: Literal["sam"] = "sam"
    needs_closure: ClassVar[bool] = True
    base_optimizer: Optimizer
    """The optimizer that updates the parameters."""
    rho: float = Field(0.05, gt=0)
    """Neighborhood size: the length of the perturbation."""
    adaptive: bool = False
    """Whether to use adaptive SAM, whose perturbation is relative to the size of each weight."""

    @field_validator("base_optimizer", mode="after")
    @classmethod
    def _check_lr(cls, base: Optimizer, info: ValidationInfo) -> Optimizer:
        own = {name: info.data[name] for name in SHARED_FIELDS if name in info.data}
        twice = [name for name in own if name in base.model_fields_set and getattr(base, name) != own[name]]
        if twice:
            raise ValueError(f"give {', '.join(twice)} beside base_optimizer, not in it")
        if base.needs_closure:
            raise ValueError(f"{base.type} evaluates the loss by itself, and so cannot be the base_optimizer")
        return type(base).model_validate(
            {name: v for name, v in base if name in base.model_fields_set - set(SHARED_FIELDS)}
        )

    @field_serializer("base_optimizer")
    def _dump_base(self, base: Optimizer, info: FieldSerializationInfo) -> dict[str, Any]:
        return base.model_dump(
            mode=info.mode, exclude=set(SHARED_FIELDS), exclude_unset=info.exclude_unset, serialize_as_any=True
        )

    @property
    def inner_optimizer(self) -> Optimizer:
        return self.base_optimizer.evolve_all({name: getattr(self, name) for name in SHARED_FIELDS})

    @property
    def state_per_parameter(self) -> float:  # type: ignore[override]
        return self.base_optimizer.state_per_parameter + 1  # the weights, while the gradient nearby is taken

    @property
    def full_batch(self) -> bool:  # type: ignore[override]
        return self.base_optimizer.full_batch

    def build(self, groups: Groups) -> torch.optim.Optimizer:
        from dlx.optimizers.sam.module import SAM

        return SAM(self.inner_optimizer.build(groups), self.rho, self.adaptive)
