"""vLLM's own KV event publisher in a process of its own, without an engine: reads one JSON object a line from standard
input and publishes what it says. `publish_kv_events.py PORT REPLAY_PORT`, with the Python of a vLLM installation.

    {"stored": [ids], "block_size": 16}    the blocks of a prompt, from its beginning
    {"removed": [indices]}                 of the blocks of the last prompt
    {"cleared": true}
"""

import hashlib
import json
import sys

from vllm.distributed.kv_events import (AllBlocksCleared, BlockRemoved, BlockStored, KVEventBatch,
                                        ZmqEventPublisher)


def names(ids, size):
    parent, out = b'seed of this engine', []
    for at in range(0, len(ids) - size + 1, size):
        parent = hashlib.sha256(parent + str(ids[at:at + size]).encode()).digest()
        out.append(parent)
    return out


def main():
    publisher = ZmqEventPublisher(0, endpoint=f'tcp://*:{sys.argv[1]}', replay_endpoint=f'tcp://*:{sys.argv[2]}')
    print('ready', flush=True)
    blocks = []
    for line in sys.stdin:
        order = json.loads(line)
        if 'stored' in order:
            size, ids = order['block_size'], order['stored']
            blocks = names(ids, size)
            events = [BlockStored(block_hashes=blocks, parent_block_hash=None, token_ids=ids[:len(blocks) * size],
                                  block_size=size, lora_id=None, medium='GPU', lora_name=None,
                                  extra_keys=[None] * len(blocks), group_idx=0, kv_cache_spec_kind='full_attention')]
        elif 'removed' in order:
            events = [BlockRemoved(block_hashes=[blocks[i] for i in order['removed']], medium='GPU', group_idx=0)]
        else:
            events = [AllBlocksCleared()]
        publisher.publish(KVEventBatch(ts=0.0, events=events))
    publisher.shutdown()


main()
