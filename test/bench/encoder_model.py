"""The encoder's base model as ONNX, written node by node from its safetensors file: no torch, no exporter."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20


def read_safetensors(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], 'little')
    header = json.loads(data[8:8 + length])
    types = {'F32': np.float32}
    tensors = {}
    for name, entry in header.items():
        if name == '__metadata__' or entry['dtype'] not in types:
            continue
        first, end = (8 + length + at for at in entry['data_offsets'])
        tensors[name.removeprefix('bert.')] = np.frombuffer(data[first:end], types[entry['dtype']]).reshape(entry['shape'])
    return tensors


class Graph:
    """Nodes and weights as they are added; each call returns the name of the result."""

    def __init__(self, int8_weights):
        self.nodes, self.weights, self.int8_weights = [], [], int8_weights

    def constant(self, value):
        name = f'w{len(self.weights)}'
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind, *inputs, domain='', outputs=1, **attributes):
        names = [f'n{len(self.nodes)}_{i}' for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names[0]

    def matrix(self, weight):
        """[depth, columns]; with int8_weights as levels and a scale a column, which engines may keep that way."""
        if not self.int8_weights:
            return self.constant(weight)
        scale = (np.abs(weight).max(axis=0) / 127).astype(np.float32)
        levels = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
        return self.op('DequantizeLinear', self.constant(levels), self.constant(scale), axis=1)

    def linear(self, x, tensors, name):
        product = self.op('MatMul', x, self.matrix(tensors[name + '.weight'].T))
        return self.op('Add', product, self.constant(tensors[name + '.bias']))


def attention_fused(graph, x, tensors, name, heads):
    weight = np.concatenate([tensors[f'{name}.self.{part}.weight'].T for part in ('query', 'key', 'value')], axis=1)
    bias = np.concatenate([tensors[f'{name}.self.{part}.bias'] for part in ('query', 'key', 'value')])
    return graph.op('Attention', x, graph.constant(weight), graph.constant(bias), domain='com.microsoft', num_heads=heads)


def attention_plain(graph, x, tensors, name, heads):
    hidden = tensors[f'{name}.self.query.weight'].shape[0]
    split = graph.constant(np.array([0, 0, heads, hidden // heads], np.int64))

    def heads_of(part, order):
        rows = graph.op('Reshape', graph.linear(x, tensors, f'{name}.self.{part}'), split)
        return graph.op('Transpose', rows, perm=order)

    scores = graph.op('MatMul', heads_of('query', [0, 2, 1, 3]), heads_of('key', [0, 2, 3, 1]))
    scores = graph.op('Mul', scores, graph.constant(np.float32((hidden // heads) ** -0.5)))
    mixed = graph.op('MatMul', graph.op('Softmax', scores, axis=-1), heads_of('value', [0, 2, 1, 3]))
    rows = graph.op('Transpose', mixed, perm=[0, 2, 1, 3])
    return graph.op('Reshape', rows, graph.constant(np.array([0, 0, hidden], np.int64)))


def build(directory, path, fused, int8_weights=False):
    """Writes the model to `path`. `fused`: ONNX Runtime's own operators for attention and residual LayerNorm, which is what its
    transformer optimiser makes of an export; else standard operators only."""
    config = json.loads((directory / 'config.json').read_text())
    tensors = read_safetensors(directory / 'model.safetensors')
    graph, epsilon = Graph(int8_weights), float(config['layer_norm_eps'])

    def add_norm(x, residual, name):
        scale, shift = (graph.constant(tensors[f'{name}.LayerNorm.{part}']) for part in ('weight', 'bias'))
        if fused:
            return graph.op('SkipLayerNormalization', x, residual, scale, shift, domain='com.microsoft', epsilon=epsilon)
        return graph.op('LayerNormalization', graph.op('Add', x, residual), scale, shift, axis=-1, epsilon=epsilon)

    words = graph.op('Gather', graph.constant(tensors['embeddings.word_embeddings.weight']), 'ids')
    length = graph.op('Slice', graph.op('Shape', 'ids'), graph.constant(np.array([1])), graph.constant(np.array([2])))
    places = tensors['embeddings.position_embeddings.weight'] + tensors['embeddings.token_type_embeddings.weight'][0]
    places = graph.op('Slice', graph.constant(places), graph.constant(np.array([0])), length, graph.constant(np.array([0])))
    x = graph.op('Add', words, places)
    x = graph.op('LayerNormalization', x, graph.constant(tensors['embeddings.LayerNorm.weight']),
                 graph.constant(tensors['embeddings.LayerNorm.bias']), axis=-1, epsilon=epsilon)
    for layer in range(config['num_hidden_layers']):
        name = f'encoder.layer.{layer}'
        attend = attention_fused if fused else attention_plain
        mixed = attend(graph, x, tensors, f'{name}.attention', config['num_attention_heads'])
        x = add_norm(graph.linear(mixed, tensors, f'{name}.attention.output.dense'), x, f'{name}.attention.output')
        inner = graph.op('Gelu', graph.linear(x, tensors, f'{name}.intermediate.dense'))
        x = add_norm(graph.linear(inner, tensors, f'{name}.output.dense'), x, f'{name}.output')
    graph.nodes[-1].output[0] = 'hidden'
    shapes = [helper.make_tensor_value_info('ids', TensorProto.INT64, [1, 'tokens']),
              helper.make_tensor_value_info('hidden', TensorProto.FLOAT, [1, 'tokens', config['hidden_size']])]
    model = helper.make_model(helper.make_graph(graph.nodes, 'bert', shapes[:1], shapes[1:], graph.weights),
                              opset_imports=[helper.make_opsetid('', OPSET), helper.make_opsetid('com.microsoft', 1)],
                              ir_version=10)
    onnx.save(model, str(path))
    return Path(path)
