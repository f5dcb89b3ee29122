#!/usr/bin/env python3
"""Coefficients of exp and erf in src/cpu/vector_kernels.h, and the errors quoted there.

Interpolation at Chebyshev nodes in 40 digits (mpmath), within a few percent of the minimax
polynomial; the errors are then measured in float32 arithmetic with fused multiply-add, against
double precision. Needs numpy and mpmath.
"""
import math

import mpmath
import numpy as np

mpmath.mp.dps = 40
f32 = np.float32


def fit(f, a, b, degree):
    n = degree + 1
    nodes = [(a + b) / 2 + (b - a) / 2 * math.cos(math.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    matrix, values = mpmath.matrix(n, n), mpmath.matrix(n, 1)
    for i, x in enumerate(nodes):
        values[i] = f(mpmath.mpf(x))
        for j in range(n):
            matrix[i, j] = mpmath.mpf(x) ** j
    return [float(c) for c in mpmath.lu_solve(matrix, values)]


def fma(a, b, c):
    """float32 a * b + c rounded once (double holds the product exactly)."""
    return (np.asarray(a, np.float64) * np.asarray(b, np.float64) + np.asarray(c, np.float64)).astype(f32)


def horner(coefficients, x):
    r = np.full_like(x, f32(coefficients[-1]))
    for c in coefficients[-2::-1]:
        r = fma(r, x, f32(c))
    return r


def exp32(x, coefficients):
    n = np.rint(x * f32(1.44269504)).astype(f32)
    r = fma(n, f32(2.12194440e-4), fma(n, f32(-0.693359375), x))
    y = fma(horner(coefficients, r), (r * r).astype(f32), r) + f32(1)
    return y.astype(np.float64) * 2.0 ** n


def main():
    rng = np.random.default_rng(0)
    half = math.log(2) / 2 * 1.001
    c = fit(lambda x: (mpmath.exp(x) - 1 - x) / x**2 if abs(x) > 1e-18 else mpmath.mpf(1) / 2, -half, half, 4)
    x = rng.uniform(-87, 87, 2_000_000).astype(f32)
    want = np.exp(x.astype(np.float64))
    error = np.max(np.abs(exp32(x, c) - want) / want)
    print(f"exp(r) = 1 + r + r^2 p(r), |r| <= ln2/2; relative error {error / 2**-23:.2f} ulp")
    print("  p:", ", ".join(f"{v:.9g}" for v in c))

    reference = np.vectorize(math.erf)
    c = fit(lambda s: mpmath.erf(mpmath.sqrt(s)) / mpmath.sqrt(s) - 1, 1e-12, 1.0, 6)
    x = rng.uniform(0, 1, 200_000).astype(f32)
    got = fma(horner(c, (x * x).astype(f32)), x, x)
    want = reference(x.astype(np.float64))
    print(f"erf(x) = x + x p(x^2), |x| < 1; relative error {np.max(np.abs(got - want) / want) / 2**-24:.2f} half ulp")
    print("  p:", ", ".join(f"{v:.9g}" for v in c))

    c = fit(lambda t: -mpmath.log(mpmath.erfc(t)), 1.0, 4.0, 8)
    x = rng.uniform(1, 4, 200_000).astype(f32)
    got = 1 - np.exp(-horner(c, x).astype(np.float64))
    error = np.max(np.abs(got - reference(x.astype(np.float64))))
    print(f"erf(x) = 1 - exp(-q(x)), 1 <= x < 4; absolute error {error / 2**-24:.2f} half ulp of 1")
    print("  q:", ", ".join(f"{v:.9g}" for v in c))


if __name__ == "__main__":
    main()
