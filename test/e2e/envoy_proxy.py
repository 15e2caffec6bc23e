"""The real Envoy in front of Signalbox: its configuration as data, used by tests and benchmarks."""

TYPES = 'type.googleapis.com/envoy.extensions.filters.http.'
ANY_PORT = {'socket_address': {'address': '127.0.0.1', 'port_value': 0}}
HTTP2 = {'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    'explicit_http_config': {'http2_protocol_options': {}}}}


def cluster(name, ports, http2=False):
    """Endpoints on 127.0.0.1, taken in turn."""
    endpoints = [{'endpoint': {'address': {'socket_address': {'address': '127.0.0.1', 'port_value': port}}}}
                 for port in ports]
    made = {'name': name, 'type': 'STATIC', 'connect_timeout': '5s',
            'load_assignment': {'cluster_name': name, 'endpoints': [{'lb_endpoints': endpoints}]}}
    if http2:
        made['typed_extension_protocol_options'] = HTTP2
    # The default breakers end at 1,024 requests.
    made['circuit_breakers'] = {'thresholds': [{'max_connections': 20000, 'max_pending_requests': 20000,
                                                'max_requests': 20000}]}
    return made


def destination_cluster(name):
    """Goes where the request's own header says: the replica that Signalbox chose."""
    return {'name': name, 'type': 'ORIGINAL_DST', 'lb_policy': 'CLUSTER_PROVIDED', 'connect_timeout': '5s',
            'original_dst_lb_config': {'use_http_header': True, 'http_header_name': 'x-gateway-destination-endpoint'}}


def route(to, path='/', headers=None):
    """A route by prefix and exact headers. The answer's time is the engine's."""
    match = {'prefix': path}
    if headers:
        match['headers'] = [{'name': name, 'string_match': {'exact': value}} for name, value in headers.items()]
    return {'match': match, 'route': {'cluster': to, 'timeout': '60s'}}


def ext_proc(to='signalbox', request='BUFFERED', response='BUFFERED', fail_open=False, override=True, trailers='SKIP',
             message_timeout='30s', **more):
    mode = {'request_header_mode': 'SEND', 'response_header_mode': 'SEND', 'request_body_mode': request,
            'response_body_mode': response, 'request_trailer_mode': trailers, 'response_trailer_mode': trailers}
    config = {'@type': TYPES + 'ext_proc.v3.ExternalProcessor', 'grpc_service': {
        'envoy_grpc': {'cluster_name': to}, 'timeout': '60s'}, 'processing_mode': mode,
        'failure_mode_allow': fail_open, 'allow_mode_override': override, 'message_timeout': message_timeout, **more}
    return {'name': f'ext_proc.{to}', 'typed_config': config}


def duplex(**keywords):
    """The mode in which both sides stream and nothing is held back by Envoy."""
    return ext_proc(request='FULL_DUPLEX_STREAMED', response='FULL_DUPLEX_STREAMED', trailers='SEND', **keywords)


def configuration(filters, routes, clusters, buffer_bytes=64 << 20):
    router = {'name': 'router', 'typed_config': {'@type': TYPES + 'router.v3.Router'}}
    manager = {
        '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
        'stat_prefix': 'gateway', 'http_protocol_options': {'enable_trailers': True}, 'http_filters': [*filters, router],
        'stream_idle_timeout': '120s',
        'route_config': {'name': 'routes', 'virtual_hosts': [{'name': 'all', 'domains': ['*'], 'routes': routes}]}}
    listener = {'name': 'gateway', 'address': ANY_PORT, 'per_connection_buffer_limit_bytes': buffer_bytes,
                'filter_chains': [{'filters': [{'name': 'http', 'typed_config': manager}]}]}
    return {'admin': {'address': ANY_PORT}, 'static_resources': {'listeners': [listener], 'clusters': clusters}}
