"""Labelled rows for the training of text heads, and the states of our own encoder for them.

Rows come from two places: the shared data folder (JSON lines; every row carries a licence, and only rows that may be shipped
are used for training) and train/authored/*.jsonl, written for this purpose.
"""
import hashlib
import json
import os
import pathlib
import subprocess
import threading

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
AUTHORED = ROOT / "train/authored"
# Licences under which a head may be shipped; rows with any other, or none, are left out. "own" rows were written for the
# shared data folder itself.
LICENCES = ("MIT", "Apache-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC0", "own")
ROWS_AT_ONCE = 2000     # between two writes of the cache


def read_rows(path):
    """The rows of a JSON lines file; none if there is no such file."""
    if not pathlib.Path(path).exists():
        return []
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def key_of(text):
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def fold_of(text):
    """A number in 0..1 that depends on the text alone."""
    return int(key_of(text)[:8], 16) / 2 ** 32


def shippable(row):
    licence = row.get("licence", "")
    return licence.startswith(LICENCES) and "NC" not in licence and "GPL" not in licence


def build_tool():
    """Builds train/features.cc in build/train; the path of the program."""
    build = ROOT / "build/train"
    subprocess.run(["cmake", "--preset", "release", "-B", str(build)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(build), "--target", "features"], check=True, stdout=subprocess.DEVNULL)
    return build / "train/features"


class Encoder:
    """States of texts, each computed once and kept in .cache/train: float16 [texts][states][hidden]."""

    def __init__(self, encoder_dir):
        self.tool = [str(build_tool()), str(encoder_dir)]
        facts = subprocess.run(self.tool, input=b"", capture_output=True, check=True).stderr.splitlines()[-1]
        self.facts = json.loads(facts)
        self.shape = (self.facts["states"], self.facts["hidden"])
        self.sha256 = hashlib.sha256((pathlib.Path(encoder_dir) / "model.safetensors").read_bytes()).hexdigest()
        self.name = pathlib.Path(encoder_dir).name
        folder = ROOT / ".cache/train"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self.facts['fingerprint']}-{self.facts['kernel']}-{self.shape[0]}"
        self.values_path, self.keys_path = folder / f"{stem}.f16", folder / f"{stem}.keys"
        keys = self.keys_path.read_text().split() if self.keys_path.exists() else []
        self.row_of = {key: i for i, key in enumerate(keys)}
        self.kept_segments = None

    def states(self, texts):
        """float32 [texts][states][hidden], each vector scaled to length 1."""
        keys = [key_of(text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts) if key not in self.row_of}
        missing = list(missing.items())
        for at in range(0, len(missing), ROWS_AT_ONCE):
            self._append(missing[at:at + ROWS_AT_ONCE])
        kept = np.memmap(self.values_path, "<f2", "r").reshape(-1, *self.shape)
        values = kept[[self.row_of[key] for key in keys]].astype("f4")
        return values / np.linalg.norm(values, axis=-1, keepdims=True)

    def segments(self, texts, size):
        """For each text the states of its stretches of `size` tokens, float32 [stretches][states][hidden], scaled to length 1."""
        if self.kept_segments is None:
            self.kept_segments = Segments(self, size)
        return self.kept_segments.load(texts)

    def _append(self, items):
        values = self._run([text for _, text in items])
        with open(self.values_path, "ab") as out:
            out.truncate(len(self.row_of) * values[0].size * 2)
            out.write(values.astype("<f2").tobytes())
        with open(self.keys_path, "a", encoding="ascii") as out:
            out.writelines(key + "\n" for key, _ in items)
        for key, _ in items:
            self.row_of[key] = len(self.row_of)

    def _run(self, texts):
        workers = len(os.sched_getaffinity(0))
        lines = [json.dumps({"text": text}) + "\n" for text in texts]
        parts = [None] * workers

        def run(i):
            parts[i] = subprocess.run(self.tool, input="".join(lines[i::workers]).encode(), stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, check=True).stdout

        threads = [threading.Thread(target=run, args=(i,)) for i in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out = np.empty((len(texts), *self.shape), "f4")
        for i, part in enumerate(parts):
            out[i::workers] = np.frombuffer(part, "<f4").reshape(-1, *self.shape)
        return out


class Segments:
    """States of stretches of texts, each computed once and kept in .cache/train beside those of the texts."""

    def __init__(self, encoder, size):
        self.tool, self.shape = encoder.tool + [str(size)], encoder.shape
        self.values_path = encoder.values_path.with_suffix(f".segments{size}.f16")
        self.index_path = self.values_path.with_suffix(".index")
        lines = self.index_path.read_text().split() if self.index_path.exists() else []
        self.place, self.rows = {}, 0       # key -> (first, count)
        for key, count in zip(lines[::2], lines[1::2]):
            self._place(key, int(count))

    def _place(self, key, count):
        self.place[key] = (self.rows, count)
        self.rows += count

    def load(self, texts):
        keys = [key_of(text) for text in texts]
        missing = list({key: text for key, text in zip(keys, texts) if key not in self.place}.items())
        for at in range(0, len(missing), ROWS_AT_ONCE):
            self._append(missing[at:at + ROWS_AT_ONCE])
        kept = np.memmap(self.values_path, "<f2", "r").reshape(-1, *self.shape)
        out = []
        for first, count in (self.place[key] for key in keys):
            values = kept[first:first + count].astype("f4")
            out.append(values / np.linalg.norm(values, axis=-1, keepdims=True))
        return out

    def _append(self, items):
        lines = "".join(json.dumps({"text": text}) + "\n" for _, text in items).encode()
        raw = subprocess.run(self.tool, input=lines, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        size, at, index = self.shape[0] * self.shape[1], 0, []
        with open(self.values_path, "ab") as out:
            out.truncate(self.rows * size * 2)
            for key, _ in items:
                count = int(np.frombuffer(raw, "<u4", 1, at)[0])
                out.write(np.frombuffer(raw, "<f4", count * size, at + 4).astype("<f2").tobytes())
                at += 4 + count * size * 4
                index.append(f"{key} {count}\n")
                self._place(key, count)
        with open(self.index_path, "a", encoding="ascii") as out:
            out.writelines(index)
