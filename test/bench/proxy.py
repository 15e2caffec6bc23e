#!/usr/bin/env python3
"""./dev bench proxy: Signalbox (routing by name, no encoder), nginx, haproxy and no proxy at all, in turns on the same demo
engines in the same run. The proxy has one core, engines and load the other. Cases: docs/benchmarks.md."""

import argparse
import json
from pathlib import Path

import programs
import rivals
from report import Report, median

ROUNDS = 5
RIVALS = ('nginx', 'haproxy', 'haproxy-tcp')
SMALL = json.dumps({'model': 'base-model', 'max_tokens': 16,
                    'messages': [{'role': 'user', 'content': 'What is the capital of France? ' * 4}]}).encode()
LARGE = json.dumps({'model': 'base-model', 'max_tokens': 16,
                    'messages': [{'role': 'user', 'content': 'The quick brown fox jumps. ' * 800}]}).encode()
HUGE = json.dumps({'model': 'base-model', 'max_tokens': 16,
                   'messages': [{'role': 'user', 'content': 'A word of many that follow. ' * 7200}]}).encode()
STREAM = json.dumps({'model': 'base-model', 'stream': True,
                     'messages': [{'role': 'user', 'content': 'Tell me about trains.'}]}).encode()
# name: (body, load options, headers for the engine). Paced streams write each token by itself, as engines do. What stands
# before the slash and is a policy of ours decides which Signalbox is asked.
RUNS = {
    'rr/small': (SMALL, {'connections': 16}, ['x-sim-tokens: 16']),
    'auto/small': (SMALL, {'connections': 16}, ['x-sim-tokens: 16']),
    'prefix/200k': (HUGE, {'connections': 16}, ['x-sim-tokens: 16']),
    'rr/20k': (LARGE, {'connections': 16}, ['x-sim-tokens: 16']),
    'paced/small': (SMALL, {'connections': 64, 'rate': 2000}, ['x-sim-tokens: 16']),
    'stream/paced': (STREAM, {'connections': 200, 'seconds': 4}, ['x-sim-tokens: 100', 'x-sim-itl-ms: 20']),
    'stream/burst': (STREAM, {'connections': 16}, ['x-sim-tokens: 200']),
    '1000-streams': (STREAM, {'connections': 1000, 'seconds': 4, 'warmup': 1.5},
                     ['x-sim-tokens: 200', 'x-sim-itl-ms: 100']),
}
POLICIES = {'rr': 'round_robin', 'auto': 'auto', 'prefix': 'prefix_aware'}
# case: (run, figure, unit, also against no proxy)
CASES = {
    'requests_per_s/rr/small': ('rr/small', 'requests_per_s', '1/s', True),
    'cpu_per_request/rr/small': ('rr/small', 'cpu_us_per_request', 'us', False),
    'cpu_per_request/auto/small': ('auto/small', 'cpu_us_per_request', 'us', False),
    'cpu_per_request/prefix/200k': ('prefix/200k', 'cpu_us_per_request', 'us', False),
    'requests_per_s/rr/20k': ('rr/20k', 'requests_per_s', '1/s', True),
    'cpu_per_request/rr/20k': ('rr/20k', 'cpu_us_per_request', 'us', False),
    'latency_p50/paced/small': ('paced/small', 'p50_us', 'us', True),
    'latency_p99/paced/small': ('paced/small', 'p99_us', 'us', True),
    'tokens_per_s/stream/burst': ('stream/burst', 'events_per_s', '1/s', True),
    'cpu_per_token/stream/burst': ('stream/burst', 'cpu_us_per_event', 'us', False),
    'cpu_per_token/stream/paced': ('stream/paced', 'cpu_us_per_event', 'us', False),
    'rss/1000-streams': ('1000-streams', 'rss_kib', 'KiB', False),
    'pss/1000-streams': ('1000-streams', 'pss_kib', 'KiB', False),
}


def config(ports, policy='round_robin'):
    backends = ''.join(f'\n        - {{name: r{i}, endpoint: "127.0.0.1:{port}", weight: 1}}' for i, port in enumerate(ports))
    return f'''version: v0.3
providers:
  defaults: {{default_model: base-model}}
  models:
    - name: base-model
      backend_refs:{backends}
signalbox:
  io_threads: 1
  balancer: {{policy: {policy}}}
  access_log: {{enabled: false}}
  encoder: {{enabled: false}}
'''


def measure(bench, targets, rounds, seconds, only):
    """{run: {target: [figures]}}; targets take turns inside a round, so drift of the machine hits all alike."""
    asked = [target for target in targets if ':' not in target]
    results = {name: {target: [] for target in asked} for name in RUNS if not only or only in name}
    for _ in range(rounds):
        for name, runs in results.items():
            body, options, headers = RUNS[name]
            variant = name.split('/')[0]
            for target in runs:
                program, ports = targets.get(f'{target}:{variant}', targets[target])
                port = ports[1] if name.startswith(('stream', '1000')) else ports[0]
                runs[target].append(bench.load(port, body, program, headers=headers, **{'seconds': seconds, **options}))
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seconds', type=float, default=2.0)
    parser.add_argument('--only', default='', help='run only cases whose run name contains this')
    options = parser.parse_args()
    with programs.Bench(options.build.resolve()) as bench:
        engines = bench.start_engines(2, ['--max-running', '2048'])
        nginx_command, nginx_plain, nginx_streams = rivals.nginx(bench.folder, engines)
        haproxy_command, haproxy_port, copy_port = rivals.haproxy(bench.folder, engines)
        haproxy = bench.start_rival('haproxy', haproxy_command, haproxy_port)
        targets = {}
        for variant, policy in POLICIES.items():
            server, port = bench.start_signalbox(config(engines, policy))
            targets[f'signalbox:{variant}'] = (server, (port, port))
        targets |= {
            'signalbox': targets['signalbox:rr'],
            'nginx': (bench.start_rival('nginx', nginx_command, nginx_plain), (nginx_plain, nginx_streams)),
            'haproxy': (haproxy, (haproxy_port, haproxy_port)),
            'haproxy-tcp': (haproxy, (copy_port, copy_port)),
            'direct': (None, (engines[0], engines[0])),
        }
        results = measure(bench, targets, options.rounds, options.seconds, options.only)
        report = Report('proxy', options.json)
        for case, (run, figure, unit, direct) in CASES.items():
            if run not in results:
                continue
            value = median(results[run]['signalbox'], figure)
            for rival in RIVALS + (('direct',) if direct else ()):
                report.row(case, value, unit, rival, median(results[run][rival], figure))
        report.finish()


if __name__ == '__main__':
    main()
