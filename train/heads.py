"""Text heads: the network, the neighbours' vote, calibration, figures and files, shared by every train/ command that makes one.

A head reads pooled states of the frozen base (src/encoder/pooled_states.h), each scaled to length 1. The format of what is
written stands in models/README.md; src/encoder/text_head.cc reads it.
"""
import dataclasses
import functools
import hashlib
import json
import re
import shutil
import struct

import numpy as np

WORD_FLOOR = 0.01       # the word model rules no label out alone; as in text_head.cc
FLOOR = 1e-6            # a label without a vote keeps a finite logarithm; as in text_head.cc
CALIBRATION_BINS = 15   # as in src/encoder/evaluation.h


@dataclasses.dataclass
class Recipe:
    """How a head is trained. Weights of rows come beside it."""
    states: tuple = (3, 4, 5, 6)
    hidden: int = 256
    seeds: int = 2              # networks trained, their logits averaged: one network as wide as all
    epochs: int = 9
    batch: int = 256
    rate: float = 2e-3
    decay: float = 0.05
    drop_input: float = 0.15
    drop_hidden: float = 0.4
    smooth: float = 0.05        # label smoothing
    nearest: int = 0            # neighbours that vote; 0: none
    sharpness: float = 20.0
    vote: float = 0.0           # their share
    adapter: str = ""           # whose pass a linear head reads beside the base's (train/adapter.py); empty: none
    adapted: float = 0.0        # the share of that head
    segment_tokens: int = 0     # of stretches of a text that a detector judges beside the whole (src/encoder/windows.h); 0: none
    segment_odds: float = 1.0   # factor for the odds of a finding in one
    words: float = 0.0          # share of the word model; 0: none
    word_authored: float = 4.0  # of an authored row against another, for the word model
    word_bits: int = 16         # its table has 2 ** word_bits rows
    word_epochs: int = 6
    word_rate: float = 0.3
    word_smooth: float = 0.1


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
    """inputs -> hidden -> labels with GELU, trained by AdamW with a warm-up and cosine decay."""

    def __init__(self, inputs, labels, recipe, rng):
        self.recipe, self.rng = recipe, rng
        self.w = [(rng.standard_normal(shape) / np.sqrt(shape[0])).astype("f4")
                  for shape in ((inputs, recipe.hidden), (recipe.hidden, labels))]
        self.b = [np.zeros(recipe.hidden, "f4"), np.zeros(labels, "f4")]

    def _gradients(self, x, target, weight):
        recipe, rng = self.recipe, self.rng
        x = x * ((rng.random(x.shape, dtype="f4") > recipe.drop_input) / np.float32(1 - recipe.drop_input))
        z = x @ self.w[0] + self.b[0]
        cumulative, density = normal(z)
        mask = (rng.random(z.shape, dtype="f4") > recipe.drop_hidden) / np.float32(1 - recipe.drop_hidden)
        h = z * cumulative * mask
        p = softmax(h @ self.w[1] + self.b[1])
        g = (p - target) * (weight / weight.sum())[:, None]
        back = (g @ self.w[1].T) * mask * (cumulative + z * density)
        return [x.T @ back, h.T @ g, back.sum(0), g.sum(0)]

    def train(self, x, target, weight):
        recipe = self.recipe
        parameters = self.w + self.b
        first = [np.zeros_like(p) for p in parameters]
        second = [np.zeros_like(p) for p in parameters]
        steps, step = recipe.epochs * -(-len(x) // recipe.batch), 0
        for _ in range(recipe.epochs):
            order = self.rng.permutation(len(x))
            for at in range(0, len(x), recipe.batch):
                rows = order[at:at + recipe.batch]
                step += 1
                rate = recipe.rate * min(1, step / 100) * 0.5 * (1 + np.cos(np.pi * step / steps))
                for i, g in enumerate(self._gradients(x[rows], target[rows], weight[rows])):
                    first[i] = 0.9 * first[i] + 0.1 * g
                    second[i] = 0.999 * second[i] + 0.001 * g * g
                    change = first[i] / (1 - 0.9 ** step) / (np.sqrt(second[i] / (1 - 0.999 ** step)) + 1e-8)
                    decay = recipe.decay * parameters[i] if i < 2 else 0
                    parameters[i] -= (rate * (change + decay)).astype("f4")


WORDS_MAX = 512         # words and marks of a text that are looked at: kEncoderTokensMax of src/base/limits.h
STEM = 5                # code points
CJK = (0xE3, 0xED)      # first bytes of scripts without spaces (roughly): their words are pairs of characters
WORD = re.compile(rb"[a-z0-9\x80-\xff]+|[!-/:-@\[-`{-~]")


@functools.cache
def fnv(feature):
    """FNV-1a folded to 32 bits, as src/encoder/word_model.cc has it."""
    value = 0xcbf29ce484222325
    for byte in feature:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return (value ^ value >> 32) & 0xffffffff


def word_features(text):
    """The hashes of words, marks, pairs of neighbours and beginnings of longer words, and how often each occurs."""
    found, previous = {}, b"^"
    for word in WORD.findall(text.encode().lower())[:WORDS_MAX]:
        names = [word, previous + b" " + word]
        starts = [i for i, byte in enumerate(word) if byte & 0xC0 != 0x80] + [len(word)]
        if CJK[0] <= word[0] <= CJK[1]:
            names += [b"c:" + word[a:b] for a, b in zip(starts, starts[2:])]
        elif len(starts) - 1 > STEM:
            names.append(b"p:" + word[:starts[STEM]])
        for name in map(fnv, names):
            found[name] = found.get(name, 0) + 1
        previous = word
    return np.fromiter(found.keys(), "u4", len(found)), np.fromiter(found.values(), "f4", len(found))


class Words:
    """Multinomial logistic regression on hashed word features, trained by Adagrad."""

    def __init__(self, features, labels, count, weight, recipe, seed):
        """`features` as word_features() gives them, a row each; `weight` [rows]."""
        buckets = 1 << recipe.word_bits
        self.mask = np.uint32(buckets - 1)
        texts = np.zeros(buckets, "f4")
        for names, _ in features:
            texts[np.unique(names & self.mask)] += 1
        self.rarity = np.log((1 + len(features)) / (1 + texts)).astype("f2").astype("f4")
        rows = [self.row(item) for item in features]
        target = np.full((len(labels), count), recipe.word_smooth / count, "f4")
        target[np.arange(len(labels)), labels] += 1 - recipe.word_smooth
        weight = (weight / weight.mean()).astype("f4")
        self.w, self.b = np.zeros((buckets, count), "f4"), np.zeros(count, "f4")
        squares, b_squares = np.full((buckets, 1), 1e-8, "f4"), np.full(count, 1e-8, "f4")
        rng = np.random.default_rng([seed, 99])
        for _ in range(recipe.word_epochs):
            order = rng.permutation(len(rows))
            for at in range(0, len(rows), 128):
                batch = order[at:at + 128]
                index, value, start = self.joined([rows[i] for i in batch])
                p = softmax(self.logits(index, value, start))
                g = (p - target[batch]) * weight[batch, None] / len(batch)
                touched, place = np.unique(index, return_inverse=True)
                change = np.zeros((len(touched), count), "f4")
                np.add.at(change, place, value[:, None] * np.repeat(g, np.diff(np.append(start, len(index))), 0))
                squares[touched] += (change * change).mean(1, keepdims=True)
                self.w[touched] -= recipe.word_rate * change / np.sqrt(squares[touched])
                b_squares += g.sum(0) ** 2
                self.b -= recipe.word_rate * g.sum(0) / np.sqrt(b_squares)
        # As the file keeps them.
        self.scales = (np.abs(self.w).max(0) / 127 + 1e-12).astype("f4")
        self.table = np.clip(np.rint(self.w / self.scales), -127, 127).astype("i1")
        self.w = self.table.astype("f4") * self.scales

    @classmethod
    def kept(cls, tensors):
        words = cls.__new__(cls)
        words.table, words.scales, words.b = (tensors[f"words.{name}"] for name in ("weights", "scales", "bias"))
        words.rarity = tensors["words.rarity"].astype("f4")
        words.w, words.mask = words.table.astype("f4") * words.scales, np.uint32(len(words.table) - 1)
        return words

    def row(self, item):
        names, counts = item
        index, place = np.unique(names & self.mask, return_inverse=True)
        value = np.zeros(len(index), "f4")
        np.add.at(value, place, counts)
        value = (1 + np.log(value)) * self.rarity[index]
        length = np.linalg.norm(value)
        return index, value / length if length > 0 else value

    @staticmethod
    def joined(rows):
        index = np.concatenate([row[0] for row in rows])
        start = np.cumsum([0] + [len(row[0]) for row in rows[:-1]])
        return index, np.concatenate([row[1] for row in rows]).astype("f4"), start

    def logits(self, index, value, start):
        out = np.zeros((len(start), len(self.b)), "f4")
        sizes = np.diff(np.append(start, len(index)))
        np.add.at(out, np.repeat(np.arange(len(start)), sizes), self.w[index] * value[:, None])
        return out + self.b

    def probabilities(self, features):
        return softmax(self.logits(*self.joined([self.row(item) for item in features])))


def network_input(unit, recipe):
    """Inputs with entries of about 1, which train well; the factor goes into the weights when they are written."""
    return np.ascontiguousarray(unit[:, list(recipe.states)].reshape(len(unit), -1)) * np.float32(np.sqrt(unit.shape[2]))


class Adapted:
    """The linear head on an adapter's pass that train/adapter.py left, and what it said of some rows, by corpus.key_of()."""

    def __init__(self, folder, adapter, task):
        self.file = folder / f"{adapter}.safetensors"
        kept = np.load(folder / f"{adapter}.npz")
        self.weight, self.bias, self.states = kept[f"{task}.weight"], kept[f"{task}.bias"], kept["states"]
        self.p = dict(zip(kept["keys"], kept[f"{task}.p"]))

    def probabilities(self, keys):
        return np.stack([self.p[key] for key in keys])


class Head:
    """A trained network and the table of its neighbours."""

    @classmethod
    def kept(cls, path, count, recipe, hidden):
        """What is in a file that write_head() wrote, but for a linear head on an adapter."""
        tensors, scale = read_safetensors(path), np.float32(np.sqrt(hidden))
        head = cls.__new__(cls)
        head.recipe, head.count, head.adapted = recipe, count, None
        head.words = Words.kept(tensors) if "words.weights" in tensors else None
        head.w = [tensors["dense.0.weight"].astype("f4").T / scale, tensors["dense.1.weight"].T]
        head.b = [tensors["dense.0.bias"], tensors["dense.1.bias"]]
        if recipe.vote:
            head.keys, head.scales = tensors["neighbours.keys"], tensors["neighbours.scales"]
            head.labels = tensors["neighbours.labels"].astype(int)
        return head

    def __init__(self, unit, features, labels, count, weight, recipe, seed, word_weight=None, stretches=None):
        """`unit` [rows][states][hidden], `features` the rows' word_features(), `labels` [rows] below `count`, `weight` [rows]
        and `word_weight` those of the word model; `stretches` states, labels and weights of more rows, for the network alone."""
        self.recipe, self.count, self.adapted = recipe, count, None
        inputs, known, share = unit, labels, weight
        if stretches:
            inputs, known, share = (np.concatenate(pair) for pair in zip((unit, labels, weight), stretches))
        target = np.full((len(known), count), recipe.smooth / count, "f4")
        target[np.arange(len(known)), known] += 1 - recipe.smooth
        x = network_input(inputs, recipe)
        networks = []
        for i in range(recipe.seeds):
            network = Network(x.shape[1], count, recipe, np.random.default_rng([seed, i]))
            network.train(x, target, share.astype("f4"))
            networks.append(network)
        self.w = [np.concatenate([n.w[0] for n in networks], 1), np.concatenate([n.w[1] for n in networks]) / recipe.seeds]
        self.b = [np.concatenate([n.b[0] for n in networks]), np.mean([n.b[1] for n in networks], 0)]
        # As the files keep them, so that figures are those of what is shipped.
        self.w[0] = self.w[0].astype("f2").astype("f4")
        last = unit[:, -2] if recipe.vote else unit[:0, -2]
        self.scales = (np.abs(last).max(1, initial=0) / 127).astype("f4")
        self.keys = np.rint(last / self.scales[:, None]).astype("i1")
        self.labels = labels[:len(last)]
        self.words = Words(features, labels, count, word_weight, recipe, seed) if recipe.words else None

    def network(self, unit):
        z = network_input(unit, self.recipe) @ self.w[0] + self.b[0]
        return softmax(z * normal(z)[0] @ self.w[1] + self.b[1])

    def similarity(self, unit):
        """Mean similarity of the neighbours that vote."""
        found = unit[:, -2] @ (self.keys.astype("f4") * self.scales[:, None]).T
        return -np.partition(-found, self.recipe.nearest, axis=1)[:, :self.recipe.nearest].mean(1)

    def votes(self, unit):
        table = self.keys.astype("f4") * self.scales[:, None]
        out = np.zeros((len(unit), self.count), "f4")
        similarity = unit[:, -2] @ table.T
        nearest = np.argpartition(-similarity, self.recipe.nearest, axis=1)[:, :self.recipe.nearest]
        for i, row in enumerate(nearest):
            np.add.at(out[i], self.labels[row], np.exp((similarity[i, row] - 1) * self.recipe.sharpness))
        return out / out.sum(1, keepdims=True)

    def worst(self, p, segments, positive):
        """`p` [rows][labels], or the verdict on a row's stretch that looks most like a finding where that is worse; `segments`
        holds [stretches][states][hidden] a row. As TextHead::take_worst()."""
        p = p.copy()
        for i, unit in enumerate(segments):
            if not len(unit):
                continue
            said = self.network(unit)
            said[:, positive] *= self.recipe.segment_odds
            said /= said.sum(1, keepdims=True)
            found = said[:, positive].sum(1)
            if found.max() > p[i, positive].sum():
                p[i] = said[found.argmax()]
        return p

    def mix(self, unit, features, keys=(), segments=(), positive=()):
        """Uncalibrated probabilities; `keys` of the rows where there is a head on an adapter, `segments` where stretches are
        judged, for the labels `positive`."""
        p = self.network(unit)
        if self.adapted:
            p = p + self.recipe.adapted * (self.adapted.probabilities(keys) - p)
        if self.recipe.vote:
            p = p + self.recipe.vote * (self.votes(unit) - p)
        if self.recipe.segment_tokens:
            p = self.worst(p, segments, positive)
        if self.words:
            p = np.exp((1 - self.recipe.words) * np.log(p + WORD_FLOOR) +
                       self.recipe.words * np.log(self.words.probabilities(features) + WORD_FLOOR))
            p /= p.sum(1, keepdims=True)
        return p


def calibrated(mix, temperature):
    """`temperature` is a number, or one a row."""
    return softmax(np.log(mix + FLOOR) / np.reshape(temperature, (-1, 1)))


SLOPES = np.arange(0, 3.01, 0.25)
NEARLY = 0.002          # of a negative log likelihood of about 0.5


def temperatures(temperature, slope, similarity):
    """Of each row, by the mean similarity of its neighbours; as TextHead::calibrate()."""
    return temperature * np.exp(slope * (similarity - 0.5))


def fit_sloped(mix, labels, similarity, kinds):
    """Temperature and slope. Kinds of rows (`kinds` [rows]) count the same. Of those whose negative log likelihood is nearly the
    least, the two with the least calibration error of the kind that has most."""
    kinds = [kinds == kind for kind in np.unique(kinds)]
    weight = sum(own / own.sum() for own in kinds)
    rows, found = np.arange(len(labels)), []
    for slope in SLOPES:
        for at in np.exp(np.arange(np.log(0.3), np.log(2), 0.02)):
            p = calibrated(mix, temperatures(at, slope, similarity))
            loss = -np.average(np.log(p[rows, labels]), weights=weight)
            found.append((loss, float(at), float(slope)))
    least, best = min(found)[0], None
    for loss, at, slope in found:
        if loss > least + NEARLY:
            continue
        p = calibrated(mix, temperatures(at, slope, similarity))
        error = max(measure(p[own], labels[own])["ece"] for own in kinds)
        if best is None or error < best[0]:
            best = error, at, slope
    return best[1:]


def fit_temperature(mix, labels, weight=None):
    """The temperature of least negative log likelihood, on a grid of 1 %."""
    grid = np.exp(np.arange(np.log(0.3), np.log(4), 0.01))
    rows = np.arange(len(labels))
    losses = [-np.average(np.log(calibrated(mix, t)[rows, labels]), weights=weight) for t in grid]
    return float(grid[int(np.argmin(losses))])


def expected_calibration_error(confidence, right):
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return sum(abs(right[bins == b].sum() - confidence[bins == b].sum()) for b in range(CALIBRATION_BINS)) / len(right)


def measure(p, labels):
    """Accuracy, macro F1 over the labels that occur, and calibration error of probabilities."""
    best, top = p.argmax(1), p.max(1)
    right = best == labels
    f1 = [2 * (right & (labels == c)).sum() / max(1, (best == c).sum() + (labels == c).sum()) for c in np.unique(labels)]
    return {"n": len(labels), "accuracy": round(float(right.mean()), 4), "macro_f1": round(float(np.mean(f1)), 4),
            "ece": round(float(expected_calibration_error(top, right)), 4)}


def auroc(score, positive):
    """Share of pairs in the right order, ties counting half."""
    order = np.argsort(score, kind="stable")
    ranks = np.empty(len(score))
    values, counts = np.unique(score[order], return_counts=True)
    ranks[order] = np.repeat(np.cumsum(counts) - (counts - 1) / 2, counts)
    many = positive.sum()
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * (len(score) - many)))


