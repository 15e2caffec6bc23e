#!/usr/bin/env python3
"""./dev bench extproc: what Signalbox adds behind the real Envoy. Envoy has one core to itself; the processor under test
shares the other one with engines and load, as all of them do. In turns, in the same run: Envoy alone, Envoy with a
processor that answers "go on" and does nothing (the floor, with headers only and with the body), with one that says as
much as Signalbox and does nothing either, and Envoy with Signalbox.
Cases: docs/benchmarks.md."""

import argparse
import json
import sys
import time
from pathlib import Path

import mom
import programs
from report import Report, median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'e2e'))
import envoy_proxy  # noqa: E402 (one description of Envoy for tests and benchmarks)

ROUNDS = 3
TEXT = 'What is the derivative of f(x) = x^3? '
SIZE = 25  # copies: a body of about 1 KB


def body(model):
    return mom.body(model, TEXT * SIZE)


def config(source, ports):
    return mom.config(source, ports) + '  extproc: {enabled: true, address: 127.0.0.1, port: 0}\n'


class Fronts:
    """Envoys on the proxy's core, one a filter chain."""

    def __init__(self, bench, binary):
        self.bench, self.binary = bench, binary

    def start(self, name, filters, clusters):
        path, admin = self.bench.folder / f'{name}.json', self.bench.folder / f'{name}.admin'
        routes = [envoy_proxy.route('engines')]
        path.write_text(json.dumps(envoy_proxy.configuration(filters, routes, clusters)))
        program = self.bench._start(self.bench.proxy_core, [
            self.binary, '-c', path, '--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'error',
            '--admin-address-path', admin])
        deadline = time.monotonic() + 30
        while not (admin.exists() and admin.read_text()):
            if time.monotonic() > deadline:
                raise RuntimeError(program.log.read_text(errors='replace'))
            time.sleep(0.05)
        where = f'http://{admin.read_text()}'
        programs.wait_for(f'{where}/ready')
        listeners = json.loads(programs.urllib.request.urlopen(f'{where}/listeners?format=json').read())
        port = listeners['listener_statuses'][0]['local_address']['socket_address']['port_value']
        programs.wait_for(f'http://127.0.0.1:{port}/health')
        return port


def start_nothing(bench, binary, *flags):
    program = bench.start_on_load_core([binary, *flags])
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        text = program.log.read_text()
        if text.endswith('\n'):
            return program, int(text)
        time.sleep(0.05)
    raise RuntimeError('extproc_nothing did not start')


def start_signalbox(bench, text):
    """Like Bench.start_signalbox, on the load's core and with the ExtProc door."""
    bench.proxy_core, kept = bench.load_core, bench.proxy_core
    try:
        program, _ = bench.start_signalbox(text)
    finally:
        bench.proxy_core = kept
    ports = sorted(bench.folder.glob('signalbox-*.json'))[-1]
    return program, json.loads(ports.read_text())['extproc']


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--envoy', type=Path, required=True)
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--seconds', type=float, default=3.0)
    options = parser.parse_args()
    build = options.build.resolve()
    example = Path(__file__).resolve().parents[2] / 'examples' / 'mom.yaml'
    adapters = 'math-expert,science-expert,social-expert,law-expert,humanities-expert,general-expert'
    with programs.Bench(build) as bench:
        engines = bench.start_engines(2, ['--lora', adapters])
        nothing, nothing_port = start_nothing(bench, build / 'test/bench/extproc_nothing')
        talkative, talkative_port = start_nothing(bench, build / 'test/bench/extproc_nothing', '--talkative')
        server, door = start_signalbox(bench, config(example, engines))
        clusters = [envoy_proxy.cluster('engines', engines), envoy_proxy.cluster('nothing', [nothing_port], http2=True),
                    envoy_proxy.cluster('talkative', [talkative_port], http2=True),
                    envoy_proxy.cluster('signalbox', [door], http2=True)]
        fronts = Fronts(bench, options.envoy.resolve())

        def headers_only(to):
            return [envoy_proxy.ext_proc(to, request='NONE', response='NONE', override=False)]

        def with_body(to):
            return [envoy_proxy.ext_proc(to, request='BUFFERED', response='NONE', override=False)]
        # target: (port of Envoy, model asked for, the processor)
        targets = {
            'envoy': (fronts.start('envoy', [], clusters), 'base-model', None),
            'nothing/headers': (fronts.start('nothing-headers', headers_only('nothing'), clusters), 'base-model', nothing),
            'nothing/body': (fronts.start('nothing-body', with_body('nothing'), clusters), 'base-model', nothing),
            'talkative/body': (fronts.start('talkative-body', with_body('talkative'), clusters), 'base-model', talkative),
            'signalbox/headers': (fronts.start('signalbox-headers', headers_only('signalbox'), clusters), 'base-model', server),
            'signalbox/body': (fronts.start('signalbox-body', with_body('signalbox'), clusters), 'base-model', server),
        }
        targets['signalbox/encoder'] = (targets['signalbox/body'][0], 'MoM', server)
        runs = {name: [] for name in targets}
        for _ in range(options.rounds):
            for name, (port, model, processor) in targets.items():
                runs[name].append(bench.load(port, body(model), processor, connections=1, seconds=options.seconds,
                                             headers=['x-sim-tokens: 16']))
        report = Report('extproc', options.json)
        for figure in ('p50_us', 'p99_us'):
            alone = median(runs['envoy'], figure)
            report.row(f'latency_{figure[:3]}/envoy alone', alone, 'us', 'itself', alone)
            for name in list(targets)[1:]:
                floor = 'nothing/headers' if name.endswith('headers') else 'nothing/body'
                report.row(f'added_{figure[:3]}/{name}', median(runs[name], figure) - alone, 'us', floor,
                           median(runs[floor], figure) - alone)
        for name in list(targets)[1:]:
            floor = 'nothing/headers' if name.endswith('headers') else 'nothing/body'
            report.row(f'cpu_per_request/{name}', median(runs[name], 'cpu_us_per_request'), 'us', floor,
                       median(runs[floor], 'cpu_us_per_request'))
        report.finish()


if __name__ == '__main__':
    main()
