"""Expected values for internal/rank: metrics beyond accuracy by RecTools and RecBole.

Usage: beyond-fixture.py .../recbole/evaluator/metrics.py internal/rank/testdata/beyond.json
Made with Python 3.11, NumPy 1.26.4, pandas 2.3.3, SciPy 1.17.1, RecTools 0.19.0 and the source of
RecBole 1.2.1 (pip install rectools==0.19.0). The data and the lists of ten items are synthetic and seeded.

Popularity@10 and the popularity of the histories: rectools AvgRecPopularity.
Novelty@10: rectools MeanInvUserFreq, which counts an item that nobody has as if one user had it.
Diversity@10: rectools IntraListDiversity with SciPy's Jaccard distance of the items' labels.
Gini@10: the method get_gini of recbole's GiniIndex, taken from its source file.
"""
import ast
import json
import sys
from collections import Counter

import numpy as np
import pandas as pd
from scipy.spatial.distance import jaccard
from rectools import Columns
from rectools.metrics import AvgRecPopularity, MeanInvUserFreq, IntraListDiversity
from rectools.metrics.distances import PairwiseDistanceCalculator

rng = np.random.default_rng(5)
items, labels = 40, 12
weights = 1 / np.arange(1, items + 1)
train, test, lists = [], [], []
cold = {38, 39, 40}  # in no training sequence
for u in range(25):
    seq = [int(v) for v in rng.choice(np.arange(1, items + 1), size=rng.integers(2, 12), p=weights / weights.sum()) if v not in cold]
    if u == 3:
        seq = []  # a user without training items
    train.append(seq)
    history = seq + [int(rng.integers(1, items + 1))]  # with the validation item
    test.append(history)
    lists.append([int(v) for v in rng.choice(np.arange(1, items + 1), size=10, replace=False, p=weights / weights.sum())])
lists[0][9] = 40 if 40 not in lists[0] else lists[0][9]
facets = [rng.integers(0, 5, items + 1).tolist(), [sorted(int(x) for x in rng.choice(7, size=rng.integers(1, 4), replace=False)) for _ in range(items + 1)]]
onehot = np.zeros((items + 1, labels), bool)
for v in range(1, items + 1):
    onehot[v, facets[0][v]] = True
    for x in facets[1][v]:
        onehot[v, 5 + x] = True

frame = lambda all: pd.DataFrame([(u, v, k + 1) for u, l in enumerate(all) for k, v in enumerate(l)], columns=[Columns.User, Columns.Item, Columns.Rank])
reco, prev = frame(lists), frame(train)[[Columns.User, Columns.Item]]

class Jaccard(PairwiseDistanceCalculator):
    def _get_distances_for_item_pairs(self, a, b):
        return np.array([jaccard(onehot[x], onehot[y]) for x, y in zip(a, b)])
    def __getitem__(self, pairs):
        return self._get_distances_for_item_pairs(*pairs)

source = open(sys.argv[1]).read()
gini = next(n for c in ast.parse(source).body if isinstance(c, ast.ClassDef) and c.name == "GiniIndex" for n in c.body if isinstance(n, ast.FunctionDef) and n.name == "get_gini")
space = {"np": np, "Counter": Counter}
exec(ast.unparse(gini), space)

out = {
    "items": items, "train": train, "histories": test, "lists": lists,
    "facets": [[[v] for v in facets[0]], facets[1]], "values": [5, 7],
    "expected": {
        "Gini@10": float(space["get_gini"](None, np.array(lists), items)),
        "Popularity@10": float(AvgRecPopularity(k=10).calc(reco, prev)),
        "Novelty@10": float(MeanInvUserFreq(k=10).calc(reco, prev)),
        "Diversity@10": float(IntraListDiversity(k=10, distance_calculator=Jaccard()).calc(reco)),
        "history": float(AvgRecPopularity(k=1000).calc(frame(test), prev)),
    },
}
json.dump(out, open(sys.argv[2], "w"), separators=(",", ":"))
print(out["expected"])
