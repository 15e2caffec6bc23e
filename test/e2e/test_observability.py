"""Metrics that promtool accepts, spans that a real OTLP decoder accepts, an access log that is JSON."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import configs
import programs
from http_client import chat, get

SECRET = 'zebra-quartz-lighthouse'


def test_the_metrics_page_passes_promtool(demo):
    chat(demo.port, 'What is the derivative of f(x) = x^3?')
    chat(demo.port, 'Hello', stream=True)
    chat(demo.port, 'Hello', model='no-such-model')
    promtool = shutil.which('promtool')
    assert promtool, 'promtool is part of the Debian package prometheus; ./dev test installs it'
    text = get(demo.admin_port, '/metrics').body
    check = subprocess.run([promtool, 'check', 'metrics'], input=text, capture_output=True, check=False, timeout=60)
    errors = [line for line in check.stderr.decode().splitlines() if 'error' in line.lower()]
    assert not errors and check.returncode in (0, 3), check.stderr.decode()  # 3: naming lints of inherited names


def test_requests_are_counted_under_the_names_of_both_systems(demo):
    before = demo.metric('llm_model_requests_total')
    chat(demo.port, 'What is the derivative of f(x) = x^3?')
    programs.wait_until(lambda: demo.metric('llm_model_requests_total') == before + 1, 'the request to be counted', demo)
    assert demo.metric('llm_model_requests_total', model='math-expert') >= 1
    page = get(demo.admin_port, '/metrics').text
    assert 'vllm:healthy_pods_total' in page
    assert get(demo.port, '/metrics').status == 200


def test_labels_stay_bounded_when_clients_invent_model_names(demo):
    for number in range(40):
        chat(demo.port, 'Hello', model=f'invented-{number}')
    assert 'invented-' not in get(demo.admin_port, '/metrics').text


def test_spans_reach_a_real_collector_without_prompt_text(started):
    receiver = subprocess.Popen([sys.executable, str(Path(__file__).parent / 'otlp_receiver.py'), '--port', '0'],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        port = json.loads(receiver.stdout.readline())['listening']
        engine = started.engine()
        server = started.server(configs.two_models(engine.port, engine.port) + f'''
global:
  services:
    observability:
      tracing:
        enabled: true
        provider: opentelemetry
        exporter: {{type: otlp, endpoint: "127.0.0.1:{port}", insecure: true}}
        sampling: {{type: always_on, rate: 1.0}}
        resource: {{service_name: signalbox-test}}
''')
        trace = '4bf92f3577b34da6a3ce929d0e0e4736'
        response = chat(server.port, f'alpha {SECRET}', headers={'traceparent': f'00-{trace}-00f067aa0ba902b7-01'})
        assert response.status in (200, 404)  # the demo engine may not know model-a by name
        spans = []
        while not any(span.get('parent_span_id') == '00f067aa0ba902b7' for span in spans):
            spans.append(json.loads(receiver.stdout.readline()))
        server.stop()  # flushes what is left
    finally:
        receiver.terminate()
        spans += [json.loads(line) for line in receiver.stdout.read().splitlines()]
        receiver.wait()
    assert {span['trace_id'] for span in spans} == {trace}
    assert len(spans) >= 4, spans
    assert SECRET not in json.dumps(spans)


def test_the_access_log_is_one_json_object_a_request(started):
    server = started.server()
    chat(server.port, f'What is the derivative of {SECRET}?')
    chat(server.port, 'Hello', model='no-such-model')
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith('{"') and 'status' in line]
    statuses = [line['status'] for line in lines if line.get('path') == '/v1/chat/completions']
    assert statuses == [200, 404]
    assert SECRET not in server.log()
