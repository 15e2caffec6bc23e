#!/usr/bin/env python3
"""The style as a test. Usage: tidy.py [ROOT]. Prints `path:line: rule: what and what instead`, exits 1 on findings.

A line may say `tidy: allow(rule) reason` in a comment, on it or on the line above; the reason is required."""

import re
import subprocess
import sys
from pathlib import Path

import bans
import cpp
import includes
import limits_document

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
COMMENT_COLUMNS_MAX = 125
ALLOW = re.compile(r'tidy:\s*allow\(([\w,\s-]+)\)\s*(\S.*)?')
POOR_NAMES = re.compile(r'^(utils?|common|helpers?|managers?|misc)$')
POOR_TYPES = re.compile(r'\b(?:class|struct)\s+(\w*(?:Manager|Helper|Utils?|Misc))\b')
# Written in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile(r'(?<![\w.:*])/(?:' + '|'.join(('wo' + 'rk', 'ro' + 'ot', 'ho' + 'me')) + r')/\w')
REGISTRIES = re.compile('|'.join(re.escape(a + b) for a, b in (
    ('py', 'pi.org'), ('files.python', 'hosted.org'), ('registry.npm', 'js.org'), ('crates', '.io'),
    ('proxy.go', 'lang.org'), ('deb.deb', 'ian.org'), ('security.deb', 'ian.org'))))
TEXT_SUFFIXES = {'.cc', '.h', '.py', '.sh', '.cmake', '.md', '.txt', '.json', '.yaml', '.yml', '.jsonl', '.inc', ''}
GENERATED = ('models/', 'test/fuzz/corpus/', 'test/golden/', 'test/data/', 'test/compat/')


class Tree:
    """The files git knows (or would add), and where findings go."""

    def __init__(self, root):
        self.root = root
        listing = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=root,
                                 capture_output=True, check=True).stdout.decode()
        self.paths = sorted({p for p in listing.split('\0') if p and (root / p).is_file()})
        self.findings = []

    def read(self, path):
        return (self.root / path).read_text(encoding='utf-8', errors='surrogateescape')

    def report(self, path, line, rule, message):
        self.findings.append((path, line, rule, message))


def allowed_rules(lines, line):
    """Rules that the line, or the comment line above it, allows."""
    rules = set()
    for number in (line, line - 1):
        if 1 <= number <= len(lines):
            match = ALLOW.search(lines[number - 1])
            if match and match.group(2) and (number == line or lines[number - 1].lstrip().startswith(('//', '#'))):
                rules |= {rule.strip() for rule in match.group(1).split(',')}
    return rules


def check_cpp(tree, path, known):
    text = tree.read(path)
    code, lines = cpp.code_of(text), text.split('\n')

    def report(line, rule, message):
        if rule not in allowed_rules(lines, line):
            tree.report(path, line, rule, message)

    for ban, pattern in bans.COMPILED:
        if bans.applies(ban, path):
            for match in pattern.finditer(code):
                start = match.start() + len(match.group(0)) - len(match.group(0).lstrip())
                line = code.count('\n', 0, start) + 1
                report(line, ban.name, f'`{" ".join(match.group(0).split())}`: use {ban.instead}')
    for line, message in includes.check(path, text, code, known, set(tree.paths)):
        report(line, 'include', message)
    for match in POOR_TYPES.finditer(code):
        report(code.count('\n', 0, match.start()) + 1, 'name', f'{match.group(1)} says nothing: name what it does')
    check_globals(code, report)
    check_sizes(path, code, lines, report)
    check_comments(text, report)
    check_columns(lines, code.split('\n'), cpp.comments_of(text).split('\n'), report)
    if path.endswith('.h') and not re.search(r'^#pragma once$', text, re.MULTILINE):
        report(1, 'pragma-once', 'a header starts with its comment and `#pragma once`')
    if not path.endswith(('_test.cc', '_data.cc', '_data.h', '_data.inc', '_fuzz.cc')) and not text.isascii():
        bad = next(number for number, line in enumerate(lines, 1) if not line.isascii())
        report(bad, 'ascii', 'write an escape, or keep tables of other scripts in a file named *_data.cc')


GLOBAL = re.compile(r'^(?:inline\s+|extern\s+)*(?:std::|[a-z_]+::|[A-Z])[\w:<>,\s*&]*\s[a-z]\w*(?:\[\w*\])?\s*(?:=[^;]*|\{[^;()]*\})?;')


def check_globals(code, report):
    scope = cpp.namespace_scope_lines(code)
    for number, line in enumerate(code.split('\n'), 1):
        if number in scope and GLOBAL.match(line) and '(' not in line.split('=')[0]:
            if not re.match(r'^(?:inline\s+)?(?:const|constexpr|using|typedef|class|struct|enum|friend|template|return)\b', line):
                report(number, 'hidden-state', 'a mutable global: pass the object in (docs/architecture.md lists shared state)')


