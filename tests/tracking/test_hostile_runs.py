"""Runs from elsewhere: damaged and hostile folders are listed as what they are, and the others are shown."""

import json

import pytest

from dlx.errors import RunError, UsageError
from dlx.run_folders import find_run_folder, mlflow_id, run_folders, stage_folders, stage_status
from dlx.tracking.comparison import run_metrics
from dlx.tracking.delivery import ForeignEntryError, TrackerClient, is_permanent
from dlx.tracking.leftovers import find_leftovers
from dlx.tracking.listing import list_runs
from dlx.tracking.spool import SPOOL, Spool, TrackingState, read_state
from dlx.tracking.sync import require_own_files, sync_runs

GOOD = {"name": "good", "status": "FINISHED", "time": 1.7e9, "metrics": {"test/accuracy": 0.9}, "seconds": 1.0}
DAMAGED = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep_object": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "late": json.dumps({**GOOD, "time": 10**18}),
    "early": json.dumps({**GOOD, "time": -(10**18)}),
    "huge": json.dumps({**GOOD, "metrics": {"test/accuracy": 10**400}}),
    "endless": '{"time": 1e999, "metrics": {}}',
    "digits": '{"time": ' + "9" * 5000 + "}",
    "no_object": "[1, 2]",
    "no_text": b"\xff\xfe\x00",
    "empty": "",
    "long": json.dumps({**GOOD, "seconds": "for ever"}),
}


@pytest.fixture
def root(tmp_path):
    for name, text in {**DAMAGED, "good": json.dumps(GOOD)}.items():
        folder = tmp_path / "runs" / f"{name}-0"
        folder.mkdir(parents=True)
        content = text if isinstance(text, bytes) else text.encode()
        (folder / "run.json").write_bytes(content)
    return tmp_path / "runs"


def test_damaged_runs_are_listed_as_such_and_the_others_are_shown(root):
    states = {run.run.removesuffix("-0"): run.state for run in list_runs(root)}
    assert states.pop("good") == "FINISHED"
    assert states == dict.fromkeys(DAMAGED, "UNREADABLE")


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_run_ends_no_command_in_a_traceback(root, name):
    folder = find_run_folder(f"{name}-0", root)
    assert stage_folders(folder) == [] and mlflow_id(folder) is None
    try:
        run_metrics(folder)
    except UsageError as error:
        assert "cannot be read" in str(error)


def test_show_says_what_is_damaged(root):
    from dlx.commands.show import _show_run

    with pytest.raises(RunError, match=r"deep-0/run\.json is damaged: it is nested too deep"):
        _show_run(root / "deep-0", as_json=False)


def test_no_stage_leads_out_of_a_run(root):
    stages = {"../../elsewhere": True}
    (root / "good-0/run.json").write_text(json.dumps({**GOOD, "stages": stages}))
    assert stage_status(root / "good-0") == {}


@pytest.mark.parametrize(
    "change",
    [
        {"uri": 3},
        {"creation": []},
        {"creation": {"time": 10**30}},
        {"creation": {"time": "soon"}},
        {"sent_bytes": -5},
        {"sent_bytes": 10**30},
        {"run_id": ["a"]},
        {"last_steps": [1]},
    ],
)
def test_a_state_of_tracking_whose_values_are_of_another_kind_is_none(tmp_path, change):
    state = {"uri": "sqlite:///a.db", "token": "t", "host": "h", "creation": {"time": 1}}
    (tmp_path / "tracking.json").write_text(json.dumps(state))
    assert read_state(tmp_path) is not None
    (tmp_path / "tracking.json").write_text(json.dumps({**state, **change}))
    assert read_state(tmp_path) is None


