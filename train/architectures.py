#!/usr/bin/env python3
"""Makes test/golden/encoder/hub/: small random models of every supported architecture in hub format, and what the reference
library (transformers and peft on torch, fp32) answers for some texts.

    python3 -m venv .venv-torch
    .venv-torch/bin/pip install torch transformers==4.57.3 peft==0.21.2 tokenizers
    .venv-torch/bin/python train/architectures.py

Weights are stored in half precision and read back before the reference runs, so that both sides start from the same numbers.
Each directory holds its model, and reference.jsonl: {"text", "ids", "logits"} a line; logits of each token in token models.
"""
import json
import pathlib
import shutil

import peft
import small_tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "test/golden/encoder/hub"
LABELS = {0: "law", 1: "math", 2: "other"}
BIO = {0: "O", 1: "B-PERSON", 2: "I-PERSON", 3: "B-ZIP_CODE"}
TEXTS = [
    "What is the derivative of x^3?",
    "a",
    "Caf\u00e9 na\u00efve \u2014 \u4e2d\u6587 \U0001f600 it's 2024",
    "My landlord, John Smith, keeps the deposit; I live at 90210.",
    "the points move " * 12,
    "Entropy never decreases.\n\n  Said the professor:\t\"so\".",
]

CORPUS = TEXTS + [
    "the signalman pulls the lever and the points move", "what is the law of large numbers and why does it matter",
    "the derivative of a function is the slope of its graph", "she said that the contract is not valid in this state",
    "how do I sort a list of numbers in the right order", "the train arrives at the station at nine in the morning",
] * 4


