"""The programs of a benchmark, each pinned to one core: demo engines and load on one, the proxy under test on the other."""

import json
import os
import resource
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path


def cores():
    """(core of the proxy, core of engines and load); the same one on a machine that gives only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def raise_file_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def wait_for(url, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).read()
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f'{url} did not answer within {seconds} s')


def post(port, path, body):
    request = urllib.request.Request(f'http://127.0.0.1:{port}{path}', json.dumps(body).encode(),
                                     {'content-type': 'application/json'})
    return urllib.request.urlopen(request, timeout=30).read()


def resident_mib(pids):
    kib = 0
    for pid in pids:
        for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
            if line.startswith('Rss:'):
                kib += int(line.split()[1])
    return kib / 1024


def children_of(pid):
    """The process and its children: rivals fork workers."""
    found = [pid]
    for task in Path(f'/proc/{pid}/task').iterdir():
        found += [int(child) for child in (task / 'children').read_text().split()]
    return found


class Pinned:
    """A child process on one core."""

    def __init__(self, core, command, folder, environment=None):
        self.log = folder / f'{Path(command[0]).name}-{time.monotonic_ns()}.log'
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(['taskset', '-c', str(core), *command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=folder, env={**os.environ, **(environment or {})})

    def pids(self):
        return children_of(self.process.pid)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    """Starts everything and measures. Use as a context; programs end with it."""

    def __init__(self, build):
        raise_file_limit()
        self.binary = build / 'apps/signalbox/signalbox'
        self.loader = build / 'test/bench/bench_load'
        self.proxy_core, self.load_core = cores()
        self.programs = []
        self.temporary = tempfile.TemporaryDirectory(prefix='signalbox-bench-')
        self.folder = Path(self.temporary.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.stop()
        self.temporary.cleanup()

    def _start(self, core, command, environment=None):
        program = Pinned(core, [str(word) for word in command], self.folder, environment)
        self.programs.append(program)
        return program

    def start_on_load_core(self, command):
        return self._start(self.load_core, command)

    def stop(self, program):
        """Ends a program before the benchmark does."""
        self.programs.remove(program)
        program.stop()

    def _ports(self, program, path, poll_seconds=0.05):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and program.process.poll() is None:
            try:
                return json.loads(path.read_text())
            except (OSError, ValueError):
                time.sleep(poll_seconds)
        raise RuntimeError(program.log.read_text(errors='replace'))

    def start_engines(self, count, arguments=()):
        """Ports of `count` demo engines in one process."""
        path = self.folder / f'engines-{time.monotonic_ns()}.json'
        program = self._start(self.load_core, [self.binary, 'sim', '--port', '0', '--replicas', count,
                                               '--ports-file', path, *arguments])
        ports = self._ports(program, path)['engines']
        for port in ports:
            wait_for(f'http://127.0.0.1:{port}/health')
        return ports

    def forget(self, program):
        """A program that has ended already."""
        self.programs.remove(program)

    def start_engine_program(self):
        """(program, port) of one demo engine in a process of its own, which may be killed."""
        ports = self.start_engines(1)
        return self.programs[-1], ports[0]

    def start_signalbox(self, config, poll_seconds=0.05):
        """(program, port) of a server on the proxy's core."""
        program, port, _ = self.start_signalbox_with_path(config, poll_seconds)
        return program, port

    def start_signalbox_with_path(self, config, poll_seconds=0.05):
        """The same, and the path of the configuration, which the server watches."""
        stem = self.folder / f'signalbox-{time.monotonic_ns()}'  # a name of its own: stopped ones leave their files
        config_path, ports_path = stem.with_suffix('.yaml'), stem.with_suffix('.json')
        config_path.write_text(config)
        program = self._start(self.proxy_core, [self.binary, 'serve', '--config', config_path, '--port', '0',
                                                '--metrics-port', '0', '--ports-file', ports_path])
        port = self._ports(program, ports_path, poll_seconds)['http']
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f'http://127.0.0.1:{port}/ready', timeout=2).read()
                return program, port, config_path
            except OSError:
                time.sleep(poll_seconds)
        raise RuntimeError(program.log.read_text(errors='replace'))

    def start_rival(self, name, command, port):
        program = self._start(self.proxy_core, command)
        try:
            wait_for(f'http://127.0.0.1:{port}/health')
        except RuntimeError as error:
            raise RuntimeError(f'{name}: {program.log.read_text(errors="replace")}') from error
        return program

    def load(self, port, body, program=None, connections=16, seconds=3.0, rate=0, headers=(), warmup=0.5, allow_errors=False):
        """One run of the load generator; its figures as a dictionary."""
        body_path = self.folder / 'body.json'
        body_path.write_bytes(body)
        command = ['taskset', '-c', str(self.load_core), str(self.loader), '--port', str(port), '--body', str(body_path),
                   '--connections', str(connections), '--seconds', str(seconds), '--warmup', str(warmup)]
        if rate:
            command += ['--rate', str(rate)]
        for header in headers:
            command += ['--header', header]
        for pid in program.pids() if program else []:
            command += ['--pid', str(pid)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(run.stderr)
        figures = json.loads(run.stdout)
        if (figures['errors'] and not allow_errors) or not (figures['requests'] or figures['events']):
            raise RuntimeError(f'port {port}: {figures["errors"]} errors, {figures["requests"]} answers')
        return figures
