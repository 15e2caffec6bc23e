"""The founding question, one prompt per domain, and what the engine saw."""

import json
import subprocess

import pytest

import programs
from http_client import chat, get, request

QUESTION = 'What is the derivative of f(x) = x^3?'

PROMPTS = {
    'business_decision': 'How should a mid-sized retail company structure its marketing budget to win back lost customers?',
    'law_decision': 'What must a plaintiff prove in court to win a negligence lawsuit over a breached contract of sale?',
    'psychology_decision': 'How does operant conditioning explain the behavior of children with attachment anxiety?',
    'biology_decision': 'How do mitochondria in eukaryotic cells produce ATP during cellular respiration?',
    'chemistry_decision': 'What is the molar mass of sulfuric acid and how does it react with sodium hydroxide?',
    'history_decision': 'Which events led to the fall of the Roman Republic and the rise of Augustus as emperor?',
    'health_decision': 'Which vaccines and dietary habits do doctors recommend to prevent heart disease in older patients?',
    'economics_decision': 'How does a central bank raising interest rates affect inflation and aggregate demand?',
    'math_decision': 'Find the eigenvalues of the matrix [[2, 1], [1, 2]] and the integral of x squared from 0 to 3.',
    'physics_decision': 'A ball is thrown upward with velocity 20 m/s; what is its kinetic energy and maximum height under gravity?',
    'computer_science_decision': 'What is the time complexity of quicksort and how is a binary search tree balanced in memory?',
    'philosophy_decision': 'How does Kant\'s categorical imperative differ from utilitarian ethics in moral philosophy?',
    'engineering_decision': 'How do you size the beams and the reinforcement of a concrete bridge for a given load and voltage supply?',
}


def engine_port_of(response):
    return int(response.headers['x-vsr-destination-endpoint'].rstrip('/').rsplit(':', 1)[1])


def test_the_founding_question_is_answered_by_the_math_adapter_and_the_headers_say_why(demo):
    response = chat(demo.port, QUESTION)
    assert response.status == 200, response.text
    assert response.headers['x-vsr-selected-category'] == 'math'
    assert response.headers['x-vsr-selected-decision'] == 'math_decision'
    assert response.headers['x-vsr-selected-reasoning'] == 'on'
    assert response.headers['x-vsr-selected-model'] == 'math-expert'
    assert response.headers['x-vsr-injected-system-prompt'] == 'true'
    assert response.headers['x-vsr-schema-version'] == '2'
    assert response.headers['x-request-id']
    answer = response.json
    assert answer['object'] == 'chat.completion'
    assert answer['choices'][0]['message']['role'] == 'assistant'
    assert '3x^2' in answer['choices'][0]['message']['content'].replace(' ', '').replace('\u00b2', '^2')
    assert answer['usage']['total_tokens'] > 0


def test_the_engine_sees_the_adapter_the_math_prompt_and_reasoning_on(demo):
    response = chat(demo.port, QUESTION)
    seen = programs.last_request(engine_port_of(response))['body']
    assert seen['model'] == 'math-expert'
    assert seen['messages'][0]['role'] == 'system'
    assert 'mathematician' in seen['messages'][0]['content']
    assert seen['messages'][1] == {'role': 'user', 'content': QUESTION}
    assert len(seen['messages']) == 2
    assert seen['chat_template_kwargs']['enable_thinking'] is True


@pytest.mark.parametrize('decision', PROMPTS)
def test_a_prompt_of_each_domain_goes_to_its_decision(demo, decision):
    response = chat(demo.port, PROMPTS[decision])
    assert response.status == 200, response.text
    assert response.headers['x-vsr-selected-decision'] == decision


def test_small_talk_goes_to_the_general_adapter_without_reasoning(demo):
    response = chat(demo.port, 'Hi there, how is your day going?')
    assert response.headers['x-vsr-selected-decision'] in ('general_decision', 'default')
    seen = programs.last_request(engine_port_of(response))['body']
    assert seen['model'] == 'general-expert'


def test_a_wish_for_visible_reasoning_wins_over_the_domain(demo):
    response = chat(demo.port, 'Explain step by step how contract law treats mistakes.')
    assert response.headers['x-vsr-selected-decision'] == 'thinking_decision'
    assert response.headers['x-vsr-selected-reasoning'] == 'on'


@pytest.mark.parametrize('name', ['MoM', 'auto', 'vllm-sr/auto'])
def test_every_automatic_name_means_the_same(demo, name):
    assert chat(demo.port, QUESTION, model=name).headers['x-vsr-selected-decision'] == 'math_decision'


def test_a_concrete_name_is_passed_through_untouched(demo):
    response = chat(demo.port, QUESTION, model='law-expert', temperature=0.25)
    assert response.status == 200
    assert 'x-vsr-selected-decision' not in response.headers
    seen = [programs.last_request(port)['body'] for port in demo.engines]
    assert {'model': 'law-expert', 'messages': [{'role': 'user', 'content': QUESTION}], 'temperature': 0.25} in seen


def test_an_unknown_name_is_404_and_says_which(demo):
    response = chat(demo.port, QUESTION, model='no-such-model')
    assert response.status == 404
    assert response.json['error']['code'] == 'model_not_found'
    assert 'no-such-model' in response.json['error']['message']


def test_the_founding_question_streams(demo):
    response = chat(demo.port, QUESTION, stream=True)
    assert response.status == 200
    assert response.headers['content-type'].startswith('text/event-stream')
    assert response.headers['x-vsr-selected-decision'] == 'math_decision'
    events = [line[6:] for line in response.text.split('\n') if line.startswith('data: ')]
    assert events[-1] == '[DONE]'
    text = ''.join(choice['delta'].get('content') or '' for part in events[:-1]
                   for choice in json.loads(part)['choices'])
    assert '3x^2' in text.replace(' ', '').replace('\u00b2', '^2')


def test_all_replicas_take_their_turn(demo):
    used = {chat(demo.port, QUESTION).headers['x-vsr-destination-endpoint'] for _ in range(24)}
    assert len(used) == len(demo.engines) > 1


def test_models_health_ready_and_version_answer(demo):
    models = [model['id'] for model in get(demo.port, '/v1/models').json['data']]
    assert 'MoM' in models and 'math-expert' in models and 'base-model' in models
    assert len(models) == len(set(models))
    assert get(demo.port, '/health').status == 200
    assert get(demo.port, '/ready').status == 200
    assert get(demo.port, '/version').json['version']


def test_the_evaluation_api_and_explain_agree_with_the_door(demo):
    answer = request(demo.port, 'POST', '/api/v1/eval', {'text': QUESTION})
    assert answer.status == 200, answer.text
    assert 'math_decision' in answer.text
    run = subprocess.run([programs.BINARY, 'explain', QUESTION], capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert 'math_decision' in run.stdout and 'math-expert' in run.stdout


def test_prompt_text_is_in_no_log(started):
    server = started.server()
    secret = 'zebra-quartz-lighthouse'
    assert chat(server.port, f'What is the derivative of {secret}?').status == 200
    assert chat(server.port, f'{secret}', model='no-such-model').status == 404
    request(server.port, 'POST', '/v1/chat/completions', f'{{"model":"MoM","messages":"{secret}"'.encode())
    server.stop()
    assert '/v1/chat/completions' in server.log()
    assert secret not in server.log()
