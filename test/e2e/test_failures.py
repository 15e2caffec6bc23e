"""Engines that fail, configurations that change and servers that stop, all under load: what clients notice is nothing."""

import asyncio
import json
import os
import signal
import time

import pytest

import configs
import programs
from fake_upstream import STREAM_HEAD, FakeUpstream, answer, chunk, event
from http_client import AsyncConnection, chat, get, post, post_bytes, request

PATH = '/v1/chat/completions'
GOOD = b'{"id":"x","object":"chat.completion","choices":[]}'


def body_of(stream=False, text='Hello', model='base-model'):
    return json.dumps({'model': model, 'stream': stream, 'messages': [{'role': 'user', 'content': text}]}).encode()


class Load:
    """Keep-alive clients that ask until told to stop, and count what they got."""

    def __init__(self, port, clients, body, headers=None):
        self.port, self.clients, self.data = port, clients, post_bytes(PATH, body, headers)
        self.stopping = False
        self.answered = 0
        self.bad = []

    async def client(self):
        connection = await AsyncConnection.open(self.port)
        while not self.stopping:
            try:
                await connection.send(self.data)
                status, headers = await connection.read_head()
                text = await connection.read_body(headers)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.bad.append(repr(error))
                connection = await AsyncConnection.open(self.port)
                continue
            self.answered += 1
            if status != 200:
                self.bad.append((status, text[:300]))
        connection.close()

    async def run(self, during):
        """Runs `during()` in a thread while the clients ask; returns when both are done."""
        tasks = [asyncio.create_task(self.client()) for _ in range(self.clients)]
        try:
            await asyncio.to_thread(during, self)
        finally:
            self.stopping = True
            await asyncio.gather(*tasks)

    def wait_for_answers(self, count):
        """From the thread of `during`: until so many more answers have come."""
        target = self.answered + count
        programs.wait_until(lambda: self.answered >= target or len(self.bad) > 50, 'the load to go on')


def test_killing_engines_under_load_fails_no_request(started):
    engines = [started.engine(f'engine-{i}') for i in range(3)]
    server = started.server(configs.proxy([engine.port for engine in engines]))

    def during(load):
        load.wait_for_answers(200)
        engines[0].kill()
        load.wait_for_answers(400)
        engines[1].kill()
        # Two of three are more than may be ejected for failing; half the requests being retried would use up the budget.
        load.wait_for_answers(2000)

    load = Load(server.port, 16, body_of())
    asyncio.run(load.run(during))
    assert load.bad == []
    assert load.answered >= 1000


def test_an_engine_that_comes_back_is_used_again(started):
    engines = [started.engine(f'engine-{i}') for i in range(2)]
    server = started.server(configs.proxy(
        [engine.port for engine in engines], own='  health: {interval: 200ms, timeout: 1s, ejection_time: 200ms}'))
    port = engines[0].port
    engines[0].kill()
    for _ in range(20):
        assert chat(server.port, 'Hello', model='base-model').status == 200
    back = started.engine('engine-back', port=port)
    programs.wait_until(
        lambda: chat(server.port, 'Hello', model='base-model').status == 200 and back.last_request()['body'] is not None,
        'the engine to be asked again', server)


def test_a_hundred_reloads_under_load_lose_no_request(started):
    engines = [started.engine(f'engine-{i}') for i in range(2)]
    ports = [engine.port for engine in engines]
    server = started.server(configs.proxy(ports))

    def during(load):
        for number in range(100):
            policy = ('least_load', 'round_robin')[number % 2]
            before = server.metric('signalbox_config_reloads_total', result='success')
            server.rewrite_config(configs.proxy(ports, policy) + f'# {number}\n')
            server.process.send_signal(signal.SIGHUP)
            programs.wait_until(lambda: server.metric('signalbox_config_reloads_total', result='success') > before,
                                f'reload {number}', server)
            load.wait_for_answers(2)

    load = Load(server.port, 8, body_of())
    asyncio.run(load.run(during))
    assert load.bad == []
    assert load.answered >= 200


def test_a_broken_configuration_is_refused_and_the_old_one_stays(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port]))
    server.rewrite_config('providers: {models: [{name: ')
    server.process.send_signal(signal.SIGHUP)
    programs.wait_until(lambda: server.metric('signalbox_config_reloads_total', result='failure') >= 1, 'the refusal', server)
    assert chat(server.port, 'Hello', model='base-model').status == 200


