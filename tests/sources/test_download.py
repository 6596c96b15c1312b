"""Downloads against a real server on this machine, which cuts connections, ignores ranges and serves wrong bytes."""

import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dlx.errors import DataError
from dlx.sources._download import CHUNK, data_folder, fetch, locate

PAYLOAD = bytes(range(256)) * 4000
SHA = hashlib.sha256(PAYLOAD).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        server.starts.append(start)
        if self.path in server.missing:
            self.send_error(404)
            return
        ranged = start and server.ranges
        if ranged and start >= len(server.payload):
            self.send_error(416)
            return
        body = server.payload[start:] if ranged else server.payload
        self.send_response(206 if ranged else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = server.cuts.pop(0) if server.cuts else len(body)
        self.wfile.write(body[:sent])
        if sent < len(body):
            self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.payload, served.cuts, served.starts, served.ranges, served.missing = PAYLOAD, [], [], True, set()
    served.root = f"http://127.0.0.1:{served.server_address[1]}/"
    thread = threading.Thread(target=served.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_file_is_downloaded_once(server, tmp_path):
    for _ in range(2):
        assert fetch(server.root + "a.bin", SHA, tmp_path / "new").read_bytes() == PAYLOAD
    assert server.starts == [0] and names(tmp_path / "new") == ["a.bin"]


def test_a_cut_download_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [300_000, 200_000]
    assert fetch(server.root + "a.bin", SHA, tmp_path, pause=0).read_bytes() == PAYLOAD
    first, second, third = server.starts
    assert first == 0 and 300_000 - CHUNK < second <= 300_000 and second + 200_000 - CHUNK < third <= second + 200_000


def test_a_later_call_resumes_what_an_earlier_one_left(server, tmp_path):
    server.cuts = [100_000, 0]
    with pytest.raises(DataError, match="cannot download"):
        fetch(server.root + "a.bin", SHA, tmp_path, pause=0)
    assert names(tmp_path) == ["a.bin.part"]
    assert fetch(server.root + "a.bin", SHA, tmp_path).read_bytes() == PAYLOAD
    _, second, third = server.starts
    assert 100_000 - CHUNK < second == third <= 100_000 and names(tmp_path) == ["a.bin"]


def test_a_server_without_ranges_sends_all_anew(server, tmp_path):
    server.ranges, server.cuts = False, [300_000]
    assert fetch(server.root + "a.bin", SHA, tmp_path, pause=0).read_bytes() == PAYLOAD


@pytest.mark.parametrize("left", [b"stale" * 1000, PAYLOAD + b"too long"])
def test_a_part_of_something_else_is_thrown_away(server, tmp_path, left):
    (tmp_path / "a.bin.part").write_bytes(left)
    assert fetch(server.root + "a.bin", SHA, tmp_path).read_bytes() == PAYLOAD


def test_a_finished_part_needs_no_more_bytes(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(PAYLOAD)
    assert fetch(server.root + "a.bin", SHA, tmp_path).read_bytes() == PAYLOAD
    assert server.starts == [len(PAYLOAD)]


def test_a_wrong_hash_names_both_and_keeps_what_is_good(server, tmp_path):
    (tmp_path / "good.bin").write_bytes(b"good")
    server.payload = b"altered"
    with pytest.raises(DataError) as raised:
        fetch(server.root + "a.bin", SHA, tmp_path)
    assert SHA in str(raised.value) and hashlib.sha256(b"altered").hexdigest() in str(raised.value)
    assert names(tmp_path) == ["good.bin"]


def test_the_next_mirror_is_asked(server, tmp_path):
    server.missing = {"/one/a.bin"}
    assert fetch([server.root + "one/a.bin", server.root + "two/a.bin"], SHA, tmp_path).read_bytes() == PAYLOAD


def test_without_a_network_it_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    mirror = f"http://127.0.0.1:{closed_port()}/"
    with pytest.raises(DataError) as raised:
        locate("letters", {"a.bin": SHA}, [mirror])
    message = str(raised.value)
    assert mirror + "a.bin" in message and str(tmp_path / "letters" / "a.bin") in message and "refused" in message
    (tmp_path / "letters" / "a.bin").write_bytes(b"brought by hand")
    assert locate("letters", {"a.bin": SHA}, [mirror]) == {"a.bin": tmp_path / "letters" / "a.bin"}


def test_two_at_once_download_it_once(server, tmp_path):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(server.root + "a.bin", SHA, tmp_path))) for _ in range(4)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [path.read_bytes() == PAYLOAD for path in found] == [True] * 4 and server.starts == [0]


def test_progress_goes_to_stderr(server, tmp_path, capfd):
    fetch(server.root + "a.bin", SHA, tmp_path)
    out, err = capfd.readouterr()
    assert not out and "a.bin" in err


def test_a_folder_that_cannot_be_made_is_an_advice(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write there"):
        fetch(server.root + "a.bin", SHA, tmp_path / "file")


def test_data_lie_in_the_named_folder_or_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DLX_DATA", str(tmp_path))
    assert data_folder("mnist") == tmp_path / "mnist"
    monkeypatch.delenv("DLX_DATA")
    assert data_folder("mnist").name == "mnist" and "dlx" in data_folder("mnist").parts
