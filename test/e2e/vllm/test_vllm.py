"""Two real vLLM engines behind Signalbox: ./dev test --vllm. SIGNALBOX_VLLM names the folder that install.py filled."""

import json
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import openai
import pytest

import configs
import programs
from http_client import get, request

FOLDER = Path(os.environ.get('SIGNALBOX_VLLM', ''))
MODEL = 'tiny'
START_SECONDS = 1200  # imports of torch alone take minutes on a busy machine
LONG = 'The signal box stands beside the line and sets the points. ' * 12


class Vllm:
    """One engine; ended with its whole process group, because it forks an engine core."""

    def __init__(self, name):
        self.name, self.port = name, programs.free_ports(1)[0]
        self.kv_port, self.kv_replay_port = programs.free_ports(2)
        kv_events = {'enable_kv_cache_events': True, 'publisher': 'zmq', 'endpoint': f'tcp://*:{self.kv_port}',
                     'replay_endpoint': f'tcp://*:{self.kv_replay_port}'}
        self.log_path = Path(tempfile.mkdtemp(prefix='signalbox-vllm-')) / f'{name}.log'
        environment = {**os.environ, 'VLLM_CPU_KVCACHE_SPACE': '1', 'HF_HUB_OFFLINE': '1', 'VLLM_HOST_IP': '127.0.0.1',
                       'GLOO_SOCKET_IFNAME': 'lo', 'VLLM_NO_USAGE_STATS': '1'}
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(
                [FOLDER / 'venv/bin/python', '-m', 'vllm.entrypoints.cli.main', 'serve', FOLDER / 'model',
                 '--served-model-name', MODEL, '--host', '127.0.0.1', '--port', str(self.port), '--load-format', 'dummy',
                 '--enforce-eager', '--dtype', 'float32', '--max-model-len', '2048', '--enable-prefix-caching',
                 '--kv-events-config', json.dumps(kv_events)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)

    def log(self):
        return self.log_path.read_text(errors='replace')[-20000:]

    def wait_ready(self):
        programs.wait_until(lambda: get(self.port, '/health').status == 200, 'vLLM', self, START_SECONDS)

    def metric(self, name):
        page = get(self.port, '/metrics').text
        return sum(float(value) for value in re.findall(rf'^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$', page, re.M))

    def block_tokens(self):
        """Tokens of a block of its cache: 128 on CPUs unless told otherwise, 16 on GPUs."""
        return int(re.search(r'^vllm:cache_config_info\{.*?\bblock_size="(\d+)"', get(self.port, '/metrics').text, re.M).group(1))

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope='module')
def engines():
    running = [Vllm('vllm-1'), Vllm('vllm-2')]
    try:
        for engine in running:
            engine.wait_ready()
        yield running
    finally:
        for engine in running:
            engine.stop()


@pytest.fixture(scope='module')
def server(engines):
    server = programs.Server(configs.proxy([engine.port for engine in engines], 'session', MODEL))
    yield server
    assert server.stop() == 0, server.log()[-20000:]


@pytest.fixture
def client(server):
    return openai.OpenAI(base_url=f'http://127.0.0.1:{server.port}/v1', api_key='unused', max_retries=0, timeout=120)


def ask(text):
    return [{'role': 'user', 'content': text}]


def test_chat(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask('Hello'), max_tokens=16)
    assert answer.usage.completion_tokens > 0
    assert answer.choices[0].finish_reason in ('length', 'stop')


def test_a_stream_with_usage_counts_the_same_in_client_and_metrics(client, server):
    before = server.metric('llm_model_completion_tokens_total')
    usage = None
    for part in client.chat.completions.create(model=MODEL, messages=ask('Hello'), max_tokens=16, stream=True,
                                               stream_options={'include_usage': True}):
        usage = part.usage or usage
    programs.wait_until(
        lambda: server.metric('llm_model_completion_tokens_total') == before + usage.completion_tokens,
        'the tokens of the stream', server, 20)


def greedy_stream(port, **fields):
    body = {'model': MODEL, 'messages': ask('Count'), 'max_tokens': 12, 'stream': True, 'temperature': 0, **fields}
    text = request(port, 'POST', '/v1/chat/completions', body).text
    text = re.sub(r'"id":"[^"]*"', '"id":""', text)
    return re.sub(r'"created":\d+', '"created":0', text)


def test_a_greedy_stream_is_the_engines_own_byte_for_byte(engines, server):
    fields = {'stream_options': {'include_usage': True}}
    assert greedy_stream(server.port, **fields) in {greedy_stream(engine.port, **fields) for engine in engines}


def test_a_stream_whose_client_wants_no_usage_lacks_only_the_fingerprint(engines, server):
    """Signalbox asks for the usage chunk itself and hides it; this engine then writes its fingerprint there, not in the
    last chunk of the answer (docs/life-of-a-request.md)."""
    own = {re.sub(r',"system_fingerprint":"[^"]*"', '', greedy_stream(engine.port)) for engine in engines}
    assert greedy_stream(server.port) in own


