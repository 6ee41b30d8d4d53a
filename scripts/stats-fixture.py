"""Expected values for internal/stats: SciPy's Wilcoxon and bootstrap, statsmodels' Holm.

Usage: stats-fixture.py >internal/stats/testdata/scipy.json
Made with Python 3.11, NumPy 2.4.6, SciPy 1.17.1, statsmodels 0.15.0 (pip install scipy==1.17.1
statsmodels==0.15.0); the file names the versions. Inputs are synthetic and seeded. SciPy ties only equal
floats, so it gets differences rounded to 12 decimals, whereas the Go code gets the raw pairs.
"""

import json
import platform
import sys

import numpy as np
import scipy
import statsmodels
from scipy.stats import bootstrap, wilcoxon
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(20240611)


def ndcg(users, hit_rate, seeds, noise):
    """[seed][user]: 0 or 1/log2(rank+1), equal between seeds except for a share of the users."""
    def ranks():
        return np.where(rng.random(users) < hit_rate, rng.integers(1, 11, users), 0)
    common = ranks()
    out = []
    for _ in range(seeds):
        r = np.where(rng.random(users) < noise, ranks(), common)
        out.append(np.where(r > 0, 1 / np.log2(np.maximum(r, 1) + 1), 0))
    return out


def pairs():
    """(name, a, b)"""
    yield "no ties", rng.normal(0.3, 1, 12), rng.normal(0, 1, 12)
    yield "one pair", np.array([0.25]), np.array([0.5])
    yield "ties", rng.integers(-3, 9, 25) + 0.5, np.zeros(25)
    yield "ties and zeros", rng.integers(0, 4, 40) / 4, rng.integers(0, 4, 40) / 4
    yield "all negative", rng.random(15), rng.random(15) + 1
    yield "balanced", np.array([1.0, 2, 3, 4, 0]), np.array([2.0, 1, 4, 3, 0])
    x = ndcg(1200, 0.12, 3, 0.4)
    y = ndcg(1200, 0.08, 3, 0.4)
    a, b = (x[0] + x[1] + x[2]) / 3, (y[2] + y[0] + y[1]) / 3
    yield "NDCG@10 of unlike models over 3 seeds", a, b
    # The same seeds summed in another order; every third user got another value in one of them.
    x, y = ndcg(600, 0.5, 3, 0.7), ndcg(600, 0.4, 1, 0)[0]
    a, b = (x[0] + x[1] + x[2]) / 3, (x[2] + x[1] + np.where(np.arange(600) % 3, x[0], y)) / 3
    assert np.any((a != b) & (np.abs(a - b) < 1e-12)), "no rounding errors to tie"
    yield "NDCG@10 of like models over 3 seeds", a, b
    yield "far tail", np.round(rng.normal(0.2, 0.1, 1500), 3), np.zeros(1500)


def test(name, a, b):
    d = np.round(a - b, 12)
    options = dict(zero_method="wilcox", method="asymptotic", correction=False)
    r = wilcoxon(d, **options)
    return dict(name=name, a=a.tolist(), b=b.tolist(), w=r.statistic, n=int(np.count_nonzero(d)),
                z=wilcoxon(d, alternative="greater", **options).zstatistic, p=r.pvalue)


def holm(p):
    return dict(p=list(p), adjusted=multipletests(p, method="holm")[1].tolist())


def interval(name, a, b, resamples=100_000):
    r = bootstrap((a, b), lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis), paired=True,
                  n_resamples=resamples, batch=10_000, method="percentile", rng=rng)
    return dict(name=name, a=a.tolist(), b=b.tolist(), draws=resamples, lo=r.confidence_interval.low,
                hi=r.confidence_interval.high, se=r.standard_error)


common = rng.normal(0, 2, 50)
json.dump(dict(
    made_by="scripts/stats-fixture.py",
    versions=dict(python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__,
                  statsmodels=statsmodels.__version__),
    wilcoxon=[test(*p) for p in pairs()],
    holm=[holm(p) for p in (
        [0.01, 0.04, 0.03, 0.005], [0.02, 0.02, 0.5, 1.0, 0.0], [1e-300, 3e-7, 0.049, 0.6, 0.024, 0.0251], [0.2],
        (rng.random(12) / 20).tolist())],
    bootstrap=[
        interval("skewed", rng.exponential(1, 30) ** 2, np.zeros(30)),
        interval("paired", common + rng.normal(0.2, 0.5, 50), common + rng.normal(0, 0.5, 50)),
        interval("NDCG@10", ndcg(300, 0.2, 1, 0)[0], ndcg(300, 0.2, 1, 0)[0]),
    ]), sys.stdout, separators=(",", ":"))
print()
