#!/usr/bin/env python3
"""Writes src/tokenize/unicode_tables.cc: how the reference tokenizer classes each code point.

The reference (PyPI `tokenizers`) carries its own, partly old, Unicode tables; a token stream equal to its own needs the
same classes. They are measured here by asking it about every code point.

    python3 -m venv .venv && .venv/bin/pip install tokenizers==0.23.3
    .venv/bin/python train/unicode_tables.py > src/tokenize/unicode_tables.cc
"""
import tokenizers
from tokenizers import normalizers, pre_tokenizers


def normalizer(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(options | on))


def ranges(points):
    out = []
    for point in sorted(points):
        if out and out[-1][1] == point - 1:
            out[-1][1] = point
        else:
            out.append([point, point])
    return out


def measure():
    clean = normalizer(clean_text=True)
    strip = normalizer(strip_accents=True)
    split = pre_tokenizers.BertPreTokenizer()
    dropped, marks, punctuation = set(), set(), set()
    for point in range(0x80, 0x110000):
        if 0xD800 <= point < 0xE000:
            continue
        text = "a" + chr(point) + "b"
        if clean.normalize_str(text) == "ab":
            dropped.add(point)
        if strip.normalize_str(text) == "ab":
            marks.add(point)
        if [piece for piece, _ in split.pre_tokenize_str(text)] == ["a", chr(point), "b"]:
            punctuation.add(point)
    return dropped, marks, punctuation


def table(name, points):
    rows = ranges(points)
    print(f"constexpr CodePointRange {name}[] = {{")
    line = "   "
    for first, last in rows:
        item = f" {{0x{first:x}, 0x{last:x}}},"
        if len(line) + len(item) > 100:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};\n")


def main():
    dropped, marks, punctuation = measure()
    print(f"// Made by train/unicode_tables.py from the behaviour of tokenizers {tokenizers.__version__}; do not edit.")
    print('#include "tokenize/unicode_tables.h"\n')
    print("namespace signalbox::tokenize {\nnamespace {\n\n// clang-format off")
    table("kDropped", dropped)
    table("kMarks", marks)
    table("kPunctuation", punctuation)
    print("// clang-format on\n}  // namespace\n")
    print("std::span<const CodePointRange> dropped_ranges() { return kDropped; }")
    print("std::span<const CodePointRange> mark_ranges() { return kMarks; }")
    print("std::span<const CodePointRange> punctuation_ranges() { return kPunctuation; }\n")
    print("}  // namespace signalbox::tokenize")


if __name__ == "__main__":
    main()
