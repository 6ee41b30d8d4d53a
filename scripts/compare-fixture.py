"""Expected values for bench -compare: SciPy's p-values, and intervals by another implementation.

Usage: compare-fixture.py RESULTS >internal/suite/testdata/compare.json
Made with Python 3.11, NumPy 2.4.6 and SciPy 1.17.1 from the committed results; the file names the versions
and the records. It compares the rows sasrec and fame of the suite metadata-movies (MovieLens-100K, three
seeds each) as bench -compare metadata-movies/sasrec metadata-movies/fame does. The intervals are bootstrap
intervals, which depend on the draws, so this file has the generator (PCG-DXSM, as Go's math/rand/v2) and the
order of the draws: per draw all users, then one seed for each seed of each row of the table that has several.
"""

import gzip
import json
import platform
import sys

import numpy as np
import scipy
from scipy.stats import wilcoxon

results = sys.argv[1]
suite, row_a, row_b = "metadata-movies", "sasrec", "fame"
DRAWS, SEED = 10_000, 1
U = np.uint64


def mul(a, b):
    """The 128-bit product of two arrays of 64-bit numbers: high and low."""
    mask, s = U(0xFFFFFFFF), U(32)
    ah, al, bh, bl = a >> s, a & mask, b >> s, b & mask
    t = al * bl
    u = ah * bl + (t >> s)
    v = al * bh + (u & mask)
    return ah * bh + (u >> s) + (v >> s), a * b


class PCG:
    """One generator per draw, all advanced together."""

    def __init__(self, draws):
        self.hi, self.lo = np.full(draws, SEED, U), np.arange(draws, dtype=U)

    def next(self):
        mul_hi, mul_lo = U(2549297995355413924), U(4865540595714422341)
        inc_hi, inc_lo = U(6364136223846793005), U(1442695040888963407)
        hi, lo = mul(self.lo, mul_lo)
        hi = hi + self.hi * mul_lo + self.lo * mul_hi
        low = lo + inc_lo
        self.hi, self.lo = hi + inc_hi + (low < lo).astype(U), low
        h = self.hi ^ (self.hi >> U(32))
        h = h * U(0xDA942042E4DD58B5)
        h = h ^ (h >> U(48))
        return h * (self.lo | U(1))

    def pick(self, n):
        return mul(self.next(), np.full(len(self.hi), n, U))[0].astype(np.int64)


def ranks(run):
    with gzip.open(f"{results}/runs/{run}.ranks.tsv.gz", "rt") as lines:
        assert next(lines) == "kept\tremoved\n"
        return dict(zip(("kept", "removed"), np.array([list(map(int, line.split())) for line in lines]).T))


def values(metric, r):
    if metric == "MRR":
        return 1 / r
    name, k = metric.split("@")
    return np.where(r <= int(k), 1.0 if name == "HR" else 1 / np.log2(r + 1.0), 0)


with open(f"{results}/summaries/{suite}.json") as f:
    (table,) = json.load(f)["tables"]
runs = {row["label"]: [run["id"] for run in row["runs"]] for row in table["rows"]}
read = {label: [ranks(run) for run in runs[label]] for label in (row_a, row_b)}
users = table["users"]

# The draws are the same for every metric and rule.
random = PCG(DRAWS)
counts = np.zeros((DRAWS, users))
for _ in range(users):
    np.add.at(counts, (np.arange(DRAWS), random.pick(users)), 1)
seeds = {label: [random.pick(len(ids)) if len(ids) > 1 else np.zeros(DRAWS, np.int64) for _ in ids] for label, ids in runs.items()}

lines = []
for rule in ("removed", "kept"):
    for metric in ("HR@5", "HR@10", "HR@20", "NDCG@5", "NDCG@10", "NDCG@20", "MRR"):
        a, b = (np.array([values(metric, r[rule]) for r in read[label]]) for label in (row_a, row_b))
        # SciPy ties only equal floats, so differences are rounded first.
        d = np.round(b.mean(0) - a.mean(0), 12)
        drawn = {}
        for label, v in ((row_a, a), (row_b, b)):
            sums = counts @ v.T  # [draw][seed]
            drawn[label] = sum(sums[np.arange(DRAWS), s] for s in seeds[label]) / (users * len(v))
        low, high = np.percentile(drawn[row_b] - drawn[row_a], [2.5, 97.5])
        lines.append(dict(rule=rule, metric=metric, a=a.mean(), b=b.mean(), percent=100 * (b.mean() / a.mean() - 1), low=low, high=high,
                          p=wilcoxon(d, zero_method="wilcox", method="asymptotic", correction=False).pvalue))
for rule in ("removed", "kept"):  # Holm's correction over all lines of a rule
    own = sorted((line for line in lines if line["rule"] == rule), key=lambda line: line["p"])
    largest = 0
    for k, line in enumerate(own):
        largest = max(largest, min(1, (len(own) - k) * line["p"]))
        line["p_holm"] = largest
json.dump(dict(made_with=f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}", suite=suite, a=row_a, b=row_b,
               runs={label: runs[label] for label in (row_a, row_b)}, lines=lines), sys.stdout, indent=1)
print()
