"""Packages: a run that is packed and unpacked is the same; nothing that a stranger put into one is believed."""

import hashlib
import json
import pickle
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
import torch
from kit import quiet

import dlx
from dlx.engine.checkpoint import load_checkpoint
from dlx.engine.packages import contents
from dlx.engine.packages import unpack as unpacking
from dlx.engine.packages.pack import pack
from dlx.engine.packages.unpack import unpack
from dlx.engine.runs.run import RunRequest, execute
from dlx.engine.runs.stages import train
from dlx.errors import CheckpointError, UsageError
from dlx.tracking.listing import list_runs

RECIPE = """
name: small
description: "*bold* <script>"
task: classification
data: {source: {sklearn: iris}}
model: {mlp: {hidden: [8]}}
optimizer: {adam: {lr: 0.01}}
train: {epochs: 2, figures: false}
tracking: {log_model: false}
hardware: {accelerator: cpu, num_threads: 1}
expect: {test/accuracy: ">= 0.1"}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("private-place")
    (folder / "r.yaml").write_text(RECIPE)
    loaded = dlx.load(folder / "r.yaml")
    place = folder / "runs" / "small-1a2b3c"
    return execute(RunRequest(dlx.plan.make(loaded), loaded, place, quiet(), is_tracked=False))


@pytest.fixture(scope="module")
def package(run):
    return pack(str(run.folder), run.folder.parent / "small.zip")


@pytest.fixture(scope="module")
def members(package):
    with zipfile.ZipFile(package) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


# -- there and back ---------------------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was(run, package, tmp_path):
    again = unpack(package, tmp_path / "runs")
    assert again.folder == tmp_path / "runs" / "small-1a2b3c"
    one, other = (load_checkpoint(r.checkpoint)["state_dict"] for r in (run, again))
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert (again.metrics, again.verdict, again.ending) == (run.metrics, run.verdict, run.ending)
    ours, theirs = dlx.evaluate(run.folder), dlx.evaluate(again.folder)
    assert ours.metrics == theirs.metrics
    first, second = (dlx.predict(r.folder, split="test").frame() for r in (run, again))
    assert first.equals(second)
    (listed,) = list_runs(tmp_path / "runs")
    assert (listed.run, listed.state, listed.verdict) == ("small-1a2b3c", "FINISHED", "held")
    assert dlx.reproduce(again.folder, console=quiet())[0].sentence == "same bits"


def test_a_second_copy_gets_a_name_of_its_own(package, tmp_path):
    first, second = unpack(package, tmp_path), unpack(package, tmp_path)
    assert first.folder != second.folder
    assert second.folder.name.startswith("small-")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([first.folder.name, second.folder.name])


def test_a_package_holds_text_and_tensors_and_says_no_place(run, package, members, tmp_path):
    assert set(members) >= {"README.md", "resolved.yaml", "recipe.yaml", "lock.json", "run.json", "weights.safetensors"}
    assert all(contents.is_known_member(name) or name == "manifest.json" for name in members)
    assert not any(b"private-place" in content for content in members.values())
    assert not any(content.startswith(b"\x80") for content in members.values())  # as a pickle does
    assert pack(str(run.folder), tmp_path / "again.zip").read_bytes() == package.read_bytes()
    card = members["README.md"].decode()
    assert "test/accuracy" in card
    assert r"\*bold\* \<script\>" in card


def test_all_stages_are_packed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(RECIPE + "stages: {first: {seed: 1}, second: {init_from: {stage: first}}}\n")
    loaded = dlx.load("r.yaml")
    run = train(dlx.plan.make(loaded), loaded, quiet())
    again = unpack(pack(str(run.folder), tmp_path / "x.zip"), tmp_path / "other")
    assert again.metrics == run.metrics
    for name in ("1-first", "2-second", "."):
        assert dlx.evaluate(again.folder / name).metrics == dlx.evaluate(run.folder / name).metrics


def test_what_is_not_finished_is_not_packed(run, tmp_path):
    folder = tmp_path / "half"
    shutil.copytree(run.folder, folder)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "status": "KILLED"}))
    with pytest.raises(UsageError, match="half is not finished"):
        pack(str(folder), tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


# -- hostile files ----------------------------------------------------------------------------------------------------


def with_manifest(members, /, **changes):
    """Return members with a manifest that fits them, but for the changes."""
    listed = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in members.items()
        if name != "manifest.json"
    }
    plain = {**json.loads(members["manifest.json"]), "members": listed, **changes}
    return {**members, "manifest.json": json.dumps(plain).encode()}


def write(path, members, infos=()):
    """Write a zip file; `infos` are further members, with everything that a ZipInfo can say."""
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
        for info, content in infos:
            zipped.writestr(info, content)
    return path


def refuse(path, message):
    """Require that nothing is unpacked of a file, and nothing is left."""
    root = path.parent / "root"
    with pytest.raises(CheckpointError, match=message):
        unpack(path, root)
    assert list(root.iterdir()) == []
    assert {p.name for p in path.parent.iterdir()} == {path.name, "root"}


def info(name, mode=0o644 | stat.S_IFREG, **changes):
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    for field, value in changes.items():
        setattr(made, field, value)
    return made


@pytest.mark.parametrize(
    "name",
    ["../evil", "/tmp/evil", "C:evil", "a\\..\\evil", "1-a/../../evil", "checkpoints/best.ckpt", "evil.py", ".hidden",
     "run.json/", "1-a/1-b/run.json", "weights.safetensors\n"],
)  # fmt: skip
def test_a_name_that_is_no_file_of_a_run_is_refused(name, members, tmp_path):
    hostile = with_manifest({**members, name: b"x"})
    refuse(write(tmp_path / "x.zip", hostile), "is no file of a run|is a link, a directory")


def test_a_link_is_refused(members, tmp_path):
    link = info("tokenizers.json", 0o777 | stat.S_IFLNK)
    hostile = with_manifest({**members, "tokenizers.json": b"/etc/passwd"})
    del hostile["tokenizers.json"]
    refuse(write(tmp_path / "x.zip", hostile, [(link, b"/etc/passwd")]), "'tokenizers.json' is a link")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["run.json", "README.md"])
def test_a_name_twice_is_refused(name, members, tmp_path):
    refuse(write(tmp_path / "x.zip", members, [(info(name), b"{}")]), "a name occurs twice")


def test_members_and_manifest_must_agree(members, tmp_path):
    cases = {
        "'tokenizers.json' stands in": {**members, "tokenizers.json": b"{}"},
        "'run.json' stands in": {n: c for n, c in members.items() if n != "run.json"},
        r"'run.json' has 3 bytes, by the manifest": {**members, "run.json": b"{ }"},
        "'run.json' is damaged": {**members, "run.json": members["run.json"].replace(b"small", b"SMALL")},
        "it has no manifest.json": {n: c for n, c in members.items() if n != "manifest.json"},
    }
    for number, (message, hostile) in enumerate(cases.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        refuse(write(folder / "x.zip", hostile), message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../../evil"}, "manifest.json: name"),
        ({"name": ""}, "manifest.json: name"),
        ({"stages": ["../1-x"]}, "manifest.json: stages"),
        ({"format": 2}, "manifest.json: format"),
        ({"code": "evil"}, "manifest.json: code"),
        ({"members": []}, "manifest.json: members"),
    ],
)
def test_a_manifest_is_validated(changes, message, members, tmp_path):
    refuse(write(tmp_path / "x.zip", with_manifest(members, **changes)), message)


def test_bombs_are_refused_by_what_they_declare(members, tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_TEXT_BYTES", 1 << 16)
    large = with_manifest({**members, "tokenizers.json": b"0" * (1 << 17)})
    text = large.pop("tokenizers.json")
    for kind, message in ((zipfile.ZIP_DEFLATED, "it unpacks to"), (zipfile.ZIP_BZIP2, "is compressed in a way")):
        folder = tmp_path / str(kind)
        folder.mkdir()
        refuse(write(folder / "x.zip", large, [(info("tokenizers.json", compress_type=kind), text)]), message)
    without = {n: c for n, c in members.items() if n != "weights.safetensors"}
    weights = info("weights.safetensors", compress_type=zipfile.ZIP_DEFLATED)
    refuse(write(tmp_path / "x.zip", without, [(weights, bytes(1 << 20))]) and _alone(tmp_path), "compressed, as dlx")


def _alone(folder):
    """Move the file into a folder of its own."""
    (folder / "alone").mkdir()
    return (folder / "x.zip").rename(folder / "alone" / "x.zip")


def test_a_member_that_is_larger_than_it_declares_is_refused(members, tmp_path):
    path = write(tmp_path / "x.zip", with_manifest({**members, "tokenizers.json": b"0" * 5000}))
    path.write_bytes(path.read_bytes().replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little")))
    refuse(path, "stands|stored|manifest|damaged|overlap|Overlapped")


def test_an_encrypted_member_is_refused(members, tmp_path):
    path = write(tmp_path / "x.zip", members)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
    path.write_bytes(content)
    refuse(path, "is encrypted")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "damaged zip"), (b"PK\x03\x04 nothing", "damaged zip"), (b"#!/bin/sh\n", "damaged zip")],
)
def test_what_is_no_zip_file_is_refused(content, message, tmp_path):
    (tmp_path / "x.zip").write_bytes(content)
    refuse(tmp_path / "x.zip", message)


def test_a_file_that_is_cut_off_or_changed_is_refused(package, tmp_path):
    content = package.read_bytes()
    (tmp_path / "x.zip").write_bytes(content[:-100])
    refuse(tmp_path / "x.zip", "damaged zip")
    at = content.rindex(b"PK\x03\x04") + 700  # in the weights, which come last
    (tmp_path / "x.zip").write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    (tmp_path / "root").rmdir()
    refuse(tmp_path / "x.zip", "damaged")


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil-was-here"),))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("weights.safetensors", pickle.dumps(Evil()), "weights.safetensors cannot be read"),
        ("weights.safetensors", b"\xff" * 8 + b"{}", "weights.safetensors cannot be read"),
        ("checkpoint.json", b"{}", "lacks what dlx writes"),
        ("checkpoint.json", b'{"dlx": {"facts": 3}}', "lacks what dlx writes"),
        ("checkpoint.json", b"[" * 100_000, "is not JSON"),
        ("run.json", b"[]", "is not a JSON object"),
        ("run.json", b'{"metrics": {"a": "b"}}', "run.json is not the outcome"),
        ("run.json", b'{"verdict": [{"metric": 1}]}', "run.json is not the outcome"),
        ("lock.json", b"\x80", "is not JSON"),
    ],
)
def test_content_is_validated(name, content, message, members, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse(write(tmp_path / "x.zip", with_manifest({**members, name: content})), message)


def test_a_hostile_recipe_fails_when_it_is_used_and_not_before(members, tmp_path):
    said = json.loads(members["checkpoint.json"])
    said["dlx"]["recipe"]["task"] = {"type": "os.system"}
    hostile = with_manifest({**members, "checkpoint.json": json.dumps(said).encode()})
    run = unpack(write(tmp_path / "x.zip", hostile), tmp_path / "root")
    with pytest.raises(CheckpointError, match="cannot be read here: task"):
        dlx.evaluate(run.folder)
