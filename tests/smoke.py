"""The least that shows an installed wheel works; run as a script, needs only the package."""

import numpy as np

import mixtura


def main() -> None:
    """Fit, compare one compiled pass with the reference, print the build in one line."""
    X = np.random.default_rng(0).normal(size=(500, 2))
    X[250:] += 6.0
    fit = mixtura.fit_gmm(X, 2, rng=0)
    assert fit.converged, fit.stop_reason
    np.testing.assert_allclose(np.sort(fit.model.means[:, 0]), [0.0, 6.0], atol=0.2)

    means = np.array([[0.0, 0.0], [6.0, 6.0]])
    factors = np.broadcast_to(np.eye(2), (2, 2, 2))
    weights = np.array([0.5, 0.5])
    expected = mixtura.reference.accumulate(X, weights, means, factors, covariance_type="full")
    computed = mixtura.kernels.accumulate(X, weights, means, factors, covariance_type="full")
    for name in ("resp_sum", "resp_x", "resp_xx", "log_likelihood"):
        np.testing.assert_allclose(
            getattr(computed, name), getattr(expected, name), rtol=1e-10, atol=1e-10
        )
    print("smoke test passed:", mixtura.build_config())


if __name__ == "__main__":
    main()
