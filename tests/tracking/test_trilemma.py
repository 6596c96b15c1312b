"""Runs that make samples are compared by quality, coverage and speed, if they are measured alike."""

import json

import pytest
import yaml

from dlx.tracking.trilemma import trilemma

FRECHET = {"type": "frechet_distance", "max_samples": 2000, "run": "reader"}
RECALL = {"type": "generative_recall", "max_samples": 2000, "n_neighbors": 3}
VALUES = {"frechet_distance": 4.0, "generative_recall": 0.5}


def run(root, name, metrics, values, seconds=0.5):
    folder = root / name
    folder.mkdir()
    task = {"type": "gan", "metrics": metrics}
    (folder / "resolved.yaml").write_text(yaml.safe_dump({"name": name, "task": task}))
    found = {f"test/{metric}": value for metric, value in values.items()}
    (folder / "run.json").write_text(json.dumps({"metrics": found, "sampling_seconds": seconds}))
    return folder


@pytest.fixture
def gan(tmp_path):
    return run(tmp_path, "gan", {"generative_recall": RECALL, "frechet_distance": FRECHET}, VALUES)


def test_what_runs_measure_alike_is_set_side_by_side(gan, tmp_path):
    other = {"frechet_distance": 8.0, "generative_recall": 0.25}
    vae = run(tmp_path, "vae", {"frechet_distance": FRECHET, "generative_recall": RECALL}, other, seconds=0.001)
    found = trilemma([gan, vae])
    assert (found.quality.name, found.quality.better, found.quality.values) == ("frechet_distance", "lower", [4.0, 8.0])
    assert (found.coverage.name, found.coverage.values) == ("generative_recall", [0.5, 0.25])
    assert found.seconds == [0.5, 0.001]


@pytest.mark.parametrize(
    ("metrics", "values", "seconds"),
    [
        ({"frechet_distance": {**FRECHET, "run": "another"}, "generative_recall": RECALL}, VALUES, 0.5),
        ({"frechet_distance": FRECHET, "generative_recall": RECALL}, {"frechet_distance": 8.0}, 0.5),
        ({"frechet_distance": FRECHET, "generative_recall": RECALL}, VALUES, None),
        ({"frechet_distance": FRECHET}, VALUES, 0.5),
        ({}, {}, None),
    ],
)
def test_what_is_measured_otherwise_is_not_compared(metrics, values, seconds, gan, tmp_path):
    other = run(tmp_path, "other", metrics, values, seconds)
    assert trilemma([gan, other]) is None
    assert trilemma([other, gan]) is None
