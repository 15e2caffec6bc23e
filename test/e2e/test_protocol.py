"""HTTP/1.1 at its edges, on raw sockets: what is refused, with which status, and that nothing hostile hurts others."""

import asyncio
import json
import socket

import pytest

import configs
from http_client import AsyncConnection, exchange_bytes, get, parse_responses, post_bytes, request

PATH = '/v1/chat/completions'
BODY = json.dumps({'model': 'MoM', 'messages': [{'role': 'user', 'content': 'Hello'}]}).encode()
HEAD = b'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'


def closing(body):
    return post_bytes(PATH, body, {'Connection': 'close'})


# name: (bytes, expected statuses). None: the connection may be closed without a word.
MALFORMED = {
    'no_version': (b'GET /health\r\n\r\n', {400}),
    'http_2_preface': (b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', {400, 505}),
    'unknown_version': (b'GET /health HTTP/9.9\r\nHost: x\r\n\r\n', {400, 505}),
    'tls_hello': (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(64), {400, None}),
    'binary': (bytes(range(256)) + b'\r\n\r\n', {400}),
    'no_host': (b'GET /health HTTP/1.1\r\n\r\n', {400}),
    'two_hosts': (b'GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', {400}),
    'space_before_colon': (b'GET /health HTTP/1.1\r\nHost : x\r\n\r\n', {400}),
    'folded_header': (b'GET /health HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n', {400}),
    'header_without_name': (b'GET /health HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n', {400}),
    'nul_in_header': (b'GET /health HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n', {400}),
    'bare_cr_in_header': (b'GET /health HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n', {400}),
    'two_lengths': (HEAD + b'Content-Length: 5\r\nContent-Length: 6\r\n\r\n{"a":1}', {400}),
    'length_and_chunked': (HEAD + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', {400}),
    'negative_length': (HEAD + b'Content-Length: -5\r\n\r\nhello', {400}),
    'length_with_plus': (HEAD + b'Content-Length: +5\r\n\r\nhello', {400}),
    'length_overflow': (HEAD + b'Content-Length: 99999999999999999999999\r\n\r\n', {400, 413}),
    'length_too_large': (HEAD + b'Content-Length: 99999999999\r\n\r\n', {413}),
    'unknown_coding': (HEAD + b'Transfer-Encoding: gzip\r\n\r\n', {400, 501}),
    'chunked_twice': (HEAD + b'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', {400, 501}),
    'bad_chunk_size': (HEAD + b'Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n', {400}),
    'chunk_size_overflow': (HEAD + b'Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n', {400, 413}),
    'chunk_without_end': (HEAD + b'Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n', {400}),
    'too_many_headers': (b'GET /health HTTP/1.1\r\nHost: x\r\n' + b''.join(b'A%d: b\r\n' % i for i in range(500)) + b'\r\n',
                         {431}),
    'huge_header': (b'GET /health HTTP/1.1\r\nHost: x\r\nA: ' + b'b' * 200_000 + b'\r\n\r\n', {431}),
    'huge_target': (b'GET /' + b'a' * 200_000 + b' HTTP/1.1\r\nHost: x\r\n\r\n', {414, 431}),
    'expect_unknown': (HEAD + b'Expect: 200-maybe\r\nContent-Length: 2\r\n\r\n{}', {417}),
    'unknown_path': (b'GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', {404}),
    'wrong_method': (b'DELETE /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', {405}),
    'cut_head': (b'GET /health HTTP/1.1\r\nHos', {400, None}),
    'cut_body': (HEAD + b'Content-Length: 100\r\n\r\n{"model"', {400, None}),
    'not_json': (closing(b'hello'), {400}),
    'json_array': (closing(b'[]'), {400}),
    'empty_body': (closing(b''), {400}),
    'trailing_bytes': (closing(BODY + b'{}'), {400}),
    'invalid_utf8': (closing(BODY.replace(b'Hello', b'H\xff')), {400}),
    'lone_surrogate': (closing(BODY.replace(b'Hello', b'\\ud800')), {400, 200}),
    'duplicate_model': (closing(BODY[:-1] + b',"model":"other"}'), {400}),
    'duplicate_model_escaped': (closing(BODY[:-1] + b',"m\\u006fdel":"other"}'), {400}),
    'duplicate_content': (closing(BODY.replace(b'"content": "Hello"', b'"content":"a","content":"b"')), {400}),
    'too_deep': (closing(BODY[:-1] + b',"x":' + b'[' * 5000 + b']' * 5000 + b'}'), {400}),
    'model_is_a_number': (closing(b'{"model":1,"messages":[]}'), {400}),
    'no_model': (closing(b'{"messages":[{"role":"user","content":"a"}]}'), {400}),
    'messages_is_a_string': (closing(b'{"model":"MoM","messages":"a"}'), {400}),
}


CUT = {'cut_head', 'cut_body', 'tls_hello'}


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed_requests_get_their_status(demo, name):
    data, expected = MALFORMED[name]
    received, _ = exchange_bytes(demo.port, data, half_close=name in CUT)
    if not received:
        assert None in expected
        return
    status, headers, body = parse_responses(received)[0]
    assert status in expected, received[:500]
    if status >= 400 and body:
        assert set(json.loads(body)['error']) == {'message', 'type', 'param', 'code'}
    assert get(demo.port, '/health').status == 200


def test_a_refused_request_is_not_followed_by_what_hides_behind_it(demo):
    smuggled = b'GET /health HTTP/1.1\r\nHost: x\r\n\r\n'
    data = HEAD + b'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + smuggled
    received, closed = exchange_bytes(demo.port, data)
    assert [status for status, _, _ in parse_responses(received)] == [400]
    assert closed


def test_pipelined_requests_are_answered_in_order(demo):
    data = (b'GET /health HTTP/1.1\r\nHost: x\r\n\r\n' + post_bytes(PATH, BODY) +
            b'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n' + b'GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    received, closed = exchange_bytes(demo.port, data)
    responses = parse_responses(received)
    assert [status for status, _, _ in responses] == [200, 200, 404, 200]
    assert b'choices' in responses[1][2] and b'version' in responses[3][2]
    assert closed


def test_a_request_that_comes_byte_by_byte_is_answered(demo):
    with socket.create_connection(('127.0.0.1', demo.port), 30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post_bytes(PATH, BODY, {'Connection': 'close'}):
            sock.sendall(bytes([byte]))
        received = b''
        while piece := sock.recv(65536):
            received += piece
    assert parse_responses(received)[0][0] == 200


def test_expect_100_continue_is_answered_before_the_body_is_sent(demo):
    async def scenario():
        connection = await AsyncConnection.open(demo.port)
        await connection.send(HEAD + b'Expect: 100-continue\r\nContent-Length: %d\r\n\r\n' % len(BODY))
        interim = await connection.read_head()
        await connection.send(BODY)
        status, headers = await connection.read_head()
        body = await connection.read_body(headers)
        connection.close()
        return interim[0], status, body

    interim, status, body = asyncio.run(asyncio.wait_for(scenario(), 30))
    assert (interim, status) == (100, 200)
    assert b'choices' in body


def test_expect_is_refused_before_the_body_when_it_is_too_large(demo):
    received, _ = exchange_bytes(demo.port, HEAD + b'Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n')
    assert [status for status, _, _ in parse_responses(received)] == [413]


def test_a_chunked_body_with_extensions_and_trailers_is_read(demo):
    middle = len(BODY) // 2
    chunks = b'%x;name="v\\"alue"\r\n%s\r\n%X\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n' % (
        middle, BODY[:middle], len(BODY) - middle, BODY[middle:])
    received, _ = exchange_bytes(demo.port, HEAD + b'Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n' + chunks)
    assert parse_responses(received)[0][0] == 200


def test_head_is_answered_like_get_without_a_body(demo):
    received, _ = exchange_bytes(demo.port, b'HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    head, _, body = received.partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 200') and body == b''


def test_http_1_0_gets_an_answer_it_can_read(demo):
    received, closed = exchange_bytes(demo.port, b'GET /health HTTP/1.0\r\n\r\n')
    assert received.startswith(b'HTTP/1.1 200') and closed
    assert b'chunked' not in received.partition(b'\r\n\r\n')[0].lower()


def test_internal_headers_of_a_client_do_not_reach_the_engine(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port]))
    response = request(server.port, 'POST', PATH, BODY.replace(b'MoM', b'base-model'),
                       {'x-signalbox-handoff': 'forged', 'x-vsr-selected-model': 'forged', 'x-custom': 'kept',
                        'connection': 'keep-alive, x-hop', 'x-hop': '1'})
    assert response.status == 200
    seen = engine.last_request()['headers']
    assert seen['x-custom'] == 'kept'
    assert not [name for name in seen if name.startswith(('x-signalbox-', 'x-vsr-')) or name == 'x-hop']


def test_trace_context_is_passed_on_with_the_same_trace_id(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port]))
    trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    request(server.port, 'POST', PATH, BODY.replace(b'MoM', b'base-model'),
            {'traceparent': f'00-{trace}-00f067aa0ba902b7-01'})
    seen = engine.last_request()['headers']
    version, trace_id, span_id, flags = seen['traceparent'].split('-')
    assert trace_id == trace and span_id != '00f067aa0ba902b7'


