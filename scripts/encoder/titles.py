"""Times Hugging Face transformers on the titles of Amazon Beauty; compare.sh runs it.

Usage: titles.py FOLDER THREADS OUT

Encodes every title (mean pooling, at most 128 tokens, sorted by length as
sentence-transformers does) in batches of 16, 32 and 64, prints the time of each as a
line of JSON, and writes the vectors to OUT (safetensors, "vectors").
"""

import gzip
import html
import json
import os
import pathlib
import sys
import time

import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

folder, threads, out = sys.argv[1:]
torch.set_num_threads(int(threads))
items = pathlib.Path(__file__).parent.parent.parent / "datasets/data/amazon-beauty/items.tsv.gz"
rows = gzip.open(items, "rt", newline="\n").read().split("\n")[1:-1]
texts = [html.unescape(row.split("\t")[2]) for row in rows]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder).eval()


@torch.inference_mode()
def encode(texts, batch):
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    vectors = torch.empty(len(texts), model.config.hidden_size)
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        b = tokenizer([texts[i] for i in rows], padding=True, truncation=True, max_length=128, return_tensors="pt")
        states = model(**b).last_hidden_state
        mask = b["attention_mask"].unsqueeze(-1).float()
        vectors[rows] = (states * mask).sum(1) / mask.sum(1)
    return vectors


encode(texts[:100], 32)  # warm up
for batch in (16, 32, 64):
    wall, cpu = time.perf_counter(), sum(os.times()[:2])
    vectors = encode(texts, batch)
    wall, cpu = time.perf_counter() - wall, sum(os.times()[:2]) - cpu
    print(json.dumps(dict(batch=batch, texts_per_s=round(len(texts) / wall, 1), cpu_s=round(cpu, 1))), flush=True)
save_file({"vectors": vectors}, out)
