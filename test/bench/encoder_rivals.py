#!/usr/bin/env python3
"""One round of the rivals of ./dev bench encoder, for test/bench/encoder.py: a line of JSON for each engine and length with the
milliseconds of CPU that a pass takes on one thread, and how close its answer is to fp32.

onnxruntime-int8: quantize_dynamic, per channel, over the graph with ONNX Runtime's own fused operators; the embedding stays fp32.
openvino-int8: weights int8 per channel, activations quantised at run time by groups of 384, the best way without calibration."""

import argparse
import json
import logging
import statistics
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
from onnxruntime.quantization import quantize_dynamic

import encoder_model

TOKENS = (16, 64, 128, 256, 512)
SECONDS = 0.4  # a cell


def milliseconds(run):
    for _ in range(3):
        run()
    times, start = [], time.monotonic()
    while len(times) < 7 or (time.monotonic() - start < SECONDS and len(times) < 200):
        before = time.process_time()
        run()
        times.append((time.process_time() - before) * 1e3)
    return statistics.median(times)


def onnxruntime_passes(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return lambda ids: session.run(['hidden'], {'ids': ids})[0]


def openvino_passes(path):
    core = openvino.Core()
    compiled = {}

    def run(ids):
        if ids.shape[1] not in compiled:
            model = core.read_model(path)
            model.reshape({0: [1, ids.shape[1]]})
            request = core.compile_model(model, 'CPU', {
                'INFERENCE_NUM_THREADS': 1, 'NUM_STREAMS': 1, 'PERFORMANCE_HINT': 'LATENCY',
                'DYNAMIC_QUANTIZATION_GROUP_SIZE': '384'}).create_infer_request()
            compiled[ids.shape[1]] = request
        return compiled[ids.shape[1]].infer({0: ids})[0]

    return run


def models(directory, work):
    """The ONNX files, made once."""
    fp32, fused, int8, weights = (work / f'{name}.onnx' for name in ('fp32', 'fused', 'fused-int8', 'weights-int8'))
    if not weights.exists():
        encoder_model.build(directory, fp32, fused=False)
        encoder_model.build(directory, fused, fused=True)
        logging.disable(logging.WARNING)
        quantize_dynamic(fused, int8, per_channel=True, op_types_to_quantize=['MatMul', 'Attention'],
                         extra_options={'DefaultTensorType': onnx.TensorProto.FLOAT})  # behind fused operators
        encoder_model.build(directory, weights, fused=False, int8_weights=True)
    return fp32, int8, weights


def cosine(a, b):
    a, b = a.mean(axis=1).ravel(), b.mean(axis=1).ravel()
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--work', type=Path, required=True)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    fp32, int8, weights = models(options.model, options.work)
    exact = onnxruntime_passes(fp32)
    rivals = {'onnxruntime-int8': onnxruntime_passes(int8), 'openvino-int8': openvino_passes(weights),
              'onnxruntime-fp32': exact}
    for tokens in TOKENS:
        ids = (1000 + 37 * np.arange(tokens, dtype=np.int64))[None, :]
        for name, run in rivals.items():
            close = cosine(run(ids), exact(ids))
            print(json.dumps({'rival': name, 'tokens': tokens, 'ms': milliseconds(lambda run=run, ids=ids: run(ids)),
                              'cosine': close}), flush=True)


if __name__ == '__main__':
    main()
