#!/usr/bin/env python3
"""./dev bench soak: whether memory stays flat. A million requests (or until --seconds are over), each of a session of its own and with
a prefix of its own, while engines come, die and return under other ports and models come and go with the configuration that
is read again. Cases: docs/benchmarks.md."""

import argparse
import json
import os
import signal
import threading
from pathlib import Path

import programs
from report import Report

BODY = json.dumps({'model': 'base-model', 'max_tokens': 8,
                   'messages': [{'role': 'user', 'content': 'Question @@@@@@@@ of many: what comes after @@@@@@@@? ' * 12}]}).encode()
SESSION = 'x-user-id: user-@@@@@@@@'
ENGINES = 3
SLICE_SECONDS = 3.0
WARM_SLICES = 4  # until then tables and indexes fill


def config(ports, generation):
    """The model that is asked, and others by names that no later generation has."""
    backends = ''.join(f'\n        - {{endpoint: "127.0.0.1:{port}", weight: 1}}' for port in ports)
    others = ''.join(f'\n    - name: extra-{generation}-{i}\n      backend_refs:\n        - {{endpoint: "127.0.0.1:{ports[0]}"}}'
                     for i in range(20))
    return f'''version: v0.3
providers:
  defaults: {{default_model: base-model}}
  models:
    - name: base-model
      backend_refs:{backends}{others}
signalbox:
  io_threads: 1
  access_log: {{enabled: false}}
  encoder: {{enabled: false}}
  balancer: {{policy: auto, session_header: x-user-id}}
'''


class Churn:
    """Engines and the configuration, changed under load."""

    def __init__(self, bench):
        self.bench = bench
        self.engines = [bench.start_engine_program() for _ in range(ENGINES)]
        self.generation = 0
        self.server, self.port, self.path = bench.start_signalbox_with_path(config(self.ports(), 0))

    def ports(self):
        return [port for _, port in self.engines]

    def turn(self):
        """One engine dies unannounced, another takes its place, and the configuration says so a moment later."""
        self.generation += 1
        old, _ = self.engines.pop(0)
        old.process.send_signal(signal.SIGKILL)
        old.process.wait()
        self.bench.forget(old)
        self.engines.append(self.bench.start_engine_program())
        fresh = self.path.with_suffix('.new')
        fresh.write_text(config(self.ports(), self.generation))
        os.replace(fresh, self.path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, required=True)
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--requests', type=int, default=1_000_000)
    parser.add_argument('--seconds', type=float, default=240.0)
    options = parser.parse_args()
    with programs.Bench(options.build.resolve()) as bench:
        churn = Churn(bench)
        done, errors, memory = 0, 0, []
        for _ in range(int(options.seconds / SLICE_SECONDS)):
            turn = threading.Timer(SLICE_SECONDS / 2, churn.turn)  # in the midst of the load
            turn.start()
            figures = bench.load(churn.port, BODY, churn.server, headers=[SESSION, 'x-sim-tokens: 8'], seconds=SLICE_SECONDS,
                                 warmup=0.1, allow_errors=True)
            done += figures['requests']
            errors += figures['errors']
            memory.append(figures['pss_kib'])
            turn.join()
            if done >= options.requests:
                break
        settled = memory[WARM_SLICES:] or memory
        third = max(1, len(settled) // 3)
        begin, end = sum(settled[:third]) / third, sum(settled[-third:]) / third
        report = Report('soak', options.json)
        report.row('requests', done, '', 'asked', options.requests)
        report.row('errors', errors, '', 'asked', 0)
        report.row('engines_replaced', churn.generation, '', 'asked', 0)
        report.row('pss_end', end, 'KiB', 'pss_begin', begin)
        report.row('pss_max', max(settled), 'KiB', 'pss_begin', begin)
        report.finish()


if __name__ == '__main__':
    main()