def check_sizes(path, code, lines, report):
    count = len(lines) - (lines[-1] == '')
    if count > FILE_LINES_MAX:
        report(1, 'file-size', f'{count} lines; over {FILE_LINES_MAX} a file has more than one subject: split it by subject')
    for first, last, head in cpp.functions_of(code):
        if last - first + 1 > FUNCTION_LINES_MAX:
            name = re.search(r'([\w:~]+)\s*\(', head)
            report(first, 'function-size', f'{name.group(1) if name else "function"} has {last - first + 1} lines; '
                   f'over {FUNCTION_LINES_MAX} nobody reads it: give its steps names')


def check_columns(lines, code, comments, report):
    for number, line in enumerate(lines, 1):
        # Lines of raw strings are data; clang-format leaves comments and long literals alone.
        inside_literal = not code[number - 1].strip() and not comments[number - 1].strip()
        if len(line) > COMMENT_COLUMNS_MAX and not inside_literal and '"' not in line:
            report(number, 'columns', f'{len(line)} columns; at most {COMMENT_COLUMNS_MAX}')


def check_comments(text, report):
    for number, line in enumerate(cpp.comments_of(text).split('\n'), 1):
        if re.search(r'\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#?\d+\))', line):
            report(number, 'todo', 'do it, or name the issue: TODO(#123)')


def check_text(tree, path):
    """Rules for every text file of the tree."""
    text = tree.read(path)
    if '\0' in text:
        return
    lines = text.split('\n')
    source = path.endswith(('.cc', '.h', '.py', '.sh', '.cmake', '.md')) or path.endswith('CMakeLists.txt')
    for number, line in enumerate(lines, 1):
        if MACHINE_PATHS.search(line) and 'machine-path' not in allowed_rules(lines, number):
            tree.report(path, number, 'machine-path', 'a path of one machine: make it relative or a parameter')
        if REGISTRIES.search(line):
            tree.report(path, number, 'registry', 'no registry addresses in the tree: name the package')
        if source:
            if line.rstrip() != line:
                tree.report(path, number, 'space', 'trailing space')
            if '\t' in line and 'tab' not in allowed_rules(lines, number):
                tree.report(path, number, 'tab', 'indent with spaces')
    if source and text and not text.endswith('\n'):
        tree.report(path, len(lines), 'space', 'no newline at the end')


def check_names(tree):
    for path in tree.paths:
        if path.split('/')[0] not in ('src', 'apps', 'test', 'tools', 'train'):
            continue
        for part in path.split('/'):
            if POOR_NAMES.match(part.split('.')[0]):
                tree.report(path, 1, 'name', f'"{part}" says nothing: name the subject')


NAMESPACE = re.compile(r'^namespace (?:([\w:]+) )?\{', re.MULTILINE)
TYPE = re.compile(r'^(?:class|struct|enum class|enum|union) (?:alignas\(\w+\) )?(\w+)(?!\w|::)[^;{(]*\{', re.MULTILINE)


def check_types(tree):
    """Two headers that define a type of one name in one namespace: the linker takes one of them for both."""
    first = {}
    for path in tree.paths:
        if not path.endswith('.h') or not path.startswith('src/'):
            continue
        code = cpp.code_of(tree.read(path))
        spaces = [(match.start(), match.group(1)) for match in NAMESPACE.finditer(code)]
        for match in TYPE.finditer(code):
            space = next((name for start, name in reversed(spaces) if start < match.start()), None)
            if space is None:  # unnamed, so of each source file its own
                continue
            other = first.setdefault((space, match.group(1)), path)
            if other != path:
                line = code.count('\n', 0, match.start()) + 1
                tree.report(path, line, 'one-definition', f'{space}::{match.group(1)} is also defined in {other}: rename one')


def check_documents(tree):
    hacking = tree.read('HACKING.md') if 'HACKING.md' in tree.paths else ''
    for name in sorted({path.split('/')[1] for path in tree.paths if path.startswith('src/') and path.count('/') > 1}):
        if f'src/{name}/' not in hacking:
            tree.report('HACKING.md', 1, 'document', f'src/{name}/ has no line')
    if 'src/base/limits.h' not in tree.paths:
        return
    wanted = limits_document.document(tree.read('src/base/limits.h'))
    if 'docs/limits.md' not in tree.paths or tree.read('docs/limits.md') != wanted:
        tree.report('docs/limits.md', 1, 'document', 'not what src/base/limits.h says: tools/tidy/limits_document.py --write')


def check_tree(root):
    """All findings of the tree at `root`, sorted."""
    tree = Tree(root)
    known = includes.libraries(tree.read('src/CMakeLists.txt')) if 'src/CMakeLists.txt' in tree.paths else {}
    for path in tree.paths:
        if path.startswith(GENERATED):
            continue
        if Path(path).suffix in TEXT_SUFFIXES:
            check_text(tree, path)
        if path.endswith(('.cc', '.h')):
            check_cpp(tree, path, known)
    check_names(tree)
    check_types(tree)
    check_documents(tree)
    return sorted(tree.findings)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else '.').resolve()
    findings = check_tree(root)
    for path, line, rule, message in findings:
        print(f'{path}:{line}: {rule}: {message}')
    if findings:
        print(f'{len(findings)} findings')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
