"""Output falls back to what a stream can write: no command ends in a UnicodeEncodeError."""

import io
import json
import sys

import pytest

from dlx.cli import main

RECIPE = "name: white\ntask: classification\ndata: {source: {sklearn: iris}}\nmodel: {mlp: [8]}\ntrain: {epochs: 1}\n"
VERBS = {
    "list": ["list"],
    "show a component": ["show", "layers/conv"],
    "show a recipe": ["show", "r.yaml"],
    "show an error": ["show", "error", "DLX301"],
    "plan": ["plan", "r.yaml"],
    "validate": ["validate", "r.yaml"],
    "a mistake": ["validate", "größer.yaml"],
    "runs": ["runs"],
    "why": ["why", "r.yaml", "train.epochs"],
    "help": ["train", "--help"],
}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_character_has_something_that_stands_for_it(tmp_path, monkeypatch, verb, encoding):
    monkeypatch.chdir(tmp_path)
    for name in ("DLX_DEBUG", "DLX_PLUGINS", "TORCH_CPP_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "r.yaml").write_text(RECIPE + "description: 日本 → größer\n")
    run = {"name": "white", "status": "FINISHED", "time": 1.7e9, "metrics": {"test/größe": 0.5}, "seconds": 1.0}
    (tmp_path / "runs/white-0").mkdir(parents=True)
    (tmp_path / "runs/white-0/run.json").write_text(json.dumps(run))
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    monkeypatch.setattr(sys, "argv", ["dlx", *VERBS[verb]])
    with pytest.raises(SystemExit) as end:
        main()
    for stream in streams:
        stream.flush()
    text, error = (stream.buffer.getvalue().decode(encoding) for stream in streams)
    assert end.value.code == (2 if verb == "a mistake" else 0), error
    assert "Traceback" not in error and (text or error)
