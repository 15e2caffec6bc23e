"""What Envoy Gateway and Envoy AI Gateway make of their objects, as far as the tests need it: a static configuration for
the real Envoy, and the AI Gateway's own processor, which reads the model from the body that reaches it."""

import json
from concurrent import futures

import grpc
import yaml
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as rpc

import envoy_proxy

MODEL_HEADER = 'x-ai-eg-model'


def load(*texts):
    return [entry for text in texts for entry in yaml.safe_load_all(text) if entry]


class AiGateway(rpc.ExternalProcessorServicer):
    """The AI Gateway's ext_proc: sets x-ai-eg-model from the body and lets Envoy choose the route again. It is made of
    the full definitions of Envoy's API, so Signalbox's own small ones meet it on the same Envoy."""

    def __init__(self):
        self.models = []  # as read, in order
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
        rpc.add_ExternalProcessorServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port('127.0.0.1:0')
        self.server.start()

    def Process(self, request_iterator, context):  # noqa: N802 (gRPC's name)
        for message in request_iterator:
            kind = message.WhichOneof('request')
            answer = pb.ProcessingResponse()
            part = getattr(answer, kind)
            part.SetInParent()
            if kind == 'request_body':
                model = json.loads(message.request_body.body).get('model', '')
                self.models.append(model)
                header = part.response.header_mutation.set_headers.add()
                header.header.key, header.header.raw_value = MODEL_HEADER, model.encode()
                part.response.clear_route_cache = True
            yield answer

    def stop(self):
        self.server.stop(0).wait()


def filter_of(double_cluster):
    return envoy_proxy.ext_proc(double_cluster, response='NONE')


def _replace_addresses(value, places):
    """socket_address of a name in `places` ({name: port}) becomes 127.0.0.1 with that port."""
    if isinstance(value, dict):
        address = value.get('socket_address')
        if address and address['address'] in places:
            return {'socket_address': {'address': '127.0.0.1', 'port_value': places[address['address']]}}
        return {key: _replace_addresses(entry, places) for key, entry in value.items()}
    if isinstance(value, list):
        return [_replace_addresses(entry, places) for entry in value]
    return value


def _clusters_of_backends(objects, places):
    """{name: cluster} of Backend objects; an AIServiceBackend is found by its own name."""
    backends = {}
    for entry in objects:
        if entry['kind'] != 'Backend':
            continue
        ports = []
        for endpoint in entry['spec']['endpoints']:
            where = endpoint.get('fqdn') or endpoint.get('ip')
            host = where.get('hostname') or where.get('address')
            ports.append(places.get(host, where['port']))
        backends[entry['metadata']['name']] = envoy_proxy.cluster(entry['metadata']['name'], ports)
    for entry in objects:
        if entry['kind'] == 'AIServiceBackend':
            target = backends[entry['spec']['backendRef']['name']]
            backends[entry['metadata']['name']] = {**target, 'name': target['name']}
    return backends


def _pickers(objects, processors):
    """{pool: ext_proc filter} of InferencePool objects: the gateway asks the pool's picker for requests that go there, and
    sends them to the address that comes back. `processors` is {name of a service: port}."""
    found = {}
    for entry in objects:
        if entry['kind'] == 'InferencePool':
            picker = entry['spec']['endpointPickerRef']
            assert picker['port']['number'] == 50051
            found[entry['metadata']['name']] = (f'picker-{picker["name"]}', processors[picker['name']], picker['failureMode'])
    return found


def endpoint_picker(objects, processors):
    """Envoy's configuration for a route to an InferencePool. Pickers are asked in FULL_DUPLEX_STREAMED, as their protocol
    says, and the pool is a cluster that believes only the picker's header."""
    pools = _pickers(objects, processors)
    clusters, filters, table = [], [], []
    for pool, (name, port, failure) in pools.items():
        clusters += [envoy_proxy.cluster(name, [port], http2=True), envoy_proxy.destination_cluster(pool)]
        filters.append(envoy_proxy.duplex(to=name, fail_open=failure == 'FailOpen'))
    for entry in objects:
        if entry['kind'] == 'HTTPRoute':
            table += [envoy_proxy.route(rule['backendRefs'][0]['name']) for rule in entry['spec']['rules']]
    return envoy_proxy.configuration(filters, table, clusters)


def _routes(objects, backends):
    """Rules in order. The AI Gateway ends its table with 404, an HTTPRoute without a match takes everything."""
    table = []
    for entry in objects:
        if entry['kind'] not in ('AIGatewayRoute', 'HTTPRoute'):
            continue
        for rule in entry['spec']['rules']:
            to = backends[rule['backendRefs'][0]['name']]['name']
            for match in rule.get('matches', [{}]):
                headers = {header['name']: header['value'] for header in match.get('headers', [])}
                table.append(envoy_proxy.route(to, headers=headers))
    table.append({'match': {'prefix': '/'}, 'direct_response': {'status': 404, 'body': {
        'inline_string': 'No matching route found. It is likely because the model specified in your request is not configured'}}})
    return table


def translate(objects, places, double_port, extproc_port):
    """The configuration of Envoy for these objects. `places` maps names of hosts to ports of this machine."""
    backends = _clusters_of_backends(objects, places)
    clusters = list({cluster['name']: cluster for cluster in backends.values()}.values())
    clusters.append(envoy_proxy.cluster('ai-gateway', [double_port], http2=True))
    filters = [filter_of('ai-gateway')]
    buffer_bytes = 32768  # Envoy Gateway's default
    for entry in objects:
        if entry['kind'] == 'ClientTrafficPolicy':
            limit = entry['spec']['connection']['bufferLimit']
            assert limit.endswith('Mi')
            buffer_bytes = int(limit[:-2]) << 20
        if entry['kind'] == 'EnvoyExtensionPolicy':
            policy = entry['spec']['extProc'][0]
            mode = policy['processingMode']
            assert mode['request']['body'] == mode['response']['body'] == 'Buffered'
            clusters.append(envoy_proxy.cluster('extension', [extproc_port], http2=True))
            # Behind the AI Gateway's own, as the real ones order them.
            filters.append(envoy_proxy.ext_proc('extension', fail_open=policy['failOpen'], override=mode['allowModeOverride'],
                                                message_timeout=policy['messageTimeout']))
        if entry['kind'] == 'EnvoyPatchPolicy':
            for patch in entry['spec']['jsonPatches']:
                operation = patch['operation']
                assert operation['op'] == 'add'
                if patch['type'].endswith('.Cluster'):
                    clusters.append(_replace_addresses(operation['value'], places))
                else:
                    index = int(operation['path'].rsplit('/http_filters/', 1)[1])
                    filter_config = dict(operation['value'])
                    filters.insert(index, filter_config)
    return envoy_proxy.configuration(filters, _routes(objects, backends), clusters, buffer_bytes)