def bert_tokenizer():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + sorted({c for t in CORPUS for c in t.lower() if c.isalnum()})
    pieces += ["##" + p for p in pieces[5:]] + ["the", "points", "move", "of", "is", "##ing", "##s", ".", ",", "?", ";", "^"]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(dict.fromkeys(pieces))}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def shake(model, seed):
    """Weights large enough that every part of the model matters to the answer."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() == 1:
                weight.copy_(0.1 * noise + (0.0 if name.endswith("bias") else 1.0))
            else:
                weight.copy_(noise * (1.5 / weight.shape[1] ** 0.5 if "embed" not in name else 1.0))
    return model.eval()


def halve(path):
    """Stores the weights in half precision, every third tensor in bfloat16 and vectors in fp32."""
    tensors = load_file(path)
    for i, (name, value) in enumerate(sorted(tensors.items())):
        if value.dim() > 1:
            tensors[name] = value.to(torch.bfloat16 if i % 3 == 0 else torch.float16).contiguous()
    save_file(tensors, path, metadata={"format": "pt"})


def encode(tokenizer, text):
    return tokenizer.encode(text).ids


def write_reference(folder, model, tokenizer, texts=TEXTS, logits=lambda out: out.logits[0]):
    with (folder / "reference.jsonl").open("w") as out:
        for text in texts:
            ids = encode(tokenizer, text)
            with torch.no_grad():
                values = logits(model(torch.tensor([ids]))).flatten().tolist()
            row = {"text": text, "ids": ids, "logits": [float(f"{value:.6g}") for value in values]}
            out.write(json.dumps(row, separators=(",", ":")) + "\n")


def compact(path):
    path.write_text(json.dumps(json.loads(path.read_text()), ensure_ascii=False, separators=(",", ":")) + "\n")


def write_model(name, model_class, config, tokenizer, seed, reference=True):
    folder = OUT / name
    shake(model_class(config), seed).save_pretrained(folder)
    halve(folder / "model.safetensors")
    small_tokenizers.save(tokenizer, folder / "tokenizer.json")
    compact(folder / "config.json")
    (folder / "generation_config.json").unlink(missing_ok=True)
    if reference:
        model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        write_reference(folder, model, tokenizer)
    return folder


def write_adapter(name, base, model_class, tokenizer, seed, options, **reference):
    """A PEFT adapter on the model of `base`, which stays where it is."""
    folder = OUT / name
    labels = {"num_labels": 3} if options["task_type"] == "SEQ_CLS" else {}
    model = model_class.from_pretrained(base, dtype=torch.float32, attn_implementation="eager",
                                        ignore_mismatched_sizes=True, **labels)
    model = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=6, **options))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.requires_grad:
                weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = folder / "adapter_config.json"
    settings = json.loads(config.read_text())
    settings["base_model_name_or_path"] = f"../{base.name}"
    config.write_text(json.dumps(settings, separators=(",", ":"), sort_keys=True) + "\n")
    write_reference(folder, model.eval(), tokenizer, **reference)
    return folder


def bert():
    tokenizer = bert_tokenizer()
    sizes = dict(vocab_size=tokenizer.get_vocab_size(), hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                 intermediate_size=40, max_position_embeddings=96, type_vocab_size=2)
    base = write_model("bert_sequence", transformers.BertForSequenceClassification,
                       transformers.BertConfig(**sizes, id2label=LABELS), tokenizer, 1)
    write_model("bert_tokens", transformers.BertForTokenClassification,
                transformers.BertConfig(**sizes, id2label=BIO), tokenizer, 2)
    write_adapter("bert_lora", base, transformers.BertForSequenceClassification, tokenizer, 3,
                  dict(task_type="SEQ_CLS", target_modules=["query", "value", "dense"]))


def modern_bert():
    tokenizer = small_tokenizers.modern_bert(CORPUS)
    sizes = dict(vocab_size=tokenizer.get_vocab_size(), hidden_size=24, num_hidden_layers=4, num_attention_heads=3,
                 intermediate_size=36, max_position_embeddings=256, local_attention=8, global_attn_every_n_layers=3,
                 global_rope_theta=16000.0, local_rope_theta=1000.0, pad_token_id=tokenizer.token_to_id("[PAD]"),
                 cls_token_id=tokenizer.token_to_id("[CLS]"), sep_token_id=tokenizer.token_to_id("[SEP]"),
                 bos_token_id=None, eos_token_id=None, reference_compile=False)
    base = write_model("modern_bert_sequence", transformers.ModernBertForSequenceClassification,
                       transformers.ModernBertConfig(**sizes, id2label=LABELS, classifier_pooling="mean"), tokenizer, 4)
    yarn = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
    config = transformers.ModernBertConfig(**sizes, id2label=BIO)
    config.rope_scaling = yarn
    write_model("modern_bert_tokens", transformers.ModernBertForTokenClassification, config, tokenizer, 5)
    write_adapter("modern_bert_lora", base, transformers.ModernBertForSequenceClassification, tokenizer, 6,
                  dict(task_type="SEQ_CLS", target_modules=["Wqkv", "Wo", "Wi"], use_rslora=True))


def qwen3():
    tokenizer = small_tokenizers.qwen3(CORPUS)
    sizes = dict(vocab_size=tokenizer.get_vocab_size() + 3, hidden_size=24, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, head_dim=10, intermediate_size=36, max_position_embeddings=256, rope_theta=10000.0,
                 tie_word_embeddings=True, eos_token_id=tokenizer.token_to_id("<|im_end|>"),
                 pad_token_id=tokenizer.token_to_id("<|endoftext|>"), bos_token_id=None)
    write_model("qwen3_sequence", transformers.Qwen3ForSequenceClassification,
                transformers.Qwen3Config(**sizes, id2label=LABELS), tokenizer, 7)
    base = write_model("qwen3", transformers.Qwen3ForCausalLM, transformers.Qwen3Config(**sizes), tokenizer, 8, reference=False)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj", "gate_proj"]
    write_adapter("qwen3_lora", base, transformers.Qwen3ForSequenceClassification, tokenizer, 9,
                  dict(task_type="SEQ_CLS", target_modules=targets))
    labels = {"law": "l", "math": "m", "other": "o"}
    ask = {"prompt": "Subject of: {text}\nAnswer:", "labels": [{"name": name, "token": token} for name, token in labels.items()]}
    ids = [tokenizer.encode(token).ids[0] for token in labels.values()]
    prompts = [ask["prompt"].replace("{text}", text) for text in TEXTS]
    folder = write_adapter("qwen3_label_tokens", base, transformers.Qwen3ForCausalLM, tokenizer, 10,
                           dict(task_type="CAUSAL_LM", target_modules=targets), texts=prompts,
                           logits=lambda out: out.logits[0, -1, ids])
    (folder / "classifier.json").write_text(json.dumps(ask) + "\n")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    bert()
    modern_bert()
    qwen3()
    versions = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "peft": peft.__version__}
    (OUT / "ORIGIN.json").write_text(json.dumps({"made_by": "train/architectures.py", **versions}) + "\n")
    total = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file())
    print(f"{OUT.relative_to(ROOT)}: {total} bytes")


if __name__ == "__main__":
    main()
