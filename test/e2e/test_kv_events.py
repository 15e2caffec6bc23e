"""Routing by what engines say they hold: KV events over ZeroMQ from several demo engines, lost batches, dead engines,
engines without /tokenize, and prompts that are tokenised by the router itself."""

from pathlib import Path

import configs
from http_client import chat, get, request
from programs import wait_until

TEXT = 'The signal box stands beside the line and sets the points for every train. '
LONG = TEXT * 60
MODEL = str(Path(__file__).resolve().parents[2] / 'test/golden/prompt')  # a small tokenizer and a chat template


def kv_events(engines, **more):
    """The `kv_events` block for demo engines started with --kv-events."""
    publishers = ''.join(
        f'\n      "127.0.0.1:{engine.port}": {{endpoint: "{engine.ports["kv_events"][0]["endpoint"]}", '
        f'replay_endpoint: "{engine.ports["kv_events"][0]["replay_endpoint"]}"}}' for engine in engines)
    settings = ''.join(f'\n    {key}: {value}' for key, value in more.items())
    # One core: what a core learns of a conversation is its own.
    return f'  io_threads: 1\n  kv_events:\n    enabled: true{settings}\n    engines:{publishers}\n'


def start(started, count=3, policy='kv_aware', engine_arguments=(), **more):
    engines = [started.engine(f'engine-{i}', arguments=('--kv-events', *engine_arguments)) for i in range(count)]
    more.setdefault('tokenize_timeout', '20s')  # the machine may be busy; what is slow is no subject here
    own = kv_events(engines, **more)
    server = started.server(configs.proxy([engine.port for engine in engines], policy, own=own))
    return server, engines


def ask(port, text, **more):
    answer = chat(port, text, model='base-model', **more)
    assert answer.status == 200, answer.text
    return answer


def engine_of(answer):
    return answer.headers['x-sim-engine']


def blocks(server):
    return server.metric('signalbox_kv_blocks')


