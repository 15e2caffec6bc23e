"""HTTP for tests: a small blocking client, and a raw asyncio one that keeps every byte as it came."""

import asyncio
import http.client
import json
import socket


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def request(port, method, path, body=None, headers=None, timeout=60):
    """One request on a connection of its own. `body` may be bytes, or an object to send as JSON."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout)
    try:
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault('content-type', 'application/json')
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, data)
    finally:
        connection.close()


def get(port, path, headers=None):
    return request(port, 'GET', path, None, headers)


def chat(port, text, model='MoM', headers=None, **fields):
    body = {'model': model, 'messages': [{'role': 'user', 'content': text}], **fields}
    return request(port, 'POST', '/v1/chat/completions', body, headers)


def exchange_bytes(port, data, half_close=False, timeout=20):
    """Sends bytes as they are, then reads until the server closes or `timeout`; what came, and whether it closed.
    With half_close the client says that it has no more to send: a request cut short, or a client that went away."""
    with socket.create_connection(('127.0.0.1', port), timeout) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server may refuse and close before it has read everything
        received = bytearray()
        try:
            while piece := sock.recv(65536):
                received += piece
                if _says_close(received):
                    sock.shutdown(socket.SHUT_WR)  # spares the server its wait for us to have read everything
        except socket.timeout:
            return bytes(received), False
        except OSError:
            return bytes(received), True
        return bytes(received), True


def _says_close(received):
    try:
        return parse_responses(bytes(received))[-1][1].get('connection', '').lower() == 'close'
    except (ValueError, IndexError):
        return False


def parse_responses(data):
    """[(status, headers, body)] of the responses in a byte string; a cut last one raises ValueError."""
    found = []
    while data:
        head, separator, data = data.partition(b'\r\n\r\n')
        if not separator:
            raise ValueError(f'a head without an end: {head[:200]!r}')
        lines = head.decode('latin-1').split('\r\n')
        status = int(lines[0].split(' ')[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            headers[name.lower()] = value.strip()
        body = b''
        if status >= 200 and status not in (204, 304):
            if headers.get('transfer-encoding') == 'chunked':
                body, data = _read_chunks(data)
            else:
                length = int(headers.get('content-length', '0'))
                if len(data) < length:
                    raise ValueError('a cut body')
                body, data = data[:length], data[length:]
        found.append((status, headers, body))
    return found


def _read_chunks(data):
    body = b''
    while True:
        size_line, separator, data = data.partition(b'\r\n')
        if not separator:
            raise ValueError('a cut chunk')
        size = int(size_line.split(b';')[0], 16)
        if size == 0:
            while True:
                line, separator, data = data.partition(b'\r\n')
                if not separator:
                    raise ValueError('a cut trailer')
                if not line:
                    return body, data
        if len(data) < size + 2:
            raise ValueError('a cut chunk')
        body, data = body + data[:size], data[size + 2:]


def post_bytes(path, body, headers=None):
    """The bytes of one POST request."""
    lines = [f'POST {path} HTTP/1.1', 'Host: test', 'Content-Type: application/json', f'Content-Length: {len(body)}']
    lines += [f'{name}: {value}' for name, value in (headers or {}).items()]
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + body


class AsyncConnection:
    """A keep-alive connection whose answers are read chunk by chunk."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port):
        return cls(*await asyncio.open_connection('127.0.0.1', port, limit=1 << 20))

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def read_head(self):
        head = (await self.reader.readuntil(b'\r\n\r\n')).decode('latin-1')
        lines = head.split('\r\n')
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            if name:
                headers[name.lower()] = value.strip()
        return int(lines[0].split(' ')[1]), headers

    async def read_pieces(self, headers):
        """Yields body bytes as they come, without framing. Raises IncompleteReadError when the body is cut."""
        if headers.get('transfer-encoding') == 'chunked':
            while True:
                size = int((await self.reader.readuntil(b'\r\n')).split(b';')[0], 16)
                data = await self.reader.readexactly(size + 2)
                if size == 0:
                    return
                yield data[:-2]
        else:
            yield await self.reader.readexactly(int(headers.get('content-length', '0')))

    async def read_body(self, headers):
        return b''.join([piece async for piece in self.read_pieces(headers)])

    def close(self):
        self.writer.close()

    def abort(self):
        """A reset instead of an orderly end."""
        self.writer.transport.abort()


async def post(port, path, body, headers=None):
    """One request; (status, headers, body bytes)."""
    connection = await AsyncConnection.open(port)
    try:
        await connection.send(post_bytes(path, body, headers))
        status, answer_headers = await connection.read_head()
        return status, answer_headers, await connection.read_body(answer_headers)
    finally:
        connection.close()