def threshold_at(score, positive, rate):
    """The lowest threshold (score >= it is a finding) whose false positive rate is at most `rate`."""
    negatives = np.sort(score[~positive])[::-1]
    allowed = int(rate * len(negatives))
    return float(np.nextafter(np.float32(negatives[allowed]), np.float32(2))) if allowed < len(negatives) else 0.0


def measure_detector(score, positive):
    out = {"n": len(score), "positive": int(positive.sum()), "auroc": round(auroc(score, positive), 4)}
    for name, rate in (("tpr_at_1fpr", 0.01), ("tpr_at_5fpr", 0.05)):
        out[name] = round(float((score[positive] >= threshold_at(score, positive, rate)).mean()), 4)
    return out


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


MASK = (1 << 64) - 1
HASH_A, HASH_B = 0x6a09e667f3bcc909, 0xbb67ae8584caa73b


def mix64(x):
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & MASK
    x = (x ^ x >> 27) * 0x94d049bb133111eb & MASK
    return x ^ x >> 31


def hash64(raw, seed=0):
    """As src/base/hash.cc has it."""
    def fold(a, b):
        product = a * b
        return (product ^ product >> 64) & MASK

    def word(part):
        return int.from_bytes(part, "little")

    def last(part):
        if len(part) >= 4:
            return word(part[:4]) | word(part[-4:]) << 8 * (len(part) - 4)
        return part[0] | part[len(part) // 2] << 8 * (len(part) // 2) | part[-1] << 8 * (len(part) - 1)

    state, at = fold(seed ^ HASH_A, len(raw) ^ HASH_B), 0
    while len(raw) - at >= 16:
        state = fold(word(raw[at:at + 8]) ^ HASH_A ^ state, word(raw[at + 8:at + 16]) ^ HASH_B)
        at += 16
    left = raw[at:]
    if len(left) > 8:
        state = fold(word(left[:8]) ^ HASH_A ^ state, last(left[8:]) ^ HASH_B)
    elif left:
        state = fold(last(left) ^ HASH_A ^ state, len(left) ^ HASH_B)
    return mix64(state)


def fingerprint(path):
    """Of a safetensors file, as src/encoder/safetensors.cc has it: the header, and the beginning of each tensor by name."""
    raw = path.read_bytes()
    size = struct.unpack_from("<Q", raw)[0]
    value = hash64(raw[8:8 + size])
    for name, entry in sorted(json.loads(raw[8:8 + size]).items()):
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        value = hash64(raw[8 + size + begin:8 + size + min(end, begin + 4096)], value)
    return f"{value:016x}"


def read_safetensors(path):
    raw = path.read_bytes()
    size = struct.unpack_from("<Q", raw)[0]
    types = {"F16": "<f2", "F32": "<f4", "I8": "i1", "U8": "u1"}
    out = {}
    for name, entry in json.loads(raw[8:8 + size]).items():
        begin, end = entry["data_offsets"]
        out[name] = np.frombuffer(raw[8 + size + begin:8 + size + end], types[entry["dtype"]]).reshape(entry["shape"])
    return out


def write_head(out, task, head, labels, facts, more):
    """head.safetensors and meta.json; `more` holds what else belongs into the meta."""
    out.mkdir(parents=True, exist_ok=True)
    recipe = head.recipe
    scale = np.float32(np.sqrt(facts["hidden"]))  # inputs have length 1 at run time
    tensors = {"dense.0.weight": (head.w[0].T * scale).astype("f2"), "dense.0.bias": head.b[0].astype("f4"),
               "dense.1.weight": head.w[1].T.astype("f4"), "dense.1.bias": head.b[1].astype("f4")}
    meta = {"base_fingerprint": facts["fingerprint"], "labels": list(labels), "states": list(recipe.states)}
    if recipe.vote:
        tensors |= {"neighbours.keys": head.keys, "neighbours.scales": head.scales,
                    "neighbours.labels": head.labels.astype("u1")}
        meta["neighbours"] = {"nearest": recipe.nearest, "sharpness": recipe.sharpness, "weight": recipe.vote}
    if head.words:
        tensors |= {"words.weights": head.words.table, "words.scales": head.words.scales, "words.bias": head.words.b,
                    "words.rarity": head.words.rarity.astype("f2")}
        meta["words"] = {"weight": recipe.words}
    if recipe.segment_tokens:
        meta["segments"] = {"tokens": recipe.segment_tokens, "odds": recipe.segment_odds}
    if head.adapted:
        shipped = out.parent / "adapters" / head.adapted.file.name
        shipped.parent.mkdir(exist_ok=True)
        shutil.copyfile(head.adapted.file, shipped)
        tensors |= {"adapted.0.weight": (head.adapted.weight * scale).astype("f2"), "adapted.0.bias": head.adapted.bias}
        meta["adapter"] = {"name": recipe.adapter, "fingerprint": fingerprint(shipped), "weight": recipe.adapted,
                           "states": [int(state) for state in head.adapted.states]}
    write_safetensors(out / "head.safetensors", tensors)
    content = hashlib.sha256((out / "head.safetensors").read_bytes()).hexdigest()
    meta = {"version": f"{task}-{content[:12]}"} | meta | more
    (out / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
