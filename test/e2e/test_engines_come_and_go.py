"""Engines that are found, leave, sleep, hang and come back under load."""

import threading
import time

import pytest

import dns_server
from configs import proxy
from http_client import chat, get, request
from programs import static, wait_until


class Load(threading.Thread):
    """Clients that ask without a pause until told to stop; every status and time is kept."""

    def __init__(self, port, clients=4, **fields):
        super().__init__()
        self.answers = []
        self.ended = threading.Event()

        def ask():
            while not self.ended.is_set():
                begun = time.monotonic()
                try:
                    answer = chat(port, 'hello', model='base-model', **fields)
                    self.answers.append((answer.status, answer.headers.get('x-sim-engine'), time.monotonic() - begun))
                except OSError as error:
                    self.answers.append((0, str(error), time.monotonic() - begun))

        self.clients = [threading.Thread(target=ask) for _ in range(clients)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for client in self.clients:
            client.join()

    def wait_for(self, count):
        target = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= target, f'{count} more answers')

    @property
    def bad(self):
        return [answer for answer in self.answers if answer[0] != 200]


def engines_file(path, engines, **fields):
    lines = ['engines:']
    for engine in engines:
        lines.append(f'  - {{url: "http://127.0.0.1:{engine.port}"' +
                     ''.join(f', {key}: {value}' for key, value in fields.get(engine.name, {}).items()) + '}')
    beside = path.with_suffix('.new')
    beside.write_text('\n'.join(lines) + ('\n' if engines else ' []\n'))
    beside.rename(path)


def config_with(tmp_path, own):
    path = tmp_path / 'own.yaml'
    path.write_text('signalbox:\n  health: {interval: 200ms, models_interval: 500ms, slow_start: 0}\n' + own)
    return ['--config', str(path), '--routing-logic', 'roundrobin', '--port', '0', '--host', '127.0.0.1']


def test_engines_of_a_file_come_drain_and_go_under_load(started, tmp_path):
    one, two, three = (started.engine(name, arguments=['--decode-ms', '2', '--tokens', '10'])
                       for name in ('one', 'two', 'three'))
    listed = tmp_path / 'engines.yaml'
    engines_file(listed, [one])
    router = started.router(config_with(tmp_path, f'  discovery: {{files: [{listed}]}}\n'))
    wait_until(lambda: chat(router.port, 'x', model='base-model').status == 200, 'the model to be learnt', router)
    with Load(router.port) as load:
        load.wait_for(20)
        engines_file(listed, [one, two, three])
        wait_until(lambda: {answer[1] for answer in load.answers[-30:]} == {'one', 'two', 'three'}, 'all three')
        engines_file(listed, [one, two, three], two={'draining': 'true'})
        wait_until(lambda: 'two' not in {answer[1] for answer in load.answers[-40:]}, 'two to drain')
        assert [entry for entry in get(router.port, '/engines').json if entry['draining']]
        engines_file(listed, [three])
        wait_until(lambda: {answer[1] for answer in load.answers[-40:]} == {'three'}, 'three alone')
        one.kill()
        load.wait_for(40)
    assert load.bad == [], 'an engine that leaves its list loses nothing'
    engines_file(listed, [])
    wait_until(lambda: chat(router.port, 'x', model='base-model').status == 503, 'nobody', router)
    gone = chat(router.port, 'x', model='base-model')
    assert gone.json['error']['code'] == 'no_healthy_upstream' and gone.headers['retry-after']
    assert chat(router.port, 'x', model='never-seen').status == 404
    assert router.metric('vllm:num_incoming_requests_total', model='never-seen') == 1, 'an autoscaler may wake it'
    listed.write_text('engines: {broken')
    wait_until(lambda: 'engines not changed' in router.log(), 'the complaint', router)


@pytest.fixture
def dns():
    server = dns_server.DnsServer({})
    yield server
    server.stop()


def test_engines_of_srv_records(started, tmp_path, dns):
    one, two = started.engine('one'), started.engine('two')
    name = ('_http._tcp.engines.test', dns_server.SRV)
    dns.records[('host.test', dns_server.A)] = ['127.0.0.1']
    dns.records[name] = [(1, 1, one.port, 'host.test'), (2, 1, two.port, 'host.test')]
    router = started.router(config_with(tmp_path, '  discovery:\n    dns:\n      - {name: _http._tcp.engines.test, '
                                        f'srv: true, interval: 200ms, server: "127.0.0.1:{dns.port}"}}\n'))
    wait_until(lambda: chat(router.port, 'x', model='base-model').status == 200, 'the engine', router)
    seen = {chat(router.port, 'x', model='base-model').headers['x-sim-engine'] for _ in range(6)}
    assert seen == {'one'}, 'the worse priority is not used'
    dns.silent = True
    one_more = [chat(router.port, 'x', model='base-model').status for _ in range(5)]
    assert one_more == [200] * 5, 'a silent server changes nothing'
    dns.silent = False
    dns.records[name] = [(1, 1, two.port, 'host.test')]
    wait_until(lambda: chat(router.port, 'x', model='base-model').headers.get('x-sim-engine') == 'two', 'two', router)


