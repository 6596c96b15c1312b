"""The shell completes verbs, components, recipes and runs, without importing what is heavy."""

import pytest


@pytest.fixture
def completed(dlx, tmp_path):
    """Return a function that gives what the shell offers for a line that is being typed in a folder with a run."""
    (tmp_path / "runs" / "toy-1").mkdir(parents=True)
    (tmp_path / "runs" / "toy-1" / "run.json").write_text("{}")
    (tmp_path / "petite.yaml").write_text("")
    (tmp_path / "notes.txt").write_text("")

    def complete(line):
        words = {"_DLX_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return dlx(cwd=tmp_path, light=True, **words).stdout.split()

    return complete


def test_verbs(completed):
    assert {"train", "test"} == set(completed("dlx t"))


@pytest.mark.parametrize("verb", ["train", "validate", "plan", "show"])
def test_recipes(completed, verb):
    assert completed(f"dlx {verb} peti") == ["petite.yaml"]
    assert completed(f"dlx {verb} not") == []


def test_components_and_families(completed):
    assert "conv_transpose" in completed("dlx show conv")
    assert completed("dlx list lay") == ["layers"]


@pytest.mark.parametrize("verb", ["eval", "predict", "show"])
def test_runs(completed, verb):
    assert completed(f"dlx {verb} toy") == ["toy-1"]
    assert completed(f"dlx {verb} las") == ["last"]
