"""Prompts and answers on different engines: two of each kind of demo engine, the hop that short and cached prompts are
spared, and the failure of either half."""

import json
import socket
import time

import openai
import pytest

import configs
from http_client import chat, post_bytes, request
from programs import last_request, wait_until

LONG = 'The signal box stands beside the line and sets the points for every train. ' * 60


class Fleet:
    def __init__(self, started, prefills=2, decodes=2, transfer='nixl', policy='round_robin', own='', arguments=()):
        self.prefills = [started.engine(f'prefill-{i}', arguments=arguments) for i in range(prefills)]
        self.decodes = [started.engine(f'decode-{i}', arguments=arguments) for i in range(decodes)]
        labels = ''.join(f'\n      "127.0.0.1:{engine.port}": {label}'
                         for label, engines in (('prefill', self.prefills), ('decode', self.decodes))
                         for engine in engines)
        ports = [engine.port for engine in self.prefills + self.decodes]
        self.server = started.server(configs.proxy(ports, policy, own=f'''{own}
  disaggregated_prefill:
    enabled: true
    transfer: {transfer}
    labels:{labels}
'''))

    def ask(self, text=LONG, **fields):
        return chat(self.server.port, text, model='base-model', **fields)

    def results(self, result):
        return self.server.metric('signalbox_disaggregated_requests_total', result=result)


def control(engine, query):
    assert request(engine.port, 'POST', f'/sim/ctl?{query}').status == 200


def finished(engines):
    return [last_request(engine.port)['finished'] for engine in engines]


def test_each_half_is_computed_where_it_belongs(started):
    fleet = Fleet(started)
    for _ in range(4):
        answer = fleet.ask(max_tokens=20, min_tokens=5)
        assert answer.status == 200
        assert answer.headers['x-sim-engine'].startswith('decode-')
        assert 'x-signalbox-prefill-endpoint' in answer.headers
        assert answer.json['usage']['completion_tokens'] > 1
    assert finished(fleet.prefills) == [2, 2] and finished(fleet.decodes) == [2, 2], 'all engines are used, in turn'
    half = last_request(fleet.prefills[0].port)['body']
    assert half['max_tokens'] == 1 and half['stream'] is False and 'min_tokens' not in half
    assert half['kv_transfer_params']['do_remote_decode'] is True
    other = last_request(fleet.decodes[0].port)['body']
    assert other['max_tokens'] == 20 and other['min_tokens'] == 5
    params = other['kv_transfer_params']
    assert params['do_remote_prefill'] is True and params['remote_engine_id'].startswith('prefill-')
    assert params['remote_block_ids']
    assert fleet.results('transferred') == 4


def test_the_decode_engine_computes_nothing_of_the_prompt(started):
    fleet = Fleet(started)
    usage = fleet.ask().json['usage']
    assert usage['prompt_tokens_details']['cached_tokens'] == usage['prompt_tokens'] - 1
    # What the client is told and billed is the decode half's; the prefill half is an attempt of the same request.
    assert fleet.server.metric('llm_model_prompt_tokens_total', model='base-model') == usage['prompt_tokens']
    assert fleet.server.metric('llm_model_completion_tokens_total', model='base-model') == usage['completion_tokens']


def test_both_halves_carry_one_request_id(started):
    fleet = Fleet(started, 1, 1)
    answer = fleet.ask(headers={'x-request-id': 'one-and-the-same'})
    ids = {last_request(engine.port)['headers']['x-request-id'] for engine in fleet.prefills + fleet.decodes}
    assert ids == {'one-and-the-same'} == {answer.headers['x-request-id']}


def test_a_stream_is_a_stream(started):
    fleet = Fleet(started)
    client = openai.OpenAI(base_url=f'http://127.0.0.1:{fleet.server.port}/v1', api_key='none', max_retries=0)
    with client.chat.completions.with_streaming_response.create(
            model='base-model', messages=[{'role': 'user', 'content': LONG}], stream=True) as answer:
        assert answer.headers['content-type'].startswith('text/event-stream')
        assert answer.headers['x-sim-engine'].startswith('decode-')
        text = answer.read().decode()
    assert text.rstrip().endswith('data: [DONE]')
    half = last_request(fleet.prefills[0].port)['body']
    assert half['stream'] is False and 'stream_options' not in half
    assert last_request(fleet.decodes[0].port)['body']['stream'] is True


def test_completions_are_split_and_embeddings_are_not(started):
    fleet = Fleet(started, 1, 1)
    answer = request(fleet.server.port, 'POST', '/v1/completions', {'model': 'base-model', 'prompt': LONG, 'max_tokens': 5})
    assert answer.status == 200 and finished(fleet.prefills) == [1]
    assert request(fleet.server.port, 'POST', '/v1/embeddings', {'model': 'base-model', 'input': LONG}).status == 200
    assert last_request(fleet.decodes[0].port)['path'] == '/v1/embeddings'


