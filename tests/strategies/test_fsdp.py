"""Networks cut into parts move as they do whole. The two processes of each test run this file as a program."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kit import example

from dlx.component import leaf_class, types
from dlx.optimizers import Optimizer
from dlx.regularizers import Regularizer

SGD = {"type": "sgd", "lr": 0.1}
REGULARIZED = {
    "norm": {"grad_clip": {"norm": 0.05}},
    "value": {"grad_clip": {"value": 0.01}},
    "max_norm": {"max_norm": 0.3},
    "l1": {"l1": 0.2},
}


def main(cases):
    """Take a few steps in each of two processes; print what they differ from those of one with the whole batch."""
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh

    from dlx.strategies.fsdp.sharding import full_state, shard_network

    dist.init_process_group("gloo")
    mesh, rank, said = init_device_mesh("cpu", (2,)), dist.get_rank(), {}
    for name, (optimizer, regularizer) in cases.items():
        try:
            one, _ = moved(optimizer, regularizer, slice(0, 8))
            mine = slice(4 * rank, 4 * rank + 4)
            two, held = moved(optimizer, regularizer, mine, lambda n: shard_network(n, mesh, True, 20))
            two = full_state(two)
            found = max(float((two[key] - one[key]).abs().max()) for key in one)
            said[name] = [found, held, [float(v.sum()) for v in one.values()]]
        except Exception as error:
            said[name] = [repr(error), 0, []]
    print(json.dumps(said))


def moved(optimizer, regularizer, mine, cut=lambda network: None):
    """Return a network's state after three steps, and how many numbers of it are here."""
    from types import SimpleNamespace

    import torch
    from torch import nn

    from dlx.optimizers import parameter_groups

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 5), nn.Linear(5, 1)).double()
    x, y = torch.randn(8, 6).double(), torch.randn(8, 1).double()
    cut(network)
    spec = Optimizer.model_validate(optimizer)
    made = spec.build(parameter_groups(spec, network))
    callback = Regularizer.model_validate(regularizer).callback() if regularizer else None
    trainer = SimpleNamespace(optimizers=[made], precision_plugin=None, global_step=0)
    if callback is not None:
        callback.on_train_start(trainer, network)

    def loss():
        made.zero_grad()
        value = (network(x[mine]) - y[mine]).square().mean()
        value.backward()
        if callback is not None:
            callback.on_before_optimizer_step(trainer, network, made)
        return value

    for _ in range(3):
        if spec.needs_closure:
            made.step(loss)
        else:
            loss()
            made.step()
    assert all(bool(p.detach().isfinite().all()) for p in network.parameters())  # as is asked where a loss is lost
    return network.state_dict(), sum(getattr(p, "_local_tensor", p).numel() for p in network.parameters())


def said(cases, tmp_path):
    """Run the cases in two processes; return what each says: how far it is from one process, what it holds, where it
    came to.
    """
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    own |= {"LOCAL_WORLD_SIZE": "2", "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        subprocess.Popen(
            [sys.executable, __file__, str(tmp_path / "cases.json")],
            env={**os.environ, **own, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stdout=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    texts = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    return [json.loads(text.splitlines()[-1]) for text in texts]


def test_every_optimizer_moves_parts_as_the_whole(tmp_path):
    """But for those that say that they need the whole. Each process holds about half of a network."""
    able = [name for name in types("optimizers") if not leaf_class("optimizers", name).needs_full_parameters]
    first, second = said({name: [example("optimizers", name), None] for name in able}, tmp_path)
    numbers = 6 * 8 + 8 + 2 * 8 + 8 * 5 + 5 + 5 + 1
    for name in able:
        assert [first[name][0], second[name][0]] == pytest.approx([0, 0], abs=1e-12), name
        assert first[name][1] + second[name][1] == numbers and first[name][1] < 0.6 * numbers


@pytest.mark.slow
def test_gradients_and_weights_in_parts_are_bounded_as_the_whole(tmp_path):
    cases = {"plain": [SGD, None], **{name: [SGD, regularizer] for name, regularizer in REGULARIZED.items()}}
    for process in said(cases, tmp_path):
        assert [found for found, _, _ in process.values()] == pytest.approx([0] * 5, abs=1e-12)
        assert len({tuple(at) for _, _, at in process.values()}) == 5, "nothing was bounded"


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
