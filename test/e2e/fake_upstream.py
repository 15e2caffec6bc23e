"""An upstream that a test scripts byte by byte, in the test's own event loop: what the demo engine is too polite for."""

import asyncio


class FakeUpstream:
    """`script(upstream, head, body, reader, writer)` is awaited for each POST; everything else is answered 200."""

    def __init__(self, script):
        self.script = script
        self.posts = 0
        self.server = None

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, '127.0.0.1', 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1')
                length = 0
                for line in head.split('\r\n'):
                    if line.lower().startswith('content-length:'):
                        length = int(line.split(':')[1])
                body = await reader.readexactly(length)
                if head.startswith('POST'):
                    self.posts += 1
                    await self.script(self, head, body, reader, writer)
                else:
                    payload = b'{"object":"list","data":[]}'
                    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s'
                                 % (len(payload), payload))
                await writer.drain()
                if writer.is_closing():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


STREAM_HEAD = b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'


def chunk(data):
    return b'%x\r\n%s\r\n' % (len(data), data)


def event(text):
    return b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % text


def answer(status_line, body, extra=b''):
    return b'HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s' % (
        status_line, extra, len(body), body)


async def until_closed(reader):
    """Returns when the peer has closed or reset; fails the test's time limit otherwise."""
    try:
        while await reader.read(4096):
            pass
    except ConnectionError:
        pass
