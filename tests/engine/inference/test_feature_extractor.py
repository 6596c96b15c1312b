"""A metric compares samples by what the network of another run makes of them, in that run's own units."""

import numpy as np
import pytest
import torch
from kit import quiet
from scipy.linalg import sqrtm

import dlx
from dlx.engine.build.experiment import build_module
from dlx.engine.inference.feature_extractor import attach
from dlx.engine.inference.restore import restore
from dlx.engine.runs.run import build_with_features
from dlx.errors import UsageError
from dlx.metrics.frechet_distance.module import frechet_distance

CLASSIFIER = """
name: reader
task: classification
data: {source: {sklearn: digits}, transforms: [normalize, flatten]}
model: {mlp: [12]}
train: {epochs: 1, limit_train_samples: 100, limit_val_samples: 20, limit_test_samples: 20, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""
GAN = """
name: maker
task: {type: gan, latent_dim: 3, metrics: {frechet_distance: {run: READER, max_samples: 200}}}
data: {source: {sklearn: digits}, transforms: [{scale: {factor: 0.125, shift: -1.0}}]}
model: {mlp: [8]}
train: {epochs: 1, limit_train_samples: 64, limit_val_samples: 50, limit_test_samples: 180, figures: false}
hardware: {accelerator: cpu, num_threads: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("judges")


@pytest.fixture
def reader(folder, monkeypatch):
    """Return a trained classifier, whose run lies in the current directory."""
    monkeypatch.chdir(folder)
    if not (folder / "runs").exists():
        (folder / "reader.yaml").write_text(CLASSIFIER)
        dlx.train("reader.yaml", console=quiet())
    return restore("reader")


def planned(folder, run="reader", **changes):
    (folder / "maker.yaml").write_text(GAN.replace("READER", run))
    return dlx.plan.make(dlx.load("maker.yaml", changes))


def test_the_distance_is_that_of_the_formula():
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(300, 7, generator=generator).double() @ torch.randn(7, 7, generator=generator).double()
    real = torch.randn(200, 7, generator=generator).double() * 2 + 1
    one, other = np.cov(made.numpy().T), np.cov(real.numpy().T)
    shift = ((made.mean(0) - real.mean(0)) ** 2).sum().item()
    expected = shift + np.trace(one + other - 2 * sqrtm(one @ other).real)
    assert frechet_distance(made, real).item() == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(real, real).item() == pytest.approx(0, abs=1e-8)
    few = torch.randn(4, 7, generator=generator).double()  # fewer samples than features: covariances without inverse
    assert frechet_distance(few, few).item() == pytest.approx(0, abs=1e-6)


def test_samples_are_judged_in_the_units_of_the_judge(reader, folder):
    plan = planned(folder)
    random = torch.get_rng_state()
    experiment = build_with_features(plan)
    bare = build_module(plan)
    torch.set_rng_state(random)
    assert all(torch.equal(a, b) for a, b in zip(experiment.module.parameters(), bare.parameters(), strict=True))
    (batch,) = [next(iter(experiment.batches["test"]))]
    (meter,) = experiment.module._metrics.values()
    found = meter.features(batch["image"])
    stats = reader.plan.facts.fields["image"].stats
    seen = ((batch["image"] + 1) * 8 - stats.mean[0]) / stats.std[0]
    first = reader.module.networks["network"].get_submodule("body")
    assert torch.allclose(found, first(seen.flatten(1)), atol=1e-4)


def test_it_is_no_part_of_the_network_that_learns(reader, folder):
    module = build_with_features(planned(folder)).module
    names = {name.split(".")[1] for name, _ in module.named_parameters()}
    assert names == {"generator", "discriminator"}
    run = dlx.train(dlx.load("maker.yaml"), console=quiet())
    assert run.metrics["test/frechet_distance"] > 0
    again = dlx.evaluate(str(run.folder))
    assert again.metrics["test/frechet_distance"] == pytest.approx(run.metrics["test/frechet_distance"], rel=1e-5)


def test_what_cannot_judge_is_refused_before_the_first_step(reader, folder):
    with pytest.raises(UsageError, match="no run 'nobody'"):
        build_with_features(planned(folder, "nobody"))
    with pytest.raises(UsageError, match="binarize cannot be undone"):
        build_with_features(planned(folder, **{"data.transforms": [{"binarize": 8.0}]}))
    with pytest.raises(UsageError, match="takes 1 × 8 × 8 uint8"):
        build_with_features(planned(folder, **{"data.source": {"gaussians": {}}, "data.transforms": []}))


def test_samples_can_be_made_where_the_judge_is_gone(reader, folder, monkeypatch):
    run = dlx.train(dlx.load("maker.yaml"), console=quiet())
    monkeypatch.setattr("dlx.engine.inference.restore.find_checkpoint", lambda *_: pytest.fail("asked for"))
    plan = planned(folder, "nobody")
    module = build_module(plan)
    attach(module, plan)
    assert module.sample(2, 0).shape == (2, 1, 8, 8)
    assert run.folder.exists()
