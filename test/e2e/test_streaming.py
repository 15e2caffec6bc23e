"""Streams: relayed as they arrive, byte for byte; what happens when either side goes away."""

import asyncio
import json
import re

import pytest

import configs
import programs
from fake_upstream import STREAM_HEAD, FakeUpstream, answer, chunk, event, until_closed
from http_client import AsyncConnection, post, post_bytes

BODY = json.dumps({'model': 'base-model', 'stream': True, 'stream_options': {'include_usage': True},
                   'messages': [{'role': 'user', 'content': 'Tell me about trains.'}]}).encode()
PATH = '/v1/chat/completions'
SECONDS = 60  # a limit for tests that would otherwise hang, not a measure


def without_identity(body):
    """The stream without what an engine makes anew for each answer: its id, time and the replica's own name."""
    body = re.sub(rb'"id":"[^"]*"', b'"id":""', body)
    body = re.sub(rb'"system_fingerprint":"[^"]*"', b'"system_fingerprint":""', body)
    return re.sub(rb'"created":\d+', b'"created":0', body)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, SECONDS))


def test_a_stream_equals_the_direct_one_byte_for_byte(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port]))
    _, _, direct = run(post(engine.port, PATH, BODY))
    _, _, relayed = run(post(server.port, PATH, BODY))
    assert direct.rstrip().endswith(b'data: [DONE]')
    assert without_identity(relayed) == without_identity(direct)


def test_an_answer_that_does_not_stream_equals_the_direct_one(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port]))
    body = json.dumps({'model': 'base-model', 'messages': [{'role': 'user', 'content': 'h\u00e9llo \U0001f682'}]}).encode()
    _, _, direct = run(post(engine.port, PATH, body))
    _, _, relayed = run(post(server.port, PATH, body))
    assert without_identity(relayed) == without_identity(direct)


@pytest.mark.heavy
def test_a_thousand_streams_at_once_are_all_equal_to_the_direct_one(started):
    engines = [started.engine(arguments=['--max-running', '2048']) for _ in range(2)]
    server = started.server(configs.proxy([engine.port for engine in engines]))
    headers = {'x-sim-itl-ms': '20', 'x-sim-ttft-ms': '200', 'x-sim-tokens': '50'}

    async def all_streams():
        _, _, direct = await post(engines[0].port, PATH, BODY, headers)
        expected = without_identity(direct)
        gate = asyncio.Event()
        open_now = 0

        async def one():
            nonlocal open_now
            connection = await AsyncConnection.open(server.port)
            await connection.send(post_bytes(PATH, BODY, headers))
            status, answer_headers = await connection.read_head()
            assert status == 200
            open_now += 1
            if open_now == 1000:
                gate.set()
            await gate.wait()  # every stream has begun before any is read to its end
            body = await connection.read_body(answer_headers)
            connection.close()
            return without_identity(body) == expected

        return await asyncio.gather(*(one() for _ in range(1000)))

    assert all(asyncio.run(asyncio.wait_for(all_streams(), 240)))


def test_each_piece_is_relayed_before_the_next_is_sent(started):
    """The upstream sends a piece only after the test has received the one before: buffering would stop everything."""

    async def scenario():
        received = asyncio.Queue()

        async def script(_, head, body, reader, writer):
            writer.write(STREAM_HEAD)
            for number in range(5):
                writer.write(chunk(event(b'piece-%d' % number)))
                await writer.drain()
                await received.get()
            writer.write(chunk(b'data: [DONE]\n\n') + b'0\r\n\r\n')

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            connection = await AsyncConnection.open(server.port)
            await connection.send(post_bytes(PATH, BODY))
            status, headers = await connection.read_head()
            assert status == 200
            text = b''
            async for piece in connection.read_pieces(headers):
                text += piece
                if b'piece-' in piece:
                    received.put_nowait(None)
            connection.close()
            return text

    text = run(scenario())
    assert text == b''.join(event(b'piece-%d' % n) for n in range(5)) + b'data: [DONE]\n\n'


def test_a_stream_cut_at_every_byte_arrives_whole(started):
    async def scenario():
        payload = event(b'one') + b': comment\r\n\r\n' + event(b'two') + b'data: [DONE]\n\n'

        async def script(_, head, body, reader, writer):
            writer.write(STREAM_HEAD)
            for byte in payload:
                writer.write(chunk(bytes([byte])))
                await writer.drain()
            writer.write(b'0\r\n\r\n')

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            _, _, body = await post(server.port, PATH, BODY)
            return body == payload

    assert run(scenario())


