"""The classification and embedding API: /api/v1/classify/..., /api/v1/embeddings, /similarity, /info, /v1/embeddings."""

import base64
import struct

import pytest

from http_client import get, request

TEXT = 'Zoë here: I am Peter Olsen, mail peter.olsen@example.org, card 4111 1111 1111 1111.'


def post(server, path, body):
    return request(server.port, 'POST', path, body)


def test_pii_is_found_with_code_point_positions_and_hidden_by_default(demo):
    answer = post(demo, '/api/v1/classify/pii', {'text': TEXT})
    assert answer.status == 200, answer.text
    found = {entity['type']: entity for entity in answer.json['entities']}
    assert {'EMAIL_ADDRESS', 'CREDIT_CARD'} <= set(found)
    assert answer.json['has_pii'] is True
    assert answer.json['security_recommendation'] == 'block'
    card = found['CREDIT_CARD']
    assert TEXT[card['start_position']:card['end_position']] == '4111 1111 1111 1111'
    assert '4111' not in answer.text and 'peter.olsen' not in answer.text


def test_pii_options_choose_types_mask_and_reveal(demo):
    options = {'entity_types': ['EMAIL_ADDRESS'], 'mask_entities': True, 'reveal_entity_text': True,
               'return_positions': False}
    answer = post(demo, '/api/v1/classify/pii', {'text': TEXT, 'options': options}).json
    assert [entity['value'] for entity in answer['entities']] == ['peter.olsen@example.org']
    assert 'start_position' not in answer['entities'][0]
    assert 'mail [EMAIL_ADDRESS], card 4111 1111 1111 1111' in answer['masked_text']
    assert post(demo, '/api/v1/classify/pii', {'text': 'The sum of two and two is four.'}).json['has_pii'] is False


def test_intent_says_domain_and_route(demo):
    body = {'text': 'What is the derivative of x^3 with respect to x?', 'options': {'return_probabilities': True}}
    answer = post(demo, '/api/v1/classify/intent', body)
    assert answer.status == 200, answer.text
    assert answer.json['classification']['category'] == 'math'
    assert len(answer.json['probabilities']) == 14
    assert answer.json['routing_decision'] == 'math_decision'
    assert answer.json['matched_signals']['domain'] == ['math']


def test_combined_and_batch_answer_in_order(demo):
    combined = post(demo, '/api/v1/classify/combined', {'text': TEXT})
    assert combined.status == 200, combined.text
    assert combined.json['pii']['has_pii'] is True and combined.json['intent']['category']
    assert combined.json['passes'] == 1
    texts = ['Mail ann@example.org', 'How do plants make sugar?']
    batch = post(demo, '/api/v1/classify/batch', {'texts': texts, 'task_type': 'pii'}).json
    assert [result['has_pii'] for result in batch['pii_results']] == [True, False]
    assert batch['total_count'] == 2
    intents = post(demo, '/api/v1/classify/batch', {'texts': texts}).json['results']
    assert intents[1]['category'] == 'biology'


def test_classifiers_that_are_loaded_answer_and_others_say_so(demo):
    loaded = {model['name'] for model in get(demo.port, '/info/models').json['models'] if model['loaded']}
    for path, name, key in (('security', 'jailbreak', 'is_jailbreak'), ('fact-check', 'fact_check', 'needs_fact_check'),
                            ('user-feedback', 'feedback', 'feedback_type')):
        answer = post(demo, f'/api/v1/classify/{path}', {'text': 'That is wrong, the tower was built in 1889.'})
        if name in loaded:
            assert answer.status == 200 and key in answer.json, answer.text
        else:
            assert answer.status == 503 and name in answer.json['error']['message'], answer.text


def test_embeddings_and_similarity(demo):
    texts = ['a cat sits on the mat', 'a kitten rests on a rug', 'interest rates rose again']
    answer = post(demo, '/api/v1/embeddings', {'texts': texts}).json
    assert answer['total_count'] == 3
    vectors = [entry['embedding'] for entry in answer['embeddings']]
    assert all(abs(sum(x * x for x in vector) - 1) < 1e-3 for vector in vectors)
    near = post(demo, '/api/v1/similarity', {'text1': texts[0], 'text2': texts[1]}).json['similarity']
    far = post(demo, '/api/v1/similarity', {'text1': texts[0], 'text2': texts[2]}).json['similarity']
    assert near > far + 0.2
    ranked = post(demo, '/api/v1/similarity/batch', {'query': texts[0], 'candidates': texts[1:], 'top_k': 1}).json
    assert [match['index'] for match in ranked['matches']] == [0]


def test_openai_embeddings_of_the_built_in_model(demo):
    plain = post(demo, '/v1/embeddings', {'model': 'signalbox-embed', 'input': ['one', 'two']})
    assert plain.status == 200, plain.text
    assert [entry['index'] for entry in plain.json['data']] == [0, 1]
    assert plain.json['usage']['prompt_tokens'] == 2
    packed = post(demo, '/v1/embeddings', {'model': 'signalbox-embed', 'input': 'one', 'encoding_format': 'base64'}).json
    raw = base64.b64decode(packed['data'][0]['embedding'])
    values = struct.unpack(f'<{len(raw) // 4}f', raw)
    assert values == pytest.approx(plain.json['data'][0]['embedding'], abs=1e-5)


@pytest.mark.parametrize('path, body, param', [
    ('/api/v1/classify/pii', {}, 'text'),
    ('/api/v1/classify/pii', {'text': 5}, 'text'),
    ('/api/v1/classify/pii', {'text': 'x' * (1 << 20 | 1)}, 'text'),
    ('/api/v1/classify/pii', {'text': 'x', 'options': {'confidence_threshold': 7}}, 'confidence_threshold'),
    ('/api/v1/classify/pii', {'text': 'x', 'options': {'entity_types': ['SHOE_SIZE']}}, 'entity_types'),
    ('/api/v1/classify/batch', {'texts': []}, 'texts'),
    ('/api/v1/classify/batch', {'texts': ['x'] * 101}, 'texts'),
    ('/api/v1/classify/batch', {'texts': ['x'], 'task_type': 'mood'}, 'task_type'),
    ('/api/v1/embeddings', {'texts': ['x'], 'dimension': 12}, 'dimension'),
    ('/api/v1/similarity', {'text1': 'x'}, 'text2'),
    ('/v1/embeddings', {'model': 'signalbox-embed', 'input': [1, 2]}, 'input'),
])
def test_bad_input_is_refused_in_openai_shape(demo, path, body, param):
    answer = post(demo, path, body)
    assert answer.status == 400, answer.text
    assert answer.json['error']['type'] == 'invalid_request_error'
    assert answer.json['error']['param'] == param


def test_wrong_paths_and_methods(demo):
    assert post(demo, '/api/v1/classify/mood', {'text': 'x'}).status == 404
    assert get(demo.port, '/api/v1/classify/pii').status == 405
    assert post(demo, '/info/models', {}).status == 405
    info = get(demo.port, '/info/classifier').json
    assert 'IBAN_CODE' in info['pii_types'] and len(info['categories']) == 14
