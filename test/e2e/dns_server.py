"""A DNS server for tests: answers A and SRV from a dictionary that the test may change."""

import socket
import socketserver
import struct
import threading

A, SRV = 1, 33


def encode_name(name):
    return b''.join(bytes([len(label)]) + label.encode() for label in name.rstrip('.').split('.')) + b'\0'


class DnsServer:
    """records: {(name, type): [value]}; an A value is an address, a SRV value (priority, weight, port, target).
    A name that is missing does not exist; `silent` answers nothing at all."""

    def __init__(self, records):
        self.records = records
        self.silent = False
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                if not owner.silent:
                    sock.sendto(owner.answer(data), self.client_address)

        self.server = socketserver.ThreadingUDPServer(('127.0.0.1', 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack('!H', query[at + 1:at + 3])[0]
        name = '.'.join(labels).lower()
        values = self.records.get((name, kind), [])
        known = any(key[0] == name for key in self.records)
        answers = b''
        for value in values:
            data = socket.inet_aton(value) if kind == A else \
                struct.pack('!HHH', *value[:3]) + encode_name(value[3])
            answers += b'\xc0\x0c' + struct.pack('!HHIH', kind, 1, 1, len(data)) + data
        flags = 0x8180 | (0 if known else 3)
        return query[:2] + struct.pack('!HHHHH', flags, 1, len(values), 0, 0) + query[12:at + 5] + answers