def test_a_session_finds_its_prefix_in_the_cache_of_its_replica(client, engines):
    queries = [engine.metric('vllm:prefix_cache_queries_total') for engine in engines]
    hits = [engine.metric('vllm:prefix_cache_hits_total') for engine in engines]
    for _ in range(3):
        client.chat.completions.create(model=MODEL, messages=ask(LONG), max_tokens=2,
                                       extra_headers={'x-session-id': 'anna'})
    asked = [engine.metric('vllm:prefix_cache_queries_total') - before for engine, before in zip(engines, queries)]
    found = [engine.metric('vllm:prefix_cache_hits_total') - before for engine, before in zip(engines, hits)]
    replica = asked.index(max(asked))
    assert asked[1 - replica] == 0
    assert found[replica] > 0.5 * asked[replica]


def test_the_engines_own_metrics_and_ours_name_both_replicas(engines, server):
    page = get(server.admin_port, '/metrics').text
    for engine in engines:
        assert f'127.0.0.1:{engine.port}' in page
        assert 'vllm:num_requests_running' in get(engine.port, '/metrics').text


def test_the_model_list_and_tokenize_are_the_engines(server):
    assert MODEL in [model['id'] for model in get(server.port, '/v1/models').json['data']]
    answer = request(server.port, 'POST', '/tokenize', {'model': MODEL, 'prompt': 'Hello'})
    assert answer.status == 200 and answer.json['count'] >= 5


def test_an_error_of_the_engine_is_passed_on_as_it_is(engines, server):
    body = {'model': MODEL, 'messages': ask('Hello'), 'max_tokens': 100_000}
    direct = request(engines[0].port, 'POST', '/v1/chat/completions', body)
    relayed = request(server.port, 'POST', '/v1/chat/completions', body)
    assert direct.status == relayed.status == 400
    assert json.loads(direct.body)['error']['message'] == json.loads(relayed.body)['error']['message']


def kv_aware(engines, setting):
    """A router that listens to the events of these engines."""
    publishers = ''.join(
        f'\n      "127.0.0.1:{engine.port}": {{endpoint: "tcp://127.0.0.1:{engine.kv_port}", '
        f'replay_endpoint: "tcp://127.0.0.1:{engine.kv_replay_port}"}}' for engine in engines)
    return programs.Server(configs.proxy([engine.port for engine in engines], 'kv_aware', MODEL, own=f'''  kv_events:
    enabled: true
    {setting}
    engines:{publishers}
'''))


def test_kv_events_of_real_engines_decide(engines):
    """The prompt is computed by one engine behind the router's back; its events alone tell the router."""
    server = kv_aware(engines, 'tokenize_timeout: 20s')
    try:
        text = 'Points, signals and levers, one after the other. ' * 20
        body = {'model': MODEL, 'messages': [{'role': 'user', 'content': text}], 'max_tokens': 4}
        assert request(engines[1].port, 'POST', '/v1/chat/completions', body).status == 200
        url = f'http://127.0.0.1:{engines[1].port}'
        block = engines[1].block_tokens()
        computed = request(engines[1].port, 'POST', '/tokenize', body).json['count']
        whole = computed // block
        assert whole * block > 256, 'the prompt fills blocks enough to tell engines apart'
        programs.wait_until(lambda: server.metric('signalbox_kv_blocks', engine=url) >= whole, 'the events', server)
        before = engines[1].metric('vllm:prefix_cache_hits_total')
        body['messages'][0]['content'] = text + 'And now?'
        answer = request(server.port, 'POST', '/v1/chat/completions', body)
        assert answer.status == 200 and answer.headers['x-signalbox-cache-source'] == 'kv-events'
        held = int(answer.headers['x-signalbox-cached-tokens'].split('/')[0])
        hits = engines[1].metric('vllm:prefix_cache_hits_total') - before
        # The last block may hold what the template puts behind the text, which the second prompt does not repeat.
        assert held in (whole * block, (whole - 1) * block)
        assert hits >= held, 'the engine found at least what the router expected of it'
        assert server.metric('signalbox_kv_event_batches_total', outcome='malformed') == 0
    finally:
        server.stop()


def test_our_tokens_are_those_of_real_engines(engines):
    """The engines' own folder, rendered and tokenised here: both agree, so no request needs their /tokenize."""
    server = kv_aware(engines, f'tokenizers: {{{MODEL}: "{FOLDER / "model"}"}}')
    try:
        programs.wait_until(lambda: server.log().count('agree with those of') >= 2, 'the comparison with both', server)
        assert server.metric('signalbox_tokenizer_checks_total', result='differs') == 0
        assert server.metric('signalbox_local_tokenizer', model=MODEL) == 1
        text = 'Wires, rods and detonators, each in its place: größer 你好 😀. ' * 16
        body = {'model': MODEL, 'messages': [{'role': 'user', 'content': text}], 'max_tokens': 4}
        assert request(server.port, 'POST', '/v1/chat/completions', body).status == 200
        programs.wait_until(lambda: server.metric('signalbox_kv_blocks') > 0, 'the events', server)
        answer = request(server.port, 'POST', '/v1/chat/completions', body)
        assert answer.status == 200
        assert server.metric('signalbox_prompt_token_ids_total', source='local') == 1
        assert server.metric('signalbox_prompt_token_ids_total', source='cache') == 1
        prompt = int(answer.headers['x-signalbox-cached-tokens'].split('/')[1])
        assert prompt == answer.json['usage']['prompt_tokens']
    finally:
        server.stop()
