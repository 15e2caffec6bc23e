"""The real Envoy Gateway with the real Envoy, on one machine: Gateway API objects in a folder, translated and served to an
Envoy that it starts itself (its "Host" infrastructure). Ports are fixed by Envoy Gateway: use it inside private_network.
SIGNALBOX_ENVOY_GATEWAY and SIGNALBOX_ENVOY name the binaries. Envoy AI Gateway's objects are turned into what that makes
of them: an HTTPRoute with its 404, and its processor (gateway.AiGateway) as an extension of the gateway."""

import copy
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import yaml

import envoy_process
import gateway
from http_client import get
from programs import wait_until

BINARY = os.environ.get('SIGNALBOX_ENVOY_GATEWAY', '')
ENVOY_VERSION = '1.40.0'  # only the name of a folder: any Envoy put there is taken
GATEWAY_GROUP = 'gateway.envoyproxy.io'
UNKNOWN = 'No matching route found. It is likely because the model specified in your request is not configured'


def _controller(folder):
    return {'apiVersion': f'{GATEWAY_GROUP}/v1alpha1', 'kind': 'EnvoyGateway',
            'gateway': {'controllerName': f'{GATEWAY_GROUP}/gatewayclass-controller'},
            'provider': {'type': 'Custom', 'custom': {
                'resource': {'type': 'File', 'file': {'paths': [str(folder / 'objects')]}},
                'infrastructure': {'type': 'Host', 'host': {
                    'configHome': str(folder / 'config'), 'dataHome': str(folder / 'data'),
                    'stateHome': str(folder / 'state'), 'runtimeDir': str(folder / 'run')}}}},
            'logging': {'level': {'default': 'info'}},
            'extensionApis': {'enableBackend': True, 'enableEnvoyPatchPolicy': True}}


def _meta(entry):
    return {'name': entry['metadata']['name'], 'namespace': entry['metadata'].get('namespace', 'default')}


def _on_this_machine(objects):
    """The one change that running without Kubernetes needs: Envoy is a process, not a Deployment."""
    host = {'type': 'Host', 'host': {'envoyVersion': ENVOY_VERSION}}
    proxies = [entry for entry in objects if entry['kind'] == 'EnvoyProxy']
    for proxy in proxies:
        proxy['spec'] = {**proxy['spec'], 'provider': host}
        proxy['spec'].pop('logging', None)
    if proxies:
        return objects
    at = next(entry for entry in objects if entry['kind'] == 'Gateway')
    at['spec']['infrastructure'] = {'parametersRef': {'group': GATEWAY_GROUP, 'kind': 'EnvoyProxy', 'name': 'host'}}
    return [*objects, {'apiVersion': f'{GATEWAY_GROUP}/v1alpha1', 'kind': 'EnvoyProxy',
                       'metadata': {**_meta(at), 'name': 'host'}, 'spec': {'provider': host}}]


def _http_route(route, objects):
    """What the AI Gateway makes of an AIGatewayRoute, and the filter of its last rule."""
    targets = {entry['metadata']['name']: entry['spec']['backendRef'] for entry in objects if entry['kind'] == 'AIServiceBackend'}
    rules = []
    for rule in route['spec']['rules']:
        rules.append({**rule, 'backendRefs': [targets[reference['name']] for reference in rule['backendRefs']]})
    name = f'{route["metadata"]["name"]}-unknown'
    rules.append({'matches': [{'path': {'type': 'PathPrefix', 'value': '/'}}], 'filters': [
        {'type': 'ExtensionRef', 'extensionRef': {'group': GATEWAY_GROUP, 'kind': 'HTTPRouteFilter', 'name': name}}]})
    unknown = {'apiVersion': f'{GATEWAY_GROUP}/v1alpha1', 'kind': 'HTTPRouteFilter',
               'metadata': {**_meta(route), 'name': name},
               'spec': {'directResponse': {'statusCode': 404, 'contentType': 'text/plain',
                                           'body': {'type': 'Inline', 'inline': UNKNOWN}}}}
    return [{'apiVersion': 'gateway.networking.k8s.io/v1', 'kind': 'HTTPRoute', 'metadata': _meta(route),
             'spec': {'parentRefs': route['spec']['parentRefs'], 'rules': rules}}, unknown]


