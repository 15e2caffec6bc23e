"""The token head's network and its training, in numpy: words in, labels out.

A dense layer per word, convolutions over neighbouring words with residuals, a dense layer; GELU between them. The same sums as
src/encoder/token_head.cc.
"""
import numpy as np

from heads import normal, softmax

PAD = 4                  # empty words between two texts; as far as the widest convolution reaches
TAPS = ((-2, -1, 0, 1, 2), (-4, -2, 0, 2, 4))
BATCH_WORDS = 1500
RATE, DECAY = 2e-3, 0.02
DROP_INPUT, DROP_HIDDEN = 0.1, 0.25
SMOOTH = 0.03            # label smoothing


def gelu(z):
    """GELU and its derivative."""
    cumulative, density = normal(z)
    return z * cumulative, cumulative + z * density


def shifted(rows, tap):
    """Row i of the result is row i + tap, zeros outside."""
    out = np.zeros_like(rows)
    if tap > 0:
        out[:-tap] = rows[tap:]
    elif tap < 0:
        out[-tap:] = rows[:tap]
    else:
        out[:] = rows
    return out


class Texts:
    """Word features and labels of many texts; batches are laid end to end with PAD between them."""

    def __init__(self, features, labels=None):
        self.features = features
        self.labels = labels
        self.counts = np.array([len(x) for x in features])

    def batch(self, ids):
        total = self.counts[ids].sum() + PAD * len(ids)
        x = np.zeros((total, self.features[0].shape[1]), "f4")
        mask, y, at = np.zeros((total, 1), "f4"), np.zeros(total, int), 0
        for i in ids:
            end = at + self.counts[i]
            x[at:end], mask[at:end] = self.features[i], 1
            if self.labels is not None:
                y[at:end] = self.labels[i]
            at = end + PAD
        return x, mask, y


class Network:
    def __init__(self, inputs, width, labels, rng):
        shapes = [(inputs, width)] + [(len(taps) * width, width) for taps in TAPS] + [(width, labels)]
        self.w = [(rng.standard_normal(shape) / np.sqrt(shape[0])).astype("f4") for shape in shapes]
        self.b = [np.zeros(shape[1], "f4") for shape in shapes]

    def forward(self, x, mask, drop=None):
        """Logits, and what backward() needs; `drop` is a generator of random numbers while training."""
        def layer(i, values):
            h, slope = gelu(values @ self.w[i] + self.b[i])
            keep = mask
            if drop is not None:
                keep = keep * (drop.random(h.shape, dtype="f4") > DROP_HIDDEN) / np.float32(1 - DROP_HIDDEN)
            return h * keep, slope * keep

        if drop is not None:
            x = x * ((drop.random(x.shape, dtype="f4") > DROP_INPUT) / np.float32(1 - DROP_INPUT))
        h, slope = layer(0, x)
        kept = [(x, slope)]
        for i, taps in enumerate(TAPS):
            window = np.concatenate([shifted(h, tap) for tap in taps], 1)
            more, slope = layer(i + 1, window)
            kept.append((window, slope))
            h = h + more
        kept.append((h, None))
        return h @ self.w[-1] + self.b[-1], kept

    def backward(self, kept, back):
        """Gradients of weights, then of biases, from those of the logits."""
        weights, biases, width = [None] * len(self.w), [None] * len(self.w), self.w[0].shape[1]
        weights[-1], biases[-1] = kept[-1][0].T @ back, back.sum(0)
        back = back @ self.w[-1].T
        for i in range(len(TAPS), 0, -1):
            window, slope = kept[i]
            here = back * slope
            weights[i], biases[i] = window.T @ here, here.sum(0)
            spread = here @ self.w[i].T
            back = back.copy()
            for j, tap in enumerate(TAPS[i - 1]):
                back += shifted(spread[:, j * width:(j + 1) * width], -tap)
        x, slope = kept[0]
        weights[0], biases[0] = x.T @ (back * slope), (back * slope).sum(0)
        return weights + biases

    def train(self, texts, epochs, rng):
        """AdamW with warm-up and cosine decay; batches of about BATCH_WORDS words."""
        parameters = self.w + self.b
        first = [np.zeros_like(p) for p in parameters]
        second = [np.zeros_like(p) for p in parameters]
        batches = max(1, int(texts.counts.sum() // BATCH_WORDS))
        step, labels = 0, self.w[-1].shape[1]
        for _ in range(epochs):
            for ids in np.array_split(rng.permutation(len(texts.counts)), batches):
                x, mask, y = texts.batch(ids)
                logits, kept = self.forward(x, mask, rng)
                target = np.full(logits.shape, SMOOTH / labels, "f4")
                target[np.arange(len(y)), y] += 1 - SMOOTH
                step += 1
                rate = RATE * min(1, step / 100) * 0.5 * (1 + np.cos(np.pi * step / (epochs * batches)))
                for i, g in enumerate(self.backward(kept, (softmax(logits) - target) * (mask / mask.sum()))):
                    first[i] = 0.9 * first[i] + 0.1 * g
                    second[i] = 0.999 * second[i] + 0.001 * g * g
                    change = first[i] / (1 - 0.9 ** step) / (np.sqrt(second[i] / (1 - 0.999 ** step)) + 1e-8)
                    parameters[i] -= (rate * (change + (DECAY * parameters[i] if i < len(self.w) else 0))).astype("f4")

    def predict(self, texts, at_once=400):
        """Probabilities of the labels of each text's words."""
        out = []
        for start in range(0, len(texts.counts), at_once):
            ids = np.arange(start, min(start + at_once, len(texts.counts)))
            x, mask, _ = texts.batch(ids)
            p, at = softmax(self.forward(x, mask)[0]), 0
            for i in ids:
                out.append(p[at:at + texts.counts[i]])
                at += texts.counts[i] + PAD
        return out
