"""Signalbox's own small definitions of Envoy's API against the full ones: a client made of the full definitions talks to
the door, and every field of ours is a field of theirs."""

import re
from pathlib import Path

import grpc
import pytest
from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as rpc
from google.protobuf import descriptor_pb2

import programs
from test_extproc import DOOR, MOM, question_body

PROTOS = Path(__file__).resolve().parents[2] / 'src/listener/extproc/proto'
FULL = {'envoy/service/ext_proc/v3/external_processor.proto': pb, 'envoy/config/core/v3/base.proto': base_pb2,
        'envoy/extensions/filters/http/ext_proc/v3/processing_mode.proto': processing_mode_pb2}
KINDS = {number: name[5:].lower() for name, number in descriptor_pb2.FieldDescriptorProto.Type.items()}


def fields_of_ours(text):
    """(message, field, number, type, repeated) of a .proto file; a small reader for small files."""
    found, names = [], []
    for line in text.splitlines():
        line = line.split('//')[0].strip()
        if match := re.match(r'(message|enum|service|oneof)\s+(\w+)\s*\{', line):
            names.append((match[1], match[2]))
        elif line == '}':
            names.pop()
        elif names and (match := re.match(r'(repeated\s+)?([\w.]+|map<[^>]+>)\s+(\w+)\s*=\s*(\d+);', line)):
            message = '.'.join(name for kind, name in names if kind == 'message')
            if names[-1][0] != 'enum':
                found.append((message, match[3], int(match[4]), match[2], bool(match[1]) or match[2].startswith('map')))
        elif names and names[-1][0] == 'enum' and (match := re.match(r'(\w+)\s*=\s*(\d+);', line)):
            found.append((names[-1][1], match[1], int(match[2]), 'enum value', False))
    return found


@pytest.mark.parametrize('file', FULL)
def test_every_field_of_ours_is_envoys_by_name_number_and_type(file):
    text = (PROTOS / file).read_text()
    full = FULL[file].DESCRIPTOR
    assert f'package {full.package};' in text
    ours = fields_of_ours(text)
    assert len(ours) > 3
    enums = {}
    def collect(message):
        for enum in message.enum_types:
            enums[enum.name] = {value.name: value.number for value in enum.values}
        for nested in message.nested_types:
            collect(nested)
    for message in full.message_types_by_name.values():
        collect(message)
    for message, name, number, kind, repeated in ours:
        if kind == 'enum value':
            assert enums[message][name] == number
            continue
        descriptor = full.message_types_by_name[message.split('.')[0]]
        field = descriptor.fields_by_name[name]
        assert field.number == number, (message, name)
        is_repeated = getattr(field, 'is_repeated', None)
        assert (is_repeated if is_repeated is not None else field.label == field.LABEL_REPEATED) == repeated, (message, name)
        if field.message_type is not None and not repeated:
            assert kind.split('.')[-1] == field.message_type.name
        elif field.enum_type is not None:
            assert kind.split('.')[-1] == field.enum_type.name
        elif not repeated:
            assert kind == KINDS[field.type]


def test_a_client_made_of_the_full_definitions_is_understood(started):
    server = started.server(MOM, DOOR)
    headers = pb.HttpHeaders()
    for name, value in ((':method', 'POST'), (':path', '/v1/chat/completions'), ('content-type', 'application/json')):
        headers.headers.headers.add(key=name, raw_value=value.encode())
    first = pb.ProcessingRequest(request_headers=headers)
    first.protocol_config.request_body_mode = processing_mode_pb2.ProcessingMode.BUFFERED
    first.metadata_context.filter_metadata['somebody.else']['key'] = 'value'
    body = pb.ProcessingRequest(request_body=pb.HttpBody(body=question_body(), end_of_stream=True))
    with grpc.insecure_channel(f'127.0.0.1:{server.ports["extproc"]}') as channel:
        answers = rpc.ExternalProcessorStub(channel).Process(iter([first, body]), timeout=60)
        to_headers, to_body = next(answers), next(answers)
        answers.cancel()
    assert to_headers.WhichOneof('response') == 'request_headers'
    common = to_body.request_body.response
    assert common.clear_route_cache and b'"math-expert"' in common.body_mutation.body
    set_headers = {option.header.key: option.header.raw_value for option in common.header_mutation.set_headers}
    assert set_headers['x-ai-eg-model'] == b'math-expert'
    assert set_headers['content-length'] == str(len(common.body_mutation.body)).encode()
    assert all(option.append_action == base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
               for option in common.header_mutation.set_headers)
    # As an endpoint picker says it (Gateway API Inference Extension): the same in header and metadata.
    destination = to_body.dynamic_metadata['envoy.lb']['x-gateway-destination-endpoint']
    assert destination.encode() == set_headers['x-gateway-destination-endpoint']
    assert int(destination.rsplit(':', 1)[1]) in server.engines


def test_the_health_service_says_when_the_door_is_open(started):
    server = started.server(MOM, DOOR)
    with grpc.insecure_channel(f'127.0.0.1:{server.ports["extproc"]}') as channel:
        check = channel.unary_unary('/grpc.health.v1.Health/Check')
        name = b'envoy.service.ext_proc.v3.ExternalProcessor'
        for request in (b'', b'\x0a' + bytes([len(name)]) + name):
            assert check(request, timeout=10) == b'\x08\x01'  # SERVING


def test_a_taken_port_is_said_at_start(started):
    first = started.server(MOM, DOOR)
    with pytest.raises(AssertionError, match='ExtProc'):
        programs.Server(arguments=('--extproc-listen', f'127.0.0.1:{first.ports["extproc"]}'))