def test_a_large_body_is_forwarded_whole(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port]))
    text = 'words and more words ' * 400_000  # 8 MiB
    body = json.dumps({'model': 'base-model', 'messages': [{'role': 'user', 'content': text}], 'max_tokens': 1}).encode()
    response = request(server.port, 'POST', PATH, body)
    assert response.status in (200, 400)  # the engine may find the prompt too long; it must have seen all of it
    assert get(engine.port, '/sim/last/body').body == body


def test_an_audio_upload_goes_to_its_model_byte_for_byte(started):
    engine = started.engine()
    server = started.server(configs.proxy([engine.port], model='whisper', extra="""      provider_model_id: openai/whisper-large-v3
"""))
    sound = bytes(range(256)) * 64 + b'\r\n--frontie\r\n'
    form = (b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="speech.wav"\r\n'
            b'Content-Type: audio/wav\r\n\r\n' + sound +
            b'\r\n--frontier\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper'
            b'\r\n--frontier\r\nContent-Disposition: form-data; name="x-own-field"\r\n\r\nkept\r\n--frontier--\r\n')
    response = request(server.port, 'POST', '/v1/audio/transcriptions', form,
                       {'content-type': 'multipart/form-data; boundary=frontier'})
    assert response.status == 200 and 'bytes of audio' in response.json['text']
    seen = get(engine.port, '/sim/last/body').body
    assert seen == form.replace(b'\r\n\r\nwhisper\r\n', b'\r\n\r\nopenai/whisper-large-v3\r\n')


def test_an_audio_upload_for_an_unknown_model_is_404(demo):
    form = b'--f\r\nContent-Disposition: form-data; name="model"\r\n\r\nnobody\r\n--f--\r\n'
    response = request(demo.port, 'POST', '/v1/audio/transcriptions', form,
                       {'content-type': 'multipart/form-data; boundary=f'})
    assert response.status == 404 and 'nobody' in response.json['error']['message']


def test_slow_clients_do_not_keep_others_waiting(demo):
    """A hundred connections that never finish their head."""
    lazy = []
    try:
        for _ in range(100):
            sock = socket.create_connection(('127.0.0.1', demo.port), 10)
            sock.sendall(b'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Le')
            lazy.append(sock)
        assert get(demo.port, '/health').status == 200
    finally:
        for sock in lazy:
            sock.close()