@pytest.mark.parametrize('streaming', [True, False])
def test_a_client_that_leaves_before_the_first_byte_cancels_the_upstream(started, streaming):
    async def scenario():
        asked, gone = asyncio.Event(), asyncio.Event()

        async def script(_, head, body, reader, writer):
            asked.set()
            await until_closed(reader)
            gone.set()

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            connection = await AsyncConnection.open(server.port)
            await connection.send(post_bytes(PATH, json.dumps({**json.loads(BODY), 'stream': streaming}).encode()))
            await asked.wait()
            connection.abort()
            await gone.wait()

    run(scenario())


def test_a_client_that_leaves_mid_stream_cancels_the_upstream(started):
    async def scenario():
        gone = asyncio.Event()

        async def script(_, head, body, reader, writer):
            writer.write(STREAM_HEAD + chunk(event(b'one')))
            await writer.drain()
            await until_closed(reader)
            gone.set()

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            connection = await AsyncConnection.open(server.port)
            await connection.send(post_bytes(PATH, BODY))
            _, headers = await connection.read_head()
            async for _ in connection.read_pieces(headers):
                break
            connection.close()
            await gone.wait()

    run(scenario())


def test_an_upstream_that_dies_mid_stream_ends_the_stream_with_an_error_event(started):
    async def scenario():
        async def script(_, head, body, reader, writer):
            writer.write(STREAM_HEAD + chunk(event(b'one')))
            await writer.drain()
            writer.transport.abort()

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            status, _, body = await post(server.port, PATH, BODY)
            return status, body

    status, body = run(scenario())
    assert status == 200
    events = [line[6:] for line in body.decode().split('\n') if line.startswith('data: ')]
    assert json.loads(events[0])['choices'][0]['delta']['content'] == 'one'
    errors = [json.loads(text)['error'] for text in events[1:] if text != '[DONE]']
    assert len(errors) == 1 and errors[0]['message']


def test_an_upstream_that_dies_inside_a_frame_still_gives_a_readable_error_event(started):
    async def scenario():
        async def script(_, head, body, reader, writer):
            writer.write(STREAM_HEAD + chunk(event(b'one') + b'data: {"id":"x","cho'))
            await writer.drain()
            writer.transport.abort()

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            _, _, body = await post(server.port, PATH, BODY)
            return body

    frames = run(scenario()).decode().replace('\r\n', '\n').split('\n\n')
    last = [frame for frame in frames if frame.startswith(('data: {"error"', 'event: error'))]
    assert len(last) == 1


def test_an_upstream_that_dies_in_a_plain_answer_does_not_pass_for_a_whole_one(started):
    async def scenario():
        async def script(_, head, body, reader, writer):
            writer.write(answer(b'200 OK', b'{"choices":[]}').replace(b'Length: 14', b'Length: 99'))
            await writer.drain()
            writer.transport.abort()

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            body = json.dumps({**json.loads(BODY), 'stream': False}).encode()
            try:
                status, _, _ = await post(server.port, PATH, body)
                return status
            except asyncio.IncompleteReadError:
                return 'cut'

    assert run(scenario()) in ('cut', 502)


def test_a_slow_reader_holds_the_upstream_back_instead_of_filling_memory(started):
    """64 MiB are offered to a client that reads nothing: the upstream must not be able to send them all."""
    total = 64 << 20

    async def scenario():
        progress = {'sent': 0}
        stalled = asyncio.Event()

        async def script(_, head, body, reader, writer):
            writer.write(STREAM_HEAD)
            piece = chunk(event(b'x' * 65000))
            while progress['sent'] < total:
                writer.write(piece)
                try:
                    await asyncio.wait_for(writer.drain(), 3)
                except asyncio.TimeoutError:
                    stalled.set()
                    await until_closed(reader)
                    return
                progress['sent'] += len(piece)

        async with FakeUpstream(script) as upstream:
            server = await asyncio.to_thread(started.server, configs.proxy([upstream.port]))
            connection = await AsyncConnection.open(server.port)
            connection.writer.transport.pause_reading()
            await connection.send(post_bytes(PATH, BODY))
            await stalled.wait()
            connection.abort()
            return progress['sent']

    assert run(scenario()) < total / 2


def test_usage_of_a_stream_reaches_the_metrics(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port]))
    _, _, body = run(post(server.port, PATH, BODY))
    usage = [json.loads(line[6:])['usage'] for line in body.decode().split('\n')
             if line.startswith('data: {') and json.loads(line[6:]).get('usage')][-1]
    programs.wait_until(lambda: server.metric('llm_model_completion_tokens_total') == usage['completion_tokens'],
                        'the completion tokens of the stream', server, 20)
    assert server.metric('llm_model_prompt_tokens_total') == usage['prompt_tokens']
