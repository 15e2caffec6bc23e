"""The gateway path of the founding document: Envoy AI Gateway's objects, Signalbox in the place of the published
processor, a demo engine in the place of the published simulator. The published objects stand beside the project, not in it;
a bare clone uses the project's own in deploy/gateway instead and says so."""

import subprocess
import warnings
from pathlib import Path

import pytest

import configs
import envoy_process
import gateway
import programs
from http_client import chat, get
from programs import wait_until
from test_extproc import DOOR, MOM, PATIENT
from test_founding import PROMPTS, QUESTION

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT.parent / 'shared' / 'compat'
ENGINE_HOST = 'vllm-llama3-8b-instruct.default.svc.cluster.local'
PROCESSOR_HOST = 'semantic-router.vllm-semantic-router-system.svc.cluster.local'


def emit(*arguments):
    run = subprocess.run([programs.BINARY, 'emit', *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout


class Chain:
    """Everything between a client and the engine."""

    def __init__(self, started, objects, config_text, engine_arguments, processor_host):
        self.engine = started.engine('vllm-sim', arguments=engine_arguments)
        self.server = started.server(config_text, DOOR)
        self.double = gateway.AiGateway()
        places = {ENGINE_HOST: self.engine.port, processor_host: self.server.ports['extproc']}
        config = gateway.translate(objects, places, self.double.port, self.server.ports['extproc'])
        self.front = started.add(envoy_process.Envoy(config))


def published_path(started):
    objects = gateway.load((PUBLISHED / 'aigw-base-model.yaml').read_text(), (PUBLISHED / 'aigw-gwapi-resources.yaml').read_text())
    container = next(entry for entry in objects if entry['kind'] == 'Deployment')['spec']['template']['spec']['containers'][0]
    arguments = list(container['args'])
    # Its port, which many tests at once cannot share.
    at = arguments.index('--port')
    del arguments[at:at + 2]
    values = (PUBLISHED / 'semantic-router-values-c-v03.yaml').read_text() + '\n' + PATIENT
    return Chain(started, objects, values, arguments, PROCESSOR_HOST)


def own_path(started, *flags):
    objects = gateway.load(emit('gateway', '--config', str(ROOT / 'deploy/gateway/signalbox.yaml'), *flags))
    arguments = ('--lora', 'math-expert,science-expert,social-expert,law-expert,humanities-expert,general-expert')
    return Chain(started, objects, (ROOT / 'deploy/gateway/signalbox.yaml').read_text().replace('signalbox:\n', PATIENT), arguments,
                 'signalbox.signalbox-system.svc.cluster.local')


@pytest.fixture
def path(started):
    if (PUBLISHED / 'aigw-gwapi-resources.yaml').exists():
        found = published_path(started)
    else:
        warnings.warn('the published objects are not beside the project; using deploy/gateway instead')
        found = own_path(started, '--placement', 'patch')
    yield found
    found.double.stop()


def test_the_published_objects_lead_the_founding_question_to_the_math_expert(path):
    response = chat(path.front.port, QUESTION)
    assert response.status == 200, response.text
    assert response.headers['x-vsr-selected-category'] == 'math'
    assert response.headers['x-vsr-selected-model'] == 'math-expert'
    assert response.headers['x-vsr-selected-reasoning'] == 'on'
    seen = path.engine.last_request()
    assert seen['body']['model'] == 'math-expert' == seen['headers']['x-ai-eg-model']
    assert seen['body']['chat_template_kwargs']['enable_thinking'] is True
    assert path.double.models == ['math-expert'], 'the AI Gateway reads the edited body'


def test_the_published_objects_lead_a_prompt_of_each_domain_to_its_adapter(path):
    found = {}
    for decision, text in PROMPTS.items():
        response = chat(path.front.port, text)
        assert response.status == 200, (decision, response.text)
        seen = path.engine.last_request()['body']
        assert seen['model'] == response.headers['x-vsr-selected-model']
        found[decision] = response.headers['x-vsr-selected-decision']
    assert found == {decision: decision for decision in PROMPTS}


def test_the_published_objects_stream(path):
    response = chat(path.front.port, QUESTION, stream=True)
    assert response.headers['content-type'].startswith('text/event-stream')
    assert response.text.rstrip().endswith('data: [DONE]')


def test_a_name_without_a_rule_meets_the_gateways_404(path):
    if 'general-expert' in path.server.config_path.read_text() and not (PUBLISHED / 'aigw-gwapi-resources.yaml').exists():
        pytest.xfail('our own objects have a rule for every name')
    response = chat(path.front.port, 'hello', model='base-model')
    assert response.status == 404
    assert 'No matching route' in response.text


@pytest.mark.parametrize('placement', ['patch', 'extension'])
@pytest.mark.parametrize('routes', ['ai', 'http'])
def test_our_objects_know_every_name_in_either_placement(started, placement, routes):
    path = own_path(started, '--placement', placement, '--routes', routes)
    try:
        for model, expected in (('MoM', 'math-expert'), ('base-model', 'base-model'), ('law-expert', 'law-expert')):
            response = chat(path.front.port, QUESTION, model=model)
            assert response.status == 200, response.text
            assert path.engine.last_request()['headers']['x-ai-eg-model'] == expected
        assert 'MoM' in [model['id'] for model in get(path.front.port, '/v1/models').json['data']]
    finally:
        path.double.stop()


def test_as_an_endpoint_picker_signalbox_spreads_prompts_over_the_pool_and_keeps_conversations_together(started):
    objects = gateway.load((ROOT / 'deploy/gateway/inference-pool.yaml').read_text(), (ROOT / 'deploy/gateway/engine.yaml').read_text())
    container = next(entry for entry in objects if entry['kind'] == 'Deployment')['spec']['template']['spec']['containers'][0]
    command, *arguments = container['args']
    assert command == 'sim'
    for flag in ('--host', '--port'):  # many tests at once share the machine
        at = arguments.index(flag)
        del arguments[at:at + 2]
    engines = {engine.port: engine for engine in (started.engine(f'pod-{i}', arguments=arguments) for i in range(3))}
    server = started.server(configs.proxy(list(engines), policy='auto'), DOOR)
    front = started.add(envoy_process.Envoy(gateway.endpoint_picker(objects, {'signalbox': server.ports['extproc']})))

    def pod_of(text):
        response = chat(front.port, text, model='base-model')
        assert response.status == 200, response.text
        return response.headers['x-sim-engine']
    prompts = [f'{word} ' * 400 for word in ('alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta')]
    first = [pod_of(prompt) for prompt in prompts]
    assert len(set(first)) == 3
    assert [pod_of(prompt + 'and more') for prompt in prompts] == first
    next(iter(engines.values())).kill()
    wait_until(lambda: pod_of_or_none(front, prompts[0]) not in (None, 'pod-0'), 'the pool to lose a pod', server)


def pod_of_or_none(front, text):
    response = chat(front.port, text, model='base-model')
    return response.headers['x-sim-engine'] if response.status == 200 else None


@pytest.mark.parametrize('name,arguments', [
    ('envoy/envoy.yaml', ('envoy', '--config', str(ROOT / 'deploy/envoy/signalbox.yaml'))),
    ('gateway/ai-gateway.yaml', ('gateway', '--config', str(ROOT / 'deploy/gateway/signalbox.yaml'))),
    ('gateway/ai-gateway-patch.yaml', ('gateway', '--config', str(ROOT / 'deploy/gateway/signalbox.yaml'), '--placement', 'patch')),
    ('gateway/envoy-gateway.yaml', ('gateway', '--config', str(ROOT / 'deploy/gateway/signalbox.yaml'), '--routes', 'http'))])
def test_the_deployed_files_are_what_emit_writes(name, arguments):
    assert (ROOT / 'deploy' / name).read_text() == emit(*arguments)


def test_envoy_accepts_what_emit_writes(started, tmp_path):
    server = started.server(MOM, DOOR)
    path = tmp_path / 'envoy.yaml'
    path.write_text(emit('envoy', '--ports-file', str(server.ports_path), '--listen', '0', '--admin', '0'))
    check = subprocess.run([envoy_process.BINARY, '--mode', 'validate', '-c', str(path)], capture_output=True, text=True,
                           check=False, timeout=60)
    assert check.returncode == 0, check.stderr
    assert 'chosen-replica' in path.read_text()
