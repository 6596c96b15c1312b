"""What a machine rules out is refused at its line, before anything runs."""

import pytest
from kit import refusals

import dlx
import dlx.errors
from dlx.errors import RecipeError
from dlx.facts import DataFacts
from dlx.plan import make
from dlx.recipe.schema.hardware import Hardware
from dlx.tensors import TensorSpec

RECIPE = """
task: classification
data: {source: {sklearn: digits}}
model: {mlp: {hidden: [16]}}
train: {epochs: 2, batch_size: 100}
hardware: {accelerator: cpu, devices: 2, num_threads: 1}
"""


@pytest.mark.parametrize(
    ("accelerator", "absent", "message"),
    [
        ("gpu", {"dlx.machine.gpus": lambda: 0}, "this machine has 0 GPUs"),
        ("mps", {"platform.system": lambda: "Linux"}, "no GPU of Apple's"),
        ("tpu", {"importlib.util.find_spec": lambda name: None}, "torch_xla, which is not installed"),
    ],
)
def test_a_device_that_is_not_here_is_refused(accelerator, absent, message, monkeypatch):
    for name, found in absent.items():
        monkeypatch.setattr(name, found)
    strategy = {"type": "single_device"}
    asked = Hardware(accelerator=accelerator, devices=1, strategy=strategy, precision=32, num_threads=1)
    facts = DataFacts({"x": TensorSpec((2,), "F")}, ("x",), counts={"train": 8})
    found = refusals(asked, facts)
    assert [(problem.loc, message in problem.message) for problem in found] == [(("accelerator",), True)]


@pytest.mark.parametrize(
    ("hardware", "marked", "message"),
    [
        ("devices: 2, strategy: single_device", "single_device", "single_device uses 1 device, but there are 2"),
        ("devices: 400", "400", "than devices (400)"),
        ("devices: 0", "0", "must be ≥ 1"),
        ("precision: 16-mixed", "16-mixed", "write bf16-mixed"),
        ("sync_batchnorm: true", "true", "between GPUs only"),
        ("devices: 2, strategy: fsdp, channels_last: true", "true", "fsdp cannot do this"),
        ("num_threads: 0", "0", "must be ≥ 1"),
        ("strategy: dpd", "dpd", "unknown strategy"),
    ],
)
def test_what_cannot_be_done_here_is_refused_at_its_line(tmp_path, hardware, marked, message):
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.partition("hardware")[0] + f"hardware: {{accelerator: cpu, {hardware}}}\n")
    with pytest.raises(RecipeError) as refused:
        make(dlx.load(path))
    (found,) = refused.value.diagnostics
    assert found.source_line[found.column - 1 :][: len(marked)] == marked and message in found.message


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("optimizer: muon", "muon"),
        ("optimizer: lbfgs", "lbfgs"),
        ("optimizer: adafactor", "adafactor"),
        ("regularize: {ema: 0.9}", "0.9"),
        ("regularize: {l2: 0.1}", "0.1"),
        ("regularize: {grad_clip: {adaptive: 0.1}}", "grad_clip"),
    ],
)
def test_what_needs_whole_weights_is_refused_where_they_are_in_parts(tmp_path, line, marked):
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.replace("num_threads: 1", "num_threads: 1, strategy: fsdp") + line + "\n")
    with pytest.raises(RecipeError) as refused:
        make(dlx.load(path))
    (found,) = refused.value.diagnostics
    assert found.source_line[found.column - 1 :][: len(marked)] == marked and "needs weights and" in found.message
    make(dlx.load(path, ["hardware.devices=1"]))


def test_a_gpu_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.partition("hardware")[0] + "hardware: {accelerator: gpu}\n")
    with pytest.raises(RecipeError, match="this machine has 0 GPUs, not 1"):
        make(dlx.load(path))


def test_processes_that_were_started_are_those_of_the_recipe(tmp_path, monkeypatch):
    for name, value in {"RANK": 0, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 4, "WORLD_SIZE": 4, "MASTER_PORT": 1}.items():
        monkeypatch.setenv(name, str(value))
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE)
    with pytest.raises(RecipeError, match="4 processes were started, but devices × num_nodes is 2"):
        make(dlx.load(path))
    assert make(dlx.load(path, ["hardware.devices=auto"])).auto_values["hardware.devices"] == "4"
