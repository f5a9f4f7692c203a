"""Rows that other processes work on: those of an executor, of Dask or of Spark."""
