"""Signalbox over the real publisher of a vLLM installation: its classes, its thread, its sockets; the engines that answer are
demo engines, so this takes seconds and not minutes."""

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


class Publisher:
    def __init__(self):
        self.port, self.replay_port = programs.free_ports(2)
        self.process = subprocess.Popen(
            [FOLDER / 'venv/bin/python', Path(__file__).with_name('publish_kv_events.py'), str(self.port),
             str(self.replay_port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, 'VLLM_HOST_IP': '127.0.0.1', 'VLLM_NO_USAGE_STATS': '1'}, text=True)
        for line in self.process.stdout:
            if line.strip() == 'ready':
                return
        raise AssertionError('the publisher did not start')

    def say(self, **order):
        self.process.stdin.write(json.dumps(order) + '\n')
        self.process.stdin.flush()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture
def publisher():
    publisher = Publisher()
    yield publisher
    publisher.stop()


def server_of(started, engines, publisher):
    return started.server(configs.proxy([engine.port for engine in engines], 'kv_aware', own=f'''  kv_events:
    enabled: true
    tokenize_timeout: 20s
    engines:
      "127.0.0.1:{engines[1].port}":
        {{endpoint: "tcp://127.0.0.1:{publisher.port}", replay_endpoint: "tcp://127.0.0.1:{publisher.replay_port}"}}
'''))


def test_real_events_decide_and_real_replays_fill_gaps(started, publisher):
    engines = [started.engine(f'engine-{i}') for i in range(2)]
    body = {'model': 'base-model', 'messages': [{'role': 'user', 'content': LONG}]}
    ids = request(engines[0].port, 'POST', '/tokenize', body).json['tokens']
    size = 16
    publisher.say(stored=[i & 0xffffffff for i in ids], block_size=size)  # as the demo engine tells its own
    server = server_of(started, engines, publisher)
    url = f'http://127.0.0.1:{engines[1].port}'
    # Published before the router came: only the replay socket can have told.
    programs.wait_until(lambda: server.metric('signalbox_kv_blocks', engine=url) == len(ids) // size, 'the replay', server)
    assert server.metric('signalbox_kv_event_batches_total', engine=url, outcome='replayed') == 1
    for _ in range(3):
        answer = chat(server.port, LONG + ' And now?', model='base-model')
        assert answer.headers['x-sim-engine'] == 'engine-1'
        assert answer.headers['x-signalbox-cache-source'] == 'kv-events'
    publisher.say(removed=list(range(10, len(ids) // size)))
    programs.wait_until(lambda: server.metric('signalbox_kv_blocks', engine=url) == 10, 'the removal', server)
    publisher.say(cleared=True)
    programs.wait_until(lambda: server.metric('signalbox_kv_blocks', engine=url) == 0, 'the clearing', server)
    assert server.metric('signalbox_kv_event_batches_total', engine=url, outcome='malformed') == 0
    assert server.metric('signalbox_kv_event_batches_total', engine=url, outcome='missed') == 0
