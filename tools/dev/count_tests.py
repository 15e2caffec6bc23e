#!/usr/bin/env python3
"""Adds up the results that ./dev test left in a folder and prints the closing line, `N passed, N failed`.

A unit binary counts by its googletest cases, any other ctest or end-to-end test as one, and each part of the run that
is no test of its own (format, a build) as one. Exit 1 when anything failed or nothing ran."""

import sys
import xml.etree.ElementTree as xml
from pathlib import Path

# Parts whose results are counted test by test; the part itself counts only if it failed and none of its tests did.
COUNTED = {'unit': 'dev', 'tsan': 'tsan', 'e2e': 'e2e-release.xml', 'e2e-dev': 'e2e-dev.xml', 'vllm': 'vllm.xml',
           'arm64': 'arm64/tensor.xml'}


def cases(path):
    """[(name, verdict)] of a JUnit file; verdict is passed, failed or skipped."""
    found = []
    for case in xml.parse(path).getroot().iter('testcase'):
        failed = case.find('failure') is not None or case.find('error') is not None or case.get('status') == 'fail'
        skipped = case.find('skipped') is not None or case.get('status') in ('notrun', 'disabled') \
            or case.get('result') == 'skipped'
        name = f'{case.get("classname", "")}.{case.get("name", "")}'
        found.append((name, 'failed' if failed else 'skipped' if skipped else 'passed'))
    return found


def ctest_cases(folder):
    found, seen = [], set()
    for path in sorted((folder / 'gtest').glob('*.xml')):
        seen.add(path.stem)
        found += cases(path)
    broken = {name.split('.')[0] for name, verdict in found if verdict == 'failed'}
    if not (folder / 'ctest.xml').exists():
        return found
    for name, verdict in cases(folder / 'ctest.xml'):
        short = name.split('.', 1)[1] if name.startswith('.') else name
        binary = short.split('unit.')[-1] + '_tests'
        if 'unit.' not in short or binary not in seen:
            found.append((short, verdict))
        elif verdict == 'failed' and not broken:
            found.append((short + ' (ended badly)', verdict))
    return found


def main():
    folder = Path(sys.argv[1])
    results = []
    for part in sorted((folder / 'parts').glob('*')):
        verdict = part.read_text()
        source = folder / COUNTED[part.name] if part.name in COUNTED else None
        counted = []
        if source and source.is_dir():
            counted = ctest_cases(source)
        elif source and source.is_file():
            counted = cases(source)
        results += counted
        if not counted or (verdict != 'passed' and not any(v == 'failed' for _, v in counted)):
            results.append((part.name, 'passed' if verdict == 'passed' else 'failed'))
    failed = [name for name, verdict in results if verdict == 'failed']
    skipped = [name for name, verdict in results if verdict == 'skipped']
    for name in skipped:
        print(f'skipped: {name}', file=sys.stderr)
    for name in failed:
        print(f'failed: {name}', file=sys.stderr)
    passed = sum(verdict == 'passed' for _, verdict in results)
    print(f'{passed} passed, {len(failed)} failed', flush=True)
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
