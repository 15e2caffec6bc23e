"""Writes a two-layer Llama configuration with a byte tokenizer; vLLM fills it with random weights (--load-format dummy).
Runs in the environment that install.py made. Usage: tiny_model.py FOLDER."""

import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


def main():
    folder = sys.argv[1]
    vocabulary = {name: number for number, name in
                  enumerate(['<unk>', '<s>', '</s>', *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token='<unk>'))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token='<unk>', bos_token='<s>', eos_token='</s>')
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    config = LlamaConfig(vocab_size=len(vocabulary), hidden_size=128, intermediate_size=256, num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=2048,
                         bos_token_id=1, eos_token_id=2)
    config.architectures = ['LlamaForCausalLM']
    config.dtype = 'float32'
    config.save_pretrained(folder)


if __name__ == '__main__':
    main()