def test_a_record_sends_no_file_from_outside_of_its_run(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden")
    folder = tmp_path / "runs/a-0"
    folder.mkdir(parents=True)
    (folder / "link.txt").symlink_to(secret)
    (folder / "own.txt").write_text("own")
    require_own_files({"kind": "file", "path": str(folder / "own.txt")}, folder)
    require_own_files({"kind": "end"}, folder)
    for path in (secret, folder / "link.txt", folder / "../../secret.txt", 3):
        with pytest.raises(ForeignEntryError):
            require_own_files({"kind": "file", "path": str(path)}, folder)


def test_hostile_entries_are_refused_one_by_one(tmp_path):
    """A record with entries that dlx never wrote: nothing but the sound one reaches the tracker."""
    folder = tmp_path / "runs/a-0"
    folder.mkdir(parents=True)
    creation = {"experiment": "e", "name": "a-0", "tags": {}, "time": 1}
    state = TrackingState(f"sqlite:///{tmp_path}/m.db", "token", "h", "FINISHED", creation=creation)
    state.save(folder)
    (tmp_path / "secret.txt").write_text("hidden")
    entries = [{"kind": "create_run"}, {"kind": 7}, {}, {"kind": "file", "path": str(tmp_path / "secret.txt")}]
    entries += [{"kind": "tags"}, {"kind": "tags", "values": {"sound": "yes"}}]
    spool = Spool(folder)
    spool.append(entries)
    spool.close(finished=False)
    with (folder / SPOOL).open("a") as file:
        file.write("[" * 100_000 + "\n[1]\n")
    failures = sync_runs(tmp_path / "runs")
    assert [failure.folder.name for failure in failures] == ["a-0"]
    from mlflow import MlflowClient

    client = MlflowClient(state.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    assert run.data.tags["sound"] == "yes" and client.list_artifacts(run.info.run_id) == []


def test_an_entry_of_an_unknown_kind_is_never_sent():
    client = TrackerClient(TrackingState("sqlite:///a.db", "t", "h", run_id="r"))
    client.connect = lambda: None
    with pytest.raises(ForeignEntryError) as error:
        client.send({"kind": "experiment_id"})
    assert is_permanent(error.value)


def test_links_are_taken_away_as_links(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "checkpoints").mkdir(parents=True)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/link").symlink_to(elsewhere)
    (tmp_path / "runs/dead").symlink_to(tmp_path / "gone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlx.tracking.leftovers.MIN_AGE_SECONDS", -1)
        found = find_leftovers(tmp_path / "runs", 0, 0)
    assert {item.path.name for item in found} == {"link", "dead"}
    for item in found:
        item.delete()
    assert list((tmp_path / "runs").iterdir()) == [] and (elsewhere / "checkpoints").is_dir()


def test_checkpoints_behind_a_link_are_not_deleted(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("best.ckpt", "step-000000001.ckpt", ".half.tmp"):
        (elsewhere / name).write_text("weights")
    run = tmp_path / "runs/a-0"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps(GOOD))
    TrackingState("sqlite:///a.db", "t", "h", "FINISHED").save(run)
    (run / "checkpoints").symlink_to(elsewhere)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlx.tracking.leftovers.MIN_AGE_SECONDS", -1)
        assert find_leftovers(tmp_path / "runs", 0, 0) == []
    assert run_folders(tmp_path / "runs") == [run]


def test_a_run_that_cannot_be_sent_is_complained_of_once_and_can_be_given_up(tmp_path):
    from dlx.tracking.sync import discard_unsent

    folder = tmp_path / "runs/a-0"
    folder.mkdir(parents=True)
    creation = {"experiment": "e", "name": "a-0", "tags": {}, "time": 1}
    TrackingState("http://tracker.example", "token", "h", "FINISHED", creation=creation).save(folder)
    spool = Spool(folder)
    spool.append([{"kind": "end", "status": "FINISHED", "time": 1}])
    spool.close(finished=False)
    first, again = sync_runs(tmp_path / "runs"), sync_runs(tmp_path / "runs")
    assert [f.is_new for f in first] == [True] and [f.is_new for f in again] == [False]
    assert "--tracking-uri http://tracker.example" in str(first[0]) and "dlx runs --discard a-0" in str(first[0])
    assert discard_unsent(folder) and not discard_unsent(folder)
    assert sync_runs(tmp_path / "runs") == []


@pytest.mark.parametrize("kind", ["garbage", "foreign", "old", "folder"])
def test_a_database_that_cannot_be_used_is_one_line_with_a_way_out(tmp_path, capfd, kind):
    import sqlite3

    from dlx.tracking.delivery import error_summary
    from dlx.tracking.store import mlflow_client

    path = tmp_path / "m.db"
    if kind == "garbage":
        path.write_bytes(b"no database" * 500)
    elif kind == "folder":
        path.mkdir()
    else:
        with sqlite3.connect(path) as database:
            database.execute("create table alembic_version (version_num varchar)")
            database.execute("insert into alembic_version values ('451aebb31d03')")
            if kind == "foreign":
                database.execute("create table experiments (a int)")
    with pytest.raises(Exception, match=r".") as error:
        mlflow_client(f"sqlite:///{path}").search_experiments(max_results=1)
    summary = error_summary(error.value, f"sqlite:///{path}")
    assert len(summary.splitlines()) == 1 and len(summary) < 700
    assert any(words in summary for words in ("mlflow db upgrade", "--tracking-uri"))
    printed = capfd.readouterr()
    assert "SELECT" not in printed.out + printed.err