def test_the_engine_that_holds_the_prompt_gets_it(started):
    server, engines = start(started)
    # Straight to one engine: the router has not seen it, only the engine's events tell.
    ask(engines[2].port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    for _ in range(4):
        answer = ask(server.port, LONG + ' And now?')
        assert engine_of(answer) == 'engine-2'
        assert answer.headers['x-signalbox-policy'] == 'kv_aware'
        assert answer.headers['x-signalbox-cache-source'] == 'kv-events'
        held, prompt = map(int, answer.headers['x-signalbox-cached-tokens'].split('/'))
        assert held % 16 == 0 and held >= 16 * (len(LONG) // 64 - 1) and held <= prompt
        assert answer.json['usage']['prompt_tokens_details']['cached_tokens'] >= held


def test_auto_goes_by_the_events_too(started):
    server, engines = start(started, policy='auto')
    ask(engines[1].port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    answer = ask(server.port, LONG + ' And now?')
    assert engine_of(answer) == 'engine-1'
    assert answer.headers['x-signalbox-cache-source'] == 'kv-events'


def test_what_an_engine_has_dropped_is_not_expected_of_it(started):
    server, engines = start(started)
    ask(engines[2].port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    assert request(engines[2].port, 'POST', '/reset_prefix_cache').status == 200
    wait_until(lambda: blocks(server) == 0, 'the blocks to be gone', server)
    ask(engines[0].port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    assert engine_of(ask(server.port, LONG + ' And now?')) == 'engine-0'


def test_lost_batches_are_replayed(started):
    server, engines = start(started, count=2)
    ask(engines[1].port, 'Something else, so that the engine has spoken. ' * 20)
    wait_until(lambda: blocks(server) > 5, 'the first events', server)
    request(engines[1].port, 'POST', '/sim/ctl?mute_kv_events=1')
    ask(engines[1].port, LONG)
    request(engines[1].port, 'POST', '/sim/ctl?mute_kv_events=0')
    ask(engines[1].port, 'One more, which shows the gap. ' * 20)
    wait_until(lambda: blocks(server) > 70, 'the replay', server)
    url = f'http://127.0.0.1:{engines[1].port}'
    assert server.metric('signalbox_kv_event_batches_total', engine=url, outcome='replayed') >= 1
    assert server.metric('signalbox_kv_event_batches_total', engine=url, outcome='missed') == 0
    assert engine_of(ask(server.port, LONG + ' And now?')) == 'engine-1'


def test_a_router_that_comes_later_learns_what_was_stored_before(started):
    engines = [started.engine(f'engine-{i}', arguments=('--kv-events',)) for i in range(2)]
    ask(engines[1].port, LONG)
    own = kv_events(engines, tokenize_timeout='20s')
    server = started.server(configs.proxy([engine.port for engine in engines], 'kv_aware', own=own))
    wait_until(lambda: blocks(server) > 50, 'the replay', server)
    assert engine_of(ask(server.port, LONG + ' And now?')) == 'engine-1'


def test_a_dead_engine_holds_nothing_and_loses_nobody_a_request(started):
    server, engines = start(started)
    ask(engines[2].port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    engines[2].kill()
    wait_until(lambda: blocks(server) == 0, 'the dead engine to be forgotten', server)
    for _ in range(4):
        assert engine_of(ask(server.port, LONG)) != 'engine-2'


def test_later_turns_do_not_wait_for_tokenize(started):
    server, engines = start(started)
    messages = [{'role': 'user', 'content': LONG}]
    first = post_messages(server, messages)
    wait_until(lambda: blocks(server) > 50, 'the events', server)  # the next turn may come to another core
    messages += [{'role': 'assistant', 'content': first.json['choices'][0]['message']['content']},
                 {'role': 'user', 'content': 'And then?'}]
    for engine in engines:
        request(engine.port, 'POST', '/sim/ctl?delay_ms=0')
    second = post_messages(server, messages)
    assert second.status == 200 and engine_of(second) == engine_of(first)
    assert server.metric('signalbox_prompt_token_ids_total', source='engine') == 1
    assert server.metric('signalbox_prompt_token_ids_total', source='cache') == 1


def post_messages(server, messages):
    return request(server.port, 'POST', '/v1/chat/completions', {'model': 'base-model', 'messages': messages})


def test_without_tokenize_the_estimate_stands_in_and_that_is_told(started):
    server, engines = start(started, tokenize_path='/no-such-path')
    ask(engines[2].port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    first = ask(server.port, LONG)
    assert 'x-signalbox-cache-source' not in first.headers
    second = ask(server.port, LONG)
    assert engine_of(second) == engine_of(first), 'the estimated prefix is followed'
    assert server.metric('signalbox_prompt_token_ids_total', source='none') == 2
    assert 1 <= server.log().count('token ids are not to be had') <= 2, 'once a core'


def test_prompts_of_token_ids_need_no_tokenizer(started):
    server, engines = start(started, tokenize_path='/no-such-path')
    ids = get_ids(engines[0].port, LONG)
    # The demo engine reads an array of ids as text, so its own events are of other tokens: none is held, exactly.
    answer = request(server.port, 'POST', '/v1/completions', {'model': 'base-model', 'prompt': ids, 'max_tokens': 1})
    assert answer.status == 200
    assert server.metric('signalbox_prompt_token_ids_total', source='body') == 1


def get_ids(port, text):
    return request(port, 'POST', '/tokenize', {'model': 'base-model', 'prompt': text}).json['tokens']


def test_events_appear_in_valid_metrics(started):
    server, engines = start(started, count=2)
    ask(server.port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    page = get(server.admin_port, '/metrics').text
    for name in ('signalbox_kv_blocks', 'signalbox_kv_events_total', 'signalbox_tokenize_seconds'):
        assert f'# TYPE {name} ' in page


def start_with_tokenizer(started, directory, engine_arguments, count=2):
    engines = [started.engine(f'engine-{i}', arguments=('--kv-events', *engine_arguments)) for i in range(count)]
    # Asked about its tokens again only when an engine comes back.
    own = kv_events(engines, tokenize_timeout='20s', tokenizers=f'{{base-model: "{directory}"}}') + '  health: {models_interval: 1h}\n'
    server = started.server(configs.proxy([engine.port for engine in engines], 'kv_aware', own=own))
    return server, engines


def tokenized(engine):
    """How often the engine was asked for token ids."""
    return get(engine.port, '/sim/last').json['tokenized']


def test_prompts_are_tokenised_here_where_the_engines_agree(started):
    server, engines = start_with_tokenizer(started, MODEL, ('--tokenizer', MODEL))
    wait_until(lambda: server.log().count('agree with those of') == 2, 'the comparison with both', server)
    assert server.metric('signalbox_local_tokenizer', model='base-model') == 1
    assert server.metric('signalbox_tokenizer_checks_total', result='agrees') == 2
    ask(engines[1].port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    asked = [tokenized(engine) for engine in engines]
    assert all(count > 0 for count in asked), 'each was compared with'
    messages = [{'role': 'user', 'content': LONG}]
    for turn in range(4):
        answer = post_messages(server, messages)
        assert engine_of(answer) == 'engine-1'
        assert answer.headers['x-signalbox-cache-source'] == 'kv-events'
        held, prompt = map(int, answer.headers['x-signalbox-cached-tokens'].split('/'))
        assert prompt == answer.json['usage']['prompt_tokens'], 'the very tokens of the engine'
        assert held > prompt - 64
        messages += [{'role': 'assistant', 'content': 'Points 7.'}, {'role': 'user', 'content': f'And then, {turn}?'}]
    assert server.metric('signalbox_prompt_token_ids_total', source='local') == 4
    assert [tokenized(engine) for engine in engines] == asked, 'no engine was asked for the requests'


def test_tokens_that_differ_are_told_and_not_used(started):
    server, engines = start_with_tokenizer(started, MODEL, ())  # these engines make four bytes a token
    wait_until(lambda: server.log().count('agree with those of') == 2, 'the comparison with both', server)
    assert 'for nothing, not for text, chat, tools, tool calls, parts' in server.log()
    assert server.metric('signalbox_local_tokenizer', model='base-model') == 0
    assert server.metric('signalbox_tokenizer_checks_total', result='differs') == 2
    ask(engines[1].port, LONG)
    wait_until(lambda: blocks(server) > 50, 'the events', server)
    assert engine_of(ask(server.port, LONG + ' And now?')) == 'engine-1'
    assert server.metric('signalbox_prompt_token_ids_total', source='engine') == 1
    assert server.metric('signalbox_prompt_token_ids_total', source='local') == 0


def test_one_engine_that_differs_is_enough(started):
    engines = [started.engine('engine-0', arguments=('--kv-events', '--tokenizer', MODEL)),
               started.engine('engine-1', arguments=('--kv-events',))]
    own = kv_events(engines, tokenize_timeout='20s', tokenizers=f'{{base-model: "{MODEL}"}}') + '  health: {models_interval: 1h}\n'
    server = started.server(configs.proxy([engine.port for engine in engines], 'kv_aware', own=own))
    wait_until(lambda: server.log().count('agree with those of') == 2, 'the comparison with both', server)
    assert server.metric('signalbox_local_tokenizer', model='base-model') == 0
    ask(server.port, LONG)
    assert server.metric('signalbox_prompt_token_ids_total', source='local') == 0


def test_a_tokenizer_that_is_not_there_is_told(started):
    server, engines = start_with_tokenizer(started, '/nonexistent', ())
    assert 'base-model: no tokenizer from /nonexistent' in server.log()
    ask(server.port, LONG)
    assert server.metric('signalbox_prompt_token_ids_total', source='engine') == 1
