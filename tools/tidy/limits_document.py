#!/usr/bin/env python3
"""docs/limits.md from src/base/limits.h: the constants, their values and the comments beside them, in the same order.
Usage: limits_document.py --write. tools/tidy checks that the two agree."""

import re
import sys
from pathlib import Path

HEAD = '''# Limits

Every queue, buffer, batch and retry of Signalbox is bounded by a named constant of `src/base/limits.h` or by a configuration
key whose default is one. A request that passes a limit gets an error that says which; nothing grows without end. This page
is written from that file (`tools/tidy/limits_document.py --write`); `./dev test` fails when the two differ. Sizes are bytes,
everything else is a plain count; times are seconds.
'''
ITEM = re.compile(r'(?P<comment>(?:^//[^\n]*\n)+)|'
                  r'^inline\s+constexpr\s+[\w:]+\s+(?P<name>k\w+)\s*(?:=\s*(?P<value>[^;]*)|\{(?P<braced>[^}]*)\});'
                  r'[ \t]*(?://[ \t]*(?P<why>[^\n]*))?', re.MULTILINE)


def spelled(expression):
    """`64 << 10` as 64 KiB; other expressions as written."""
    text = ' '.join(expression.replace("'", '').split())
    text = re.sub(r'std::size_t\{(\d+)\}', r'\1', text)
    match = re.fullmatch(r'(\d+) << (10|20|30)', text)
    if match:
        return f'{match.group(1)} ' + {'10': 'Ki', '20': 'Mi', '30': 'Gi'}[match.group(2)]
    match = re.fullmatch(r'(\d+) << (\d+)', text)
    return str(int(match.group(1)) << int(match.group(2))) if match else text


def document(header):
    body = header.split('namespace signalbox::limits {', 1)[1].split('static_assert', 1)[0]
    out, in_table = [HEAD], False
    for item in ITEM.finditer(body):
        if item.group('comment'):
            text = ' '.join(line[2:].strip() for line in item.group('comment').strip().split('\n'))
            out.append(f'\n{text}\n')
            in_table = False
            continue
        if not in_table:
            out.append('\n| constant | value | why |\n| --- | --- | --- |\n')
            in_table = True
        value = item.group('value') if item.group('value') is not None else item.group('braced')
        out.append(f'| `{item.group("name")}` | {spelled(value)} | {(item.group("why") or "").strip()} |\n')
    return ''.join(out)


if __name__ == '__main__':
    root = Path(__file__).resolve().parents[2]
    text = document((root / 'src/base/limits.h').read_text())
    if '--write' in sys.argv:
        (root / 'docs/limits.md').write_text(text)
    else:
        print(text, end='')
