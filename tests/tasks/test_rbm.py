"""Restricted Boltzmann machines against what can be summed up by hand, and against scikit-learn's."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.neural_network import BernoulliRBM

from dlx.facts import DataFacts
from dlx.layers.rbm.module import BoltzmannMachine
from dlx.models import Model
from dlx.optimizers import Optimizer
from dlx.schedules import Schedule
from dlx.tasks import Learning, Task
from dlx.tasks.rbm.module import NEGATIVE_PHASE, UNIT
from dlx.tasks.rbm.partition import annealed_importance_sampling, exact_log_partition
from dlx.tensors import TensorSpec


def machine(visible=5, hidden=4, gaussian=False, size=1.0):
    torch.manual_seed(0)
    made = BoltzmannMachine(visible, hidden, gaussian)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=size)
    return made


def states(count):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=count)))


def energies(made, visible_V, hidden_SH):
    own = made.hidden_bias @ hidden_SH.T + hidden_SH @ made.weight @ visible_V
    if made.gaussian:
        return 0.5 * (visible_V - made.visible_bias).square().sum() - own
    return -visible_V @ made.visible_bias - own


@pytest.mark.parametrize("gaussian", [False, True])
def test_free_energy_sums_over_hidden_states(gaussian):
    made, visible = machine(gaussian=gaussian), torch.rand(5)
    expected = -torch.logsumexp(-energies(made, visible, states(4)), 0)
    assert made.free_energy(visible[None]).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("gaussian", [False, True])
def test_hidden_units_are_on_as_their_energies_say(gaussian):
    made, visible = machine(gaussian=gaussian), torch.rand(5)
    weights = torch.softmax(-energies(made, visible, states(4)), 0)
    assert torch.allclose(made(visible[None])[0], weights @ states(4), atol=1e-5)


def test_features_and_free_energies_are_scikit_learns():
    made, x = machine(), torch.rand(7, 5)
    other = BernoulliRBM(n_components=4)
    other.components_ = made.weight.detach().numpy()
    other.intercept_hidden_ = made.hidden_bias.detach().numpy()
    other.intercept_visible_ = made.visible_bias.detach().numpy()
    assert np.allclose(made(x).detach().numpy(), other.transform(x.numpy()), atol=1e-5)
    assert np.allclose(made.free_energy(x).detach().numpy(), other._free_energy(x.numpy()), atol=1e-4)


def test_drawing_comes_to_the_probabilities_of_the_energies():
    made, all_states = machine(3, 2), states(3)
    expected = torch.softmax(-made.free_energy(all_states), 0).detach()
    came = made.gibbs_sample(torch.zeros(40_000, 3), 40, torch.Generator().manual_seed(0))
    counts = torch.stack([(came == state).all(1).float().mean() for state in all_states])
    assert torch.allclose(counts, expected, atol=0.01)


def test_gaussian_units_are_drawn_around_what_hidden_units_say():
    made = machine(3, 2, gaussian=True, size=0.3)
    came = made.gibbs_sample(torch.zeros(60_000, 3), 30, torch.Generator().manual_seed(0))
    on = states(2)
    means = on @ made.weight + made.visible_bias  # of v given h, whose weight follows from integrating over v
    weights = torch.softmax(on @ made.hidden_bias + 0.5 * (means.square() - made.visible_bias.square()).sum(1), 0)
    assert torch.allclose(came.mean(0), weights @ means, atol=0.02)


def test_the_partition_function_is_the_sum_over_all_states():
    made = machine(6, 5)
    whole = torch.logsumexp(-made.free_energy(states(6)), 0)
    assert exact_log_partition(made).item() == pytest.approx(whole.item(), rel=1e-5)


@pytest.mark.parametrize("size", [0.1, 1.0])
def test_annealed_importance_sampling_finds_the_partition_function(size):
    made = machine(20, 10, size=size)
    found = annealed_importance_sampling(made, 200, 500, torch.Generator().manual_seed(0))
    assert found.item() == pytest.approx(exact_log_partition(made).item(), abs=0.1)


def test_few_temperatures_are_made_up_for_by_many_chains():
    """The mean of the importance weights is right for any number of temperatures, that of their logarithms is not."""
    made = machine(6, 4, size=1.5)
    found = annealed_importance_sampling(made, 40_000, 4, torch.Generator().manual_seed(0))
    assert found.item() == pytest.approx(exact_log_partition(made).item(), abs=0.05)


# -- learning ----------------------------------------------------------------------------------------------------------

PIXELS = TensorSpec((6,), "F")


def module_of(task, layers):
    facts = DataFacts({"x": PIXELS}, ("x",), counts={"train": 9})
    learning = Learning({"*": Optimizer.model_validate("sgd")}, {"*": Schedule.model_validate("constant")})
    task = Task.model_validate({"type": "rbm", "evaluate": {"linear_probe": False}, **task})
    tree = task.network("encoder", Model.model_validate({"type": "layers", "layers": layers}), facts)
    torch.manual_seed(0)
    return task.build({"encoder": tree.build(PIXELS)}, facts, learning)


class Trainer:
    """A trainer as far as the module needs one."""

    def __init__(self, step):
        self.global_step = step


def set_step(module, step, steps, monkeypatch):
    monkeypatch.setattr(type(module), "trainer", Trainer(step), raising=False)
    monkeypatch.setattr(type(module), "total_steps", steps)


def test_weights_move_by_the_data_less_the_negative_phase(monkeypatch):
    module = module_of({}, [{"rbm": 4}])
    set_step(module, 0, 10, monkeypatch)
    (made,) = module.machines
    seen, negative = torch.rand(8, 6), torch.rand(8, 6).round()
    loss = module.loss({"x": seen, NEGATIVE_PHASE: negative, UNIT: torch.zeros(8).long(), "rows": torch.arange(8)})
    loss.backward()
    h, h_negative = made(seen).detach(), made(negative).detach()
    assert torch.allclose(made.weight.grad, (h_negative.T @ negative - h.T @ seen) / 8, atol=1e-6)
    assert torch.allclose(made.hidden_bias.grad, (h_negative - h).mean(0), atol=1e-6)
    assert torch.allclose(made.visible_bias.grad, (negative - seen).mean(0), atol=1e-6)
    assert loss.item() > 0


def test_machines_learn_one_after_the_other(monkeypatch):
    module = module_of({}, [{"rbm": 5}, {"rbm": 3}])
    for step, first_learns in ((0, True), (4, True), (5, False), (9, False), (10, False)):
        set_step(module, step, 10, monkeypatch)
        module.zero_grad()
        seen = torch.rand(8, 6)
        negative = torch.rand(8, 6 if first_learns else 5)
        loss = module.loss({"x": seen, NEGATIVE_PHASE: negative, UNIT: torch.zeros(8).long(), "rows": torch.arange(8)})
        loss.backward()
        assert [m.weight.grad is not None for m in module.machines] == [first_learns, not first_learns]


def test_the_pseudo_likelihood_is_that_of_each_unit_given_the_others():
    module = module_of({}, [{"rbm": 4}])
    (made,) = module.machines
    torch.nn.init.normal_(made.weight)
    seen = torch.rand(1, 6).round()
    losses = [module._sample_loss(made, seen, torch.tensor([i])).item() / 6 for i in range(6)]
    for i in range(6):
        both = seen.repeat(2, 1)
        both[0, i], both[1, i] = seen[0, i], 1 - seen[0, i]
        expected = -torch.log_softmax(-made.free_energy(both), 0)[0]
        assert losses[i] == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_the_negative_phase_is_k_steps_of_gibbs_sampling(k, persistent, monkeypatch):
    module = module_of({"gibbs_steps": k, "persistent": persistent, "chains": 8}, [{"rbm": 4}])
    set_step(module, 0, 10, monkeypatch)
    (made,) = module.machines
    torch.nn.init.normal_(made.weight)
    seen = torch.rand(8, 6).round()
    start = module.chains_0.clone() if persistent else seen
    torch.manual_seed(5)
    expected = start
    for _ in range(k):
        expected = made.gibbs_sample(expected, 1)
    torch.manual_seed(5)
    prepared = module.prepare_step({"x": seen, "rows": torch.arange(8)})
    assert torch.equal(module.chains_0 if persistent else prepared[NEGATIVE_PHASE], expected)


def test_persistent_chains_go_on_and_are_in_the_checkpoint(monkeypatch):
    module = module_of({"persistent": True, "chains": 7}, [{"rbm": 4}])
    before = module.state_dict()["chains_0"].clone()
    assert before.shape == (7, 6)
    set_step(module, 0, 10, monkeypatch)
    module.prepare_step({"x": torch.rand(3, 6), "rows": torch.arange(3)})
    assert not torch.equal(module.state_dict()["chains_0"], before)
