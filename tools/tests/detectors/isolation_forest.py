"""Compares Martlet's isolation forest with scikit-learn's. Run by tools/tests/isolation-forest."""

import tempfile
from pathlib import Path

import numpy
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_blobs
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from program import numbers, write

FOREST_SEEDS = range(5)


def rare(data, target, anomalous, share, seed):
    """All rows of the other classes, and so many of the anomalous one that they are `share` of the whole."""
    random = numpy.random.default_rng(seed)
    normal = data[~numpy.isin(target, anomalous)]
    odd = data[numpy.isin(target, anomalous)]
    count = min(len(odd), max(5, int(len(normal) * share / (1 - share))))
    chosen = odd[random.choice(len(odd), count, replace=False)]
    return numpy.vstack([normal, chosen]), numpy.r_[numpy.zeros(len(normal)), numpy.ones(count)]


def data_sets():
    cancer, wine, digits, iris = load_breast_cancer(), load_wine(), load_digits(), load_iris()
    yield "breast cancer", *rare(cancer.data, cancer.target, [0], 0.1, 1)
    yield "wine", *rare(wine.data, wine.target, [0], 0.08, 2)
    yield "digits, 0 among 8", *rare(digits.data[numpy.isin(digits.target, [0, 8])], digits.target[numpy.isin(digits.target, [0, 8])], [0], 0.1, 3)
    yield "iris", *rare(iris.data, iris.target, [0], 0.1, 4)
    for seed in range(6):
        random = numpy.random.default_rng(100 + seed)
        dimensions = [2, 3, 5, 10, 20, 2][seed]
        normal, _ = make_blobs(1000, dimensions, centers=3, random_state=seed)
        low, high = normal.min(axis=0), normal.max(axis=0)
        odd = random.uniform(low - 2, high + 2, (50, dimensions))
        yield f"blobs, seed {seed}", numpy.vstack([normal, odd]), numpy.r_[numpy.zeros(1000), numpy.ones(50)]


def check_trees(directory):
    """The score of a tree that scikit-learn grew: what its leaves hold, how paths are counted and normalized."""
    random = numpy.random.default_rng(7)
    for samples in [2, 3, 10, 256]:
        data = random.normal(size=(400, 3)).astype(numpy.float32)
        forest = IsolationForest(n_estimators=1, max_samples=samples, random_state=samples).fit(data)
        tree = forest.estimators_[0].tree_
        rows = zip(tree.feature, tree.threshold, tree.children_left, tree.children_right, tree.n_node_samples)
        path = write(directory / "tree.csv", [(max(f, -1), *rest) for f, *rest in rows])
        ours = numbers("tree", path, write(directory / "rows.csv", data), samples)
        difference = abs(ours + forest.score_samples(data)).max()
        assert difference < 1e-12, f"a tree of {samples} rows: scores differ by {difference}"
        print(f"a tree of {samples:3} rows: the 400 scores differ by at most {difference:.1e}")


def check_areas(directory):
    differences = []
    for name, data, labels in data_sets():
        path = write(directory / "data.csv", data)
        ours = numpy.mean([roc_auc_score(labels, numbers("forest", path, path, seed)) for seed in FOREST_SEEDS])
        theirs = numpy.mean(
            [
                roc_auc_score(labels, -IsolationForest(random_state=seed).fit(data).score_samples(data))
                for seed in FOREST_SEEDS
            ]
        )
        differences.append(ours - theirs)
        print(f"{name:20} AUC {ours:.4f}, scikit-learn {theirs:.4f}, difference {ours - theirs:+.4f}")
    mean = numpy.mean(differences)
    print(f"mean difference {mean:+.4f}, mean absolute difference {numpy.mean(numpy.abs(differences)):.4f}")
    assert abs(mean) < 0.01, f"the mean AUC differs from scikit-learn's by {mean}"


with tempfile.TemporaryDirectory() as name:
    check_trees(Path(name))
    check_areas(Path(name))
