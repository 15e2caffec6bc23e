#!/usr/bin/env python3
"""clang-tidy-19 over the sources named on stdin, in parallel, with results kept by content.

A clean result is remembered under the hash of the source, every own header it reaches, its compile command and
.clang-tidy, so only what changed is analysed again. With --budget SECONDS, files left when it is used up are named and
do not fail the run: the next run finds the finished ones remembered."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# Flags of g++ that clang does not know, and differences in what the two call a warning.
EXTRA = ['--extra-arg=-Wno-unknown-warning-option', '--extra-arg=-Wno-error', '--extra-arg=-Wno-unused-command-line-argument']


class Hasher:
    """Content hash of a source with the own headers it reaches."""

    def __init__(self, roots):
        self.roots, self.texts = roots, {}

    def text(self, path):
        if path not in self.texts:
            try:
                self.texts[path] = path.read_bytes()
            except OSError:
                self.texts[path] = None
        return self.texts[path]

    def digest(self, source):
        seen, todo, digest = set(), [source], hashlib.sha256()
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            seen.add(path)
            data = self.text(path)
            if data is None:
                continue
            digest.update(data)
            for name in INCLUDE.findall(data.decode(errors='replace')):
                todo.extend(root / name for root in self.roots if self.text(root / name) is not None)
        return digest.hexdigest()


def commands_of(build):
    entries = json.loads((build / 'compile_commands.json').read_text())
    return {os.path.realpath(os.path.join(e['directory'], e['file'])): e.get('command', '') for e in entries}


def analyse(source, build):
    run = subprocess.run(['clang-tidy-19', '--quiet', '-p', str(build), *EXTRA, str(source)],
                         capture_output=True, text=True, check=False)
    return run.returncode, run.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--cache', type=Path, required=True)
    parser.add_argument('--budget', type=float, default=None)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    commands = commands_of(options.build)
    rules = Path('.clang-tidy').read_bytes()
    hasher = Hasher([Path('src'), Path('.')])

    todo, unknown = [], []
    for name in sys.stdin.read().split():
        command = commands.get(os.path.realpath(name))
        if command is None:
            unknown.append(name)
            continue
        key = hashlib.sha256(rules + command.encode() + hasher.digest(Path(name)).encode()).hexdigest()
        if not (options.cache / key).exists():
            todo.append((name, key))
    if unknown:
        print(f'not part of this build, not analysed: {" ".join(unknown)}')
    failed, left = run_all(todo, options)
    if left:
        print(f'clang-tidy: {len(left)} files not analysed in {options.budget:.0f} s (./dev lint takes the rest): '
              + ' '.join(left))
    print(f'clang-tidy: {len(todo) - len(left)} analysed, {failed} with findings')
    return 1 if failed else 0


def run_all(todo, options):
    """(files with findings, files left over)"""
    deadline = time.monotonic() + options.budget if options.budget else None
    failed, left = 0, []

    def one(item):
        if deadline and time.monotonic() > deadline:
            return item, None, ''
        return item, *analyse(item[0], options.build)

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for (name, key), status, output in pool.map(one, todo):
            if status is None:
                left.append(name)
            elif status == 0:
                (options.cache / key).touch()
            else:
                failed += 1
                print(output, flush=True)
    return failed, left


if __name__ == '__main__':
    sys.exit(main())
