"""HTTPS at both ends: Signalbox's own door, and an engine behind TLS. Certificates are made by openssl for the test."""

import http.client
import json
import os
import ssl
import subprocess

import pytest

import configs
from http_client import request
from programs import wait_until


def make_certificate(folder, name):
    """A self-signed certificate for localhost and 127.0.0.1: (certificate file, key file)."""
    certificate, key = folder / f'{name}.pem', folder / f'{name}.key'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days',
                    '2', '-subj', f'/CN={name}', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', str(key),
                    '-out', str(certificate)], check=True, capture_output=True)
    return certificate, key


def trusting(certificate):
    return ssl.create_default_context(cafile=str(certificate))


def https(port, method, path, context, body=None):
    connection = http.client.HTTPSConnection('localhost', port, timeout=30, context=context)
    try:
        connection.request(method, path, body, {'content-type': 'application/json'} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def tls_door(certificate, key):
    return f'  http: {{tls: {{certificate_file: "{certificate}", key_file: "{key}"}}}}'


@pytest.fixture
def secure(started, tmp_path):
    """An HTTPS server over one plain engine: (server, certificate file)."""
    certificate, key = make_certificate(tmp_path, 'first')
    engine = started.engine()
    server = started.server(configs.proxy([engine.port], own=tls_door(certificate, key)))
    return server, certificate


def test_the_door_answers_over_tls(secure):
    server, certificate = secure
    body = json.dumps({'model': 'base-model', 'messages': [{'role': 'user', 'content': 'hi'}]})
    status, answer = https(server.port, 'POST', '/v1/chat/completions', trusting(certificate), body)
    assert status == 200 and json.loads(answer)['choices']


def test_old_protocol_versions_are_refused(secure):
    server, certificate = secure
    context = trusting(certificate)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers('ALL:@SECLEVEL=0')
    with pytest.raises((ssl.SSLError, ConnectionError)):
        https(server.port, 'GET', '/health', context)


def test_plain_http_on_the_tls_port_gets_no_answer_and_does_no_harm(secure):
    server, certificate = secure
    connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=30)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        connection.request('GET', '/health')
        connection.getresponse()
    connection.close()
    assert https(server.port, 'GET', '/health', trusting(certificate))[0] == 200


def test_a_renewed_certificate_is_served_without_a_restart(secure, tmp_path):
    server, old = secure
    fresh, fresh_key = make_certificate(tmp_path, 'second')
    os.replace(fresh_key, old.with_suffix('.key'))
    trusted = trusting(fresh)
    os.replace(fresh, old)

    def served():
        try:
            return https(server.port, 'GET', '/health', trusted)[0] == 200
        except ssl.SSLError:
            return False

    wait_until(served, 'the new certificate', server)


def test_an_engine_behind_tls_is_asked_over_tls_and_only_if_its_certificate_is_good(started, tmp_path):
    certificate, key = make_certificate(tmp_path, 'engine')
    engine = started.engine()
    inner = started.server(configs.proxy([engine.port], own=tls_door(certificate, key)))
    config = configs.proxy([inner.port]).replace(f'endpoint: "127.0.0.1:{inner.port}"',
                                                 f'endpoint: "localhost:{inner.port}", protocol: https')
    body = json.dumps({'model': 'base-model', 'messages': [{'role': 'user', 'content': 'hi'}]}).encode()
    trusted = started.server(config, environment={'SSL_CERT_FILE': str(certificate)})
    assert request(trusted.port, 'POST', '/v1/chat/completions', body).status == 200
    doubting = started.server(config, wait_ready=False)
    answer = request(doubting.port, 'POST', '/v1/chat/completions', body)
    assert answer.status in (502, 503) and engine.last_request()['body'] is not None
    assert answer.json['error']['message']
