"""`signalbox router` in the place of vLLM Production Stack's router: flags, files, log line, metrics, endpoints."""

import json
import re
import subprocess

import pytest

from http_client import chat, get, request
from programs import BINARY, Router, static, wait_until

# As the chart's router template writes them for the published values files (release vllm-stack, namespace default).
CHART = ['--host', '0.0.0.0', '--service-discovery', 'k8s', '--k8s-namespace', 'default',
         '--k8s-service-discovery-type', 'pod-ip', '--k8s-label-selector', 'environment=test,release=test']
CHART_STATS = ['--engine-stats-interval', '15', '--request-stats-window', '60']
CHART_LISTS = {
    'values-23-SR': ['--routing-logic', 'roundrobin', '--session-key', 'x-user-id', *CHART_STATS],
    'values-06-shared-storage': ['--routing-logic', 'session', '--session-key', 'x-user-id', *CHART_STATS],
    'values-18-prefix-aware': ['--routing-logic', 'prefixaware', '--prefix-min-match-length', '0', *CHART_STATS],
    'values-17-kv-aware': ['--routing-logic', 'kvaware', '--session-key', 'x-user-id', *CHART_STATS,
                           '--lmcache-controller-port', '9000', '--lmcache-controller-reply-port', '9001',
                           '--lmcache-controller-heartbeat-port', '9002'],
    'values-16-disagg-prefill': ['--routing-logic', 'disaggregated_prefill', *CHART_STATS,
                                 '--prefill-model-labels', 'llama-prefill', '--decode-model-labels', 'llama-decode'],
    'values-12-otel': ['--routing-logic', 'roundrobin', *CHART_STATS, '--otel-endpoint', '127.0.0.1:4317',
                       '--otel-service-name', 'vllm-router'],
}


