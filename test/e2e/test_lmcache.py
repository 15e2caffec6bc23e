"""Signalbox as the controller of LMCache: workers of both generations register, say what they hold, and requests go there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import configs
from http_client import chat, get, request
from programs import free_ports, static, wait_until

LONG = 'The signal box stands beside the line and sets the points for every train. ' * 60


class Worker:
    """lmcache_double.py with a line out and a line in; `seed` is its PYTHONHASHSEED, None for none."""

    def __init__(self, version, addresses, instance, seed='123', ip='10.0.0.7', rank=0):
        environment = {key: value for key, value in os.environ.items() if key != 'PYTHONHASHSEED'}
        if seed is not None:
            environment['PYTHONHASHSEED'] = seed
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name('lmcache_double.py'), version, *addresses[:2], instance, ip, str(rank)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout.readline().strip() == 'ready'

    def say(self, **order):
        self.process.stdin.write(json.dumps(order) + '\n')
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        """It says good-bye."""
        self.process.stdin.close()
        assert self.process.wait(60) == 0


@pytest.fixture
def workers():
    running = []

    def start(*arguments, **more):
        running.append(Worker(*arguments, **more))
        return running[-1]

    yield start
    for worker in running:
        if worker.process.poll() is None:
            worker.process.kill()
        worker.process.wait()


def addresses(server):
    """Where workers connect to: pull, reply, heartbeat."""
    return server.ports['lmcache']


def own(addresses=('tcp://127.0.0.1:*',) * 3, **more):
    settings = ''.join(f'\n    {key}: {value}' for key, value in more.items())
    pull, reply, heartbeat = addresses
    return ('  io_threads: 1\n  kv_events: {tokenize_timeout: 20s}\n  lmcache:\n    enabled: true\n'
            f'    pull: "{pull}"\n    reply: "{reply}"\n    heartbeat: "{heartbeat}"\n    advertised_host: 127.0.0.1{settings}\n')


def start(started, count=3, policy='kv_aware', **more):
    engines = [started.engine(f'engine-{i}') for i in range(count)]
    server = started.server(configs.proxy([engine.port for engine in engines], policy, own=own(**more)))
    return server, engines


def ids(engine, text=LONG):
    body = {'model': 'base-model', 'messages': [{'role': 'user', 'content': text}]}
    return [token & 0xffffffff for token in request(engine.port, 'POST', '/tokenize', body).json['tokens']]


def ask(server, text=LONG + ' And now?'):
    answer = chat(server.port, text, model='base-model')
    assert answer.status == 200, answer.text
    return answer


def chunks(server, instance=None):
    labels = {'instance': instance} if instance else {}
    return server.metric('signalbox_lmcache_chunks', **labels)


def placed(server):
    return server.metric('signalbox_lmcache_instances', state='placed')


@pytest.mark.parametrize('version', ['old', 'new'])
@pytest.mark.parametrize('policy', ['kv_aware', 'auto'])
def test_the_engine_whose_lmcache_holds_the_prompt_gets_it(started, workers, version, policy):
    server, engines = start(started, policy=policy)
    # Placed by the name of a backend: all three engines are at one address.
    worker = workers(version, addresses(server), 'replica-2')
    tokens = ids(engines[0])
    count = worker.say(stored=tokens)['chunks']
    wait_until(lambda: chunks(server) == count and placed(server) == 1, 'the chunks', server)
    for _ in range(4):
        answer = ask(server)
        assert answer.headers['x-sim-engine'] == 'engine-2'
        assert answer.headers['x-signalbox-cache-source'] == 'lmcache'
        held, prompt = map(int, answer.headers['x-signalbox-cached-tokens'].split('/'))
        whole = len(tokens) // 256 * 256
        assert held >= int(whole * 0.8), 'the CPU tier counts for four fifths'
        assert held <= prompt
    wait_until(lambda: server.metric('signalbox_lmcache_instances', state='understood') == 1, 'the gauge', server)
    assert 'its chunks are named by ' + ('sha256_cbor' if version == 'old' else 'builtin hash') in server.log()


@pytest.mark.parametrize('version', ['old', 'new'])
def test_what_was_dropped_is_not_expected(started, workers, version):
    server, engines = start(started, engines='{"replica-0": one, "replica-1": two}')
    one, two = (workers(version, addresses(server), name) for name in ('one', 'two'))
    count = one.say(stored=ids(engines[0]))['chunks']
    assert two.say(stored=ids(engines[0]))['chunks'] == count
    wait_until(lambda: chunks(server) == 2 * count, 'the chunks', server)
    assert one.say(peers=[0, 1])['peers'] == [['two', 'LocalCPUBackend', 2, '10.0.0.7:28002']]
    one.say(removed=list(range(1, count)))
    wait_until(lambda: chunks(server, 'one') == 1, 'the removal', server)
    assert ask(server).headers['x-sim-engine'] == 'engine-1'
    two.stop()
    wait_until(lambda: chunks(server) == 1 and placed(server) == 1, 'the good-bye', server)
    assert one.say(peers=[0])['peers'] == [['', '', 0, '']]
    assert ask(server, LONG).status == 200


def test_a_router_that_comes_later_learns_all_in_a_full_sync(started, workers):
    server, engines = start(started, count=2)
    worker = workers('new', addresses(server), 'replica-1')
    count = worker.say(stored=ids(engines[0]))['chunks']
    assert count >= 4
    wait_until(lambda: chunks(server) == count, 'the chunks', server)
    assert worker.say(beat=True)['synced'] is None, 'all is known'
    same = addresses(server)
    assert server.stop() == 0
    again = started.server(configs.proxy([engine.port for engine in engines], 'kv_aware', own=own(same)))
    assert chunks(again) == 0
    assert worker.say(beat=True)['synced'] == count
    assert chunks(again) == count
    assert again.metric('signalbox_lmcache_events_total', event='sync_done') == 1
    assert ask(again).headers['x-sim-engine'] == 'engine-1'


def test_lost_operations_void_what_is_known_and_are_made_good(started, workers):
    server, engines = start(started, count=2)
    worker = workers('new', addresses(server), 'replica-1')
    count = worker.say(stored=ids(engines[0]))['chunks']
    wait_until(lambda: chunks(server) == count, 'the chunks', server)
    worker.say(skip=3)
    worker.say(removed=[count - 1])
    wait_until(lambda: chunks(server) == 0, 'the gap', server)
    assert server.metric('signalbox_lmcache_events_total', event='gap') == 1
    assert 'x-signalbox-cached-tokens' not in ask(server).headers
    assert worker.say(beat=True)['synced'] == count - 1
    assert chunks(server) == count - 1


def test_an_engine_whose_heartbeats_end_holds_nothing(started, workers):
    server, engines = start(started, count=2, worker_timeout='500ms', check_interval='100ms')
    worker = workers('new', addresses(server), 'replica-1')
    worker.say(stored=ids(engines[0]))
    worker.say(beat=True)
    wait_until(lambda: server.metric('signalbox_lmcache_events_total', event='expired') == 1, 'the silence', server)
    assert chunks(server) == 0 and placed(server) == 0
    assert ask(server).status == 200


def test_names_that_nobody_can_repeat_are_said_aloud_and_do_no_harm(started, workers):
    server, engines = start(started, count=2, check_interval='100ms')
    worker = workers('new', addresses(server), 'replica-1', seed=None)
    for turn in range(40):
        text = f'{turn} ' + LONG
        answer = ask(server, text)
        assert 'x-signalbox-cache-source' not in answer.headers
        if answer.headers['x-sim-engine'] == 'engine-1':
            worker.say(stored=ids(engines[0], text))  # as its LMCache would
    wait_until(lambda: 'none of the names it gives its chunks can be repeated' in server.log(), 'the warning', server)
    assert server.metric('signalbox_lmcache_instances', state='understood') == 0
    first = ask(server, 'once more ' + LONG)
    assert ask(server, 'once more ' + LONG).headers['x-sim-engine'] == first.headers['x-sim-engine'], 'estimates stand in'


def test_the_first_chunk_of_a_prompt_we_sent_tells_the_scheme(started, workers):
    server, engines = start(started, count=2)
    worker = workers('new', addresses(server), 'replica-0', seed='4711')
    other = workers('new', addresses(server), 'replica-1', seed='0')
    for turn in range(8):
        text = f'{turn} ' + LONG
        hit = ask(server, text).headers['x-sim-engine']
        (worker if hit == 'engine-0' else other).say(stored=ids(engines[0], text))
    wait_until(lambda: server.metric('signalbox_lmcache_instances', state='understood') >= 1, 'one to be understood', server)
    assert 'PYTHONHASHSEED=0' in server.log()
    assert 'PYTHONHASHSEED=4711' not in server.log(), 'nobody told the router of that one'


def test_messages_of_strangers_change_nothing(started, workers):
    server, engines = start(started, count=2)
    worker = workers('new', addresses(server), 'replica-1')
    count = worker.say(stored=ids(engines[0]))['chunks']
    worker.say(raw=['', 'ff', '81a474797065', b'{"type":"LookupMsg","tokens":[1]}'.hex(), b'{"type":'.hex(), 'c1' * 1000])
    wait_until(lambda: server.metric('signalbox_lmcache_messages_total', outcome='not_understood') == 6, 'them', server)
    assert chunks(server) == count
    page = get(server.admin_port, '/metrics').text
    assert '# TYPE signalbox_lmcache_instances gauge' in page


def test_the_flags_of_the_replaced_router_open_the_controller(started, workers):
    engines = [started.engine(f'engine-{i}') for i in range(2)]
    pull, reply, heartbeat = free_ports(3)
    router = started.router(static(engines, 'kvaware', extra=(
        '--lmcache-controller-port', str(pull), '--lmcache-controller-reply-port', str(reply),
        '--lmcache-controller-heartbeat-port', str(heartbeat), '--lmcache-worker-timeout', '30',
        '--lmcache-health-check-interval', '5')), environment={'PYTHONHASHSEED': '77'})
    where = [f'tcp://127.0.0.1:{port}' for port in (pull, reply)]
    worker = workers('new', where, 'backend-2', seed='77')
    count = worker.say(stored=ids(engines[0]))['chunks']
    wait_until(lambda: chunks(router) == count, 'the chunks', router)
    # Learnt at the first request; /tokenize may be slower than the default waits.
    wait_until(lambda: ask(router).headers.get('x-signalbox-cache-source') == 'lmcache', 'a tokenised prompt', router)
    assert ask(router).headers['x-sim-engine'] == 'engine-1'
    wait_until(lambda: 'PYTHONHASHSEED=77' in router.log(), 'the next check to tell the scheme', router)


def test_without_a_reply_port_the_router_says_what_is_missing(started):
    engines = [started.engine(f'engine-{i}') for i in range(2)]
    router = started.router(static(engines, 'kvaware', extra=('--lmcache-controller-port', str(free_ports(1)[0]))))
    assert '--lmcache-controller-reply-port' in router.log()
