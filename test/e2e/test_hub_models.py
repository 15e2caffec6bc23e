"""Classifiers of the user's own: directories in model hub format that judge in the place of the shipped heads. The models are small and
random (test/golden/encoder/hub); what they say is compared with the same model asked by itself."""

import json
import subprocess
from pathlib import Path

import pytest

from http_client import get, request
from programs import BINARY

HUB = Path(__file__).resolve().parents[1] / 'golden/encoder/hub'
TEXT = 'the law of large numbers'


def config(modules):
    return f'''version: v0.3
providers:
  defaults: {{default_model: base-model}}
  models:
    - name: base-model
      backend_refs: [{{name: a, endpoint: "127.0.0.1:9", weight: 1}}]
routing:
  signals:
    domains: [{{name: law}}, {{name: math}}, {{name: other}}]
    jailbreak: [{{name: guard}}]
  decisions:
    - name: by_domain
      priority: 1
      rules: {{operator: OR, conditions: [{{type: domain, name: law}}, {{type: domain, name: math}}, {{type: jailbreak, name: guard}}]}}
      modelRefs: [{{model: base-model, use_reasoning: false}}]
global:
  model_catalog:
    modules: {json.dumps(modules)}
'''


def asked_alone(directory):
    run = subprocess.run([BINARY, 'classify', '--model', str(directory), TEXT], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)['probabilities']


@pytest.mark.parametrize('name', ['bert_sequence', 'modern_bert_sequence', 'qwen3_sequence', 'qwen3_label_tokens'])
def test_a_domain_model_judges_requests(started, name):
    server = started.server(config({'classifier': {'domain': {'model_id': str(HUB / name)}}}))
    body = {'text': TEXT, 'options': {'return_probabilities': True}}
    answer = request(server.port, 'POST', '/api/v1/classify/intent', body)
    assert answer.status == 200, answer.text
    for label, probability in asked_alone(HUB / name).items():
        assert abs(answer.json['probabilities'][label] - probability) < 1e-3, label


def test_a_guard_model_judges_with_the_labels_that_are_named(started):
    modules = {'prompt_guard': {'model_id': str(HUB / 'bert_sequence'), 'positive_labels': ['law'], 'threshold': 0.01}}
    server = started.server(config(modules))
    answer = request(server.port, 'POST', '/api/v1/classify/security', {'text': TEXT})
    assert answer.status == 200, answer.text
    assert answer.json['is_jailbreak'] is True
    assert str(HUB / 'bert_sequence') in get(server.port, '/info/models').text


def test_a_model_of_personal_data_works_beside_the_rules(started):
    server = started.server(config({'classifier': {'pii': {'model_id': str(HUB / 'bert_tokens'), 'threshold': 0.01}}}))
    answer = request(server.port, 'POST', '/api/v1/classify/pii', {'text': 'mail ann@example.org about the law'})
    assert answer.status == 200, answer.text
    assert 'EMAIL_ADDRESS' in [entity['type'] for entity in answer.json['entities']]


@pytest.mark.parametrize('modules, said', [
    ({'prompt_guard': {'model_id': str(HUB / 'bert_sequence')}}, 'positive_labels'),
    ({'classifier': {'domain': {'model_id': str(HUB / 'bert_tokens')}}}, 'single words'),
    ({'classifier': {'domain': {'model_id': str(HUB)}}}, 'config.json'),
])
def test_a_directory_that_cannot_be_used_stops_the_start_with_its_place(tmp_path, modules, said):
    path = tmp_path / 'config.yaml'
    path.write_text(config(modules))
    run = subprocess.run([BINARY, 'serve', '--config', str(path), '--port', '0', '--metrics-port', '0'],
                         capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0
    line = 1 + path.read_text().splitlines().index(next(row for row in path.read_text().splitlines() if 'modules:' in row))
    assert f'config.yaml:{line}' in run.stderr and 'model_id' in run.stderr and said in run.stderr, run.stderr


def test_the_name_of_a_model_in_a_hub_changes_nothing(started):
    server = started.server(config({'prompt_guard': {'model_id': 'someone/prompt-guard'}}))
    answer = request(server.port, 'POST', '/api/v1/classify/security', {'text': 'What is the capital of France?'})
    assert answer.status == 200 and answer.json['is_jailbreak'] is False, answer.text
