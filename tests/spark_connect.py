"""Fit three files by Spark Connect on one core, and print the bits of the means."""

from __future__ import annotations

import sys

import sparks
from pyspark.sql import SparkSession

import mixtura

folder = sys.argv[1]
builder = SparkSession.builder.remote("local[1]")
for option, value in sparks.OPTIONS.items():
    builder = builder.config(option, value)
session = builder.getOrCreate()
frame = session.read.parquet(*(f"{folder}/{number}.parquet" for number in range(3)))
with mixtura.scan(frame, columns=["a", "b", "c"], weight="w", block_size=100) as rows:
    # each pass is a job of some tenths of a second, and an automatic start makes ten
    fit = mixtura.fit_gmm(rows, 2, init=sparks.MEANS, tol=0, max_iter=2)
    labels = fit.model.predict(rows)
    print(fit.model.means.tobytes().hex(), labels.count(), labels.columns[-1])
session.stop()
