#!/usr/bin/env python3
"""Trains models/language: which language is a text in?

One multinomial naive Bayes model per script that several languages share, over character 1- to 5-grams of words. The
n-grams that tell most are kept, their weights log p(n-gram | language) / p(n-gram) are rounded to int8, and scale and
length exponent are fitted so that the probabilities mean what they say. src/signals/language_model.cc reads the file
and must extract the same features: test/golden/signals/language.txt holds both to it.

    python3 train/language.py --data DIR --out models/language

DIR holds language_train.jsonl, language_dev.jsonl and domain_dev.jsonl (lines {"text", "label"}). Needs numpy. Under a minute.
"""
import argparse
import collections
import json
import pathlib
import re
import struct

import numpy as np

NGRAM_MAX = 5
LETTERS_MAX = 1024
OFFSET = 4.0
SMOOTHING = 0.03
# Prompts are not spread evenly over 75 languages. A head start in nats that a few words of another language overcome;
# our own guess from the usual rankings of languages on the web.
LOG_PRIOR = {"en": 1.5} | dict.fromkeys(["es", "fr", "de", "pt", "it", "nl", "pl", "tr", "vi", "id", "cs", "ru", "fa"], 0.7)
FEATURES = {"latin": 40000, "cyrillic": 10000, "arabic": 4000, "devanagari": 3000}

# The table of src/signals/words.cc, scripts that matter here; everything else separates words.
RANGES = {
    "latin": [(0x41, 0x5A), (0x61, 0x7A), (0xA1, 0xA1), (0xAA, 0xAA), (0xBA, 0xBA), (0xBF, 0xBF), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x2AF),
              (0x300, 0x36F), (0x1E00, 0x1EFF)],
    "greek": [(0x370, 0x3FF), (0x1F00, 0x1FFF)],
    "cyrillic": [(0x400, 0x52F)],
    "armenian": [(0x531, 0x587)],
    "hebrew": [(0x591, 0x5F4)],
    "arabic": [(0x610, 0x65F), (0x66E, 0x6D3), (0x6D5, 0x6EF), (0x6FA, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE)],
    "devanagari": [(0x900, 0x963), (0x970, 0x97F)],
    "bengali": [(0x980, 0x9E3)],
    "gurmukhi": [(0xA00, 0xA65), (0xA70, 0xA7F)],
    "gujarati": [(0xA80, 0xAE3)],
    "tamil": [(0xB80, 0xBE5)],
    "telugu": [(0xC00, 0xC65)],
    "thai": [(0xE00, 0xE4E)],
    "georgian": [(0x10A0, 0x10FF), (0x1C90, 0x1CBF)],
    "hangul": [(0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7A3)],
    "kana": [(0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)],
    "han": [(0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)],
    "free": [(0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F), (0x1780, 0x17FF)],
}
ONLY = {"greek": "el", "armenian": "hy", "hebrew": "he", "bengali": "bn", "gurmukhi": "pa", "gujarati": "gu",
        "tamil": "ta", "telugu": "te", "thai": "th", "georgian": "ka", "kana": "ja", "han": "zh", "hangul": "ko"}
SCRIPT = {point: name for name, ranges in RANGES.items() for first, last in ranges for point in range(first, last + 1)}
HEAVY = {"han", "kana", "hangul"}


# The Spanish rows of the data lost their accented letters ("coneducacin, tecnologa"). These put back what can only be
# one word; train/language_extra.tsv (written for this project) adds sentences that have them.
SPANISH_REPAIRS = [(r"cin\b", "ción"), (r"\bms\b", "más"), (r"tambin", "también"), (r"spaol", "spañol"),
                   (r"\bEspaa", "España"), (r"\baos\b", "años"), (r"\bao\b", "año"), (r"\bsegn\b", "según"),
                   (r"\bSegn\b", "Según"), (r"espus\b", "espués"), (r"\baqu\b", "aquí"), (r"odava\b", "odavía"),
                   (r"oltic", "olític"), (r"conmic", "conómic"), (r"\bpblic", "públic"), (r"\bnmero", "número"),
                   (r"\bpas\b", "país"), (r"\bestn\b", "están"), (r"\bpodra", "podría"), (r"\btena\b", "tenía"),
                   (r"\bhaba\b", "había"), (r"\bsera\b", "sería"), (r"\bni([oa]s?)\b", r"niñ\1"), (r"ompaa", "ompañía"),
                   (r"ologa", "ología"), (r"erstic", "erístic"), (r"\bmvil", "móvil"), (r"\brpid", "rápid"),
                   (r"\bfcil", "fácil"), (r"ifcil", "ifícil"), (r"\bltim", "últim"), (r"\bnic([oa]s?)\b", r"únic\1"),
                   (r"\bdas\b", "días"), (r"\bqu\b", "qué"), (r"\bs\b", "sí"), (r"\bl\b", "él"),
                   (r"\bMxico", "México"), (r"gnero", "género"), (r"\bperodo", "período"), (r"\bjven", "jóven"),
                   (r"\bmsica", "música"), (r"cadmic", "cadémic"), (r"ientfic", "ientífic"), (r"ecnolgic", "ecnológic")]
