"""F08, F09, F24: a run that was stopped anywhere ends as the run that never was, bit for bit."""

import time

import pytest
import torch
from filelock import FileLock
from kit import Stopper, cut, is_stopped, quiet, train_in

import dlx
from dlx.engine.checkpoint import AtomicCheckpointIO, load_checkpoint
from dlx.engine.training import checkpointer as keep
from dlx.engine.training.checkpointer import list_checkpoints
from dlx.engine.training.chunks import ChunkLoader, StepsPerCall
from dlx.errors import DataError, UsageError

RECIPE = """
name: resumed
task: classification
data:
  source: {sklearn: digits}
  augment: [{random_gaussian_noise: {p: 0.5}}]
model: {type: layers, layers: [flatten, {linear: 24}, batch_norm, relu, {dropout: 0.2}]}
optimizer: {adamw: {lr: 0.005}}
schedule: {cosine: {warmup: 3}}
regularize: {ema: 0.9, early_stopping: 3, gradient_noise: 0.01, grad_clip: 1.0}
train: {epochs: 4, batch_size: 32, limit_train_samples: 250, limit_val_samples: 64, log_every_n_steps: 3}
hardware: {accelerator: cpu, num_threads: 1}
"""
STEPS, PER_EPOCH = 32, 8


def end_of(folder):
    """Everything that a run ended with: the best weights, and the state of training."""
    checkpoints = folder / "checkpoints"
    return {
        "best": load_checkpoint(checkpoints / "best.ckpt")["state_dict"],
        "last": load_checkpoint(list_checkpoints(checkpoints)[0]),
    }


def differences(a, b, path=""):
    """Return the places at which nested values differ, but for what tells the time."""
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [k for k in dict.fromkeys([*a, *b]) if k not in ("seconds", "dlx")]
        return [d for k in keys for d in differences(a.get(k), b.get(k), f"{path}/{k}")]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b, strict=True)) for d in differences(x, y, f"{path}/{i}")]
    same = torch.equal(a, b) if torch.is_tensor(a) and torch.is_tensor(b) else a == b
    return [] if same else [path]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train_in(tmp_path_factory.mktemp("whole"), RECIPE)


