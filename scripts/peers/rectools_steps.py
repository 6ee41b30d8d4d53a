"""Speed of RecTools' SASRec: training targets per second and full-ranking users per second.

Usage: rectools_steps.py SEQUENCES.gz TARGETS STEPS THREADS PRECISION
TARGETS are about as many as a step should score; RecTools counts its batch in users, and trains on all
positions as famebench does, but padded to 50. PRECISION is float32 or bf16-mixed. Prints one JSON object.
The sizes and the loss are those of famebench's defaults (d 64, 2 layers, 2 heads, softmax over all items).
Item order replaces time; the last two items of every user are left out, as in famebench's training. Two
warm-up steps are not counted.
"""

import gzip
import json
import resource
import sys
import time

import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

sequences = sys.argv[1]
targets, steps, threads = map(int, sys.argv[2:5])
precision = sys.argv[5]
torch.set_num_threads(threads)
warm_up, ranked_users = 2, 6000

rows = []
with gzip.open(sequences, "rt") as lines:
    for line in lines:
        user, *items = line.split()
        rows += [(int(user), int(item), 1.0, t) for t, item in enumerate(items[:-2])]
frame = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, Columns.Weight, Columns.Datetime])
frame[Columns.Datetime] = pd.to_datetime(frame[Columns.Datetime], unit="D")
dataset = Dataset.construct(frame)
users = frame[Columns.User].nunique()
batch = max(1, round(targets / (len(frame) / users - 1)))  # the first item of a user is no target


class Clock:  # outside the callback, which RecTools copies
    steps = targets = 0
    begin = end = 0.0


class Count(Callback):
    def on_train_batch_start(self, trainer, module, batch, index):
        if Clock.steps == warm_up:
            Clock.begin, Clock.targets = time.time(), 0

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        Clock.targets += int((batch["y"] > 0).sum())
        Clock.steps += 1
        Clock.end = time.time()


def trainer():
    return Trainer(max_epochs=1, max_steps=steps + warm_up, accelerator="cpu",
                   precision={"float32": "32-true"}.get(precision, precision), callbacks=[Count()],
                   logger=False, enable_checkpointing=False, enable_progress_bar=False,
                   enable_model_summary=False)


model = SASRecModel(n_blocks=2, n_heads=2, n_factors=64, session_max_len=50, loss="softmax", batch_size=batch,
                    dropout_rate=0.5, get_trainer_func=trainer, dataloader_num_workers=0)
model.fit(dataset)
some, start = frame[Columns.User].unique()[:ranked_users], time.time()
model.recommend(users=some, dataset=dataset, k=20, filter_viewed=True)
print(json.dumps(dict(
    model="SASRec", batch=targets, users_per_step=batch, precision=precision,
    targets_per_s=Clock.targets / (Clock.end - Clock.begin),
    eval_users_per_s=len(some) / (time.time() - start),
    peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
