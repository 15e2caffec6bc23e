"""Starting and stopping the programs under test. Ports come from the system and are read from --ports-file; readiness is
polled, bounded; everything is ended by process id; logs are shown when a test fails."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from http_client import get

BINARY = os.environ.get('SIGNALBOX_BINARY', '')
READY_SECONDS = 60  # generous: sanitizer builds on a busy machine


def free_ports(count):
    """For what takes no "any": ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.bind(('127.0.0.1', 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


class Program:
    """A child process that writes its ports as JSON once it listens."""

    def __init__(self, arguments, environment=None, name='program'):
        self.folder = Path(tempfile.mkdtemp(prefix='signalbox-e2e-'))
        self.name = name
        self.log_path = self.folder / f'{name}.log'
        self.ports_path = self.folder / 'ports.json'
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(
                [BINARY, *arguments, '--ports-file', str(self.ports_path)], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
        self.ports = self._wait_for_ports()

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors='replace')

    def _wait_for_ports(self):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f'{self.name} ended with {self.process.returncode}:\n{self.log()}')
            try:
                return json.loads(self.ports_path.read_text())
            except (OSError, ValueError):
                time.sleep(0.02)  # polling a file: there is nothing to wait on
        self.kill()
        raise AssertionError(f'{self.name} told no ports within {READY_SECONDS} s:\n{self.log()}')

    def kill(self):
        """SIGKILL: a crash, as others see it."""
        self.process.kill()
        self.process.wait()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds=30):
        return self.process.wait(timeout=seconds)

    def stop(self):
        """Ends it in good order; returns the exit status. A sanitizer report makes the status non-zero."""
        if self.process.poll() is None:
            self.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode


class Server(Program):
    """`signalbox serve`, ready unless told not to wait for that."""

    def __init__(self, config=None, arguments=(), environment=None, wait_ready=True):
        self.config_path = None
        command = ['serve', '--port', '0', '--metrics-port', '0', *arguments]
        if config is not None:
            file = tempfile.NamedTemporaryFile('w', suffix='.yaml', delete=False)
            with file:
                file.write(config)
            self.config_path = Path(file.name)
            command += ['--config', file.name]
        super().__init__(command, environment, 'serve')
        self.port = self.ports['http']
        self.admin_port = self.ports['admin']
        self.engines = self.ports.get('engines', [])
        if wait_ready:
            self.wait_ready()

    def wait_ready(self):
        # On the admin door, which speaks plain HTTP whatever the other one does.
        wait_until(lambda: get(self.admin_port, '/ready').status == 200, 'serve to be ready', self)

    def rewrite_config(self, config):
        """Replaces the file as editors and ConfigMaps do: written beside it, then renamed."""
        beside = self.config_path.with_suffix('.new')
        beside.write_text(config)
        beside.rename(self.config_path)

    def metric(self, name, **labels):
        """Sum of the samples of that name whose labels include `labels`; 0 when there is none."""
        text = get(self.admin_port, '/metrics').text
        total = 0.0
        for line in text.splitlines():
            match = re.match(r'([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$', line)
            if match and match.group(1) == name:
                found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or ''))
                if all(found.get(key) == value for key, value in labels.items()):
                    total += float(match.group(3))
        return total


class Router(Program):
    """`signalbox router` with the given flags; a free port unless they name one."""

    def __init__(self, arguments, environment=None, wait_ready=True):
        super().__init__(['router', '--port', '0', *arguments], environment, 'router')
        self.port = self.ports['http']
        if wait_ready:
            wait_until(lambda: get(self.port, '/ready').status == 200, 'the router to be ready', self)

    metric = Server.metric

    @property
    def admin_port(self):
        return self.port  # metrics are on the same door, as there


def static(engines, logic='roundrobin', model='base-model', extra=()):
    """Flags of a router over static engines, as the published chart writes them."""
    return ['--service-discovery', 'static',
            '--static-backends', ','.join(f'http://127.0.0.1:{engine.port}' for engine in engines),
            '--static-models', ','.join([model] * len(engines)), '--routing-logic', logic, *extra]


class Engine(Program):
    """`signalbox sim`: one demo engine in a process of its own, so that it can be killed."""

    def __init__(self, name='engine', port=0, arguments=()):
        super().__init__(['sim', '--name', name, '--port', str(port), *arguments], None, name)
        self.port = self.ports['engines'][0]
        wait_until(lambda: get(self.port, '/health').status == 200, f'{name} to be healthy', self)

    def last_request(self):
        return last_request(self.port)


def last_request(port):
    """What the engine was asked last, with its headers as a dictionary and its body parsed; `body` is None if never."""
    last = get(port, '/sim/last').json
    last['headers'] = {name.lower(): value for name, value in last.get('headers', [])}
    last['body'] = json.loads(last['body']) if last.get('body') else None
    return last


def wait_until(condition, what, program=None, seconds=READY_SECONDS):
    """Polls until the condition holds; connection errors count as "not yet"."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        if program is not None and program.process.poll() is not None:
            raise AssertionError(f'{program.name} ended with {program.process.returncode}:\n{program.log()}')
        time.sleep(0.02)
    raise AssertionError(f'waited {seconds} s for {what}' + (f':\n{program.log()}' if program else ''))
