"""Asks MartletDetectorBench, whose path is the first argument, for numbers."""

import subprocess
import sys

import numpy


def numbers(*arguments):
    answer = subprocess.run([sys.argv[1], *map(str, arguments)], check=True, capture_output=True, text=True)
    return numpy.array([float(line) for line in answer.stdout.split()])


def write(path, rows):
    # repr of a float is exact; scikit-learn itself works on float32.
    path.write_text("".join(",".join(repr(float(value)) for value in row) + "\n" for row in rows))
    return path
