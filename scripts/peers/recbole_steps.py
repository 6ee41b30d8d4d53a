"""Speed of a RecBole model: scored training targets per second and full-ranking users per second.

Usage: recbole_steps.py SEQUENCES.gz MODEL BATCH STEPS THREADS PRECISION
MODEL is SASRec, BERT4Rec or CORE; BATCH is in RecBole's samples, which are prefixes; PRECISION is float32
or bf16-mixed (torch's autocast, like RecBole's setting enable_amp). Prints one JSON object. The sizes and the
loss are those of famebench's defaults (d 64, 2 layers, 2 heads, cross-entropy over all items, length 50); the
rest is RecBole's. Item order replaces time. The targets are the terms of the loss: one per prefix, or
BERT4Rec's masked positions. Three warm-up steps are not counted.
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

sequences, name = sys.argv[1:3]
batch, steps, threads = map(int, sys.argv[3:6])
precision = sys.argv[6]
amp = {"float32": False, "bf16-mixed": True}[precision]
own = {
    "SASRec": dict(attn_dropout_prob=0.5, hidden_dropout_prob=0.5),
    "BERT4Rec": dict(attn_dropout_prob=0.2, hidden_dropout_prob=0.2, mask_ratio=0.2, ft_ratio=0.5,
                     transform="mask_itemseq"),
    "CORE": dict(attn_dropout_prob=0.5, hidden_dropout_prob=0.5, dnn_type="trm", sess_dropout=0.2,
                 item_dropout=0.2, temperature=0.07),
}[name]
warm_up, eval_batches = 3, 8
work = tempfile.mkdtemp()
os.mkdir(f"{work}/beauty")
with gzip.open(sequences, "rt") as lines, open(f"{work}/beauty/beauty.inter", "w") as out:
    out.write("user_id:token\titem_id:token\ttimestamp:float\n")
    for line in lines:
        user, *items = line.split()
        out.writelines(f"{user}\t{item}\t{t}\n" for t, item in enumerate(items))

torch.set_num_threads(threads)
config = Config(model=name, dataset="beauty", config_dict=dict(
    data_path=work, checkpoint_dir=work,
    USER_ID_FIELD="user_id", ITEM_ID_FIELD="item_id", TIME_FIELD="timestamp",
    load_col=dict(inter=["user_id", "item_id", "timestamp"]), MAX_ITEM_LIST_LENGTH=50,
    hidden_size=64, inner_size=256, n_layers=2, n_heads=2,
    loss_type="CE", train_neg_sample_args=None, train_batch_size=batch, eval_batch_size=256,
    eval_args=dict(split=dict(LS="valid_and_test"), group_by="user", order="TO", mode="full"),
    metrics=["Hit", "NDCG"], topk=[10, 20], valid_metric="NDCG@10",
    gpu_id="", use_gpu=False, show_progress=False, seed=2020, reproducibility=True, **own))
init_seed(config["seed"], True)
logging.disable(logging.CRITICAL)
dataset = create_dataset(config)
train, valid, _ = data_preparation(config, dataset)
model = get_model(config["model"])(config, train._dataset)
optimizer = torch.optim.Adam(model.parameters(), 1e-3)

model.train()
targets = samples = 0
for step, rows in enumerate(train):
    if step == warm_up:
        start, targets, samples = time.time(), 0, 0
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=amp):
        loss = model.calculate_loss(rows)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    samples += len(rows)
    # BERT4Rec's loss leaves masks at position 0 out, which RecBole takes for none.
    targets += int((rows["MASK_INDEX"] > 0).sum()) if name == "BERT4Rec" else len(rows)
    if step == warm_up + steps - 1:
        break
seconds = time.time() - start

model.eval()
users, start = 0, time.time()
with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=amp):
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
    model=name, batch=batch, precision=precision, samples_per_s=samples / seconds, targets_per_s=targets / seconds,
    eval_users_per_s=users / (time.time() - start),
    peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
