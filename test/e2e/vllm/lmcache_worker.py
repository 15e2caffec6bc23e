"""LMCache's own worker in a process of its own, without an engine: its class, its sockets, its hashes of chunks. Reads one
JSON object a line from standard input, answers each with a line. With the Python of a vLLM installation, PYTHONPATH naming
an LMCache: `lmcache_worker.py PULL_URL REPLY_URL INSTANCE WORKER_PORT`, the URLs as LMCache takes them, HOST:PORT.

    {"stored": [ids]}      the chunks of a prompt come, in the CPU's cache -> {"chunks": N}
    {"removed": [i]}       of the last prompt's chunks
    {"skip": N}            the next operations' numbers leave out so many, as if messages were lost
    {"state": true}        -> {"held": N, "syncing": bool}
    {"peers": [i]}         who else has these chunks? -> {"peers": [...]}
"""

import asyncio
import json
import sys
from types import SimpleNamespace

from lmcache.v1.cache_controller import message
from lmcache.v1.cache_controller.worker import LMCacheWorker
from lmcache.v1.config import LMCacheEngineConfig
from lmcache.v1.token_database import ChunkedTokenDatabase

BATCHED = hasattr(message, 'BatchedKVOperationMsg')


class CpuCache:
    """As much of LMCache's LocalCPUBackend as a full sync asks for."""

    def __init__(self):
        self.held = {}

    def get_keys(self):
        return [SimpleNamespace(chunk_hash=chunk) for chunk in self.held]

    def __str__(self):
        return 'LocalCPUBackend'


class Engine:
    """As much of an engine as a worker asks for."""

    def __init__(self):
        self.storage_manager = SimpleNamespace(local_cpu_backend=CpuCache())
        self.frozen = False

    def freeze(self, frozen):
        self.frozen = frozen


def config_of(pull, reply, instance, port):
    config = LMCacheEngineConfig.from_defaults()
    settings = {'enable_controller': True, 'lmcache_instance_id': instance, 'controller_pull_url': pull,
                'controller_reply_url': reply, 'lmcache_worker_ports': [port], 'lmcache_worker_heartbeat_time': 1,
                'lmcache_worker_heartbeat_delay_time': 0, 'p2p_host': '127.0.0.1', 'p2p_init_ports': [port + 1],
                'extra_config': {'full_sync_startup_delay_s': 0, 'full_sync_status_poll_interval_s': 0.2,
                                 'full_sync_batch_size': 2}}
    for name, value in settings.items():
        setattr(config, name, value)
    return config


class Driver:
    def __init__(self, pull, reply, instance, port):
        self.engine = Engine()
        self.cache = self.engine.storage_manager.local_cpu_backend
        self.config = config_of(pull, reply, instance, int(port))
        self.config.enable_p2p = True
        metadata = SimpleNamespace(worker_id=0, world_size=1, use_mla=False)
        # First, because it imports vLLM, which takes longer than the worker waits for an answer.
        self.tokens = ChunkedTokenDatabase(self.config, None)
        self.worker = LMCacheWorker(self.config, metadata, self.engine)
        self.instance, self.number, self.chunks = instance, 0, []

    def say(self, kind, chunks):
        if not BATCHED:
            cls = message.KVAdmitMsg if kind == 'admit' else message.KVEvictMsg
            for chunk in chunks:
                self.worker.put_msg(cls(self.instance, 0, chunk, str(self.cache)))
            return
        operations = []
        for chunk in chunks:
            operations.append(message.KVOpEvent(op_type=message.OpType(kind), key=chunk, seq_num=self.number))
            self.number += 1
        self.worker.put_msg(message.BatchedKVOperationMsg(instance_id=self.instance, worker_id=0,
                                                          location=str(self.cache), operations=operations))

    def peers(self, chunks):
        asked = message.BatchedP2PLookupMsg(hashes=chunks, instance_id=self.instance, worker_id=0)
        future = asyncio.run_coroutine_threadsafe(self.worker.async_put_and_wait_msg(asked), self.worker.loop)
        return [list(peer) for peer in future.result(30).layout_info]

    def obey(self, order):
        if 'stored' in order:
            self.chunks = [key for _, _, key in self.tokens.process_tokens(order['stored'], make_key=False)]
            self.cache.held.update(dict.fromkeys(self.chunks))
            self.say('admit', self.chunks)
            return {'chunks': len(self.chunks)}
        if 'removed' in order:
            gone = [self.chunks[i] for i in order['removed']]
            for chunk in gone:
                self.cache.held.pop(chunk, None)
            self.say('evict', gone)
            return {}
        if 'skip' in order:
            self.number += order['skip']
            return {}
        if 'peers' in order:
            return {'peers': self.peers([self.chunks[i] for i in order['peers']])}
        sender = getattr(self.worker, '_full_sync_sender', None)
        return {'held': len(self.cache.held), 'syncing': bool(sender and sender.is_syncing)}


def main():
    driver = Driver(*sys.argv[1:5])
    print('ready', flush=True)
    for line in sys.stdin:
        print('answer ' + json.dumps(driver.obey(json.loads(line))), flush=True)
    driver.worker.close()


if __name__ == '__main__':
    main()
