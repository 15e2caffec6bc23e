"""nginx and haproxy as fair rivals: one worker, keep-alive to clients and upstreams, round-robin, no logs."""

import socket


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def free_port_block(count):
    """The first of `count` ports in a row that are free now."""
    for _ in range(100):
        first = free_port()
        try:
            held = [socket.create_server(('127.0.0.1', first + i)) for i in range(count)]
        except (OSError, OverflowError):
            continue
        for sock in held:
            sock.close()
        return first
    raise RuntimeError(f'no {count} free ports in a row')


def nginx(folder, upstream_ports, hash_key=None):
    """(command, port for plain answers, port for streams): streams need proxy_buffering off. `hash_key`: requests go by a
    consistent hash of that variable instead of in turn."""
    plain, streams = free_port(), free_port()
    servers = '\n'.join(f'    server 127.0.0.1:{port};' for port in upstream_ports)
    if hash_key:
        servers = f'    hash {hash_key} consistent;\n' + servers
    temporary = '\n'.join(f'  {kind}_temp_path {folder}/nginx-{kind};'
                          for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
    path = folder / 'nginx.conf'
    path.write_text(f'''worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err crit;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_buffer_size 1m;
  client_max_body_size 64m;
{temporary}
  upstream engines {{
{servers}
    keepalive 2048;
    keepalive_requests 1000000000;
  }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 300s;
  server {{ listen 127.0.0.1:{plain}; location / {{ proxy_pass http://engines; }} }}
  server {{ listen 127.0.0.1:{streams}; location / {{ proxy_pass http://engines; proxy_buffering off; }} }}
}}
''')
    return ['nginx', '-p', str(folder), '-e', str(folder / 'nginx.err'), '-c', str(path)], plain, streams


def haproxy(folder, upstream_ports):
    """(command, port for HTTP, port for TCP): the second copies bytes and looks at none, the least that a proxy can cost."""
    port, copy_port = free_port(), free_port()
    servers = '\n'.join(f'  server engine{index} 127.0.0.1:{upstream} maxconn 8192'
                        for index, upstream in enumerate(upstream_ports))
    path = folder / 'haproxy.cfg'
    path.write_text(f'''global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  option http-keep-alive
  http-reuse always
frontend door
  bind 127.0.0.1:{port}
  default_backend engines
backend engines
  balance roundrobin
{servers}
listen copy
  mode tcp
  bind 127.0.0.1:{copy_port}
  balance roundrobin
{servers}
''')
    return ['haproxy', '-db', '-f', str(path)], port, copy_port