def test_a_configuration_swapped_by_symbolic_link_is_seen(started, tmp_path):
    """Kubernetes mounts a ConfigMap as links to a folder and swaps the folder's link."""
    engine = started.engine()
    for name, model in (('one', 'first-model'), ('two', 'second-model')):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'config.yaml').write_text(configs.proxy([engine.port], model=model))
    (tmp_path / '..data').symlink_to('one')
    (tmp_path / 'config.yaml').symlink_to('..data/config.yaml')
    server = started.server(arguments=['--config', str(tmp_path / 'config.yaml')])

    def models():
        return [model['id'] for model in get(server.port, '/v1/models').json['data']]

    assert 'first-model' in models()
    (tmp_path / '..tmp').symlink_to('two')
    os.replace(tmp_path / '..tmp', tmp_path / '..data')
    programs.wait_until(lambda: 'second-model' in models(), 'the new configuration', server)


@pytest.mark.parametrize('status', [429, 502, 503, 504])
def test_a_retryable_status_is_tried_on_another_replica(started, status):
    async def scenario():
        async def bad(upstream, head, body, reader, writer):
            writer.write(answer(b'%d Trouble' % status, b'{"error":{"message":"no"}}'))

        async def good(upstream, head, body, reader, writer):
            writer.write(answer(b'200 OK', GOOD))

        async with FakeUpstream(bad) as first, FakeUpstream(good) as second:
            server = await asyncio.to_thread(started.server, configs.proxy([first.port, second.port]))
            statuses = [(await post(server.port, PATH, body_of()))[0] for _ in range(4)]
            return statuses, first.posts, second.posts

    statuses, first_posts, second_posts = asyncio.run(scenario())
    assert statuses == [200] * 4
    assert first_posts >= 1 and second_posts == 4


@pytest.mark.parametrize('status', [400, 404, 500])
def test_other_statuses_are_passed_on_as_they_are(started, status):
    async def scenario():
        async def script(upstream, head, body, reader, writer):
            writer.write(answer(b'%d Odd' % status, b'{"error":{"message":"the engine said so"}}'))

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            result = await post(server.port, PATH, body_of())
            return *result, upstream.posts

    got, _, text, posts = asyncio.run(scenario())
    assert (got, posts) == (status, 1)
    assert json.loads(text)['error']['message'] == 'the engine said so'


def test_without_any_engine_the_answer_is_an_openai_error_with_the_request_id(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port]))
    engine.kill()
    response = request(server.port, 'POST', PATH, body_of(), {'x-request-id': 'my-id-1'})
    assert response.status in (502, 503)
    assert set(response.json['error']) == {'message', 'type', 'param', 'code'}
    assert response.headers['x-request-id'] == 'my-id-1'


def test_a_session_stays_on_its_replica(started):
    engines = [started.engine(f'engine-{i}') for i in range(3)]
    server = started.server(configs.proxy([engine.port for engine in engines], 'session'))
    for session in ('anna', 'ben', 'chloe', 'dora'):
        fingerprints = set()
        for _ in range(6):
            response = request(server.port, 'POST', PATH, body_of(), {'x-session-id': session})
            assert response.status == 200
            fingerprints.add(response.headers['x-sim-engine'])
        assert len(fingerprints) == 1, session


def test_sigterm_finishes_what_is_under_way_and_takes_nothing_new(started):
    async def scenario():
        go_on = asyncio.Event()

        async def script(_, head, body, reader, writer):
            writer.write(STREAM_HEAD + chunk(event(b'one')))
            await writer.drain()
            await go_on.wait()
            writer.write(chunk(b'data: [DONE]\n\n') + b'0\r\n\r\n')

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            connection = await AsyncConnection.open(server.port)
            await connection.send(post_bytes(PATH, body_of(stream=True)))
            _, headers = await connection.read_head()
            pieces = connection.read_pieces(headers)
            first = await anext(pieces)
            server.terminate()
            await asyncio.to_thread(programs.wait_until, lambda: refuses(server.port), 'the door to close', server)
            go_on.set()
            rest = b''.join([piece async for piece in pieces])
            connection.close()
            status = await asyncio.to_thread(server.wait)
            return first + rest, status

    body, status = asyncio.run(scenario())
    assert body == event(b'one') + b'data: [DONE]\n\n'
    assert status == 0


def refuses(port):
    """True when new requests are not taken: no connection, or 503."""
    try:
        return get(port, '/ready').status == 503
    except OSError:
        return True


def test_idle_connections_do_not_hold_up_the_end(started):
    server = started.server()
    asyncio.run(hold_idle_and_terminate(server))


async def hold_idle_and_terminate(server):
    connections = [await AsyncConnection.open(server.port) for _ in range(20)]
    started_at = time.monotonic()
    server.terminate()
    status = await asyncio.to_thread(server.wait)
    for connection in connections:
        connection.close()
    assert status == 0
    assert time.monotonic() - started_at < 25  # below the drain timeout of 30 s
