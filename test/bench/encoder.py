#!/usr/bin/env python3
"""./dev bench encoder: passes of the encoder against what the matrix products alone cost (oneDNN) and against ONNX Runtime and
OpenVINO, in turns, three rounds, the median counts. Cases: docs/benchmarks.md."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import programs
from mom import config
from report import Report, median

ROUNDS = 3
FORMATS = {'onnxruntime-int8': 'int8', 'openvino-int8': 'int8', 'onnxruntime-fp32': 'fp32'}


def lines_of(command, cores):
    """Runs a program pinned to cores; its output as JSON, a line each."""
    environment = os.environ | {'OMP_NUM_THREADS': '1'}
    pinned = ['taskset', '-c', ','.join(map(str, cores)), *map(str, command)]
    done = subprocess.run(pinned, stdout=subprocess.PIPE, env=environment, check=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows_of_tasks(bench, cores):
    """Every task on one prompt: what the program tasks_bench says on one core, then on two."""
    rows = lines_of([bench, 1], cores[:1])
    return rows + (lines_of([bench, 2], cores[:2]) if len(cores) > 1 else [])


def rows_of_the_program(build):
    """A server with every classifier in use: time until it says it is ready, memory after answering."""
    example = Path(__file__).resolve().parents[2] / 'examples' / 'mom.yaml'
    texts = [f'Mail ann@example.org about case {i}: is the derivative of x^{i} known to doctors?' for i in range(50)]
    with programs.Bench(build) as bench:
        engines = bench.start_engines(1)
        started = time.monotonic()
        server, port = bench.start_signalbox(config(example, engines), poll_seconds=0.002)
        ready = time.monotonic() - started
        for text in texts:
            programs.post(port, '/api/v1/classify/combined', {'text': text})
        return [{'case': 'program/ready', 'value': ready, 'unit': 's', 'against_value': 0.5},
                {'case': 'program/resident', 'value': programs.resident_mib(server.pids()), 'unit': 'MiB', 'against_value': 150}]


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
    build = options.bench.resolve().parents[2]
    for _ in range(options.rounds):
        for row in lines_of([options.bench, '--cores', 1], cores[:1]):
            ours.setdefault((row['case'], row['against']), []).append(row)
        for row in rows_of_tasks(options.bench.with_name('tasks_bench'), cores) + rows_of_the_program(build):
            ours.setdefault((row['case'], row.get('against', 'goal')), []).append(row)
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
