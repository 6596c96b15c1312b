"""What cannot be exported is refused by the plan, at the line of the format."""

import pytest

import dlx
from dlx.errors import RecipeError

TEXT = """\
task: TASK
data: {source: {SOURCE}}
model: MODEL
hardware: {accelerator: cpu, num_threads: 1}
export:
  safetensors: {}
  onnx: {}
"""


def refusals(folder, **words):
    text = TEXT
    for word, value in words.items():
        text = text.replace(word.upper(), value)
    (folder / "recipe.yaml").write_text(text)
    with pytest.raises(RecipeError) as error:
        dlx.plan.make(dlx.load(folder / "recipe.yaml"))
    return error.value.diagnostics


def test_a_layer_without_an_operator_is_named_at_the_format(tmp_path):
    (tmp_path / "tagged.txt").write_text("a x\nb y\n\na x\n\nb y\na x\na x\n\n" * 12)
    model = "{gru: {embedding_dim: 4, hidden: 4, bidirectional: true, output: steps}}"
    found = refusals(tmp_path, task="token_classification", source="tagged_text: tagged.txt", model=model)
    (problem,) = found  # safetensors takes every layer
    assert problem.line == 7 and problem.code == "DLX480"
    assert "onnx cannot export network." in problem.message and "bidirectional" in problem.message


def test_a_task_that_generates_is_refused_in_every_format(tmp_path):
    (tmp_path / "text.txt").write_text("abcdefgh" * 60)
    model = "{gru: {embedding_dim: 4, hidden: 4, output: steps}}"
    found = refusals(tmp_path, task="language_modeling", source="text: {path: text.txt, block_size: 8}", model=model)
    assert [problem.line for problem in found] == [6, 7]
    assert "token after token" in found[0].message


def test_a_claim_about_an_export_is_known_only_with_the_section(tmp_path):
    recipe = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: linear\nexpect: {export/agreement: 1}\n"
    (tmp_path / "recipe.yaml").write_text(recipe)
    with pytest.raises(RecipeError, match="no metric export/agreement"):
        dlx.plan.make(dlx.load(tmp_path / "recipe.yaml"))
    (tmp_path / "recipe.yaml").write_text(recipe + "export: {onnx: {}}\n")
    dlx.plan.make(dlx.load(tmp_path / "recipe.yaml"))
