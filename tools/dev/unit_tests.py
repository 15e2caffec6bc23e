#!/usr/bin/env python3
"""Runs the ctest tests of one build folder and leaves their results as JUnit and googletest XML for count_tests.py.

With --filter, a regular expression over ctest names and over googletest names (Suite.Test) of the unit binaries."""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path


def ctest(options, names=None):
    command = ['ctest', '--test-dir', str(options.build), '-j', str(options.jobs), '--output-on-failure',
               '--no-tests=error', '--output-junit', str(options.results / 'ctest.xml')]
    if options.label:
        command += ['-L', options.label]
    if names is not None:
        command += ['-R', '^(' + '|'.join(re.escape(name) for name in names) + ')$']
    environment = dict(os.environ, GTEST_OUTPUT=f'xml:{options.results}/gtest/', GTEST_BRIEF='1')
    return subprocess.run(command, env=environment, check=False).returncode


def listed(options):
    """{ctest name: command}"""
    command = ['ctest', '--test-dir', str(options.build), '--show-only=json-v1']
    if options.label:
        command += ['-L', options.label]
    tests = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)['tests']
    return {test['name']: test.get('command', []) for test in tests}


def cases_of(binary):
    """Suite.Test names of a googletest binary."""
    output = subprocess.run([binary, '--gtest_list_tests'], capture_output=True, text=True, check=False).stdout
    suite, names = '', []
    for line in output.splitlines():
        word = line.split('#')[0].strip()
        if line.startswith(' '):
            names.append(suite + word)
        elif word.endswith('.'):
            suite = word
    return names


def run_filtered(options):
    pattern, status, whole = re.compile(options.filter), 0, []
    for name, command in listed(options).items():
        if pattern.search(name):
            whole.append(name)
        elif name.startswith('unit.') and command and os.path.exists(command[0]):
            chosen = [case for case in cases_of(command[0]) if pattern.search(case)]
            if chosen:
                run = subprocess.run([command[0], '--gtest_filter=' + ':'.join(chosen),
                                      f'--gtest_output=xml:{options.results}/gtest/'], check=False)
                status = status or run.returncode
    if whole:
        status = ctest(options, whole) or status
    return status


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--results', type=Path, required=True)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--label', default='')
    parser.add_argument('--filter', default='')
    options = parser.parse_args()
    (options.results / 'gtest').mkdir(parents=True, exist_ok=True)
    return run_filtered(options) if options.filter else ctest(options)


if __name__ == '__main__':
    sys.exit(main())
