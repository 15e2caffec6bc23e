"""Writes cases.txt: hostile JSON texts with the verdict expected of us, taken from Python's json module.

    python3 test/golden/json/make.py

A line is: verdict <tab> escaped text. The verdict is what json/test_dump.h prints. Where we differ from Python on purpose,
the case names the rule under which it does (see RULES in test/differential/python_json.py). Printable ASCII
stands for itself, other bytes and the backslash are written \\xNN.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "differential"))
import python_json  # noqa: E402

DEPTH_MAX = python_json.DEPTH_MAX


def scalars():
    numbers = "0 -0 1 -1 10 1.5 -1.5e+10 1E5 1e-5 0.0 0e0 1e400 -1e400 123456789012345678901234567890"
    broken_numbers = "00 01 -01 +1 .5 1. 1.e5 1e 1e+ 1e- - -- -a 0x10 1_000 1,000 1e5.5 1.2.3 --1 0- ١"
    words = "null true false nul tru fals NULL True None nullx truefalse undefined NaN Infinity -Infinity -NaN nan inf"
    return f"{numbers} {broken_numbers} {words}".split()


def strings():
    plain = ['""', '"a"', '"\u00e9\u6f22\U0001f600"', '"/"', '"\x7f"', '" \u2028 \u00a0 "']
    escapes = [f'"\\{c}"' for c in '"\\/bfnrtu' + "aevx0'N \n"]
    unicode_escapes = [
        r'"\u0041"', r'"\u00E9\u00e9"', r'"\ud83d\ude00"', r'"\uD83D\uDE00"', r'"\ud800"', r'"\udc00"', r'"\ud800\ud800"',
        r'"\udc00\ud800"', r'"\ud800\u0041"', r'"\ud800x"', r'"\ud83d\n\ude00"', r'"\ud83d\ud83d\ude00"', r'"\u0000"',
        r'"\u"', r'"\u1"', r'"\u12"', r'"\u123"', r'"\u123g"', r'"\U0041"', r'"\u+041"', r'"\u 041"', r'"\u00_1"', r'"\ud83d\u"',
        r'"\ud83d\ude0"', r'"\uDFFF\uDBFF"', r'"\uffff\ufffe\ufeff"',
    ]
    controls = [f'"{chr(c)}"' for c in range(0x20)]
    open_ended = ['"', '"a', '"\\', '"\\"', "'a'", "a", '"a"b', '"a" "b"', '"' + "x" * 40, '"' + "x" * 15 + "\\",
                  '"' + "x" * 16 + '"', '"' + "x" * 31 + '\\n"', '"' + "x" * 15 + "\x01" + '"']
    return plain + escapes + unicode_escapes + controls + open_ended


def containers():
    arrays = ["[]", "[ ]", "[1]", "[1,2]", "[ 1 , 2 ]", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[", "]", "[1", "[1,", "[]]",
              "[[]", "[1}", "[}", "[\f1]", "[\x0b]", "[\u00a01]", "[1]x", "[1],", "[1]\n\t\r ", "[1]\x00", "\x00[1]", "[/**/1]", "[1]//x"]
    objects = ["{}", "{ }", '{"a":1}', '{ "a" : 1 }', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"":0}', '{"a":{"b":[{}]}}', '{"a":1,}',
               '{,"a":1}', "{,}", '{"a"}', '{"a":}', '{"a" 1}', '{"a":1 "b":2}', '{"a":1,,"b":2}', "{a:1}", "{'a':1}", "{1:1}", "{null:1}",
               "{", "}", '{"a', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1]', "{]", '{"a"::1}', '{"a":1}}', '{"a":1}{"b":2}', '{"a":1;"b":2}',
               '{"a"=1}', '{[]:1}', '{"model":"a","mod\\u0065l":"b"}', '{"a\x00":1}', "{}\x00", "{}{}", "{} {}", "{}null"]
    return arrays + objects


def framing():
    return [b"", b" ", b"\n\t\r ", b"\x00", b"\xef\xbb\xbf{}", b"\xef\xbb\xbf", b"\xfe\xff\x00{\x00}", b"{\x00}\x00",
            b"\xff\xfe{\x00}\x00", b"1\x00\x00\x00", b"{\x00\x00\x00}\x00\x00\x00", b"\xc2\xa0{}", b"\x0c{}", b"{}\x0c", b"#{}"]


def bytes_in_strings():
    sequences = [
        b"\x80", b"\xbf", b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xc2", b"\xc2\x41", b"\xc2\x80", b"\xdf\xbf", b"\xe0\x80\x80",
        b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xe1\x80", b"\xe2\x82\xac", b"\xed\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf",
        b"\xed\xa0\xbd\xed\xb8\x80", b"\xee\x80\x80", b"\xef\xbf\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80",
        b"\xf0\x9f\x98", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xff", b"\xfe",
    ]
    return [b'["' + s + b'"]' for s in sequences] + [b'{"' + s + b'":1}' for s in sequences[:6]] + [b"[1" + s + b"]" for s in sequences[:4]]


def deep():
    texts = []
    for depth in (DEPTH_MAX, DEPTH_MAX + 1):
        texts.append("[" * depth + "]" * depth)
        texts.append('{"a":' * depth + "1" + "}" * depth)
    return texts + ["[" * 500, "[" * 100 + "]" * 99, '[{"a":' * 60 + "0" + "}]" * 60]


def bodies():
    return [
        '{"model":"MoM","messages":[{"role":"user","content":"hi"}]}',
        '{"model":"MoM","model":"gpt","messages":[]}',
        '{"messages":[{"role":"user","content":"a"},{"role":"user","role":"system","content":"b"}],"model":"MoM"}',
        '{"model":"MoM","messages":[{"role":"user","content":"a\\u0000b\\ud83d\\ude00"}],"temperature":1e-7}\n',
        '{"model":"MoM","stream":true,"stream_options":{"include_usage":true},"stop":["\\n","\\""],"logit_bias":{"50256":-100}}',
    ]


def escaped(raw):
    text = "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02x}" for b in raw)
    return text[:-1] + "\\x20" if text.endswith(" ") else text  # no line ends in a space


def main():
    texts = [t.encode() for t in scalars() + strings() + containers() + deep() + bodies()]
    lines = {}
    for raw in texts + framing() + bytes_in_strings():
        lines[escaped(raw)] = python_json.expected(raw)
    with open(HERE / "cases.txt", "w", encoding="ascii") as out:
        out.writelines(f"{verdict}\t{text}\n" for text, verdict in lines.items())
    accepted = sum(v.startswith("A") for v in lines.values())
    print(f"{len(lines)} cases, {accepted} accepted")


if __name__ == "__main__":
    main()
