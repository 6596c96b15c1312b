import os

import pytest

from dlx.errors import UsageError
from dlx.run_folders import find_run_folder


@pytest.fixture
def root(tmp_path):
    """Runs of the recipes titanic, titanic2 and boat, oldest first."""
    for age, name in enumerate(
        ("titanic-aaaaaa", "titanic-bbbbbb", "titanic2-cccccc", "titanic2-dddddd", "boat-eeeeee")
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
        os.utime(tmp_path / name / "run.json", (age, age))
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("titanic", "titanic-bbbbbb"),
        ("titanic2", "titanic2-dddddd"),
        ("titanic-aaaaaa", "titanic-aaaaaa"),
        ("titanic2-c", "titanic2-cccccc"),
        ("bo", "boat-eeeeee"),
        ("last", "boat-eeeeee"),
    ],
)
def test_an_exact_name_comes_before_a_prefix(root, asked, found):
    assert find_run_folder(asked, root).name == found


def test_an_ambiguous_prefix_lists_all_that_fit(root):
    with pytest.raises(UsageError, match="titanic-aaaaaa, titanic-bbbbbb, titanic2-cccccc, titanic2-dddddd"):
        find_run_folder("tita", root)


def test_a_trial_of_a_few_steps_is_not_the_last_run(root):
    (root / "boat-eeeeee/run.json").write_text('{"fast_dev_run": true}')
    os.utime(root / "boat-eeeeee/run.json", (9, 9))
    assert find_run_folder("last", root).name == "titanic2-dddddd"
    assert find_run_folder("boat", root).name == "boat-eeeeee"
    for folder in root.iterdir():
        (folder / "run.json").write_text('{"fast_dev_run": true}')
    with pytest.raises(UsageError, match="only trials: "):
        find_run_folder("last", root)
