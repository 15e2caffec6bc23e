"""API keys with limits, CORS, files and batches."""

import json

import pytest

from http_client import chat, get, request
from programs import static, wait_until

KEYS = '''signalbox:
  access:
    keys:
      - {name: ann, key: sk-ann, requests_per_minute: 3}
      - {name: bob, key_env: BOB_KEY, models: [other]}
      - {name: eve, key: sk-eve, tokens_per_minute: 20}
  cors: {origins: ["https://app.example"]}
'''


def bearer(key, **more):
    return {'authorization': f'Bearer {key}', **more}


@pytest.fixture
def keyed(started, tmp_path):
    path = tmp_path / 'own.yaml'
    path.write_text(KEYS)
    engine = started.engine('one')
    router = started.router(['--config', str(path), *static([engine]), '--host', '127.0.0.1'],
                            environment={'BOB_KEY': 'sk-bob', 'VLLM_API_KEY': 'sk-engine'})
    router.engine = engine
    return router


def test_only_known_keys_are_let_in(keyed):
    for headers in ({}, bearer('sk-wrong'), {'x-api-key': 'sk-ann '}):
        refused = chat(keyed.port, 'x', model='base-model', headers=headers)
        if refused.status == 200:
            continue  # spaces around a header's value are not part of it
        assert refused.status == 401
        assert refused.json['error']['code'] == 'invalid_api_key' and refused.headers['www-authenticate'] == 'Bearer'
    assert get(keyed.port, '/engines').status == 401
    assert request(keyed.port, 'POST', '/sleep?id=x').status == 401
    assert get(keyed.port, '/health').status == 200 and get(keyed.port, '/metrics').status == 200
    assert chat(keyed.port, 'x', model='base-model', headers=bearer('sk-eve')).status == 200
    seen = keyed.engine.last_request()['headers']
    assert seen['authorization'] == 'Bearer sk-engine', 'the engine sees its own key, not the client\'s'


def test_a_key_has_its_rate_and_its_models(keyed):
    statuses = [chat(keyed.port, 'x', model='base-model', headers=bearer('sk-ann')) for _ in range(4)]
    assert [answer.status for answer in statuses] == [200, 200, 200, 429]
    assert 1 <= int(statuses[-1].headers['retry-after']) <= 20
    assert statuses[0].headers['x-ratelimit-remaining-requests'] == '2'
    assert statuses[-1].json['error']['type'] == 'rate_limit_error'
    assert chat(keyed.port, 'x', model='base-model', headers=bearer('sk-bob')).status == 403
    eve = [chat(keyed.port, 'a long question of some ten words to be answered', model='base-model',
                headers=bearer('sk-eve')).status for _ in range(2)]
    assert eve == [200, 429], 'tokens are charged when they are known'


def test_browsers_of_listed_origins_are_answered(keyed):
    preflight = {'origin': 'https://app.example', 'access-control-request-method': 'POST',
                 'access-control-request-headers': 'authorization'}
    allowed = request(keyed.port, 'OPTIONS', '/v1/chat/completions', headers=preflight)
    assert allowed.status == 204
    assert allowed.headers['access-control-allow-origin'] == 'https://app.example'
    assert 'authorization' in allowed.headers['access-control-allow-headers']
    other = request(keyed.port, 'OPTIONS', '/v1/chat/completions', headers={**preflight, 'origin': 'https://evil'})
    assert 'access-control-allow-origin' not in other.headers
    answer = chat(keyed.port, 'x', model='base-model', headers=bearer('sk-eve', origin='https://app.example'))
    assert answer.headers['access-control-allow-origin'] == 'https://app.example'
    refused = chat(keyed.port, 'x', model='base-model', headers={'origin': 'https://app.example'})
    assert refused.headers['access-control-allow-origin'] == 'https://app.example', 'scripts may read errors too'


# ------------------------------------------------------------------------------------------------ files and batches

