"""A worker of LMCache as its controller sees it, in a process of its own: the same sockets, messages and names of chunks, no
engine. Facts: LMCache 0.3.7 (old) and 0.5.6 (new), v1/cache_controller/worker.py, message.py and full_sync_sender.py,
v1/token_database.py. Reads one JSON object a line from standard input and answers each with a line.

    lmcache_double.py old|new PULL REPLY INSTANCE IP [RANK]     addresses as tcp://HOST:PORT

    {"stored": [ids]}  the chunks of a prompt come      {"removed": [i]}   of the last prompt's chunks
    {"skip": N}        so many numbers are left out     {"peers": [i]}     who else has these chunks?
    {"beat": true}     one heartbeat, and what the answer to it asks for -> {"synced": chunks or null}
    {"raw": [hex]}     frames as they are, on the socket that answers nothing

The names of chunks are Python's own hash() (new) or SHA-256 over CBOR (old, because hash(None) is another in each process
before Python 3.12), after PYTHONHASHSEED of this process; without one they begin with a number that nobody can know."""

import hashlib
import json
import os
import sys

import msgpack
import zmq

CHUNK = 256
SECONDS = 60


def cbor_head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    log = next(log for log in range(4) if value < 1 << (8 << log))
    return bytes([major << 5 | 24 + log]) + value.to_bytes(1 << log, 'big')


def sha256_cbor_64bit(parent, ids):
    body = cbor_head(4, 3) + cbor_head(0, parent) + cbor_head(4, len(ids)) + b''.join(cbor_head(0, i) for i in ids) + b'\xf6'
    return int.from_bytes(hashlib.sha256(body).digest()[-8:], 'big')


class Names:
    def __init__(self, old):
        self.old = old
        seed = os.environ.get('PYTHONHASHSEED')
        if seed is None:
            self.root = int.from_bytes(os.urandom(7), 'big')
        elif old:
            text = cbor_head(3, len(seed)) + seed.encode()
            self.root = int.from_bytes(hashlib.sha256(text).digest()[-8:], 'big')
        else:
            self.root = hash(seed)

    def of(self, ids):
        names, name = [], self.root
        for at in range(0, len(ids), CHUNK):
            chunk = ids[at:at + CHUNK]
            if len(chunk) < CHUNK and not self.old:
                break  # unfull chunks are saved before 0.5 only
            name = sha256_cbor_64bit(name, chunk) if self.old else hash((name, tuple(chunk), ()))
            names.append(name)
        return names


