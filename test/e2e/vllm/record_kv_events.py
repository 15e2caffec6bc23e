"""Writes test/golden/kv_events/vllm_0_32.txt: what vLLM's own event classes put on the wire, one batch a line in hex.

Run by hand with the Python of a vLLM installation when a new version is to be supported:
    python test/e2e/vllm/record_kv_events.py test/golden/kv_events/vllm_0_32.txt
The batches go through the real ZmqEventPublisher and are taken from a SUB socket, and once more from the replay socket.
"""

import sys

import zmq
from vllm.distributed.kv_events import (AllBlocksCleared, BlockRemoved, BlockStored, KVEventBatch,
                                        ZmqEventPublisher)


def name(number):
    return bytes([number]) * 32


def stored(blocks, parent, tokens, **more):
    fields = {'lora_id': None, 'medium': 'GPU', 'lora_name': None}
    fields.update(more)
    return BlockStored(block_hashes=blocks, parent_block_hash=parent, token_ids=tokens, block_size=4, **fields)


def batches():
    metadata = {'group_idx': 0, 'kv_cache_spec_kind': 'full_attention'}
    yield 'two blocks', [stored([name(1), name(2)], None, list(range(8)), extra_keys=[None, None], **metadata)]
    yield 'a child, integer names', [stored([1 << 63, 12345], 77, [70000, 1, 2, 3, 4, 5, 6, 7])]
    yield 'adapter and salt', [stored([name(3)], None, [1, 2, 3, 4], lora_id=1, lora_name='maths',
                                      extra_keys=[('maths', 'tenant-7')], **metadata)]
    yield 'salt alone', [stored([name(4)], None, [1, 2, 3, 4], extra_keys=[('tenant-7',)], **metadata)]
    yield 'an image', [stored([name(5), name(6)], None, [9] * 8, extra_keys=[(('image-hash', 2),), None], **metadata)]
    yield 'a window', [stored([name(7)], None, [1, 2, 3, 4], group_idx=1, kv_cache_spec_kind='sliding_window',
                              kv_cache_spec_sliding_window=128)]
    yield 'cpu by name only', [BlockStored(block_hashes=[name(1)], parent_block_hash=None, token_ids=[], block_size=4,
                                           lora_id=None, medium='CPU', lora_name=None)]
    yield 'storage', [stored([name(8)], name(2), [8, 9, 10, 11], medium='STORAGE', locality='REMOTE', ownership='fs')]
    yield 'removed', [BlockRemoved(block_hashes=[name(2)], medium='GPU', group_idx=0),
                      BlockRemoved(block_hashes=[name(1)], medium='CPU')]
    yield 'cleared', [AllBlocksCleared()]


def main():
    publisher = ZmqEventPublisher(2, endpoint='tcp://127.0.0.1:25557', replay_endpoint='tcp://127.0.0.1:25657')
    # Not bound by a wildcard, so the publisher connects; we bind.
    context = zmq.Context.instance()
    sub = context.socket(zmq.SUB)
    sub.bind('tcp://127.0.0.1:25559')
    sub.setsockopt(zmq.SUBSCRIBE, b'')
    lines = []
    known = list(batches())
    # A subscriber misses what is sent before its subscription has arrived; an empty batch says when it has.
    sub.setsockopt(zmq.RCVTIMEO, 200)
    first = None
    while first is None:
        publisher.publish(KVEventBatch(ts=0.5, events=[]))
        try:
            first = sub.recv_multipart()
        except zmq.Again:
            pass
    sub.setsockopt(zmq.RCVTIMEO, 5000)
    number = int.from_bytes(first[1], 'big')
    lines.append(('empty', first[2]))
    for label, events in known:
        publisher.publish(KVEventBatch(ts=1.5, events=events))
        topic, seq, payload = sub.recv_multipart()
        number += 1
        assert int.from_bytes(seq, 'big') == number and topic == b''
        lines.append((label, payload))
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.RCVTIMEO, 5000)
    dealer.connect('tcp://127.0.0.1:25659')
    dealer.send_multipart([b'', number.to_bytes(8, 'big')])
    again = dealer.recv_multipart()
    assert again == [b'', b'', number.to_bytes(8, 'big'), lines[-1][1]], again
    end = dealer.recv_multipart()
    assert end == [b'', b'', b'\xff' * 8, b''], end
    with open(sys.argv[1], 'w') as out:
        for label, payload in lines:
            out.write(f'{label}: {payload.hex()}\n')
    publisher.shutdown()


main()
