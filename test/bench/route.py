#!/usr/bin/env python3
"""./dev bench route: how well requests find the engines that hold their prefix. Simulated engines with a prefix cache and the
load of the routing rig (a Go program of its own, ../shared/rig) behind Signalbox and nginx, one router at a time on the
proxy's core, engines and load on the other. Cases: docs/benchmarks.md."""

import argparse
import json
import shutil
import subprocess
from pathlib import Path

import programs
import rivals
from report import Report

ENGINES = 4
# name: (options of the engines, mode and options of the load, whether requests carry a session key)
CHAT = ['qa', '-users', '64', '-rounds', '8', '-system-tokens', '500', '-history-tokens', '2000', '-answer-tokens', '64',
        '-spread', '0.8']
PREFIX = ['qa', '-users', '64', '-rounds', '1', '-systems', '32', '-skew', '1.2', '-system-tokens', '2048',
          '-history-tokens', '128', '-answer-tokens', '32', '-qps', '40']
SCENARIOS = {
    'chat@40': (['-blocks', '4096'], [*CHAT, '-qps', '40'], True),
    'chat@40-nokey': (['-blocks', '4096'], [*CHAT, '-qps', '40'], False),
    'chat@20': (['-blocks', '4096'], [*CHAT, '-qps', '20'], True),
    'prefix@40': (['-blocks', '2048'], PREFIX, False),
    'trace': (['-blocks', '16384', '-prefill', '40000'], ['trace', '-speed', '10'], False),
}
# What is to be reached: hit rate at least, mean and 99th percentile of the time to first token and share at most.
GOALS = {
    'chat@40': (0.885, 48, 350), 'chat@40-nokey': (0.885, 48, 350), 'prefix@40': (0.921, 24, 110),
    'trace': (0.21, 200, 700),
}
BUSIEST_SHARE_GOAL = 1.5  # times the mean share
SESSION_HEADER = 'x-user-id'


def config(ports, policy):
    backends = ''.join(f'\n        - {{endpoint: "127.0.0.1:{port}", weight: 1}}' for port in ports)
    return f'''version: v0.3
providers:
  models:
    - name: mock
      backend_refs:{backends}
signalbox:
  io_threads: 1
  access_log: {{enabled: false}}
  encoder: {{enabled: false}}
  balancer: {{policy: {policy}, session_header: {SESSION_HEADER}}}
'''


class Rig:
    """The rig's programs, and the engines of one scenario at a time."""

    def __init__(self, bench, folder):
        self.bench, self.engine, self.load = bench, folder / 'engine', folder / 'load'

    def start_engines(self, options):
        port = rivals.free_port_block(ENGINES)
        program = self.bench.start_on_load_core([self.engine, '-sim', '-n', str(ENGINES), '-port', str(port),
                                                 *options])
        ports = list(range(port, port + ENGINES))
        for each in ports:
            programs.wait_for(f'http://127.0.0.1:{each}/health')
        return program, ports

    def measure(self, port, program, ports, options, warm, seconds):
        command = ['taskset', '-c', str(self.bench.load_core), str(self.load), *options, '-json', '-warm', f'{warm}s',
                   '-dur', f'{seconds}s', '-url', f'http://127.0.0.1:{port}/v1/chat/completions', '-pid',
                   ','.join(str(pid) for pid in program.pids()), '-engines',
                   ','.join(f'127.0.0.1:{each}' for each in ports)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(run.stderr)
        return json.loads(run.stdout)


def load_options(name, trace):
    _, options, has_key = SCENARIOS[name]
    if options[0] == 'trace':
        return [*options, '-file', str(trace)]
    return [*options, '-session', SESSION_HEADER if has_key else '']


def start_router(bench, router, ports):
    """(program, port) of a router by its name: signalbox:POLICY, nginx:rr or nginx:hash."""
    kind, variant = router.split(':')
    if kind == 'signalbox':
        return bench.start_signalbox(config(ports, variant))
    key = f'$http_{SESSION_HEADER.replace("-", "_")}' if variant == 'hash' else None
    command, _, port = rivals.nginx(bench.folder, ports, hash_key=key)
    return bench.start_rival(router, command, port), port


def figures_of(result):
    shares = result.get('per_engine') or {}
    busiest = max(shares.values(), default=0) / max(1, sum(shares.values())) * ENGINES
    return {'hit_rate': (result['cache']['hit_rate'], ''), 'ttft_mean': (result['ttft_ms']['mean'], 'ms'),
            'ttft_p99': (result['ttft_ms']['p99'], 'ms'), 'busiest_share': (busiest, 'of mean'),
            'requests_per_s': (result['req_s'], '1/s'), 'errors': (result['errors'], ''),
            'cpu_per_request': (result['cpu_us_req'], 'us')}


def goals_of(name):
    if name not in GOALS:
        return {}
    hit_rate, mean, p99 = GOALS[name]
    return {'hit_rate': hit_rate, 'ttft_mean': mean, 'ttft_p99': p99, 'busiest_share': BUSIEST_SHARE_GOAL}


def run_scenario(bench, rig, report, name, routers, options):
    engine_options, _, has_key = SCENARIOS[name]
    for router in routers:
        if router == 'nginx:hash' and not has_key:
            continue
        engines, ports = rig.start_engines(engine_options)
        program, port = start_router(bench, router, ports)
        result = rig.measure(port, program, ports, load_options(name, options.trace), options.warm, options.seconds)
        for figure, (value, unit) in figures_of(result).items():
            report.row(f'{figure}/{name}/{router}', value, unit, 'goal', goals_of(name).get(figure, 0))
        bench.stop(program)
        bench.stop(engines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--rig', type=Path, required=True, help='folder with the rig\'s programs')
    parser.add_argument('--trace', type=Path, help='a prefix trace, JSON lines; without it that scenario is left out')
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--warm', type=float, default=12.0)
    parser.add_argument('--seconds', type=float, default=16.0)
    parser.add_argument('--only', default='', help='run only scenarios whose name contains this')
    parser.add_argument('--routers', default='', help='comma list, as signalbox:auto,nginx:rr')
    options = parser.parse_args()
    routers = [word for word in options.routers.split(',') if word] or ['signalbox:auto']
    if not options.routers and shutil.which('nginx'):
        routers += ['nginx:rr', 'nginx:hash']
    with programs.Bench(options.build.resolve()) as bench:
        rig = Rig(bench, options.rig.resolve())
        report = Report('route', options.json)
        for name in SCENARIOS:
            if options.only not in name or (name == 'trace' and options.trace is None):
                continue
            run_scenario(bench, rig, report, name, routers, options)
        report.finish()


if __name__ == '__main__':
    main()
