"""Speed of RecBole's SASRec: training targets a second and full-ranking users a second.

Usage: steps.py SEQUENCES.gz BATCH STEPS THREADS
Prints one JSON object. The model, its sizes and its loss are those of famebench's defaults (d 64,
2 layers, 2 heads, dropout .5, cross-entropy over all items, length 50); the rest is RecBole's. Item
order stands for time. Three warm-up steps are not counted.
"""

import gzip
import json
import logging
import os
import resource
import sys
import tempfile
import time

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, init_seed

sequences, batch, steps, threads = sys.argv[1], *map(int, sys.argv[2:5])
warm_up, eval_batches = 3, 8
work = tempfile.mkdtemp()
os.mkdir(f"{work}/beauty")
with gzip.open(sequences, "rt") as lines, open(f"{work}/beauty/beauty.inter", "w") as out:
    out.write("user_id:token\titem_id:token\ttimestamp:float\n")
    for line in lines:
        user, *items = line.split()
        out.writelines(f"{user}\t{item}\t{t}\n" for t, item in enumerate(items))

torch.set_num_threads(threads)
config = Config(model="SASRec", dataset="beauty", config_dict=dict(
    data_path=work, checkpoint_dir=work,
    USER_ID_FIELD="user_id", ITEM_ID_FIELD="item_id", TIME_FIELD="timestamp",
    load_col=dict(inter=["user_id", "item_id", "timestamp"]), MAX_ITEM_LIST_LENGTH=50,
    hidden_size=64, inner_size=256, n_layers=2, n_heads=2, attn_dropout_prob=0.5, hidden_dropout_prob=0.5,
    loss_type="CE", train_neg_sample_args=None, train_batch_size=batch, eval_batch_size=256,
    eval_args=dict(split=dict(LS="valid_and_test"), group_by="user", order="TO", mode="full"),
    metrics=["Hit", "NDCG"], topk=[10, 20], valid_metric="NDCG@10",
    gpu_id="", use_gpu=False, show_progress=False, seed=2020, reproducibility=True))
init_seed(config["seed"], True)
logging.disable(logging.CRITICAL)
dataset = create_dataset(config)
train, valid, _ = data_preparation(config, dataset)
model = get_model(config["model"])(config, train._dataset)
optimizer = torch.optim.Adam(model.parameters(), 1e-3)

model.train()
targets = 0
for step, rows in enumerate(train):
    if step == warm_up:
        start, targets = time.time(), 0
    loss = model.calculate_loss(rows)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    targets += len(rows)
    if step == warm_up + steps - 1:
        break
train_rate = targets / (time.time() - start)

model.eval()
users, start = 0, time.time()
with torch.no_grad():
    for n, (rows, history, _, _) in enumerate(valid):
        scores = model.full_sort_predict(rows).view(-1, dataset.item_num)
        scores[:, 0] = -torch.inf
        if history is not None:
            scores[history] = -torch.inf
        torch.topk(scores, 20)
        users += len(scores)
        if n == eval_batches - 1:
            break
print(json.dumps(dict(
    batch_targets=batch, targets_per_s=train_rate, eval_users_per_s=users / (time.time() - start),
    peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
