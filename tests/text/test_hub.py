"""The first download of a checkpoint, from a hub that runs in the test."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

HUB = '''
import hashlib, json, os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

home, folder, asked = Path(sys.argv[1]), Path(sys.argv[1], "model"), []


class Hub(BaseHTTPRequestHandler):
    """Shows the files of one model, org/tiny."""

    def do_GET(self):
        asked.append(self.path)
        commit = {"X-Repo-Commit": "a" * 40}
        if self.path.startswith("/api/models/org/tiny"):
            files = list(folder.iterdir())
            names = [{"rfilename": file.name} for file in files]
            told = {"id": "org/tiny", "sha": "a" * 40, "siblings": names}
            if "/tree/" in self.path:
                told = [
                    {"type": "file", "path": f.name, "size": f.stat().st_size,
                     "oid": "b" * 40}
                    for f in files
                ]
            return self.answer(200, json.dumps(told).encode(), commit)
        file = folder / self.path.split("?")[0].split("/")[-1]
        if not self.path.startswith("/org/tiny/resolve/"):
            return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if not file.is_file():
            return self.answer(404, b"", commit | {"X-Error-Code": "EntryNotFound"})
        data = file.read_bytes()
        tag = '"' + hashlib.sha1(data).hexdigest() + '"'
        self.answer(200, data, commit | {"ETag": tag, "Accept-Ranges": "bytes"})

    do_HEAD = do_GET

    def answer(self, code, data, headers):
        self.send_response(code)
        headers |= {"Content-Length": len(data), "Content-Type": "application/json"}
        for key, value in headers.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {
    "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
    "HF_HOME": str(home / "cache"),
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
from sktandem import SourceError
from sktandem.text import TextMultiHeadClassifier, small_encoder

texts, labels = ["red", "white", "rot", "weiss"] * 5, [1, 0, 1, 0] * 5
sample_source = ["en", "en", "de", "de"] * 5
model, tokenizer = small_encoder(texts, random_state=0)
model.save_pretrained(folder)
tokenizer.save_pretrained(folder)


def requests(name):
    before = len(asked)
    model = TextMultiHeadClassifier(name, max_epochs=1, random_state=0)
    model.fit(texts, labels, sample_source)
    return len(asked) - before


print("first:", requests("org/tiny") > 0)
print("then:", requests("org/tiny"))
try:
    requests("org/none")
except SourceError as error:
    print(error)
weights, = (home / "cache").glob("hub/models--org--tiny/snapshots/*/model.safetensors")
weights.unlink()
print("torn:", requests("org/tiny") > 0)
'''


def test_a_model_of_the_hub_is_downloaded_once(tmp_path):
    script = tmp_path / "hub.py"
    script.write_text(HUB)
    kept = {key: value for key, value in os.environ.items() if key[:3] != "HF_"}

    done = subprocess.run(
        [sys.executable, script, tmp_path],
        capture_output=True,
        text=True,
        env=kept,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    first, then, none, torn = done.stdout.splitlines()
    assert (first, then, torn) == ("first: True", "then: 0", "torn: True")
    assert "'org/none' is neither a folder here nor a model that the hub shows" in none