def interrupted(tmp_path, monkeypatch, stopper, **changes):
    (tmp_path / "r.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    with is_stopped():
        dlx.train("r.yaml", changes, console=quiet(), callbacks=[stopper])


def same_end(whole, run):
    assert differences(end_of(whole.folder), end_of(run.folder)) == []
    assert run.metrics == whole.metrics


@pytest.mark.parametrize("step", [0, 1, PER_EPOCH - 1, PER_EPOCH, PER_EPOCH + 3, STEPS - 1])
def test_f08_stopped_by_a_signal_at_any_step(whole, tmp_path, monkeypatch, step):
    interrupted(tmp_path, monkeypatch, Stopper(step))
    same_end(whole, dlx.resume("last", console=quiet()))


def test_f08_stopped_in_validation_while_the_average_takes_the_weights_place(whole, tmp_path, monkeypatch):
    interrupted(tmp_path, monkeypatch, Stopper(2 * PER_EPOCH, in_validation=True))
    same_end(whole, dlx.resume("last", console=quiet()))


@pytest.mark.parametrize("step", [5, PER_EPOCH + 1, 2 * PER_EPOCH, STEPS - 2])
def test_f08_killed_without_a_word(whole, tmp_path, monkeypatch, step):
    interrupted(tmp_path, monkeypatch, Stopper(step, cut), **{"train.checkpoint_every_n_seconds": 1e-9})
    assert list_checkpoints(next(tmp_path.glob("runs/*")) / "checkpoints")
    run = dlx.resume("last", console=quiet())
    assert differences(end_of(whole.folder), end_of(run.folder)) == []
    assert run.metrics == whole.metrics


def test_f08_stopped_again_and_again(whole, tmp_path, monkeypatch):
    interrupted(tmp_path, monkeypatch, Stopper(4))
    for step in (3, 6):
        with is_stopped():
            dlx.resume("last", console=quiet(), callbacks=[Stopper(step)])
    same_end(whole, dlx.resume("last", console=quiet()))


def test_bursts_of_any_length_train_the_same(whole, tmp_path, monkeypatch):
    """One step at a time, as Lightning does it, is what bursts are held against."""
    monkeypatch.setattr(StepsPerCall, "update", lambda self, steps, seconds: None)
    (tmp_path / "r.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    same_end(whole, dlx.train("r.yaml", console=quiet()))


def test_a_damaged_checkpoint_is_named_and_its_predecessor_used(whole, tmp_path, monkeypatch):
    interrupted(tmp_path, monkeypatch, Stopper(2 * PER_EPOCH + 1, cut), **{"train.checkpoint_every_n_seconds": 1e-9})
    newest, *_ = list_checkpoints(next(tmp_path.glob("runs/*")) / "checkpoints")
    newest.write_bytes(newest.read_bytes()[:-100])
    said = quiet()
    run = dlx.resume("last", console=said)
    assert newest.name in said.file.getvalue()
    assert "the one before it is used" in said.file.getvalue()
    assert run.metrics == whole.metrics


# -- F09, F24 ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    interrupted(tmp_path, monkeypatch, Stopper(PER_EPOCH + 2))


@pytest.mark.parametrize(("slow", "saves"), [(0.0, 4), (0.2, 2)])
def test_checkpoints_at_the_ends_of_epochs_are_as_rare_as_they_are_slow(tmp_path, monkeypatch, slow, saves):
    """After one that took long only the last epoch's is written."""
    written = []
    monkeypatch.setattr(keep, "MIN_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(keep, "MIN_INTERVAL_SAVES", 50 if slow else 0)
    save = AtomicCheckpointIO.save_checkpoint

    def slowly(self, checkpoint, path, storage_options=None):
        if path.name != keep.BEST:
            written.append(path)
            time.sleep(slow)
        save(self, checkpoint, path, storage_options)

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", slowly)
    (tmp_path / "r.yaml").write_text(RECIPE)
    dlx.train(tmp_path / "r.yaml", root=tmp_path / "runs", console=quiet())
    assert len(written) == saves


def test_f09_what_may_change_freely_changes(stopped, whole):
    run = dlx.resume(
        "last", overrides={"train.log_every_n_steps": 4, "expect": {"test/accuracy": ">= 0"}}, console=quiet()
    )
    assert run.metrics["test/accuracy"] == whole.metrics["test/accuracy"]
    assert run.claims_hold and run.verdict


def test_f09_a_change_of_consequence_is_shown_and_needs_to_be_allowed(stopped):
    with pytest.raises(UsageError, match=r"optimizer\.lr: 0\.005 → 0\.001.*--allow-change"):
        dlx.resume("last", overrides={"optimizer.lr": 0.001}, console=quiet())
    said = quiet()
    dlx.resume("last", overrides={"optimizer.lr": 0.001}, allow_change=True, console=said)
    assert "changed: optimizer.lr: 0.005 → 0.001" in said.file.getvalue()


@pytest.mark.parametrize("change", [{"seed": 1}, {"model.layers": ["flatten"]}, {"data.split.val": 0.2}])
def test_f09_another_experiment_is_refused(stopped, change):
    with pytest.raises(UsageError, match="cannot go on with another"):
        dlx.resume("last", overrides=change, allow_change=True, console=quiet())


def test_a_finished_run_trains_on_only_when_asked(whole, monkeypatch):
    monkeypatch.chdir(whole.folder.parents[1])
    with pytest.raises(UsageError, match="finished"):
        dlx.resume(str(whole.folder), console=quiet())


def test_f24_other_data_are_refused(tmp_path, monkeypatch):
    rows = "\n".join(f"{i % 7},{i % 5},{i % 2}" for i in range(200))
    (tmp_path / "d.csv").write_text("a,b,target\n" + rows + "\n")
    (tmp_path / "r.yaml").write_text(
        "task: classification\ndata: {source: {type: table, path: d.csv, target: target}}\nmodel: linear\n"
        "train: {epochs: 3, batch_size: 32}\nhardware: {accelerator: cpu, num_threads: 1}\n"
    )
    monkeypatch.chdir(tmp_path)
    with is_stopped():
        dlx.train("r.yaml", console=quiet(), callbacks=[Stopper(3)])
    (tmp_path / "d.csv").write_text("a,b,target\n" + rows.replace("6,", "5,") + "\n")
    with pytest.raises(DataError, match=r"data changed since the run began.*d\.csv"):
        dlx.resume("last", console=quiet())


def test_an_epoch_that_was_over_but_for_its_validation_has_one_empty_burst():
    class Nothing:
        def set_epoch(self, epoch):
            pass

        def __len__(self):
            return 4

        def iterate_from(self, first):
            return iter(range(first, 4))

    from dlx.engine.training.chunks import Position

    (burst,) = ChunkLoader(Nothing(), 8, Position(0, 4, 4))
    assert list(burst) == []


def test_one_process_at_a_time_trains_a_run(stopped, tmp_path):
    (folder,) = tmp_path.glob("runs/*")
    with FileLock(folder / ".lock"), pytest.raises(UsageError, match="trained by another process"):
        dlx.resume("last", console=quiet())