def _with_ai_gateway(objects, double_port):
    at = next(entry for entry in objects if entry['kind'] == 'Gateway')
    processor = {**_meta(at), 'name': 'ai-gateway'}
    backend = {'apiVersion': f'{GATEWAY_GROUP}/v1alpha1', 'kind': 'Backend', 'metadata': processor,
               'spec': {'endpoints': [{'ip': {'address': '127.0.0.1', 'port': double_port}}]}}
    call = {'backendRefs': [{'group': GATEWAY_GROUP, 'kind': 'Backend', 'name': 'ai-gateway', 'port': double_port}],
            'messageTimeout': '10s', 'processingMode': {'request': {'body': 'Buffered'}}}
    policies = [entry for entry in objects if entry['kind'] == 'EnvoyExtensionPolicy']
    if policies:
        # The AI Gateway's own processor comes first, before those of extension policies.
        policies[0]['spec']['extProc'].insert(0, call)
        return [*objects, backend]
    policy = {'apiVersion': f'{GATEWAY_GROUP}/v1alpha1', 'kind': 'EnvoyExtensionPolicy', 'metadata': processor, 'spec': {
        'targetRefs': [{'group': 'gateway.networking.k8s.io', 'kind': 'Gateway', 'name': at['metadata']['name']}],
        'extProc': [call]}}
    return [*objects, backend, policy]


def translated(objects, double_port):
    """Objects that Envoy Gateway alone understands; `double_port` is that of the AI Gateway's processor, if there is one."""
    objects = copy.deepcopy(objects)
    routes = [entry for entry in objects if entry['kind'] == 'AIGatewayRoute']
    made = [entry for route in routes for entry in _http_route(route, objects)]
    known = [entry for entry in objects if entry['apiVersion'].startswith(('gateway.networking.k8s.io/', f'{GATEWAY_GROUP}/'))]
    result = _on_this_machine([*known, *made])
    return _with_ai_gateway(result, double_port) if routes else result


class EnvoyGateway:
    """A running Envoy Gateway and its Envoy; looks like a Program to the fixtures."""

    def __init__(self, objects, double_port=None):
        self.name = 'envoy-gateway'
        self.folder = Path(tempfile.mkdtemp(prefix='signalbox-envoy-gateway-'))
        self.log_path = self.folder / 'envoy-gateway.log'
        for name in ('objects', 'run'):
            (self.folder / name).mkdir()
        place = self.folder / 'data/envoy-versions' / ENVOY_VERSION / 'bin'
        place.mkdir(parents=True)
        (place / 'envoy').symlink_to(envoy_process.BINARY)
        (self.folder / 'controller.yaml').write_text(yaml.safe_dump(_controller(self.folder)))
        made = subprocess.run([BINARY, 'certgen', '--local', '--config-home', str(self.folder / 'config')],
                              capture_output=True, text=True, check=False, timeout=60)
        assert made.returncode == 0, made.stderr
        self.apply(objects, double_port)
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen([BINARY, 'server', '--config-path', str(self.folder / 'controller.yaml')],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            start_new_session=True)
        self.port = next(entry for entry in objects if entry['kind'] == 'Gateway')['spec']['listeners'][0]['port']
        wait_until(lambda: get(self.port, '/v1/models').status == 200, 'the gateway to know Signalbox', self)

    def apply(self, objects, double_port):
        """As kubectl apply would; the file is replaced in one step."""
        beside = self.folder / 'objects.new'
        beside.write_text(yaml.safe_dump_all(translated(objects, double_port)))
        beside.rename(self.folder / 'objects/objects.yaml')

    def log(self):
        return self.log_path.read_text(errors='replace')

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return self.process.returncode
