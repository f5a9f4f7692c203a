"""Priors of `fit_gmm`: what users pass, and what it adds to the statistics of rows."""
