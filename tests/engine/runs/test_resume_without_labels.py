"""Tasks that learn without labels go on exactly where they were stopped: chains, kept features and noise too."""

import pytest
import torch
from kit import Stopper, assert_same_weights, is_stopped, last_checkpoint, quiet

import dlx

RECIPE = """
name: resumed
task: {TASK}
data: {{source: {{sklearn: digits}}, transforms: [{{normalize: {{method: min_max}}}}]}}
model: {MODEL}
optimizer: {{adamw: {{lr: 0.005}}}}
regularize: {{ema: 0.9}}
train: {{epochs: 2, batch_size: 32, log_every_n_steps: 3, figures: false,
  limit_train_samples: 128, limit_val_samples: 32, limit_test_samples: 32}}
hardware: {{accelerator: cpu, num_threads: 1}}
"""
CONVS = "{type: layers, layers: [{conv: {channels: 4, kernel: 3, padding: same}}, relu]}"
CASES = {
    "diffusion": (
        "{type: diffusion, sampling_steps: 3, conditional: true, metrics: [mmd], metric_samples: 16}",
        "{denoiser_unet: {channels: [8], num_heads: 0}}",
    ),
    "rbm": (
        "{type: rbm, persistent: true, chains: 5}",
        "{type: layers, layers: [flatten, {rbm: 8}, {rbm: 4}]}",
    ),
    "simclr": ("{type: simclr, evaluate: {knn_neighbors: 3, memory_bank: 50}}", "{mlp: [8]}"),
    "jigsaw": ("{type: jigsaw, permutations: 5, gap: 0}", CONVS),
    "masked_image": (
        "{type: masked_image, mask_ratio: 0.5, decoder_dim: 8, evaluate: {knn_neighbors: 3, memory_bank: 50}}",
        "{encoder: {vit: {patch_size: 4, features: 8, num_layers: 1, num_heads: 2, output: steps}}, "
        "decoder: {type: layers, layers: [{attention: {num_heads: 2}}]}}",
    ),
    "relative_patch": ("{type: relative_patch, gap: 1}", CONVS),
    "rotation": ("{type: rotation, evaluate: {label_fraction: 0.5, untrained_probe: true}}", "{mlp: [8]}"),
    "moco": (
        "{type: moco, queue_size: 70, momentum: 0.9, evaluate: {knn_neighbors: 3, memory_bank: 50}}",
        "{mlp: [8]}",
    ),
    "byol": ("{type: byol, momentum: 0.9}", "{mlp: [8]}"),
    "simsiam": ("{type: simsiam}", "{mlp: [8]}"),
    "metric_learning": ("{type: metric_learning, embedding_dim: 4}", "{mlp: [8]}"),
}


@pytest.mark.parametrize("name", CASES)
def test_it_goes_on_exactly(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE.format(TASK=CASES[name][0], MODEL=CASES[name][1]))
    whole = dlx.train("r.yaml", console=quiet())
    with is_stopped():
        dlx.train("r.yaml", console=quiet(), callbacks=[Stopper(5)])
    run = dlx.resume("last", console=quiet())
    assert_same_weights(whole, run)
    assert run.metrics == whole.metrics
    assert dlx.evaluate(str(run.folder)).metrics["test/loss"] == run.metrics["test/loss"]


def test_an_average_of_weights_has_queues_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.yaml").write_text(RECIPE.format(TASK=CASES["moco"][0], MODEL=CASES["moco"][1]))
    checkpoint = last_checkpoint(dlx.train("r.yaml", console=quiet()))
    average, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    weights = [name for name in average if name.endswith("weight") and name.startswith("networks.")]
    assert not any(torch.equal(average[name], current[name]) for name in weights)
    assert torch.allclose(average["queue.keys_QP"].norm(dim=1), torch.ones(70))
    for name in (n for n in average if not n.startswith("networks.")):
        assert torch.equal(average[name], current[name])


@pytest.mark.parametrize(("stop_gradient", "collapses"), [("true", False), ("false", True)])
def test_a_collapse_is_measured_and_said(stop_gradient, collapses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = f"{{type: simsiam, stop_gradient: {stop_gradient}, projection_dim: 16, predictor_hidden: 8, "
    task += "evaluate: {linear_probe: false}}"
    (tmp_path / "r.yaml").write_text(RECIPE.format(TASK=task, MODEL="{mlp: [32]}"))
    changes = ["train.epochs=30", "train.val_every_n_epochs=30", "optimizer={sgd: {lr: 0.5}}", "regularize={}"]
    changes += ["task.views=[{random_gaussian_noise: {std: 2.0}}]"]  # of which little is left that could be told
    run = dlx.train("r.yaml", changes, console=quiet())
    assert (run.metrics["test/projection_std"] < 0.1) == collapses
    assert any("collapsed" in note for note in run.notes) == collapses