def test_engines_of_a_host_name(started, tmp_path, dns):
    one = started.engine('one')
    dns.records[('engines.test', dns_server.A)] = ['127.0.0.1']
    router = started.router(config_with(
        tmp_path, '  discovery:\n    dns:\n      - {name: engines.test, interval: 200ms, '
        f'port: {one.port}, server: "127.0.0.1:{dns.port}", models: [base-model]}}\n'))
    wait_until(lambda: chat(router.port, 'x', model='base-model').status == 200, 'the engine', router)
    dns.records[('engines.test', dns_server.A)] = []
    wait_until(lambda: chat(router.port, 'x', model='base-model').status == 503, 'no engine', router)


def test_adapters_that_others_load_are_found(started, tmp_path):
    one, two = started.engine('one'), started.engine('two')
    router = started.router([*config_with(tmp_path, ''), *static([one, two])])
    request(two.port, 'POST', '/v1/load_lora_adapter', {'lora_name': 'law', 'lora_path': '/l'})
    wait_until(lambda: chat(router.port, 'x', model='law').status == 200, 'the adapter to be seen', router)
    assert {chat(router.port, 'x', model='law').headers['x-sim-engine'] for _ in range(4)} == {'two'}


def test_a_hung_engine_loses_no_request(started, tmp_path):
    engines = [started.engine(name) for name in ('one', 'two', 'three', 'four')]
    router = started.router([*config_with(tmp_path, '  hung: {suspect_after: 200ms, probe_timeout: 200ms}\n'),
                             *static(engines)])
    with Load(router.port) as load:
        load.wait_for(50)
        request(engines[0].port, 'POST', '/sim/ctl?hang=1')
        load.wait_for(400)
    assert load.bad == []
    assert max(answer[2] for answer in load.answers) < 15
    assert router.metric('signalbox_upstream_attempts_total', outcome='upstream_timeout') > 0
    for gauge in ('vllm:num_requests_running', 'vllm:num_prefill_requests', 'vllm:num_decoding_requests'):
        assert router.metric(gauge) == 0


def test_a_slow_engine_that_is_alive_is_waited_for(started, tmp_path):
    engine = started.engine('slow')
    router = started.router([*config_with(tmp_path, '  hung: {suspect_after: 100ms, probe_timeout: 500ms}\n'),
                             *static([engine])])
    answer = chat(router.port, 'x', model='base-model', headers={'x-sim-delay-ms': '900'})
    assert answer.status == 200
    assert router.metric('signalbox_upstream_attempts_total', outcome='upstream_timeout') == 0


@pytest.mark.parametrize('fault', ['fail=1&status=503', 'drop=1'])
def test_a_faulty_engine_loses_no_request(started, fault):
    engines = [started.engine(name) for name in ('one', 'two', 'three', 'four')]
    router = started.router(static(engines))
    with Load(router.port) as load:
        load.wait_for(50)
        request(engines[0].port, 'POST', f'/sim/ctl?{fault}')
        load.wait_for(300)
    assert load.bad == []


def test_engines_that_are_killed_under_load_lose_no_request(started):
    engines = [started.engine(name) for name in ('one', 'two', 'three')]
    router = started.router(static(engines))
    with Load(router.port) as load:
        load.wait_for(50)
        engines[0].kill()
        load.wait_for(100)
        engines[1].kill()
        load.wait_for(100)
    assert load.bad == []
    assert router.metric('vllm:num_requests_running') == 0


def test_requests_wait_for_a_free_engine_and_not_for_ever(started, tmp_path):
    engine = started.engine('one', arguments=['--decode-ms', '40', '--tokens', '10'])
    router = started.router([*config_with(tmp_path, '  io_threads: 1\n  queue: {engine_requests_max: 1, waiting_max: 2, '
                                          'wait: 10s}\n'), *static([engine])])
    answers = []

    def ask():
        answers.append(chat(router.port, 'x', model='base-model'))

    clients = [threading.Thread(target=ask) for _ in range(6)]
    for client in clients:
        client.start()
    wait_until(lambda: len(answers) >= 3, 'refusals and the first answer')
    for client in clients:
        client.join()
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200] * 3 + [503] * 3, 'one runs, two wait, the rest is told at once'
    assert all(answer.headers['retry-after'] == '1' for answer in answers if answer.status == 503)
    assert request(engine.port, 'GET', '/sim/last').json['running'] == 0


def test_health_by_real_requests_carries_the_engines_key(started):
    engine = started.engine('one')
    router = started.router([*static([engine]), '--static-backend-health-checks', '--static-model-types', 'embeddings',
                             '--static-backend-health-check-interval', '1'], environment={'VLLM_API_KEY': 'sk-engine'})
    wait_until(lambda: engine.last_request()['path'] == '/v1/embeddings', 'a real request', router)
    assert engine.last_request()['headers']['authorization'] == 'Bearer sk-engine'
    chat(router.port, 'x', model='base-model', headers={'authorization': 'Bearer client'})
    wait_until(lambda: engine.last_request()['path'] == '/v1/embeddings', 'another one', router)


def test_serve_finds_engines_in_the_same_way(started, tmp_path):
    one = started.engine('one')
    two = started.engine('two', arguments=['--model', 'other'])
    listed = tmp_path / 'engines.yaml'
    engines_file(listed, [two])
    server = started.server(proxy([one.port], own=f'  discovery: {{files: [{listed}]}}\n'))
    assert chat(server.port, 'x', model='base-model').headers['x-sim-engine'] == 'one'
    wait_until(lambda: chat(server.port, 'x', model='other').status == 200, 'the found model', server)
