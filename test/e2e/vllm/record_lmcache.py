"""Writes what LMCache's own worker puts on the wire, and what LMCache's own classes answer: test/golden/lmcache/VERSION.txt,
a message a line: who, what, hex.

Run by hand with the Python of a vLLM installation when a new version is to be supported:
    PYTHONPATH=.cache/vllm/lmcache-0.5.6 PYTHONHASHSEED=123 python test/e2e/vllm/record_lmcache.py test/golden/lmcache/0_5_6.txt
The frames are taken from the sockets that a controller listens on; the worker is lmcache_worker.py's.
"""

import os
import sys
import threading

import msgspec
import zmq

from lmcache.v1.cache_controller import message
from lmcache.v1.cache_controller import worker as worker_module

import lmcache_worker

IDS = list(range(70_000, 70_600))  # two whole chunks and a part
WORKER_PORT = 28001


class Recorder:
    def __init__(self):
        self.context = zmq.Context()
        self.pull = self.context.socket(zmq.PULL)
        self.pull_port = self.pull.bind_to_random_port('tcp://127.0.0.1')
        self.reply = self.context.socket(zmq.ROUTER)
        self.reply_port = self.reply.bind_to_random_port('tcp://127.0.0.1')
        self.heartbeat = self.context.socket(zmq.ROUTER)
        self.heartbeat_port = self.heartbeat.bind_to_random_port('tcp://127.0.0.1')
        for sock in (self.pull, self.reply, self.heartbeat):
            sock.setsockopt(zmq.RCVTIMEO, 20_000)
        self.lines, self.waiting = [], []

    def note(self, who, what, payload):
        self.lines.append(f'{who} {what} {payload.hex()}')

    def pushed(self, what, wanted):
        """The next pushed message of that class; heartbeats of 0.3 in between are passed over."""
        while True:
            while not self.waiting:
                self.waiting = self.pull.recv_multipart()
            payload = self.waiting.pop(0)
            if msgspec.msgpack.decode(payload)['type'] == wanted:
                self.note('pushed', what, payload)
                return payload

    def asked(self, sock, what, answer):
        identity, empty, payload = sock.recv_multipart()
        assert empty == b''
        self.note('asked', what, payload)
        encoded = msgspec.msgpack.encode(answer(msgspec.msgpack.decode(payload)))
        self.note('answer', what, encoded)
        sock.send_multipart([identity, b'', encoded])


def old(recorder, driver):
    recorder.pushed('register', 'RegisterMsg')
    driver.obey({'stored': IDS})
    for i in range(len(driver.chunks)):
        recorder.pushed(f'admit-{i}', 'KVAdmitMsg')
    driver.obey({'removed': [0]})
    recorder.pushed('evict', 'KVEvictMsg')
    recorder.pushed('heartbeat', 'HeartbeatMsg')


def new(recorder, driver):
    recorder.asked(recorder.reply, 'register', lambda _: message.RegisterRetMsg(
        extra_config={'heartbeat_url': f'127.0.0.1:{recorder.heartbeat_port}'}))
    recorder.asked(recorder.heartbeat, 'heartbeat', lambda _: message.HeartbeatRetMsg())
    driver.obey({'stored': IDS})
    recorder.pushed('admit', 'BatchedKVOperationMsg')
    driver.obey({'removed': [0]})
    recorder.pushed('evict', 'BatchedKVOperationMsg')
    command = message.FullSyncCommand(reason='chunks_unknown')
    recorder.asked(recorder.heartbeat, 'heartbeat-sync', lambda _: message.HeartbeatRetMsg(commands=[command]))
    recorder.asked(recorder.reply, 'sync-start',
                   lambda asked: message.FullSyncStartRetMsg(sync_id=asked['sync_id'], accepted=True))
    recorder.pushed('sync-batch', 'FullSyncBatchMsg')
    recorder.pushed('sync-end', 'FullSyncEndMsg')
    recorder.asked(recorder.reply, 'sync-status', lambda asked: message.FullSyncStatusRetMsg(
        sync_id=asked['sync_id'], is_complete=True, global_progress=1.0, can_exit_freeze=True, missing_batches=[]))


def main():
    recorder = Recorder()
    worker_module.get_ip = lambda: '10.0.0.7'
    driver = lmcache_worker.Driver(f'127.0.0.1:{recorder.pull_port}', f'127.0.0.1:{recorder.reply_port}', 'engine-1',
                                   WORKER_PORT)
    if hasattr(driver.worker, '_get_full_sync_sender'):
        driver.worker._get_full_sync_sender()._generate_sync_id = lambda: 'engine-1_0_5ca1ab1e'
    new(recorder, driver) if lmcache_worker.BATCHED else old(recorder, driver)
    # Peers are asked for while the sockets above answer: on the worker's thread, so the answer is recorded here.
    found = []
    asking = threading.Thread(target=lambda: found.append(driver.peers(driver.chunks[:2])))
    asking.start()
    recorder.asked(recorder.reply, 'peers', lambda _: message.BatchedP2PLookupRetMsg(
        layout_info=[('engine-2', 'LocalCPUBackend', 2, '10.0.0.8:28002')]))
    asking.join()
    assert found == [[['engine-2', 'LocalCPUBackend', 2, '10.0.0.8:28002']]], found
    driver.worker.deregister()
    recorder.pushed('deregister', 'DeRegisterMsg')
    with open(sys.argv[1], 'w') as out:
        out.write('\n'.join(recorder.lines) + '\n')
        out.write('chunks ' + ' '.join(str(chunk) for chunk in driver.chunks) + '\n')
    os._exit(0)  # its threads wait on sockets for ever


main()