EXTRA_WEIGHT = 4


def repair_spanish(text):
    for pattern, replacement in SPANISH_REPAIRS:
        text = re.sub(pattern, replacement, text)
    return text


def training_rows(data):
    rows = read_rows(data / "language_train.jsonl")
    rows = [dict(row, text=repair_spanish(row["text"])) if row["label"] == "es" else row for row in rows]
    extra = pathlib.Path(__file__).with_name("language_extra.tsv").read_text(encoding="utf-8")
    for line in extra.splitlines():
        label, text = line.split("\t")
        rows += [{"text": text, "label": label}] * EXTRA_WEIGHT
    return rows


def main_script(text):
    """The script of most letters, and its share of them."""
    counts = collections.Counter()
    for character in text:
        script = SCRIPT.get(ord(character))
        if script:
            counts[script] += 3 if script in HEAVY else 1
    if counts["kana"] * 5 > counts["han"] + counts["kana"]:
        counts["kana"] += counts.pop("han", 0)
    total = sum(counts.values())
    best = max(counts, key=counts.get) if total else None
    return best, counts[best] / total if total else 0.0


def words_of(text, script):
    letters = 0
    out = [" "]
    for character in text:
        found = SCRIPT.get(ord(character))
        if found:
            letters += 1
        if found == script:
            out.append(character.lower()[0])
        elif out[-1] != " ":
            out.append(" ")
        if letters == LETTERS_MAX:
            break
    if out[-1] != " ":
        out.append(" ")
    return "".join(out)


def ngrams(text, script):
    words = words_of(text, script)
    found = []
    for start in range(len(words)):
        for n in range(1, NGRAM_MAX + 1):
            if start + n > len(words):
                break
            space = words[start + n - 1] == " "
            if space and n == 1:
                continue
            found.append(words[start:start + n])
            if space:
                break
    return found


def feature_hash(ngram):
    value = 0xCBF29CE484222325
    for byte in ngram.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return (value ^ (value >> 32)) & 0xFFFFFFFF


def read_rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Group:
    """One script: naive Bayes weights, then int8 weights of the n-grams kept, then calibration."""

    def __init__(self, script, rows):
        self.script = script
        counts = collections.Counter(row["label"] for row in rows)
        self.labels = sorted(label for label, count in counts.items() if count >= 300)
        index = {label: i for i, label in enumerate(self.labels)}
        rows = [row for row in rows if row["label"] in index]
        self.truth = np.array([index[row["label"]] for row in rows])
        self.rows = [ngrams(row["text"], script) for row in rows]
        self.bias = np.array([LOG_PRIOR.get(label, 0.0) for label in self.labels], np.float32)
        self.fit_weights(FEATURES[script])

    def fit_weights(self, keep):
        documents = collections.Counter()
        for row in self.rows:
            documents.update(set(row))
        vocabulary = [ngram for ngram, count in documents.items() if count >= 3]
        position = {ngram: i for i, ngram in enumerate(vocabulary)}
        counts = np.zeros((len(vocabulary), len(self.labels)), np.float32)
        for row, truth in zip(self.rows, self.truth):
            np.add.at(counts[:, truth], [position[ngram] for ngram in row if ngram in position], 1)
        likelihood = counts + SMOOTHING
        likelihood /= likelihood.sum(0)
        ratio = np.log(likelihood / likelihood.mean(1, keepdims=True))
        # What an n-gram contributes to telling its strongest language from the rest.
        order = np.argsort(-(likelihood * ratio).max(1), kind="stable")[:keep]
        hashes = np.array([feature_hash(vocabulary[i]) for i in order], np.uint32)
        unique, first = np.unique(hashes, return_index=True)
        self.hashes = unique
        # Step 1/12: the largest magnitudes seen are about 10.
        self.weights = np.clip(np.round(ratio[order][first] * 12), -127, 127).astype(np.int8)
        self.position = {int(value): i for i, value in enumerate(unique)}
        self.scale, self.exponent = 1.0 / 12, 0.5

    def sums(self, found):
        ids = [self.position[h] for h in map(feature_hash, found) if h in self.position]
        return self.weights[ids].astype(np.int32).sum(0) if ids else np.zeros(len(self.labels), np.int32), len(ids)

    def logits(self, sums, counts):
        return self.scale * sums / (np.asarray(counts)[:, None] + OFFSET) ** self.exponent + self.bias

    def calibrate(self, sums, counts, truth):
        """Grid search of scale and exponent by log likelihood on rows the weights were not fitted to."""
        best = None
        for exponent in np.arange(0.1, 1.01, 0.05):
            for scale in np.exp(np.arange(-6, 1.0, 0.1)):
                self.scale, self.exponent = float(scale), float(exponent)
                logits = self.logits(sums, counts)
                logits -= logits.max(1, keepdims=True)
                loss = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(truth)), truth])
                if best is None or loss < best[0]:
                    best = (loss, self.scale, self.exponent)
        _, self.scale, self.exponent = best

    def predict(self, text):
        sums, count = self.sums(ngrams(text, self.script))
        logits = self.logits(sums[None, :], [count])[0]
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        best = int(probabilities.argmax())
        return self.labels[best], float(probabilities[best])

    def pack(self):
        out = struct.pack("<16sIIfff", self.script.encode(), len(self.labels), len(self.hashes), self.scale, OFFSET,
                          self.exponent)
        out += b"".join(struct.pack("<8s", label.encode()) for label in self.labels)
        return out + self.bias.tobytes() + self.hashes.astype("<u4").tobytes() + self.weights.tobytes()


