"""The language server of editors, yaml-language-server, driven over its standard streams."""

import json
import subprocess
import threading
import time
from pathlib import Path
from queue import Empty, Queue
from typing import Any


class LanguageServer:
    """A running server that knows one schema for every file."""

    def __init__(self, program: Path, schema: Path) -> None:
        command = ["node", str(program), "--stdio"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.settings = {"validate": True, "completion": True, "hover": True, "schemas": {schema.as_uri(): "*"}}
        self.number, self.received = 0, Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ask(
            "initialize", {"processId": None, "rootUri": None, "capabilities": {"workspace": {"configuration": True}}}
        )
        self.tell("initialized", {})

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def diagnostics(self, name: str, text: str, seconds: float = 120) -> tuple[list[dict[str, Any]], float]:
        """Open a text and return what is underlined in it, and how many seconds that took."""
        uri, began = f"file:///{name}", time.perf_counter()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        while True:
            message = self._next(seconds)
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                return message["params"]["diagnostics"], time.perf_counter() - began

    def completions(self, name: str, line: int, character: int) -> list[str]:
        """Return the words that are offered at a place of a text that was opened."""
        place = {"textDocument": {"uri": f"file:///{name}"}, "position": {"line": line, "character": character}}
        found = self.ask("textDocument/completion", place)
        return [item["label"] for item in (found["items"] if isinstance(found, dict) else found or [])]

    def ask(self, method: str, params: Any) -> Any:
        self.number += 1
        self._send({"id": self.number, "method": method, "params": params})
        while True:
            message = self._next(120)
            if message.get("id") == self.number and "method" not in message:
                return message.get("result")

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _next(self, seconds: float) -> dict[str, Any]:
        """Return the next message; questions of the server are answered on the way."""
        until = time.monotonic() + seconds
        while True:
            try:
                message = self.received.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                raise TimeoutError(f"the language server said nothing for {seconds} s") from None
            if message.get("method") == "workspace/configuration":
                asked = message["params"]["items"]
                answers = [self.settings if item.get("section") == "yaml" else None for item in asked]
                self._send({"id": message["id"], "result": answers})
            elif "method" in message and "id" in message:
                self._send({"id": message["id"], "result": None})
            else:
                return message

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _read(self) -> None:
        stream = self.process.stdout
        while header := stream.readline():
            if header.lower().startswith(b"content-length"):
                length = int(header.split(b":")[1])
                while stream.readline().strip():
                    pass
                self.received.put(json.loads(stream.read(length)))
