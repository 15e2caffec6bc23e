#!/usr/bin/env python3
"""./dev bench encoder: passes of the encoder against what the matrix products alone cost (oneDNN) and against ONNX Runtime and
OpenVINO, in turns, three rounds, the median counts. Cases: docs/benchmarks.md."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from report import Report, median

ROUNDS = 3
FORMATS = {'onnxruntime-int8': 'int8', 'openvino-int8': 'int8', 'onnxruntime-fp32': 'fp32'}


def lines_of(command, cores):
    """Runs a program pinned to cores; its output as JSON, a line each."""
    environment = os.environ | {'OMP_NUM_THREADS': '1'}
    pinned = ['taskset', '-c', ','.join(map(str, cores)), *map(str, command)]
    done = subprocess.run(pinned, stdout=subprocess.PIPE, env=environment, check=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--bench', type=Path, required=True, help='the program encoder_bench')
    parser.add_argument('--rivals', type=Path, help='a Python with the packages of encoder_requirements.txt')
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--work', type=Path, required=True, help='where the rivals keep their model files')
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    ours, rivals = {}, {}
    for _ in range(options.rounds):
        for row in lines_of([options.bench, '--cores', 1], cores[:1]):
            ours.setdefault((row['case'], row['against']), []).append(row)
        if options.rivals:
            script = Path(__file__).with_name('encoder_rivals.py')
            for row in lines_of([options.rivals, script, '--model', options.model, '--work', options.work], cores[:1]):
                rivals.setdefault((row['rival'], row['tokens']), []).append(row)
        if len(cores) > 1:
            for row in lines_of([options.bench, '--cores', 2], cores[:2]):
                ours.setdefault((row['case'], row['against']), []).append(row)
    report = Report('encoder', options.json)
    for (case, against), runs in ours.items():
        report.row(case, median(runs, 'value'), runs[0]['unit'], against, median(runs, 'against_value'))
    for (name, tokens), runs in rivals.items():
        case = f'forward/{FORMATS[name]}/1x{tokens}/1core'
        own = [rows for (other, _), rows in ours.items() if other == case]
        if own:
            report.row(case, median(own[0], 'value'), 'ms', name, median(runs, 'ms'))
    report.finish()
    for (name, tokens), runs in rivals.items():
        if not options.json and tokens == 64:
            print(f'{name}: cosine with fp32 {runs[0]["cosine"]:.5f} at 64 tokens', file=sys.stderr)


if __name__ == '__main__':
    main()