def upload(port, content, purpose='batch', name='in.jsonl'):
    body = (f'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n--b\r\n'
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n').encode() + content + \
        b'\r\n--b--\r\n'
    return request(port, 'POST', '/v1/files', body, {'content-type': 'multipart/form-data; boundary=b'})


def line(number, model='base-model'):
    return json.dumps({'custom_id': f'r{number}', 'method': 'POST', 'url': '/v1/chat/completions',
                       'body': {'model': model, 'messages': [{'role': 'user', 'content': f'question {number}'}]}}) + '\n'


def batch_router(started, tmp_path, engines, more=()):
    return started.router([*static(engines), '--enable-batch-api', '--file-storage-path', str(tmp_path / 'files'), *more])


def make_batch(port, file_id):
    made = request(port, 'POST', '/v1/batches', {'input_file_id': file_id, 'endpoint': '/v1/chat/completions',
                                                  'completion_window': '24h', 'metadata': {'team': 'blue'}})
    assert made.status == 200, made.text
    return made.json['id']


def lines_of(port, file_id):
    return {entry['custom_id']: entry for entry in
            map(json.loads, get(port, f'/v1/files/{file_id}/content').text.splitlines())}


def test_files_are_kept_as_they_came(started, tmp_path):
    router = batch_router(started, tmp_path, [started.engine('one')])
    content = bytes(range(256)) * 4096  # a megabyte of anything
    made = upload(router.port, content, name='data.bin')
    assert made.status == 200, made.text
    info = made.json
    assert info['filename'] == 'data.bin' and info['bytes'] == len(content) and info['object'] == 'file'
    assert get(router.port, f'/v1/files/{info["id"]}').json == info
    assert get(router.port, f'/v1/files/{info["id"]}/content').body == content
    assert [entry['id'] for entry in get(router.port, '/v1/files').json['data']] == [info['id']]
    assert request(router.port, 'DELETE', f'/v1/files/{info["id"]}').json['deleted'] is True
    assert get(router.port, f'/v1/files/{info["id"]}').status == 404
    assert request(router.port, 'POST', '/v1/files', {'no': 'form'}).status == 400


def test_a_batch_is_really_done(started, tmp_path):
    engines = [started.engine('one'), started.engine('two')]
    router = batch_router(started, tmp_path, engines)
    file_id = upload(router.port, (''.join(line(i) for i in range(20)) + line(99, 'no-such-model')).encode()).json['id']
    batch = make_batch(router.port, file_id)
    wait_until(lambda: get(router.port, f'/v1/batches/{batch}').json['status'] == 'completed', 'the batch', router)
    done = get(router.port, f'/v1/batches/{batch}').json
    assert done['request_counts'] == {'total': 21, 'completed': 20, 'failed': 1}
    assert done['metadata'] == {'team': 'blue'}
    answers = lines_of(router.port, done['output_file_id'])
    assert set(answers) == {f'r{i}' for i in range(20)}
    assert all(entry['response']['body']['choices'][0]['message']['content'] for entry in answers.values())
    errors = lines_of(router.port, done['error_file_id'])
    assert errors['r99']['response']['status_code'] == 404
    assert all(request(engine.port, 'GET', '/sim/last').json['requests'] > 0 for engine in engines)
    assert [entry['id'] for entry in get(router.port, '/v1/batches').json['data']] == [batch]


def test_a_batch_survives_the_death_of_its_router(started, tmp_path):
    engine = started.engine('one', arguments=['--decode-ms', '10', '--tokens', '10'])
    router = batch_router(started, tmp_path, [engine])
    file_id = upload(router.port, ''.join(line(i) for i in range(120)).encode()).json['id']
    batch = make_batch(router.port, file_id)
    wait_until(lambda: get(router.port, f'/v1/batches/{batch}').json['request_counts']['completed'] >= 16, 'some', router)
    router.kill()
    second = batch_router(started, tmp_path, [engine])
    wait_until(lambda: get(second.port, f'/v1/batches/{batch}').json['status'] == 'completed', 'the rest', second)
    done = get(second.port, f'/v1/batches/{batch}').json
    assert done['request_counts'] == {'total': 120, 'completed': 120, 'failed': 0}
    assert len(lines_of(second.port, done['output_file_id'])) == 120


def test_a_batch_can_be_cancelled(started, tmp_path):
    engine = started.engine('one', arguments=['--decode-ms', '20', '--tokens', '20'])
    router = batch_router(started, tmp_path, [engine])
    file_id = upload(router.port, ''.join(line(i) for i in range(500)).encode()).json['id']
    batch = make_batch(router.port, file_id)
    wait_until(lambda: get(router.port, f'/v1/batches/{batch}').json['request_counts']['completed'] > 0, 'some', router)
    assert request(router.port, 'POST', f'/v1/batches/{batch}/cancel').json['status'] == 'cancelling'
    wait_until(lambda: get(router.port, f'/v1/batches/{batch}').json['status'] == 'cancelled', 'the end', router)
    done = get(router.port, f'/v1/batches/{batch}').json
    assert 0 < done['request_counts']['completed'] < 500
    assert len(lines_of(router.port, done['output_file_id'])) == done['request_counts']['completed']
    wait_until(lambda: request(engine.port, 'GET', '/sim/last').json['running'] == 0, 'the engine to be free')


def test_without_the_flag_there_are_no_files(started):
    router = started.router(static([started.engine('one')]))
    assert get(router.port, '/v1/files').status == 404