def run(*arguments):
    return subprocess.run([BINARY, 'router', *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize('values', CHART_LISTS)
def test_the_argument_lists_of_the_chart_start_it(started, values):
    router = started.router([*CHART, *CHART_LISTS[values]], wait_ready=False)
    wait_until(lambda: get(router.port, '/health').status == 200, 'the probe of the chart', router)
    assert get(router.port, '/health').json['status'] == 'healthy'
    assert 'k8s is not supported yet' in router.log()
    assert chat(router.port, 'hello', model='qwen3').status == 404


def test_requests_are_routed_by_the_flags(started):
    engines = [started.engine('one'), started.engine('two')]
    router = started.router(static(engines))
    seen = [chat(router.port, 'hello', model='base-model').headers['x-sim-engine'] for _ in range(6)]
    assert sorted(seen) == ['one'] * 3 + ['two'] * 3
    assert all(a != b for a, b in zip(seen, seen[1:])), 'round robin never asks one engine twice in a row'


@pytest.mark.parametrize('arguments, words', [
    (['--service-discovery', 'static'], ['--static-backends', 'required']),
    (['--service-discovery', 'static', '--static-backends', 'http://a:1,http://b:2', '--static-models', 'm',
      '--routing-logic', 'roundrobin'], ['--static-models', '1 entries', '2', 'same order']),
    (['--routing-logic', 'roundrobin'], ['--service-discovery', 'required']),
    (['--service-discovery', 'k8s'], ['--routing-logic', 'required']),
    (['--service-discovery', 'k8s', '--routing-logic', 'rondrobin'], ['roundrobin', 'did you mean']),
    (['--service-discovery', 'k8s', '--routing-logic', 'session'], ['--session-key', 'required']),
    (['--sessionkey', 'x'], ['unknown flag', '--session-key']),
    (['--k8s', 'x'], ['short for several']),
    (['--port', 'many'], ['--port', 'whole number']),
    (['--port'], ['--port', 'needs a value']),
    (['--log-stats=yes'], ['--log-stats', 'no value']),
    (['--service-discovery', 'static', '--static-backends', 'not a url', '--routing-logic', 'roundrobin'],
     ['not a url', 'http://host:port']),
    (['--service-discovery', 'static', '--static-backends', 'http://a:1', '--static-models', 'm', '--routing-logic',
      'roundrobin', '--static-backend-health-checks'], ['--static-model-types']),
    (['--service-discovery', 'static', '--static-backends', 'http://a:1', '--static-models', 'm', '--routing-logic',
      'roundrobin', '--static-model-types', 'chatt'], ['did you mean chat']),
    (['--service-discovery', 'k8s', '--routing-logic', 'roundrobin', '--engine-stats-interval', '0'],
     ['--engine-stats-interval', 'greater than 0']),
])
def test_bad_flags_are_named_with_a_remedy(arguments, words):
    ended = run(*arguments)
    assert ended.returncode == 2
    for word in words:
        assert word in ended.stderr, ended.stderr


def test_flags_are_read_as_argparse_reads_them(started):
    engine = started.engine('one')
    router = started.router(['--service-disc=static', f'--static-backends=http://127.0.0.1:{engine.port}',
                             '--static-models=first', '--static-models=base-model', '--routing-logic', 'roundrobin'])
    assert chat(router.port, 'hello', model='base-model').status == 200


def test_help_comes_in_groups_and_version_is_one_line():
    text = run('--help').stdout
    for heading in ('Listening:', 'Engines:', 'Kubernetes:', 'Routing:', 'Files and batches:'):
        assert heading in text
    for flag in ('--static-backends', '--max-instance-failover-reroute-attempts', '--sentry-dsn', '--otel-secure'):
        assert flag in text
    assert re.fullmatch(r'signalbox router \d+\.\d+\.\d+\S*\n', run('--version').stdout)


def test_the_routing_line_can_be_read_by_the_replaced_routers_tests(started):
    engines = [started.engine('one'), started.engine('two')]
    router = started.router(static(engines, logic='session', extra=['--session-key', 'x-user-id']))
    for user in ('ann', 'bob', 'ann', 'ann', 'bob'):
        assert chat(router.port, 'hello', model='base-model', headers={'x-user-id': user}).status == 200
    assert chat(router.port, 'hello', model='base-model', headers={'x-request-id': 'my-id'}).status == 200
    pattern = re.compile(r'Routing request (\S+) with session id (\S+) to (\S+) at ([\d.]+), process time = ([\d.]+)')
    wait_until(lambda: len(pattern.findall(router.log())) == 6, 'six routing lines', router)
    lines = pattern.findall(router.log())
    urls = {f'http://127.0.0.1:{engine.port}' for engine in engines}
    by_user = {}
    for request_id, session, url, _, _ in lines:
        assert url in urls
        by_user.setdefault(session, set()).add(url)
    assert len(by_user['ann']) == 1 and len(by_user['bob']) == 1
    # Each core writes its own lines, so those of two cores may change places.
    assert ('my-id', 'None') in [line[:2] for line in lines]


def test_a_session_id_cannot_break_the_line(started):
    router = started.router(static([started.engine('one')], logic='session', extra=['--session-key', 'user']))
    chat(router.port, 'hello', model='base-model', user='a\nRouting request forged')
    wait_until(lambda: 'session id a?Routing' in router.log(), 'the line', router)


# ------------------------------------------------------------------------------------------------ files of changes

def dynamic(tmp_path, text, name='dynamic.yaml'):
    path = tmp_path / name
    path.write_text(text)
    return path


def replace(path, text):
    beside = path.with_suffix('.new')
    beside.write_text(text)
    beside.rename(path)


def test_the_file_of_changes_in_yaml_reroutes_without_losing_anything(started, tmp_path):
    one, two = started.engine('one'), started.engine('two')
    path = dynamic(tmp_path, f'''service_discovery: static
routing_logic: prefixaware
static_models:
  base-model:
    static_backends: [http://127.0.0.1:{one.port}]
    static_model_type: chat
static_aliases:
  gpt: base-model
session_key: x-user-id
''')
    router = started.router(['--dynamic-config-yaml', str(path), '--max-instance-failover-reroute-attempts', '1'])
    prompt = 'a long prompt that is the same each time ' * 60
    assert chat(router.port, prompt, model='gpt').headers['x-sim-engine'] == 'one'
    assert get(router.port, '/health').json['dynamic_config']['routing_logic'] == 'prefixaware'
    dead = 1  # nothing listens there: failover must survive the change
    replace(path, path.read_text().replace('static_backends: [',
                                           f'static_backends: [http://127.0.0.1:{dead}, http://127.0.0.1:{two.port}, ')
            .replace('gpt:', 'gpt-next:'))
    wait_until(lambda: chat(router.port, 'x', model='gpt-next').status == 200, 'the new alias', router)
    assert chat(router.port, 'x', model='gpt').status == 404
    for _ in range(8):
        assert chat(router.port, 'other', model='base-model').status == 200, 'failover works after a reload too'
    answer = chat(router.port, prompt, model='base-model')
    assert answer.headers['x-sim-engine'] == 'one', 'the prefix index has survived'
    assert int(answer.headers['x-signalbox-cached-tokens'].split('/')[0]) > 0


def test_the_file_of_changes_in_json(started, tmp_path):
    one, two = started.engine('one'), started.engine('two')
    settings = {'service_discovery': 'static', 'routing_logic': 'roundrobin',
                'static_backends': f'http://127.0.0.1:{one.port}', 'static_models': 'base-model'}
    path = dynamic(tmp_path, json.dumps(settings), 'dynamic.json')
    # A key that is a flag, and that the replaced router cannot reload.
    router = started.router(['--dynamic-config-json', str(path)])
    assert chat(router.port, 'x', model='base-model').headers['x-sim-engine'] == 'one'
    replace(path, '{"broken": ')
    wait_until(lambda: 'configuration not changed' in router.log(), 'the complaint', router)
    assert chat(router.port, 'x', model='base-model').status == 200
    settings.update(static_backends=f'http://127.0.0.1:{two.port}', log_stats=True)
    replace(path, json.dumps(settings))
    wait_until(lambda: chat(router.port, 'x', model='base-model').headers['x-sim-engine'] == 'two', 'the change', router)


def test_mistakes_in_the_file_name_file_line_and_key(tmp_path):
    path = dynamic(tmp_path, 'service_discovery: static\nrouting_logik: roundrobin\n')
    ended = run('--dynamic-config-yaml', str(path))
    assert ended.returncode == 2
    assert f'{path}:2: routing_logik' in ended.stderr and 'routing_logic' in ended.stderr


def test_external_providers(started, tmp_path):
    hosted = started.engine('hosted', arguments=['--model', 'gpt-4o'])
    local = started.engine('local')
    providers = dynamic(tmp_path, f'''external_providers:
  - name: hosted
    type: openai
    api_base: http://127.0.0.1:{hosted.port}/v1
    api_key_env_var: HOSTED_KEY
    custom_headers: {{x-team: blue}}
    models:
      - id: gpt-4o
        aliases: [best]
''', 'providers.yaml')
    router = started.router([*static([local]), '--external-providers-config', str(providers)],
                            environment={'HOSTED_KEY': 'sk-hosted'})
    answer = chat(router.port, 'hello', model='best', headers={'authorization': 'Bearer mine'})
    assert answer.headers['x-sim-engine'] == 'hosted'
    asked = hosted.last_request()
    assert asked['headers']['authorization'] == 'Bearer sk-hosted' and asked['headers']['x-team'] == 'blue'
    assert asked['body']['model'] == 'gpt-4o'
    assert {model['id'] for model in get(router.port, '/v1/models').json['data']} >= {'gpt-4o', 'base-model'}


# ------------------------------------------------------------------------------------------------ endpoints

def test_metrics_that_dashboards_and_autoscalers_query(started):
    engines = [started.engine('one'), started.engine('two')]
    router = started.router(static(engines))
    for _ in range(4):
        assert chat(router.port, 'hello', model='base-model').status == 200
    url = f'http://127.0.0.1:{engines[0].port}'
    assert router.metric('vllm:healthy_pods_total') == 2
    assert router.metric('vllm:num_incoming_requests_total', model='base-model') == 4
    assert router.metric('vllm:request_latency_seconds_count', server=url, status='success') == 2
    assert router.metric('vllm:output_tokens_total', server=url, model='base-model') > 0
    for gauge in ('vllm:num_requests_running', 'vllm:num_prefill_requests', 'vllm:num_decoding_requests'):
        assert router.metric(gauge) == 0, gauge
    text = get(router.port, '/metrics').text
    for name in ('vllm:current_qps', 'vllm:avg_latency', 'router_cpu_usage_percent', 'router_memory_usage_percent',
                 'router_disk_usage_percent'):
        assert f'\n{name}' in text, name
    chat(router.port, 'hello', model='nobody-has-it')
    assert router.metric('vllm:num_incoming_requests_total', model='nobody-has-it') == 0, 'clients invent no labels'
    engines[0].kill()
    wait_until(lambda: router.metric('vllm:healthy_pods_total') == 1, 'the dead engine to be seen', router)


def test_models_are_listed_with_the_engines_own_cards(started):
    engine = started.engine('one', arguments=['--lora', 'sql'])
    router = started.router(static([engine]))
    wait_until(lambda: len(get(router.port, '/v1/models').json['data']) == 2, 'the adapter', router)
    def cards(port):
        listed = get(port, '/v1/models').json['data']
        return {card['id']: {key: value for key, value in card.items() if key != 'created'} for card in listed}

    own = cards(engine.port)
    assert own['base-model']['max_model_len'] and own['sql']['parent'] == 'base-model'
    assert cards(router.port) == own, 'every field that the engine says'
    assert get(router.port, '/v1/models/sql').json['parent'] == 'base-model'
    assert get(router.port, '/v1/models/other').status == 404


def test_adapters_are_routed_to_where_they_are_loaded(started):
    engines = [started.engine('one'), started.engine('two')]
    router = started.router(static(engines))
    ids = {entry['engine_id'] for entry in get(router.port, '/engines').json}
    assert len(ids) == 2
    assert chat(router.port, 'x', model='law').status == 404
    chosen = sorted(ids)[0]
    loaded = request(router.port, 'POST', f'/v1/load_lora_adapter?id={chosen}', {'lora_name': 'law', 'lora_path': '/l'})
    assert loaded.status == 200, loaded.text
    seen = {chat(router.port, 'x', model='law').headers['x-sim-engine'] for _ in range(4)}
    assert len(seen) == 1
    unloaded = request(router.port, 'POST', '/v1/unload_lora_adapter', {'lora_name': 'law'})
    assert [part['status'] for part in unloaded.json['engines']].count(200) == 1
    assert chat(router.port, 'x', model='law').status == 404


def test_sleeping_engines_get_nothing_until_they_are_woken(started):
    engines = [started.engine('one'), started.engine('two')]
    router = started.router(static(engines))
    by_name = {}
    for entry in get(router.port, '/engines').json:
        answer = request(router.port, 'POST', f'/v1/chat/completions?id={entry["engine_id"]}',
                         {'model': 'base-model', 'messages': [{'role': 'user', 'content': 'x'}]})
        by_name[answer.headers['x-sim-engine']] = entry['engine_id']
    one = by_name['one']
    assert request(router.port, 'POST', '/sleep').status == 400
    assert request(router.port, 'POST', '/sleep?id=nobody').status == 400
    assert request(router.port, 'POST', f'/sleep?id={one}&level=1').status == 200
    assert get(router.port, f'/is_sleeping?id={one}').json == {'is_sleeping': True}
    assert {chat(router.port, 'x', model='base-model').headers['x-sim-engine'] for _ in range(4)} == {'two'}
    pinned = request(router.port, 'POST', f'/v1/chat/completions?id={one}',
                     {'model': 'base-model', 'messages': [{'role': 'user', 'content': 'x'}]})
    assert pinned.status == 503
    assert request(router.port, 'POST', f'/wake_up?id={one}').status == 200
    wait_until(lambda: chat(router.port, 'x', model='base-model').headers['x-sim-engine'] == 'one', 'one again', router)


def test_pinning_goes_to_the_engine_named(started):
    engines = [started.engine('one'), started.engine('two')]
    router = started.router(static(engines))
    for entry in get(router.port, '/engines').json:
        names = {request(router.port, 'POST', f'/v1/completions?id={entry["engine_id"]}&x=1',
                         {'model': 'base-model', 'prompt': 'x'}).headers['x-sim-engine'] for _ in range(4)}
        assert len(names) == 1
    assert request(router.port, 'POST', '/v1/completions?id=none', {'model': 'base-model', 'prompt': 'x'}).status == 404


@pytest.mark.parametrize('path, body', [
    ('/v1/completions', {'prompt': 'hi'}),
    ('/v1/embeddings', {'input': 'hi'}),
    ('/v1/responses', {'input': 'hi'}),
    ('/v1/messages', {'max_tokens': 5, 'messages': [{'role': 'user', 'content': 'hi'}]}),
    ('/v1/rerank', {'query': 'a', 'documents': ['a', 'b']}),
    ('/rerank', {'query': 'a', 'documents': ['a', 'b']}),
    ('/v1/score', {'text_1': 'a', 'text_2': 'b'}),
    ('/score', {'text_1': 'a', 'text_2': 'b'}),
    ('/tokenize', {'prompt': 'hi'}),
    ('/detokenize', {'tokens': [1]}),
    ('/v1/audio/speech', {'input': 'hi', 'voice': 'simulated'}),
    ('/v1/images/generations', {'prompt': 'a bird'}),
])
@pytest.mark.parametrize('logic', ['prefixaware', 'auto'])
def test_every_endpoint_is_routed_by_every_logic(started, path, body, logic):
    router = started.router(static([started.engine('one')], logic=logic))
    answer = request(router.port, 'POST', path, {'model': 'base-model', **body})
    assert answer.status == 200, answer.text
    assert request_count(started.programs[0]) > 0


def request_count(engine):
    return get(engine.port, '/sim/last').json['requests']


@pytest.mark.parametrize('path', ['/v1/audio/transcriptions', '/v1/audio/translations', '/v1/images/edits'])
def test_forms_go_on_byte_for_byte(started, path):
    engine = started.engine('one')
    router = started.router(static([engine], extra=['--static-aliases', 'whisper:base-model']))
    fields = {'model': 'whisper', 'timestamp_granularities[]': 'word', 'x-own': 'kept', 'response_format': 'srt'}
    form = b''.join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                    for name, value in fields.items())
    form += b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + bytes(range(256)) + \
        b'\r\n--b--\r\n'
    answer = request(router.port, 'POST', path, form, {'content-type': 'multipart/form-data; boundary=b'})
    assert answer.status == 200, answer.text
    assert get(engine.port, '/sim/last/body').body == form.replace(b'whisper', b'base-model')


def test_voices_need_no_body(started):
    router = started.router(static([started.engine('one')]))
    assert get(router.port, '/v1/audio/voices').json == {'voices': ['simulated']}
    assert get(router.port, '/v1/audio/voices?model=base-model').status == 200


def test_below_a_root_path(started):
    router = started.router(static([started.engine('one')], extra=['--root-path', '/llm']))
    body = {'model': 'base-model', 'prompt': 'x'}
    assert request(router.port, 'POST', '/llm/v1/completions', body).status == 200
    assert request(router.port, 'POST', '/v1/completions', body).status == 200
    assert get(router.port, '/llm/health').status == 200


@pytest.mark.parametrize('logic', ['disaggregated_prefill', 'disaggregated_prefill_orchestrated'])
def test_prompts_and_answers_go_to_different_engines_by_their_labels(started, logic):
    engines = [started.engine('one'), started.engine('two')]
    router = started.router(static(engines, logic=logic, extra=[
        '--static-model-labels', 'llama-prefill,llama-decode', '--prefill-model-labels', 'llama-prefill',
        '--decode-model-labels', 'llama-decode']))
    answer = chat(router.port, 'a question ' * 50, model='base-model')
    assert answer.status == 200
    assert answer.headers['x-sim-engine'] == 'two'
    assert answer.headers['x-signalbox-prefill-endpoint'].endswith(f':{engines[0].port}')


def test_disaggregated_prefill_without_labels_says_what_to_give(started):
    done = run('--service-discovery', 'static', '--static-backends', 'http://a:1', '--static-models', 'm', '--routing-logic',
               'disaggregated_prefill')
    assert done.returncode == 2
    assert '--static-model-labels' in done.stderr and '--prefill-model-labels' in done.stderr


def test_kvaware_says_whom_it_listens_to(started):
    engines = [started.engine('one')]
    router = started.router(static(engines, logic='kvaware'))
    assert chat(router.port, 'hello', model='base-model').headers['x-signalbox-policy'] == 'kv_aware'
    assert '--lmcache-controller-reply-port' in router.log(), 'what its workers need besides'
