"""Fits by variational Bayes: their arguments, prior, report and result."""
