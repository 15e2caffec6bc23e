"""The gateway path of the founding document through the real Envoy Gateway: it translates the objects and serves them to the
real Envoy. The published objects run unchanged, on the ports and under the names that they say; the AI Gateway's part is
played by its double (gateway.py), and its route table is made of its objects (envoy_gateway.py)."""

import warnings
from pathlib import Path

import pytest

import envoy_gateway
import gateway
from http_client import chat, get
from private_network import private_network
from test_extproc import PATIENT
from test_founding import PROMPTS, QUESTION
from test_gateway import ENGINE_HOST, PROCESSOR_HOST, PUBLISHED, ROOT, emit

OWN_PROCESSOR_HOST = 'signalbox.signalbox-system.svc.cluster.local'
ADAPTERS = 'math-expert,science-expert,social-expert,law-expert,humanities-expert,general-expert'
pytestmark = pytest.mark.heavy

if not envoy_gateway.BINARY:
    pytest.fail('SIGNALBOX_ENVOY_GATEWAY names no binary; ./dev test sets it', pytrace=False)


@pytest.fixture
def network():
    with private_network([ENGINE_HOST, PROCESSOR_HOST, OWN_PROCESSOR_HOST]):
        yield


class Chain:
    """Everything between a client and the engine."""

    def __init__(self, started, objects, config_text, engine_arguments):
        self.engine = started.engine('vllm-sim', port=8000, arguments=engine_arguments)
        self.server = started.server(config_text, ('--extproc-listen', '127.0.0.1:50051'))
        self.double = gateway.AiGateway() if any(entry['kind'] == 'AIGatewayRoute' for entry in objects) else None
        self.objects = objects
        self.front = started.add(envoy_gateway.EnvoyGateway(objects, self.double and self.double.port))

    def stop(self):
        if self.double:
            self.double.stop()


@pytest.fixture
def chain(network, started):
    chains = []

    def of(objects, config_text, engine_arguments=('--lora', ADAPTERS)):
        chains.append(Chain(started, objects, config_text, engine_arguments))
        return chains[-1]
    yield of
    for one in chains:
        one.stop()


def published(chain):
    objects = gateway.load((PUBLISHED / 'aigw-base-model.yaml').read_text(), (PUBLISHED / 'aigw-gwapi-resources.yaml').read_text())
    container = next(entry for entry in objects if entry['kind'] == 'Deployment')['spec']['template']['spec']['containers'][0]
    arguments = list(container['args'])
    at = arguments.index('--port')
    assert arguments[at + 1] == '8000'
    del arguments[at:at + 2]
    return chain(objects, (PUBLISHED / 'semantic-router-values-c-v03.yaml').read_text() + '\n' + PATIENT, arguments)


def own(chain, *flags, config=ROOT / 'deploy/gateway/signalbox.yaml'):
    config_text = config.read_text().replace('signalbox:\n', PATIENT)
    return chain(gateway.load(emit('gateway', '--config', str(config), *flags)), config_text)


def test_the_published_objects_run_unchanged(chain):
    if (PUBLISHED / 'aigw-gwapi-resources.yaml').exists():
        path = published(chain)
    else:
        warnings.warn('the published objects are not beside the project; using deploy/gateway instead')
        path = own(chain, '--placement', 'patch')
    response = chat(path.front.port, QUESTION)
    assert response.status == 200, response.text
    assert response.headers['x-vsr-selected-model'] == 'math-expert'
    seen = path.engine.last_request()
    assert seen['body']['model'] == 'math-expert' == seen['headers']['x-ai-eg-model']
    assert seen['body']['chat_template_kwargs']['enable_thinking'] is True
    found = {}
    for decision, text in PROMPTS.items():
        response = chat(path.front.port, text)
        assert response.status == 200, (decision, response.text)
        assert path.engine.last_request()['body']['model'] == response.headers['x-vsr-selected-model']
        found[decision] = response.headers['x-vsr-selected-decision']
    assert found == {decision: decision for decision in PROMPTS}
    streamed = chat(path.front.port, QUESTION, stream=True)
    assert streamed.headers['content-type'].startswith('text/event-stream')
    assert streamed.text.rstrip().endswith('data: [DONE]')


@pytest.mark.parametrize('flags', [(), ('--placement', 'patch'), ('--routes', 'http'), ('--routes', 'http', '--placement', 'patch')],
                         ids=' '.join)
def test_envoy_gateway_takes_what_emit_writes(chain, flags):
    path = own(chain, *flags)
    for model, expected in (('MoM', 'math-expert'), ('base-model', 'base-model'), ('law-expert', 'law-expert')):
        response = chat(path.front.port, QUESTION, model=model)
        assert response.status == 200, response.text
        assert path.engine.last_request()['headers']['x-ai-eg-model'] == expected
    assert 'MoM' in [model['id'] for model in get(path.front.port, '/v1/models').json['data']]


@pytest.mark.parametrize('modes', ['request_body_mode: streamed', 'request_body_mode: full_duplex_streamed',
                                   'request_body_mode: full_duplex_streamed, allow_mode_override: false'])
@pytest.mark.parametrize('placement', ['extension', 'patch'])
def test_other_body_modes_route_as_well(chain, tmp_path, modes, placement):
    config = tmp_path / 'signalbox.yaml'
    config.write_text((ROOT / 'deploy/gateway/signalbox.yaml').read_text().replace('enabled: true', f'enabled: true, {modes}'))
    path = own(chain, '--routes', 'http', '--placement', placement, config=config)
    response = chat(path.front.port, QUESTION)
    assert response.headers['x-vsr-selected-model'] == 'math-expert', response.text
    assert path.engine.last_request()['headers']['x-ai-eg-model'] == 'math-expert'
    streamed = chat(path.front.port, QUESTION, stream=True)
    assert streamed.text.rstrip().endswith('data: [DONE]')


def test_a_large_prompt_passes_because_the_traffic_policy_says_so(chain):
    path = own(chain, '--routes', 'http')
    response = chat(path.front.port, 'x' * (4 << 20), model='base-model')
    assert response.status == 200, response.text
    assert len(path.engine.last_request()['body']['messages'][0]['content']) == 4 << 20
