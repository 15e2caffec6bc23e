"""What Python's json module, the parser of the engines behind us, makes of a text, and where we may differ.

RULES, each stricter than Python, so that what we pass on means one thing only:
  constants  NaN, Infinity and -Infinity are no JSON (RFC 8259 section 6).
  encoding   Only UTF-8 without a byte order mark; Python guesses UTF-16 and UTF-32 and skips a mark.
  surrogates Surrogates encoded as bytes are no UTF-8; Python reads them with its "surrogatepass" handler.
  depth      Nesting is bounded (limits::kJsonDepthMax).
We never accept what Python refuses. Lone surrogates written as escapes are accepted by both; we show them as U+FFFD.
"""

import json
import re
import sys

DEPTH_MAX = 128  # limits::kJsonDepthMax

sys.set_int_max_str_digits(0)


class Constant(Exception):
    """NaN or an infinity was met."""


class Number(str):
    """Text of a number as written."""


class Pairs(list):
    """Members of an object in file order, repeated keys included."""


def refuse_constant(name):
    raise Constant(name)


def load(raw, constants):
    return json.loads(raw, parse_int=Number, parse_float=Number, object_pairs_hook=Pairs,
                      parse_constant=Number if constants else refuse_constant)


def is_accepted(raw):
    """By Python as it is."""
    try:
        load(raw, constants=True)
        return True
    except (ValueError, RecursionError):
        return False


def depth(value):
    deepest, open_values = 0, [(value, 1)]
    while open_values:
        current, level = open_values.pop()
        if not isinstance(current, list):
            continue
        deepest = max(deepest, level)
        children = [v for _, v in current] if isinstance(current, Pairs) else current
        open_values.extend((child, level + 1) for child in children)
    return deepest


def dump_string(text):
    shown = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return '"' + shown.encode().hex() + '"'


def dump(value):
    if value is None:
        return "n"
    if value is True:
        return "t"
    if value is False:
        return "f"
    if isinstance(value, Number):
        return "#" + value
    if isinstance(value, str):
        return dump_string(value)
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{dump_string(k)}:{dump(v)}" for k, v in value) + "}"
    return "[" + ",".join(dump(v) for v in value) + "]"


def expected(raw):
    """The verdict expected of us: Python's under RULES."""
    try:
        text = raw.decode("utf-8")  # rules encoding and surrogates
        if text.startswith("\ufeff"):
            return "R"
        value = load(text, constants=False)  # rule constants
    except (ValueError, RecursionError, Constant):
        return "R"
    return "R" if depth(value) > DEPTH_MAX else "A " + dump(value)
