"""The lists that a RecBole model recommends to every test user, as TREC runs for bench -import.

Usage: recbole_lists.py SEQUENCES.gz ITEMS.gz MODEL EPOCHS STEPS TOP SEED OUT
The first two are the files of a data set in datasets/data. ITEMS.gz has the item ids of the source, which the
lists contain. MODEL is a sequential model of RecBole, such as SASRec; EPOCHS of at most STEPS batches each (0: all) are
trained, without early stopping. OUT.kept.run has the lists as RecBole ranks sequential models, OUT.removed.run
those without the items of the user's history. TOP is the length of the lists. The split is leave-one-out, as in
famebench: item order replaces time. Sizes and loss are those of famebench's defaults (d 64, 2 layers, 2
heads, cross-entropy over all items, length 50); the rest is RecBole's.
"""

import gzip
import logging
import os
import sys
import tempfile
from urllib.parse import quote

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, init_seed

sequences, items_file, name = sys.argv[1:4]
epochs, steps = map(int, sys.argv[4:6])
top, seed, out = int(sys.argv[6]), int(sys.argv[7]), sys.argv[8]

work = tempfile.TemporaryDirectory()
os.mkdir(f"{work.name}/lists")
with gzip.open(items_file, "rt") as lines:
    next(lines)  # names of the columns
    source_id = dict(line.split("\t")[:2] for line in lines)  # by the number in the sequences
history = {}  # of each user: all items but the last, which is the test item
with gzip.open(sequences, "rt") as lines, open(f"{work.name}/lists/lists.inter", "w") as inter:
    inter.write("user_id:token\titem_id:token\ttimestamp:float\n")
    for line in lines:
        user, *items = line.split()
        items = [source_id[item] for item in items]
        history[user] = items[:-1]
        inter.writelines(f"{user}\t{item}\t{t}\n" for t, item in enumerate(items))

config = Config(model=name, dataset="lists", config_dict=dict(
    data_path=work.name, checkpoint_dir=work.name,
    USER_ID_FIELD="user_id", ITEM_ID_FIELD="item_id", TIME_FIELD="timestamp",
    load_col=dict(inter=["user_id", "item_id", "timestamp"]), MAX_ITEM_LIST_LENGTH=50,
    hidden_size=64, inner_size=256, n_layers=2, n_heads=2,
    loss_type="CE", train_neg_sample_args=None, train_batch_size=512, eval_batch_size=256,
    eval_args=dict(split=dict(LS="valid_and_test"), group_by="user", order="TO", mode="full"),
    metrics=["Hit", "NDCG"], topk=[10, 20], valid_metric="NDCG@10",
    gpu_id="", use_gpu=False, show_progress=False, seed=seed, reproducibility=True))
init_seed(config["seed"], True)
logging.disable(logging.CRITICAL)
dataset = create_dataset(config)
train, _, test = data_preparation(config, dataset)
model = get_model(config["model"])(config, train._dataset)
optimizer = torch.optim.Adam(model.parameters(), 1e-3)

model.train()
for epoch in range(epochs):
    total = batches = 0
    for rows in train:
        loss = model.calculate_loss(rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, batches = total + loss.item(), batches + 1
        if batches == steps:
            break
    print(f"epoch {epoch + 1}: {batches} batches, mean loss {total / batches:.4f}", file=sys.stderr)


def field(text):
    """An id without white space and "%", as famebench writes and reads it."""
    return quote(text, safe="".join(map(chr, range(33, 127))).replace("%", ""))


def write(run, users, scores):
    """Appends the best items of each user, by descending score, to a run file."""
    best = scores.topk(top)
    for user, items, values in zip(users, best.indices.tolist(), best.values.tolist()):
        run.writelines(f"{field(user)} Q0 {field(ids[item])} {rank} {value!r} {name}\n"
                       for rank, (item, value) in enumerate(zip(items, values), 1))


model.eval()
ids = dataset.id2token(dataset.iid_field, range(dataset.item_num))
number = {token: i for i, token in enumerate(ids)}
with torch.no_grad(), open(f"{out}.kept.run", "w") as kept, open(f"{out}.removed.run", "w") as removed:
    for rows, _, _, _ in test:
        scores = model.full_sort_predict(rows).view(-1, dataset.item_num)
        scores[:, 0] = -torch.inf  # padding
        users = dataset.id2token(dataset.uid_field, rows[dataset.uid_field].numpy())
        write(kept, users, scores)
        target = rows[dataset.iid_field]
        for i, user in enumerate(users):
            seen = [number[item] for item in history[user] if number[item] != target[i]]
            scores[i, seen] = -torch.inf
        write(removed, users, scores)