def test_short_prompts_are_spared_the_hop(started):
    fleet = Fleet(started)
    answer = fleet.ask('Hello')
    assert answer.status == 200 and 'x-signalbox-prefill-endpoint' not in answer.headers
    assert finished(fleet.prefills) == [0, 0] and fleet.results('skipped') == 1
    bodies = [last_request(engine.port)['body'] for engine in fleet.decodes]
    assert [body for body in bodies if body] and all('kv_transfer_params' not in (body or {}) for body in bodies)


def test_prompts_that_the_decode_engine_holds_are_spared_the_hop(started):
    fleet = Fleet(started, policy='prefix_aware')
    assert fleet.ask().status == 200 and sum(finished(fleet.prefills)) == 1
    again = fleet.ask(LONG + 'And now?')
    assert again.status == 200 and sum(finished(fleet.prefills)) == 1, 'no second prefill'
    assert fleet.results('skipped') == 1


def test_lmcache_engines_move_blocks_on_their_own(started):
    fleet = Fleet(started, 1, 1, transfer='lmcache')
    assert fleet.ask().status == 200
    assert 'kv_transfer_params' not in last_request(fleet.prefills[0].port)['body']
    assert 'kv_transfer_params' not in last_request(fleet.decodes[0].port)['body']
    assert fleet.results('transferred') == 1


@pytest.mark.parametrize('fault', ['fail=1&status=503', 'fail=1&status=500', 'drop=1', 'refuse=1'])
def test_another_prefill_engine_steps_in(started, fault):
    fleet = Fleet(started)
    control(fleet.prefills[0], fault)
    results = [fleet.ask() for _ in range(4)]
    assert [answer.status for answer in results] == [200] * 4
    assert all(answer.headers['x-sim-engine'].startswith('decode-') for answer in results)
    assert fleet.results('transferred') >= 2


def test_without_prefill_engines_the_decode_engine_does_it_all(started):
    fleet = Fleet(started)
    for engine in fleet.prefills:
        engine.kill()
    answer = fleet.ask()
    assert answer.status == 200 and answer.headers['x-sim-engine'].startswith('decode-')
    decode = fleet.decodes[int(answer.headers['x-sim-engine'].rsplit('-', 1)[1])]
    assert 'kv_transfer_params' not in last_request(decode.port)['body']
    assert answer.json['usage']['prompt_tokens_details']['cached_tokens'] == 0


def test_another_decode_engine_steps_in(started):
    fleet = Fleet(started)
    control(fleet.decodes[0], 'fail=1&status=503')
    results = [fleet.ask() for _ in range(4)]
    assert [answer.status for answer in results] == [200] * 4
    assert {answer.headers['x-sim-engine'] for answer in results} == {'decode-1'}


def test_blocks_are_handed_over_once(started):
    """A decode engine that was reached may have fetched them; the one that steps in computes the prompt."""
    fleet = Fleet(started, 1, 2, policy='least_load')
    control(fleet.decodes[0], 'fail=1&status=503')
    while last_request(fleet.decodes[0].port)['body'] is None:  # in turn: the second request at the latest
        assert fleet.ask().status == 200
    assert 'kv_transfer_params' in last_request(fleet.decodes[0].port)['body']
    assert 'kv_transfer_params' not in last_request(fleet.decodes[1].port)['body']


def test_a_bad_request_is_refused_by_the_decode_engine_itself(started):
    fleet = Fleet(started, 1, 1)
    answer = fleet.ask(max_completion_tokens=-1)
    assert answer.status == 400 and 'max_completion_tokens' in answer.json['error']['message']


@pytest.mark.parametrize('half', ['prefill', 'decode'])
def test_a_client_that_leaves_ends_either_half(started, half):
    fleet = Fleet(started, 1, 1)
    engine = (fleet.prefills if half == 'prefill' else fleet.decodes)[0]
    control(engine, 'delay_ms=60000')
    body = json.dumps({'model': 'base-model', 'messages': [{'role': 'user', 'content': LONG}]}).encode()
    with socket.create_connection(('127.0.0.1', fleet.server.port)) as sock:
        sock.sendall(post_bytes('/v1/chat/completions', body))
        wait_until(lambda: last_request(engine.port).get('path') == '/v1/chat/completions', 'the half to begin')
    begun = time.monotonic()
    wait_until(lambda: last_request(engine.port)['aborted'] == 1, 'the engine to be told')
    assert time.monotonic() - begun < 5
    if half == 'prefill':
        assert last_request(fleet.decodes[0].port).get('path') != '/v1/chat/completions'
    wait_until(lambda: fleet.server.metric('vllm:num_requests_running') == 0, 'the counts to return')


def test_the_prefill_half_has_a_deadline(started):
    fleet = Fleet(started, 1, 1)
    control(fleet.prefills[0], 'hang=1')
    fleet.server.rewrite_config(fleet.server.config_path.read_text().replace(
        '    transfer: nixl', '    transfer: nixl\n    timeout: 200ms'))
    wait_until(lambda: fleet.server.metric('signalbox_config_reloads_total', result='success') == 1, 'the reload')
    answer = fleet.ask()
    assert answer.status == 200 and answer.headers['x-sim-engine'] == 'decode-0'
    assert fleet.results('failed') == 1
