"""Compares matrix_profile with stumpy and random_cut_forest with rrcf. Run by tools/tests/detector-peers."""

import tempfile
from pathlib import Path

import numpy
import rrcf
import stumpy

from program import numbers, write


def check_profile(directory):
    """The left matrix profile, row by row, with and without normalization."""
    # Subsequences that share a row are not compared: the exclusion zone is the whole window.
    stumpy.config.STUMPY_EXCL_ZONE_DENOM = 1
    for seed, window, normalize in [(1, 8, 0), (2, 8, 1), (3, 25, 0), (4, 25, 1)]:
        random = numpy.random.default_rng(seed)
        rows = numpy.sin(numpy.arange(900) / 7) * 5 + random.normal(size=900) + 100
        if normalize:
            rows[400:460] = 3
        stream = stumpy.stumpi(rows[:2 * window], window, egress=False, normalize=bool(normalize))
        for row in rows[2 * window:]:
            stream.update(row)
        expected = numpy.asarray(stream.left_P_, dtype=float)
        ours = numbers("raw", "matrix_profile", f"window = {window}, history = 900, normalize = {normalize}, plain = 1",
                       write(directory / "rows", rows[:, None]))[window - 1:]
        compared = ~numpy.isnan(ours)
        worst = numpy.max(numpy.abs(ours[compared] - expected[compared]) / (1 + expected[compared]))
        print(f"matrix_profile, window {window}, normalize {normalize}: {compared.sum()} distances, "
              f"largest relative difference {worst:.1e}")
        # Constant stretches among others differ by rounding under a square root.
        assert compared.sum() > 400 - window and worst < 1e-5, (seed, worst)


def check_forest(directory):
    """Mean displacements of points in large forests over the same sample: equal but for the trees' randomness."""
    for seed, dimensions in [(1, 1), (2, 3), (3, 8)]:
        random = numpy.random.default_rng(seed)
        sample = random.normal(size=(96, dimensions))
        rows = numpy.vstack([random.normal(size=(20, dimensions)), random.normal(size=(10, dimensions)) * 4])
        expected = numpy.zeros(len(rows))
        trees = 80
        for number in range(trees):
            numpy.random.seed(seed * 1000 + number)
            tree = rrcf.RCTree(sample, random_state=seed * 1000 + number)
            for index, row in enumerate(rows):
                tree.insert_point(row, index="new")
                expected[index] += tree.codisp("new") / trees
                tree.forget_point("new")
        ours = numbers("displacement", write(directory / "sample", sample), write(directory / "rows", rows), 500)
        correlation = numpy.corrcoef(numpy.log(ours), numpy.log(expected))[0, 1]
        ratio = numpy.exp(numpy.mean(numpy.log(ours / expected)))
        print(f"random_cut_forest, {dimensions} values: correlation of logarithms {correlation:.4f}, "
              f"mean ratio {ratio:.3f}")
        assert correlation > 0.98 and 0.93 < ratio < 1.07, (seed, correlation, ratio)


with tempfile.TemporaryDirectory() as name:
    check_profile(Path(name))
    check_forest(Path(name))
