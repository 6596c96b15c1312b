"""Facts are cached under a name that changes with what computes them."""

import os
from pathlib import Path

import pytest

from dlx.data import cache
from dlx.recipe.schema.data import Data

DATA = {"source": {"sklearn": "iris"}}


@pytest.fixture
def key():
    return lambda: cache.facts_key(Data.model_validate(DATA), Path(), "classes")


@pytest.mark.parametrize("part", ["data/prepare.py", "sources/sklearn.py", "facts.py", "windows.py"])
def test_the_name_changes_with_the_code(key, part, monkeypatch, tmp_path):
    before = key()
    copy = tmp_path / "dlx"
    for room in cache.ROOMS:
        for file in (cache._ROOT / room).rglob("*.py"):
            target = copy / file.relative_to(cache._ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
            os.utime(target, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    for name in cache.COMPUTES:
        (copy / name).write_bytes((cache._ROOT / name).read_bytes())
        os.utime(copy / name, ns=((cache._ROOT / name).stat().st_atime_ns, (cache._ROOT / name).stat().st_mtime_ns))
    monkeypatch.setattr(cache, "_code", cache._code.__wrapped__)
    monkeypatch.setattr(cache, "_plugin_code", lambda data: [])
    monkeypatch.setattr(cache, "_ROOT", copy)
    assert key() == before
    (copy / part).write_text((copy / part).read_text() + "# changed\n")
    assert key() != before


def test_the_name_changes_with_the_code_of_a_plugin(key, monkeypatch, tmp_path):
    before, leaf = key(), tmp_path / "mine.py"
    leaf.write_text("x = 1\n")
    monkeypatch.setattr(cache.inspect, "getfile", lambda cls: str(leaf))
    first = key()
    leaf.write_text("x = 22\n")
    assert len({before, first, key()}) == 3
