"""Compares our JSON parser with Python's on mutated texts.

    json_differential.py PATH_TO_json_check [--cases N] [--seed S]

Texts come from test/golden/json/cases.txt and from generated request bodies, mutated by bytes, tokens and splices. For
each, our verdict (accepted or not, and every key and value) must be Python's under the rules of python_json.py, and
nothing that Python itself refuses may be accepted. Prints the text, the seed and both verdicts of the first differences.
"""

import argparse
import pathlib
import random
import re
import struct
import subprocess
import sys

import python_json

CASES = pathlib.Path(__file__).resolve().parents[1] / "golden" / "json" / "cases.txt"
TOKENS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud83d\\ude00", b"\\ud800", b"\\\"", b"\\\\", b"null", b"true", b"false", b"NaN",
    b"Infinity", b"-", b"0", b"1e9", b".5", b"e+", b" ", b"\n", b"\t", b"\r", b"\x0b", b"\x00", b"\x1f", b"\x7f", b"\xc3\xa9", b"\xe2\x82\xac", b"\xf0\x9f\x98\x80",
    b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\xa0", b'"model":', b'"mod\\u0065l":"x"', b'"messages":[', b"//", b"/**/", b"'",
]
SHOWN_MAX = 5


def golden_texts():
    texts = []
    for line in CASES.read_text(encoding="ascii").splitlines():
        escaped = line.split("\t", 1)[1]
        texts.append(re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), escaped.encode()))
    return texts


def random_value(rng, depth):
    kind = rng.randrange(8 if depth else 5)
    if kind == 0:
        return rng.choice(["null", "true", "false"])
    if kind == 1:
        return rng.choice(["0", "-1", "3.25", "1e5", "-2.5E-3", str(rng.getrandbits(70))])
    if kind < 5:
        return random_string(rng)
    space = rng.choice(["", "", " ", "\n  "])
    parts = [random_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind == 5:
        return "[" + space + ("," + space).join(parts) + space + "]"
    return "{" + space + ("," + space).join(f"{random_string(rng)}{space}:{p}" for p in parts) + space + "}"


def random_string(rng):
    pieces = ["model", "role", "content", "text", "é", "漢字", "😀", "\\n", '\\"', "\\\\", "\\u00e9", "\\ud83d\\ude00", "\\udc00", " ", "/", "a long run of plain words "]
    return '"' + "".join(rng.choice(pieces) for _ in range(rng.randrange(5))) + '"'


def mutate(rng, raw, other):
    data = bytearray(raw)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        upto = min(len(data), at + rng.randrange(1, 6))
        step = rng.randrange(7)
        if step == 0:
            data[at:at] = rng.choice(TOKENS)
        elif step == 1:
            del data[at:upto]
        elif step == 2 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif step == 3 and at < len(data):
            data[at] = rng.randrange(256)
        elif step == 4:
            data[at:upto] = rng.choice(TOKENS)
        elif step == 5:
            data[at:at] = data[at:upto]
        else:
            cut = rng.randrange(len(other) + 1)
            data[at:] = other[cut:]
    return bytes(data)


def make_cases(count, rng):
    seeds = golden_texts() + [random_value(rng, 4).encode() for _ in range(400)]
    cases = list(seeds)
    while len(cases) < count:
        cases.append(mutate(rng, rng.choice(seeds), rng.choice(seeds)))
    return cases


def our_verdicts(program, cases):
    sent = b"".join(struct.pack("<I", len(case)) + case for case in cases)
    done = subprocess.run([program], input=sent, capture_output=True, check=True)
    return done.stdout.decode("ascii").splitlines()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--cases", type=int, default=25_000)
    parser.add_argument("--seed", type=int, default=20250101)
    options = parser.parse_args()
    cases = make_cases(options.cases, random.Random(options.seed))
    ours = our_verdicts(options.program, cases)
    assert len(ours) == len(cases), f"{len(cases)} cases, {len(ours)} verdicts"
    differences = accepted = stricter = 0
    for case, verdict in zip(cases, ours):
        want = python_json.expected(case)
        by_python = python_json.is_accepted(case)
        accepted += verdict != "R"
        stricter += verdict == "R" and by_python
        if verdict == want and (verdict == "R" or by_python):
            continue
        differences += 1
        if differences <= SHOWN_MAX:
            print(f"text    {case!r}\nours    {verdict}\npython  {want}\n")
    print(f"seed {options.seed}: {len(cases)} texts, {accepted} accepted, {stricter} refused by a rule of ours alone, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
