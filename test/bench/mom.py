#!/usr/bin/env python3
"""./dev bench mom: what understanding a request adds. The founding configuration (encoder, rules, prompts) on one core, asked
by name ("base-model": no decision) and as "MoM" with prompts of three lengths. Cases: docs/benchmarks.md."""

import argparse
import json
from pathlib import Path

import programs
from report import Report, median

ROUNDS = 3
TEXTS = {
    'small': 'What is the derivative of f(x) = x^3?',
    '64-tokens': 'A farmer has a rectangular field whose length is three times its width and whose perimeter is four hundred '
                 'metres. He wants to divide it into two equal parts by a fence that runs parallel to the shorter side. How '
                 'many metres of fence does he need, and what is the area of each part in square metres?',
    '1000-tokens': 'Explain the causes and consequences of the fall of Constantinople for trade in the region. ' * 60,
}


def body(model, text):
    return json.dumps({'model': model, 'max_tokens': 16, 'messages': [{'role': 'user', 'content': text}]}).encode()


def config(source, ports):
    """The example file with engines of ours instead of the embedded ones, and one thread for each kind of work."""
    backends = ''.join(f'\n        - {{name: r{i}, endpoint: "127.0.0.1:{port}", weight: 1}}' for i, port in enumerate(ports))
    text = source.read_text()
    text = text.replace('      reasoning_family: qwen3\n', f'      reasoning_family: qwen3\n      backend_refs:{backends}\n', 1)
    head, _, _ = text.partition('\nsignalbox:')
    return head + '''
signalbox:
  io_threads: 1
  access_log: {enabled: false}
  encoder: {threads: 1}
'''


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seconds', type=float, default=3.0)
    options = parser.parse_args()
    example = Path(__file__).resolve().parents[2] / 'examples' / 'mom.yaml'
    adapters = ['math-expert', 'science-expert', 'social-expert', 'law-expert', 'humanities-expert', 'general-expert']
    with programs.Bench(options.build.resolve()) as bench:
        engines = bench.start_engines(2, ['--lora', ','.join(adapters)])
        server, port = bench.start_signalbox(config(example, engines))
        report = Report('mom', options.json)
        for length, text in TEXTS.items():
            figures = {'MoM': [], 'base-model': []}
            for _ in range(options.rounds):
                for model, runs in figures.items():
                    one = bench.load(port, body(model, text), server, connections=1, seconds=options.seconds,
                                     headers=['x-sim-tokens: 16'])
                    full = bench.load(port, body(model, text), server, connections=16, seconds=options.seconds,
                                      headers=['x-sim-tokens: 16'])
                    runs.append({'p50_us': one['p50_us'], 'p99_us': one['p99_us'],
                                 'requests_per_s': full['requests_per_s'], 'cpu_us': full['cpu_us_per_request']})
            for case, key, unit in (('latency_p50', 'p50_us', 'us'), ('latency_p99', 'p99_us', 'us'),
                                    ('requests_per_s', 'requests_per_s', '1/s'), ('cpu_per_request', 'cpu_us', 'us')):
                report.row(f'{case}/auto/{length}', median(figures['MoM'], key), unit, 'by-name',
                           median(figures['base-model'], key))
        report.finish()


if __name__ == '__main__':
    main()
