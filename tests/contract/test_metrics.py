"""Every metric: its example validates, it takes the targets that it names, and says which direction is better."""

import pytest
import torch
from kit import example
from targets import random_metric, random_predictions, target_facts

from dlx.component import leaf_class, types
from dlx.errors import ShapeError
from dlx.metrics import Metric

METRICS = types("metrics")
KINDS = ("classes", "labels", "regression", "tokens")


@pytest.mark.parametrize("name", METRICS)
def test_example_validates_and_round_trips(name: str) -> None:
    metric = Metric.model_validate(example("metrics", name))
    assert type(metric) is leaf_class("metrics", name) and metric.type == name
    assert Metric.model_validate(metric.model_dump(serialize_as_any=True)) == metric


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_takes_the_targets_that_it_names_and_refuses_others(name: str, kind: str) -> None:
    metric, facts = Metric.model_validate(name), target_facts(kind, 6)
    if kind not in metric.target_kinds:
        with pytest.raises(ShapeError, match=kind):
            metric.validate_target(facts)
        return
    metric.validate_target(facts)
    value = random_metric(name, kind, 6)
    assert value.isfinite().all()
    assert (value.ndim == 0) == bool(metric.names("own", facts))


@pytest.mark.parametrize("name", METRICS)
def test_higher_is_better_is_the_direction_of_a_perfect_prediction(name: str) -> None:
    spec = Metric.model_validate(name)
    kind = spec.target_kinds[0]
    facts = target_facts(kind, 6)
    if not spec.names("own", facts):
        return
    metric, (_, target) = spec.build(facts), random_predictions(kind, 6)
    perfect = torch.nn.functional.one_hot(target, 6).float() if kind == "classes" else target.float()
    metric.update(perfect, target)
    best, usual = metric.compute(), random_metric(name, kind, 6)
    assert best > usual if spec.higher_is_better else best < usual
    assert spec.direction == ("higher" if spec.higher_is_better else "lower")


@pytest.mark.parametrize("name", METRICS)
def test_reset_forgets(name: str) -> None:
    spec = Metric.model_validate(name)
    kind = spec.target_kinds[0]
    metric, (prediction, target) = spec.build(target_facts(kind, 6)), random_predictions(kind, 6)
    metric.update(prediction.flip(0), target)
    metric.reset()
    metric.update(prediction, target)
    torch.testing.assert_close(metric.compute(), random_metric(name, kind, 6))


@pytest.mark.parametrize("name", [n for n in METRICS if "target" in leaf_class("metrics", n).model_fields])
def test_the_metric_of_one_target_sees_no_other(name: str) -> None:
    facts, (prediction, target) = target_facts("regression", 3), random_predictions("regression", 3)
    for k in range(3):
        metric = Metric.model_validate({name: {"target": str(k + 1)}}).build(facts)
        metric.update(prediction, target)
        single = Metric.model_validate(name).build(target_facts("regression", 1))
        single.update(prediction[:, k], target[:, k])
        torch.testing.assert_close(metric.compute(), single.compute())
    with pytest.raises(ShapeError, match="there is no target '4'"):
        Metric.model_validate({name: {"target": "4"}}).validate_target(facts)
