"""Signalbox as the controller of LMCache's own worker: its class, its sockets, its hashes, of both versions; the engines that
answer are demo engines, so this takes seconds."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import configs
import programs
from http_client import chat, request

FOLDER = Path(os.environ.get('SIGNALBOX_VLLM', ''))
LONG = 'The signal box stands beside the line and sets the points for every train. ' * 60


class Worker:
    def __init__(self, version, addresses, instance, **environment):
        self.log_path = Path(os.environ.get('TMPDIR', '/tmp')) / f'signalbox-lmcache-{os.getpid()}-{instance}.log'
        pull, reply = (address.removeprefix('tcp://') for address in addresses[:2])
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(
                [FOLDER / 'venv/bin/python', Path(__file__).with_name('lmcache_worker.py'), pull, reply, instance,
                 str(programs.free_ports(1)[0])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env={**os.environ, 'PYTHONPATH': str(FOLDER / f'lmcache-{version}'), 'PYTHONHASHSEED': '123',
                     'LMCACHE_TRACK_USAGE': 'false', 'CUDA_VISIBLE_DEVICES': '', **environment})
        self.read('ready')

    def read(self, beginning):
        for line in self.process.stdout:  # LMCache logs there, too
            if line.startswith(beginning):
                return line.removeprefix(beginning)
        raise AssertionError('the worker ended:\n' + self.log_path.read_text()[-5000:])

    def say(self, **order):
        self.process.stdin.write(json.dumps(order) + '\n')
        self.process.stdin.flush()
        return json.loads(self.read('answer '))

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def workers():
    running = []

    def start(*arguments, **environment):
        running.append(Worker(*arguments, **environment))
        return running[-1]

    yield start
    for worker in running:
        worker.stop()


def start(started, addresses=('tcp://127.0.0.1:*',) * 3):
    engines = [started.engine(f'engine-{i}') for i in range(2)]
    return serve(started, engines, addresses), engines


def serve(started, engines, addresses):
    pull, reply, heartbeat = addresses
    return started.server(configs.proxy([engine.port for engine in engines], 'kv_aware', own=f'''  kv_events: {{tokenize_timeout: 20s}}
  lmcache: {{enabled: true, pull: "{pull}", reply: "{reply}", heartbeat: "{heartbeat}"}}
'''))


def ids(engine):
    body = {'model': 'base-model', 'messages': [{'role': 'user', 'content': LONG}]}
    return [token & 0xffffffff for token in request(engine.port, 'POST', '/tokenize', body).json['tokens']]


def chunks(server):
    return server.metric('signalbox_lmcache_chunks')


def test_the_real_worker_of_0_5_6_registers_reports_and_syncs(started, workers):
    server, engines = start(started)
    worker = workers('0.5.6', server.ports['lmcache'], 'replica-1')
    tokens = ids(engines[0])
    count = worker.say(stored=tokens)['chunks']
    assert count == len(tokens) // 256
    programs.wait_until(lambda: chunks(server) == count, 'the chunks', server)
    answer = chat(server.port, LONG + ' And now?', model='base-model')
    assert answer.headers['x-sim-engine'] == 'engine-1'
    assert answer.headers['x-signalbox-cache-source'] == 'lmcache'
    # Said with the next look at the instances.
    programs.wait_until(lambda: 'named by builtin hash, PYTHONHASHSEED=123, LMCache 0.5' in server.log(), 'the scheme', server)
    assert worker.say(peers=[0])['peers'] == [['', '', 0, '']], 'nobody else has it'
    worker.say(removed=[count - 1])
    programs.wait_until(lambda: chunks(server) == count - 1, 'the removal', server)
    # Lost operations: its next heartbeat brings a full sync, through LMCache's own sender.
    worker.say(skip=5)
    worker.say(removed=[count - 2])
    programs.wait_until(lambda: server.metric('signalbox_lmcache_events_total', event='sync_done') == 1, 'the sync', server)
    assert chunks(server) == count - 2
    programs.wait_until(lambda: not worker.say(state=True)['syncing'], 'the end of the freeze', server)
    assert server.metric('signalbox_lmcache_messages_total', outcome='not_understood') == 0


def test_the_real_worker_of_0_5_6_tells_a_restarted_router_all(started, workers):
    server, engines = start(started)
    same = server.ports['lmcache']
    worker = workers('0.5.6', same, 'replica-1')
    count = worker.say(stored=ids(engines[0]))['chunks']
    programs.wait_until(lambda: chunks(server) == count, 'the chunks', server)
    assert server.stop() == 0
    again = serve(started, engines, same)
    programs.wait_until(lambda: again.metric('signalbox_lmcache_events_total', event='sync_done') == 1, 'the sync', again)
    assert chunks(again) == count


def test_the_real_worker_of_0_3_7_registers_and_reports(started, workers):
    server, engines = start(started)
    worker = workers('0.3.7', server.ports['lmcache'], 'replica-1')
    tokens = ids(engines[0])
    count = worker.say(stored=tokens)['chunks']
    assert count == -(-len(tokens) // 256), 'the last one is not full'
    programs.wait_until(lambda: chunks(server) == count, 'the chunks', server)
    worker.say(removed=[0])
    programs.wait_until(lambda: chunks(server) == count - 1, 'the removal', server)
    assert worker.say(peers=[1])['peers'] == [['', '', 0, '']]
    assert server.metric('signalbox_lmcache_instances', state='placed') == 1
    assert server.metric('signalbox_lmcache_messages_total', outcome='not_understood') == 0
    # The names cannot be repeated here: this Python is older than 3.12, and hash(None) is its own in every process.
    assert chat(server.port, LONG, model='base-model').status == 200