def detect(groups, text):
    script, share = main_script(text)
    if script in groups:
        label, probability = groups[script].predict(text)
        return label, probability * share
    return ONLY.get(script, ""), share


def train(rows):
    by_script = collections.defaultdict(list)
    for row in rows:
        by_script[main_script(row["text"])[0]].append(row)
    groups = {}
    for script in FEATURES:
        held, kept = by_script[script][::10], [row for i, row in enumerate(by_script[script]) if i % 10]
        probe = Group(script, kept)
        held = [row for row in held if row["label"] in probe.labels]
        pairs = [probe.sums(ngrams(row["text"], script)) for row in held]
        truth = np.array([probe.labels.index(row["label"]) for row in held])
        probe.calibrate(np.array([pair[0] for pair in pairs]), [pair[1] for pair in pairs], truth)
        groups[script] = Group(script, by_script[script])
        groups[script].scale, groups[script].exponent = probe.scale, probe.exponent
        print(f"{script}: {len(groups[script].labels)} languages, {len(groups[script].hashes)} n-grams, "
              f"scale {probe.scale:.4f}, exponent {probe.exponent:.2f}")
    return groups


def evaluate(groups, rows):
    confusions, right, sure, bins = collections.Counter(), 0, 0.0, collections.defaultdict(list)
    for row in rows:
        label, probability = detect(groups, row["text"])
        right += label == row["label"]
        sure += probability
        bins[min(int(probability * 10), 9)].append((label == row["label"], probability))
        if label != row["label"]:
            confusions[(row["label"], label)] += 1
    ece = sum(abs(sum(hit - p for hit, p in cell)) for cell in bins.values()) / len(rows)
    return {"rows": len(rows), "accuracy": round(right / len(rows), 4), "mean_confidence": round(sure / len(rows), 4),
            "ece_10_bins": round(ece, 4), "confusions": [f"{a}>{b} {n}" for (a, b), n in confusions.most_common(12)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--golden", type=pathlib.Path, help="write golden cases for the C++ test here")
    options = parser.parse_args()
    groups = train(training_rows(options.data))
    dev = read_rows(options.data / "language_dev.jsonl")
    options.out.mkdir(parents=True, exist_ok=True)
    packed = b"SBXLANG1" + struct.pack("<I", len(groups)) + b"".join(group.pack() for group in groups.values())
    (options.out / "model.bin").write_bytes(packed)
    metrics = {"bytes": len(packed), "dev": evaluate(groups, dev)}
    for words in (2, 4, 8):
        cut = [dict(row, text=" ".join(row["text"].split()[:words])) for row in dev]
        metrics[f"dev_first_{words}_words"] = evaluate(groups, cut)
        del metrics[f"dev_first_{words}_words"]["confusions"]
    # Prompts as they come, all English: formulas, code, names.
    prompts = [{"text": row["text"], "label": "en"} for row in read_rows(options.data / "domain_dev.jsonl")]
    metrics["english_prompts"] = evaluate(groups, prompts)
    (options.out / "metrics.json").write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(metrics, indent=1, ensure_ascii=False))
    if options.golden:
        lines = []
        for row in dev[::75]:
            label, probability = detect(groups, row["text"])
            lines.append(f"{label}\t{probability:.4f}\t{row['text']}")
        options.golden.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