class Worker:
    def __init__(self, version, pull, reply, instance, ip, rank='0'):
        self.old, self.instance, self.ip, self.rank = version == 'old', instance, ip, int(rank)
        self.names = Names(self.old)
        self.context = zmq.Context()
        self.push = self.socket(zmq.PUSH, pull)
        self.ask_socket = self.socket(zmq.REQ if self.old else zmq.DEALER, reply)
        self.beat_socket = None
        self.chunks, self.held, self.number = [], {}, 0
        if self.old:
            self.send('RegisterMsg', **self.presence())
            return
        url = self.ask(self.ask_socket, 'RegisterMsg', 'RegisterRetMsg', **self.presence())['extra_config']['heartbeat_url']
        self.beat_socket = self.socket(zmq.DEALER, f'tcp://{url}')

    def socket(self, kind, address):
        sock = self.context.socket(kind)
        sock.setsockopt(zmq.RCVTIMEO, SECONDS * 1000)
        sock.connect(address)
        return sock

    def presence(self):
        url = {'distributed_url' if self.old else 'peer_init_url': f'{self.ip}:28002'}
        return {'ip': self.ip, 'port': 28001, **url}

    def message(self, kind, **fields):
        return msgpack.packb({'type': kind, 'instance_id': self.instance, 'worker_id': self.rank, **fields})

    def send(self, kind, *more, **fields):
        self.push.send_multipart([self.message(kind, **fields), *more])

    def ask(self, sock, kind, expected, **fields):
        message = self.message(kind, **fields)
        # What was on its way to a controller that is gone is lost; a worker asks again with its next heartbeat.
        for _ in range(1 if self.old else 15):
            sock.send_multipart([message] if self.old else [b'', message])
            while sock.poll(30_000 if self.old else 2000):
                answer = msgpack.unpackb(sock.recv_multipart()[-1])
                if answer['type'] == expected:
                    return answer
                assert not self.old, answer
        raise AssertionError(f'no answer to {kind}')

    def operate(self, kind, chunks):
        if self.old:
            cls = {'admit': 'KVAdmitMsg', 'evict': 'KVEvictMsg'}[kind]
            # What has gathered goes in one message, a frame each.
            self.push.send_multipart([self.message(cls, key=chunk, location='LocalCPUBackend') for chunk in chunks])
            return
        operations = [{'op_type': kind, 'key': chunk, 'seq_num': self.number + i} for i, chunk in enumerate(chunks)]
        self.number += len(chunks)
        self.send('BatchedKVOperationMsg', location='LocalCPUBackend', operations=operations)

    def full_sync(self):
        keys, size = list(self.held), 2
        batches = [keys[at:at + size] for at in range(0, len(keys), size)] or [[]]
        sync = {'sync_id': f'{self.instance}_{self.rank}_1', 'location': 'LocalCPUBackend'}
        answer = self.ask(self.ask_socket, 'FullSyncStartMsg', 'FullSyncStartRetMsg', total_keys=len(keys),
                          batch_count=len(batches), **sync)
        assert answer['accepted'], answer
        # One batch is lost on its way and sent again when it is missed.
        for number, batch in list(enumerate(batches))[1:]:
            self.send('FullSyncBatchMsg', batch_id=number, keys=batch, **sync)
        self.send('FullSyncEndMsg', actual_total_keys=len(keys), **sync)
        for _ in range(10_000):
            status = self.ask(self.ask_socket, 'FullSyncStatusMsg', 'FullSyncStatusRetMsg', sync_id=sync['sync_id'])
            if status['can_exit_freeze']:
                assert status['is_complete'] and not status['missing_batches'], status
                return len(keys)
            if status['missing_batches'] == [0]:
                self.send('FullSyncBatchMsg', batch_id=0, keys=batches[0], **sync)
        raise AssertionError('the full sync does not end')

    def beat(self):
        if self.old:
            self.send('HeartbeatMsg', **self.presence())
            return None
        answer = self.ask(self.beat_socket, 'HeartbeatMsg', 'HeartbeatRetMsg', **self.presence())
        assert all(command['command_type'] == 'full_sync' for command in answer['commands']), answer
        return self.full_sync() if answer['commands'] else None

    def obey(self, order):
        if 'stored' in order:
            self.chunks = self.names.of(order['stored'])
            self.held.update(dict.fromkeys(self.chunks))
            self.operate('admit', self.chunks)
            return {'chunks': len(self.chunks)}
        if 'removed' in order:
            gone = [self.chunks[i] for i in order['removed']]
            for chunk in gone:
                self.held.pop(chunk, None)
            self.operate('evict', gone)
        if 'skip' in order:
            self.number += order['skip']
        if 'beat' in order:
            return {'synced': self.beat()}
        if 'peers' in order:
            hashes = [self.chunks[i] for i in order['peers']]
            return {'peers': self.ask(self.ask_socket, 'BatchedP2PLookupMsg', 'BatchedP2PLookupRetMsg',
                                      hashes=hashes)['layout_info']}
        if 'raw' in order:
            self.push.send_multipart([bytes.fromhex(frame) for frame in order['raw']])
        return {}


def main():
    worker = Worker(*sys.argv[1:])
    print('ready', flush=True)
    for line in sys.stdin:
        print(json.dumps(worker.obey(json.loads(line))), flush=True)
    worker.send('DeRegisterMsg', ip=worker.ip, port=28001)
    worker.push.close(linger=SECONDS * 1000)
    worker.context.destroy(linger=0)


if __name__ == '__main__':
    main()
