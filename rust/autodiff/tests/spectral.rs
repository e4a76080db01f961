//! The rules of singular values, eigenvalues and what is made of them, held against differences, against each other, and
//! against exact derivatives where values are equal or vanish.

mod common;

use common::{Array, Case, Slopes};
use tensoroxide_autodiff::Operation;
use tensoroxide_dense::Element;
use tensoroxide_tensor::{Complex32, Complex64, Scalar};

/// Differences of the fourth order with a step of 10⁻³ have an error of 10⁻¹² times a fifth derivative, which grows with the fifth power
/// of reciprocal gaps: those of the matrices here are 0.3 at least.
const DIFFERENCES: f64 = 1e-7;

/// A·B
fn times(a: &Array, b: &Array) -> Array {
    let (m, n) = (a.shape[0], b.shape[1]);
    Array::new(&[m, n], |k| (0..b.shape[0]).map(|l| a.at(k % m, l) * b.at(l, k / m)).sum())
}

fn adjoint(a: &Array) -> Array {
    let (m, n) = (a.shape[0], a.shape[1]);
    Array::new(&[n, m], |k| a.at(k / n, k % n).conj())
}

/// Random orthonormal columns, by Gram and Schmidt.
fn isometry<T: Scalar>(m: usize, n: usize, seed: u64) -> Array {
    let mut q = Array::random::<T>(&[m, n], seed);
    for _ in 0..2 {
        for j in 0..n {
            for l in 0..j {
                let overlap: Complex64 = (0..m).map(|i| q.at(i, l).conj() * q.at(i, j)).sum();
                for i in 0..m {
                    let x = q.at(i, l) * overlap;
                    q.data[i + m * j] -= x;
                }
            }
            let size = (0..m).map(|i| q.at(i, j).norm_sqr()).sum::<f64>().sqrt();
            (0..m).for_each(|i| q.data[i + m * j] /= size);
        }
    }
    q
}

/// U·Diagonal(s)·Vᴴ for random U and V.
fn with_values<T: Scalar>(m: usize, n: usize, s: &[f64], seed: u64) -> Array {
    let (u, v) = (isometry::<T>(m, s.len(), seed), isometry::<T>(n, s.len(), seed + 1));
    times(&times(&u, &Array::diagonal(s)), &adjoint(&v))
}

/// V·Diagonal(w)·Vᴴ for a random V, Hermitian to the last bit.
fn hermitian_with<T: Scalar>(w: &[f64], seed: u64) -> Array {
    let v = isometry::<T>(w.len(), w.len(), seed);
    let a = times(&times(&v, &Array::diagonal(w)), &adjoint(&v));
    a.plus(1.0, &adjoint(&a)).scale(0.5)
}

/// Well separated values, the smallest one far from 0.
fn apart(k: usize) -> Vec<f64> {
    (0..k).map(|i| 0.4 * (k - i) as f64 + 0.1 * (i % 2) as f64).collect()
}

/// A Hermitian tangent.
fn hermitian_tangent<T: Scalar>(n: usize, seed: u64) -> Slopes {
    let d = Array::random::<T>(&[n, n], seed);
    vec![Some(d.plus(1.0, &adjoint(&d)).scale(0.5))]
}

fn general<T: Element>(case: &Case, sizes: &[(usize, usize)]) {
    for &(m, n) in sizes {
        case.check::<T>(&[with_values::<T>(m, n, &apart(m.min(n)), 1)], DIFFERENCES);
    }
}

const SIZES: [(usize, usize); 8] = [(4, 4), (5, 3), (3, 5), (1, 1), (4, 1), (1, 3), (0, 3), (2, 0)];

#[test]
fn svd() {
    for operation in [Operation::SvdCompact, Operation::SvdVals] {
        let case = Case::new(operation);
        general::<f64>(&case, &SIZES);
        general::<Complex64>(&case, &SIZES);
        let x = [with_values::<f64>(4, 3, &apart(3), 2)];
        case.check_single::<f32, f64>(&x, &case.tangents::<f32>(&x, 13), 1e-4);
        let x = [with_values::<Complex64>(3, 4, &apart(3), 2)];
        case.check_single::<Complex32, Complex64>(&x, &case.tangents::<Complex32>(&x, 13), 1e-4);
    }
    // Of one further vector nothing is free.
    let case = Case::new(Operation::SvdFull);
    general::<f64>(&case, &[(4, 4), (4, 3), (3, 4), (2, 1), (1, 2)]);
    general::<Complex64>(&case, &[(3, 3), (4, 3), (3, 4), (2, 1)]);
}

#[test]
fn eigh() {
    for operation in [Operation::EighFull, Operation::EighVals] {
        let case = Case::new(operation);
        for n in [0, 1, 2, 5] {
            let w: Vec<f64> = (0..n).map(|i| 0.5 * i as f64 - 0.9).collect();
            let a = hermitian_with::<f64>(&w, 3);
            case.check_along::<f64>(&[a], &hermitian_tangent::<f64>(n, 4), 1e-3, DIFFERENCES);
            let a = hermitian_with::<Complex64>(&w, 3);
            case.check_along::<Complex64>(&[a], &hermitian_tangent::<Complex64>(n, 4), 1e-3, DIFFERENCES);
        }
        let x = [hermitian_with::<f64>(&[-1.0, 0.2, 1.5], 5)];
        case.check_single::<f32, f64>(&x, &hermitian_tangent::<f32>(3, 6), 1e-4);
        let x = [hermitian_with::<Complex64>(&[-1.0, 0.2, 1.5], 5)];
        case.check_single::<Complex32, Complex64>(&x, &hermitian_tangent::<Complex32>(3, 6), 1e-4);
    }
}
