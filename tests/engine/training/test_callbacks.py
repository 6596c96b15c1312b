"""What is recorded while a network trains: learning rates, of each optimizer, after each chunk of batches."""

import pytest
from kit import quiet

import dlx
from dlx.engine.training.callbacks import History

RECIPE = """
name: recorded
task: TASK
data: {source: moons}
model: {mlp: [4]}
optimizer: {sgd: {lr: 0.4}}
schedule: {linear: {end_factor: 0.5, warmup: 0}}
train: {epochs: 4, batch_size: 64}
hardware: {accelerator: cpu, num_threads: 1}
"""


@pytest.mark.parametrize(
    ("task", "names"), [("classification", {"lr"}), ("{gan: {latent_dim: 2}}", {"lr/generator", "lr/discriminator"})]
)
def test_learning_rates_are_recorded_from_the_first_step_to_the_last(task, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(History, "on_train_end", lambda self, *_: seen.append(self))
    (tmp_path / "r.yaml").write_text(RECIPE.replace("TASK", task))
    run = dlx.train("r.yaml", console=quiet())
    (history,) = seen
    assert set(history.learning_rates) == names
    for points in history.learning_rates.values():
        steps, rates = zip(*points, strict=True)
        assert steps[0] == 0 and list(steps) == sorted(set(steps)) and len(steps) >= 4
        assert rates[0] == pytest.approx(0.4) and rates[-1] == pytest.approx(0.2, rel=0.2)
    assert History().state_dict().keys() == {"points", "learning_rates", "seconds"}
    assert "learning_curves.png" in {path.name for path in run.figures}
