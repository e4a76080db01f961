//! The rules of singular values, eigenvalues and what is made of them, held against differences, against each other,
//! and against exact derivatives where values are equal or vanish.

mod common;

use common::{assert_close, Array, Case, Slopes};
use tensoroxide_autodiff::{Error, OnGauge, Operation, Phases};
use tensoroxide_dense::Element;
use tensoroxide_tensor::testing::{arrangement, config};
use tensoroxide_tensor::{Complex32, Complex64, Scalar};

use proptest::prelude::*;

/// Differences of the fourth order with a step of 10⁻³ have an error of 10⁻¹² times a fifth derivative, which grows
/// with the fifth power of reciprocal gaps: those of the matrices here are 0.3 at least.
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

fn some(x: &[&Array]) -> Slopes {
    x.iter().map(|x| Some((*x).clone())).collect()
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

/// A loss of A through the factors of the SVD: its value's exact gradient is `expected`.
fn gradient<T: Element>(operation: Operation, a: &Array, cotangents: impl Fn(&[Array]) -> Slopes) -> Array {
    let case = Case::new(operation);
    let y = case.evaluate::<T>(std::slice::from_ref(a)).unwrap();
    let (found, report) = case.vjp::<T>(std::slice::from_ref(a), &y, &cotangents(&y)).unwrap();
    assert_eq!(report.gauge, 0.0);
    found[0].clone().unwrap()
}

fn refused<T: Element>(operation: Operation, a: &Array, cotangents: impl Fn(&[Array]) -> Slopes) {
    let mut case = Case::new(operation);
    let y = case.evaluate::<T>(std::slice::from_ref(a)).unwrap();
    let error = case.vjp::<T>(std::slice::from_ref(a), &y, &cotangents(&y)).unwrap_err();
    assert!(matches!(error, Error::GaugeDependent { part, .. } if part > 1e-3), "{error}");
    case.options.on_gauge = OnGauge::Report;
    let (found, report) = case.vjp::<T>(std::slice::from_ref(a), &y, &cotangents(&y)).unwrap();
    assert!(report.gauge > 1e-3 && found[0].as_ref().unwrap().data.iter().all(|x| x.is_finite()));
}

fn near(what: &str, found: &Array, expected: &Array) {
    assert_close(what, &some(&[found]), &some(&[expected]), 1e-9);
}

/// A matrix with three equal values, one of its own, and, if there is room, one that vanishes.
fn degenerate<T: Scalar>(m: usize, n: usize, last: f64) -> Array {
    with_values::<T>(m, n, &[2.0, 1.0, 1.0, 1.0, last][..m.min(n)], 31)
}

/// The cotangents of U, S and Vᴴ for the loss Re⟨C, U·f(S)·Vᴴ⟩.
fn through_function(c: &Array, y: &[Array], f: impl Fn(f64) -> [f64; 2]) -> Slopes {
    let (u, s, vh) = (&y[0], &y[1], &y[2]);
    let values = |part: usize| -> Vec<f64> { s.data.iter().map(|s| f(s.re)[part]).collect() };
    let (value, slope) = (Array::diagonal(&values(0)), values(1));
    let n = times(&times(&adjoint(u), c), &adjoint(vh));
    let sb = Array::new(&[s.data.len()], |i| (n.at(i, i).re * slope[i]).into());
    some(&[&times(&times(c, &adjoint(vh)), &value), &sb, &times(&value, &times(&adjoint(u), c))])
}

/// JAX #2311 and #8732: equal singular values.
#[test]
fn losses_that_do_not_know_the_gauge_have_gradients_at_equal_singular_values() {
    fn check<T: Element>() {
        for (m, n) in [(5, 5), (6, 5), (5, 7), (4, 4)] {
            let a = degenerate::<T>(m, n, 0.3);
            let c = Array::random::<T>(&[m, n], 40);
            // Re⟨C, A⟩, through the factors.
            let product = |y: &[Array]| through_function(&c, y, |s| [s, 1.0]);
            near("product", &gradient::<T>(Operation::SvdCompact, &a, product), &c);
            // ‖A‖² = ΣS², and its root.
            for operation in [Operation::SvdCompact, Operation::SvdVals] {
                let squares = |y: &[Array]| -> Slopes {
                    let s = if operation == Operation::SvdVals { &y[0] } else { &y[1] };
                    let sb = Some(s.scale(2.0));
                    if operation == Operation::SvdVals {
                        vec![sb]
                    } else {
                        vec![None, sb, None]
                    }
                };
                near("squares", &gradient::<T>(operation, &a, squares), &a.scale(2.0));
            }
            // The polar factor, also where cotangents of S are zeros instead of none.
            let polar = |y: &[Array]| -> Slopes {
                let mut slopes = through_function(&c, y, |_| [1.0, 0.0]);
                slopes[1] = None;
                slopes
            };
            let found = gradient::<T>(Operation::SvdCompact, &a, polar);
            let operation = if m >= n { Operation::LeftPolar } else { Operation::RightPolar };
            let expected = gradient::<T>(operation, &a, |_| match m >= n {
                true => vec![Some(c.clone()), None],
                false => vec![None, Some(c.clone())],
            });
            near("polar", &found, &expected);
            let zeros = |y: &[Array]| through_function(&c, y, |_| [1.0, 0.0]);
            near("polar, zeros", &gradient::<T>(Operation::SvdCompact, &a, zeros), &expected);
        }
        // The identity: all values are equal, and the factors are anything.
        let (c, one) = (Array::random::<T>(&[4, 4], 41), Array::identity(4));
        let product = |y: &[Array]| through_function(&c, y, |s| [s, 1.0]);
        near("identity", &gradient::<T>(Operation::SvdCompact, &one, product), &c);
        // A matrix of zeros, of which nothing is asked.
        let zeros = Array::zeros(&[3, 4]);
        let squares = |y: &[Array]| -> Slopes { vec![None, Some(y[1].scale(2.0)), None] };
        near("zeros", &gradient::<T>(Operation::SvdCompact, &zeros, squares), &zeros);
    }
    check::<f64>();
    check::<Complex64>();
}

/// JAX #10877: a loss that knows the gauge is not given a gradient silently.
#[test]
fn losses_that_know_the_gauge_are_refused_at_equal_singular_values() {
    fn check<T: Element>() {
        let a = degenerate::<T>(5, 5, 0.3);
        for i in 0..3 {
            let only = |y: &[Array]| -> Slopes {
                let mut slopes: Slopes = vec![None, None, None];
                let shape = &y[i].shape;
                slopes[i] = Some(if i == 1 { Array::random::<f64>(shape, 42) } else { Array::random::<T>(shape, 42) });
                slopes
            };
            refused::<T>(Operation::SvdCompact, &a, only);
        }
        let values = |y: &[Array]| -> Slopes { vec![Some(Array::random::<f64>(&y[0].shape, 42))] };
        refused::<T>(Operation::SvdVals, &a, values);
        refused::<T>(Operation::EighVals, &hermitian_with::<T>(&[1.0, 1.0, 2.0], 3), values);
        // What the cotangents of two losses with different gradients can be.
        let c = Array::rows(&[&[0.0, 1.0], &[1.0, 0.0]]);
        refused::<T>(Operation::SvdCompact, &Array::identity(2), |y| through_function(&c, y, |s| [s, 1.0]));
    }
    check::<f64>();
    check::<Complex64>();
}

/// PyTorch #49886 and MatrixAlgebraKit #150: values that vanish.
#[test]
fn losses_of_the_row_and_column_spaces_have_gradients_at_vanishing_singular_values() {
    fn check<T: Element>() {
        for (m, n) in [(4, 4), (5, 4), (4, 6)] {
            let a = with_values::<T>(m, n, &[3.0, 2.0, 0.0, 0.0], 50);
            let c = Array::random::<T>(&[m, n], 51);
            // Re⟨C, U·S²·Vᴴ⟩ has no part in the null spaces: against a rank-two matrix's neighbours, by differences.
            let cubes = |y: &[Array]| through_function(&c, y, |s| [s.powi(3), 3.0 * s * s]);
            let found = gradient::<T>(Operation::SvdCompact, &a, cubes);
            // U·S³·Vᴴ = A·Aᴴ·A
            let ah = adjoint(&a);
            let expected = times(&c, &times(&ah, &a))
                .plus(1.0, &times(&times(&a, &ah), &c))
                .plus(1.0, &times(&times(&a, &adjoint(&c)), &a));
            near("A·Aᴴ·A", &found, &expected);
            let squares = |y: &[Array]| -> Slopes { vec![Some(y[0].scale(2.0))] };
            near("ΣS²", &gradient::<T>(Operation::SvdVals, &a, squares), &a.scale(2.0));
            let one = |y: &[Array]| -> Slopes { vec![Some(Array::random::<T>(&y[0].shape, 52)), None, None] };
            refused::<T>(Operation::SvdCompact, &a, one);
        }
    }
    check::<f64>();
    check::<Complex64>();
    // One that vanishes, of a square real matrix, is as good as any: its sign changes smoothly.
    let a = with_values::<f64>(3, 3, &[3.0, 2.0, 0.0], 53);
    let c = Array::random::<f64>(&[3, 3], 54);
    let product = |y: &[Array]| through_function(&c, y, |s| [s, 1.0]);
    near("rank 2 of 3", &gradient::<f64>(Operation::SvdCompact, &a, product), &c);
}

/// JAX #669 and #4646, ChainRules #321: equal eigenvalues of a Hermitian matrix.
#[test]
fn losses_that_do_not_know_the_gauge_have_gradients_at_equal_eigenvalues() {
    fn check<T: Element>() {
        for w in [&[1.0, 1.0, 1.0, -0.5][..], &[0.0, 0.0, 2.0], &[1.0, 1.0], &[-1.0, 0.0, 0.0, 0.0, 1.0, 1.0]] {
            let n = w.len();
            let a = hermitian_with::<T>(w, 60);
            let c = hermitian_tangent::<T>(n, 61)[0].clone().unwrap();
            // Re⟨C, V·f(w)·Vᴴ⟩ for f(w) = w and 1 + w².
            let through = |y: &[Array], f: &dyn Fn(f64) -> [f64; 2]| -> Slopes {
                let (w, v) = (&y[0], &y[1]);
                let values = |part: usize| -> Vec<f64> { w.data.iter().map(|w| f(w.re)[part]).collect() };
                let inner = times(&times(&adjoint(v), &c), v);
                let wb = Array::new(&[n], |i| (inner.at(i, i).re * values(1)[i]).into());
                some(&[&wb, &times(&times(&c, v), &Array::diagonal(&values(0))).scale(2.0)])
            };
            let found = gradient::<T>(Operation::EighFull, &a, |y| through(y, &|w| [1.0 + w * w, 2.0 * w]));
            near("1 + A²", &found, &times(&a, &c).plus(1.0, &times(&c, &a)));
            if w.iter().all(|&w| w != 0.0) {
                let found = gradient::<T>(Operation::EighFull, &a, |y| through(y, &|w| [w, 1.0]));
                near("A", &found, &c);
            }
            let squares = |y: &[Array]| -> Slopes { vec![Some(y[0].scale(2.0))] };
            near("Σw²", &gradient::<T>(Operation::EighVals, &a, squares), &a.scale(2.0));
            refused::<T>(Operation::EighFull, &a, |_| vec![None, Some(Array::random::<T>(&[n, n], 62))]);
        }
    }
    check::<f64>();
    check::<Complex64>();
}

/// ChainRules #391: the phases of complex vectors; a loss that knows them has the gradient of the fixed ones, or is
/// refused.
#[test]
fn phases_are_differentiated_or_refused() {
    let x = [with_values::<Complex64>(4, 3, &apart(3), 2)];
    let mut case = Case::new(Operation::SvdCompact);
    let y = case.evaluate::<Complex64>(&x).unwrap();
    let yb = case.cotangents::<Complex64>(&y, 7);
    assert!(case.vjp::<Complex64>(&x, &y, &yb).is_ok());
    case.options.phases = Phases::Free;
    assert!(matches!(case.vjp::<Complex64>(&x, &y, &yb), Err(Error::GaugeDependent { .. })));
    // Moduli do not know phases.
    let moduli = |y: &Array| {
        let weights = Array::random::<f64>(&y.shape, 70);
        Some(Array::new(&y.shape, |i| y.data[i] * weights.data[i]))
    };
    let yb: Slopes = vec![moduli(&y[0]), None, moduli(&y[2])];
    let free = case.vjp::<Complex64>(&x, &y, &yb).unwrap().0;
    let fixed = Case::new(Operation::SvdCompact).vjp::<Complex64>(&x, &y, &yb).unwrap().0;
    assert_close("moduli", &free, &fixed, 1e-12);
    let x = [hermitian_with::<Complex64>(&[-1.0, 0.2, 1.5], 5)];
    let mut case = Case::new(Operation::EighFull);
    let y = case.evaluate::<Complex64>(&x).unwrap();
    case.options.phases = Phases::Free;
    assert!(matches!(
        case.vjp::<Complex64>(&x, &y, &case.cotangents::<Complex64>(&y, 7)),
        Err(Error::GaugeDependent { .. })
    ));
    let yb: Slopes = vec![None, moduli(&y[1])];
    let free = case.vjp::<Complex64>(&x, &y, &yb).unwrap().0;
    let fixed = Case::new(Operation::EighFull).vjp::<Complex64>(&x, &y, &yb).unwrap().0;
    assert_close("moduli", &free, &fixed, 1e-12);
}

/// MatrixAlgebraKit #89: tolerances are relative, so that a scaled matrix has scaled derivatives.
#[test]
fn derivatives_scale_with_the_matrix() {
    fn check<T: Element>() {
        let (svd, eigh) = (degenerate::<T>(5, 5, 0.3), hermitian_with::<T>(&[1.0, 1.0, 2.0], 3));
        let c = Array::random::<T>(&[5, 5], 71);
        for scale in [1e100, 1e-100] {
            let cubes =
                |y: &[Array]| through_function(&c, y, |s| [(s / scale).powi(3), 3.0 * (s / scale).powi(2) / scale]);
            let ones = |y: &[Array]| through_function(&c, y, |s| [s.powi(3), 3.0 * s * s]);
            let (found, expected) = (
                gradient::<T>(Operation::SvdCompact, &svd.scale(scale), cubes),
                gradient::<T>(Operation::SvdCompact, &svd, ones),
            );
            near("U·S³·Vᴴ", &found.scale(scale), &expected);
            let squares = |y: &[Array]| -> Slopes { vec![Some(y[0].scale(2.0 / scale))] };
            near("Σw²", &gradient::<T>(Operation::EighVals, &eigh.scale(scale), squares), &eigh.scale(2.0));
        }
    }
    check::<f64>();
    check::<Complex64>();
}

/// A second derivative at equal values is not made up, and there is one where the equal values take part alike.
#[test]
fn second_derivatives_at_equal_values() {
    let x = [degenerate::<f64>(5, 5, 0.3)];
    let case = Case::new(Operation::SvdCompact);
    let y = case.evaluate::<f64>(&x).unwrap();
    // A direction that keeps the values equal.
    let dx = vec![Some(x[0].clone())];
    let zeros: Slopes = vec![None, None, None];
    let yb = through_function(&Array::random::<f64>(&[5, 5], 72), &y, |s| [s, 1.0]);
    let error = case.hvp::<f64>(&x, &y, &yb, &dx, &zeros).unwrap_err();
    assert!(matches!(error, Error::Undefined(_)), "{error}");
    let first = Array::new(&[5], |i| if i == 0 { Complex64::ONE } else { Complex64::ZERO });
    for values in [first, y[1].clone()] {
        // u₁·v₁ᴴ and U·S·Vᴴ of constant S do not change with the size of A.
        let (second, _) = case.hvp::<f64>(&x, &y, &[None, Some(values), None], &dx, &zeros).unwrap();
        assert!(second[0].as_ref().unwrap().norm() < 1e-12);
    }
}

proptest! {
    #![proptest_config(config(8))]

    #[test]
    fn layouts_do_not_matter(arrangement in arrangement(), m in 0usize..4, n in 0usize..4, seed in 0u64..100) {
        let x = vec![Array::random::<Complex64>(&[m, n, 2], seed)];
        let case = Case::new(Operation::SvdCompact);
        case.check_layouts::<Complex64>(&x, &case.tangents::<Complex64>(&x, 3), &arrangement);
        let case = Case::new(Operation::SvdVals);
        let dx = case.tangents::<f64>(&x, 3);
        case.check_layouts::<f64>(&[Array::random::<f64>(&[m, n, 2], seed)], &dx, &arrangement);
    }
}

#[test]
fn truncated_svd() {
    fn check<T: Element>() {
        for (m, n, r) in [(5, 5, 2), (6, 4, 3), (3, 5, 1), (4, 4, 4), (4, 3, 0), (0, 3, 0)] {
            let mut case = Case::new(Operation::SvdTrunc);
            case.settings.truncation.maxrank = Some(r);
            let a = with_values::<T>(m, n, &apart(m.min(n)), 1);
            // ϵ of nothing is rounding.
            let dx = case.tangents::<T>(std::slice::from_ref(&a), 13);
            if r < m.min(n) || r == 0 {
                case.check_along::<T>(&[a], &dx, 1e-3, DIFFERENCES);
            }
        }
    }
    check::<f64>();
    check::<Complex64>();
}

#[test]
fn truncated_eigh() {
    fn check<T: Element>() {
        for (w, r) in [(&[-2.0, -0.5, 0.3, 1.0, 1.5][..], 2), (&[-2.0, -0.5, 0.3, 1.0, 1.5], 4), (&[0.0, 1.0], 1)] {
            let mut case = Case::new(Operation::EighTrunc);
            case.settings.truncation.maxrank = Some(r);
            let dx = hermitian_tangent::<T>(w.len(), 14);
            let mut a = hermitian_with::<T>(w, 15);
            if w.len() == 2 {
                a = a.plus(0.3, &Array::identity(2)); // |ϵ| has a kink at 0
            }
            case.check_along::<T>(&[a], &dx, 1e-3, DIFFERENCES);
        }
    }
    check::<f64>();
    check::<Complex64>();
}

/// Of equal values that are all kept, and with values that were cut and are equal or vanish, a truncated decomposition
/// has the derivative of the whole one whose other cotangents are zero.
#[test]
fn truncated_is_whole_without_the_rest() {
    fn check<T: Element>() {
        for values in [&[3.0, 2.0, 1.0, 0.5, 0.25][..], &[3.0, 3.0, 1.0, 1.0, 0.0], &[2.0, 1.0, 0.0, 0.0, 0.0]] {
            let (m, n, r) = (6, 5, 2);
            let a = with_values::<T>(m, n, values, 16);
            let c = Array::random::<T>(&[m, n], 17);
            let product = |y: &[Array]| through_function(&c, y, |s| [s * s, 2.0 * s]);
            let whole = |y: &[Array]| -> Slopes {
                let cut = |x: &Array, axis: usize| {
                    let rows = x.shape[0];
                    Array::new(&x.shape, |k| if [k % rows, k / rows][axis] < r { x.data[k] } else { Complex64::ZERO })
                };
                let slopes = product(y);
                let each = slopes.iter().flatten().zip([1, 0, 0]).map(|(x, axis)| Some(cut(x, axis)));
                each.collect()
            };
            let expected = gradient::<T>(Operation::SvdCompact, &a, whole);
            let mut case = Case::new(Operation::SvdTrunc);
            case.settings.truncation.maxrank = Some(r);
            let y = case.evaluate::<T>(std::slice::from_ref(&a)).unwrap();
            let mut yb = product(&y[..3]);
            yb.push(None);
            let found = case.vjp::<T>(std::slice::from_ref(&a), &y, &yb).unwrap().0;
            near("truncated", found[0].as_ref().unwrap(), &expected);
        }
    }
    check::<f64>();
    check::<Complex64>();
}

/// Few values of many are differentiated by products with the matrix alone.
#[test]
fn few_of_many() {
    /// The norm of what was cut curves with its reciprocal.
    const STEP: f64 = 2e-4;
    fn check<T: Element>() {
        for rest in [0.9, 0.1] {
            let values: Vec<f64> =
                (0..24).map(|i| if i < 3 { 3.0 - 0.5 * i as f64 } else { rest * (1.0 - i as f64 / 40.0) }).collect();
            let mut case = Case::new(Operation::SvdTrunc);
            case.settings.truncation.maxrank = Some(3);
            let a = with_values::<T>(30, 24, &values, 80);
            let dx = case.tangents::<T>(std::slice::from_ref(&a), 81);
            case.check_along::<T>(&[a], &dx, STEP, DIFFERENCES);
            let signed: Vec<f64> = values.iter().enumerate().map(|(i, w)| if i % 2 == 1 { -w } else { *w }).collect();
            case.operation = Operation::EighTrunc;
            let a = hermitian_with::<T>(&signed, 82);
            case.check_along::<T>(&[a], &hermitian_tangent::<T>(24, 83), STEP, DIFFERENCES);
        }
    }
    check::<f64>();
    check::<Complex64>();
}

#[test]
fn cuts_through_equal_values_are_refused() {
    fn check<T: Element>() {
        let mut case = Case::new(Operation::SvdTrunc);
        case.settings.truncation.maxrank = Some(2);
        let x = [degenerate::<T>(5, 5, 0.3)];
        let y = case.evaluate::<T>(&x).unwrap();
        let yb = case.cotangents::<T>(&y, 18);
        assert!(matches!(case.vjp::<T>(&x, &y, &yb), Err(Error::CutsMultiplet { gap }) if gap < 1e-13));
        assert!(matches!(case.jvp::<T>(&x, &y, &case.tangents::<T>(&x, 19)), Err(Error::CutsMultiplet { .. })));
        let mut case = Case::new(Operation::EighTrunc);
        case.settings.truncation.maxrank = Some(2);
        let x = [hermitian_with::<T>(&[-0.5, 2.0, 2.0, 2.0], 20)];
        let y = case.evaluate::<T>(&x).unwrap();
        let yb = case.cotangents::<T>(&y, 18);
        assert!(matches!(case.vjp::<T>(&x, &y, &yb), Err(Error::CutsMultiplet { gap }) if gap < 1e-13));
    }
    check::<f64>();
    check::<Complex64>();
}

#[test]
fn polar() {
    fn check<T: Element>() {
        for (operation, sizes) in [
            (Operation::LeftPolar, [(4, 4), (5, 3), (1, 1), (3, 0)]),
            (Operation::RightPolar, [(4, 4), (3, 5), (1, 2), (0, 0)]),
        ] {
            let case = Case::new(operation);
            general::<T>(&case, &sizes);
            // Equal values are as good as any, in second order, too.
            let (m, n) = if operation == Operation::LeftPolar { (5, 4) } else { (4, 5) };
            case.check::<T>(&[degenerate::<T>(m, n, 1.0)], DIFFERENCES);
            // A matrix that lacks rank has no W of its own, but A = W·P knows nothing of that.
            let x = [with_values::<T>(m, n, &[2.0, 1.0, 0.0], 21)];
            let y = case.evaluate::<T>(&x).unwrap();
            let random = case.cotangents::<T>(&y, 22);
            assert!(matches!(case.vjp::<T>(&x, &y, &random), Err(Error::GaugeDependent { .. })));
            let p = if operation == Operation::LeftPolar { 1 } else { 0 };
            let mut squares: Slopes = vec![None, None];
            squares[p] = Some(y[p].scale(2.0)); // ‖P‖² = ‖A‖²
            near("‖P‖²", case.vjp::<T>(&x, &y, &squares).unwrap().0[0].as_ref().unwrap(), &x[0].scale(2.0));
        }
    }
    check::<f64>();
    check::<Complex64>();
}

#[test]
fn eig() {
    fn check<T: Element>() {
        for operation in [Operation::EigFull, Operation::EigVals] {
            let case = Case::new(operation);
            for n in [0, 1, 2, 5] {
                // Eigenvalues apart by about 3, of a matrix that is not normal.
                let mut a = Array::random::<T>(&[n, n], 23);
                (0..n).for_each(|i| a.data[i + n * i] += 3.0 * i as f64);
                case.check::<T>(&[a], DIFFERENCES);
            }
        }
        let case = Case::new(Operation::SchurVals);
        let mut a = Array::random::<T>(&[4, 4], 24);
        (0..4).for_each(|i| a.data[5 * i] += 3.0 * i as f64);
        case.check::<T>(&[a], DIFFERENCES);
    }
    check::<f64>();
    check::<Complex64>();
    // Pairs of conjugates of a real matrix.
    let turn = Array::rows(&[&[1.0, -2.0, 0.3], &[2.0, 1.5, 0.1], &[0.2, 0.4, -1.0]]);
    for operation in [Operation::EigFull, Operation::EigVals, Operation::SchurVals] {
        Case::new(operation).check::<f64>(std::slice::from_ref(&turn), DIFFERENCES);
    }
}

/// JAX #2748: the gauge of eigenvectors; equal values, and defective matrices.
#[test]
fn eig_knows_its_gauge() {
    let x = [Array::random::<Complex64>(&[4, 4], 25)];
    let mut case = Case::new(Operation::EigFull);
    case.options.phases = Phases::Free;
    let y = case.evaluate::<Complex64>(&x).unwrap();
    let random = case.cotangents::<Complex64>(&y, 26);
    assert!(matches!(case.vjp::<Complex64>(&x, &y, &random), Err(Error::GaugeDependent { .. })));
    // Re tr(C·A²) through the values, which are all equal.
    let case = Case::new(Operation::EigVals);
    let one = Array::identity(3).scale(2.0);
    let y = case.evaluate::<f64>(std::slice::from_ref(&one)).unwrap();
    let found = case.vjp::<f64>(std::slice::from_ref(&one), &y, &[Some(y[0].scale(2.0))]).unwrap().0;
    near("Σw²", found[0].as_ref().unwrap(), &one.scale(2.0));
    let random = case.cotangents::<f64>(&y, 27);
    assert!(matches!(case.vjp::<f64>(&[one], &y, &random), Err(Error::GaugeDependent { .. })));
    let case = Case::new(Operation::EigFull);
    for jordan in [Array::rows(&[&[1.0, 1.0], &[0.0, 1.0]]), Array::rows(&[&[0.0, 4.0], &[-1.0, 4.0]])] {
        let x = [jordan];
        let y = case.evaluate::<f64>(&x).unwrap();
        let found = case.vjp::<f64>(&x, &y, &case.cotangents::<f64>(&y, 27));
        assert!(matches!(found, Err(Error::Undefined(_))), "{x:?}: {found:?}");
    }
}

#[test]
fn schur() {
    let case = Case::new(Operation::SchurFull);
    for n in [0, 1, 2, 5] {
        // Nearly triangular, so that the order of values is the same for all neighbours.
        let random = Array::random::<Complex64>(&[n, n], 28);
        let a = Array::new(&[n, n], |k| {
            let (i, j) = (k % n, k / n);
            random.data[k] * if i > j { 0.05 } else { 1.0 } + if i == j { 2.0 * i as f64 } else { 0.0 }
        });
        case.check::<Complex64>(std::slice::from_ref(&a), DIFFERENCES);
        let real = a.map(|x| x.re.into());
        case.check::<f64>(&[real], DIFFERENCES);
    }
    let x = [Array::rows(&[&[1.0, -2.0], &[2.0, 1.5]])];
    let y = case.evaluate::<f64>(&x).unwrap();
    let random = case.cotangents::<f64>(&y, 29);
    assert!(matches!(case.vjp::<f64>(&x, &y, &random), Err(Error::Undefined(_))));
}

#[test]
fn pseudo_inverse() {
    fn check<T: Element>() {
        let case = Case::new(Operation::Pinv);
        general::<T>(&case, &SIZES);
        // Along directions that keep the rank: the factors of A move.
        let (m, n, r) = (5, 4, 2);
        let (u, v) = (Array::random::<T>(&[m, r], 30), Array::random::<T>(&[r, n], 31));
        let (du, dv) = (Array::random::<T>(&[m, r], 32), Array::random::<T>(&[r, n], 33));
        let x = [times(&u, &v)];
        let dx = vec![Some(times(&du, &v).plus(1.0, &times(&u, &dv)))];
        let y = case.evaluate::<T>(&x).unwrap();
        let yb = case.cotangents::<T>(&y, 34);
        let (forward, reverse) = (case.jvp::<T>(&x, &y, &dx).unwrap().0, case.vjp::<T>(&x, &y, &yb).unwrap().0);
        let at = |t: f64| vec![Some(case.evaluate::<T>(&[times(&u.plus(t, &du), &v.plus(t, &dv))]).unwrap().remove(0))];
        assert_close("rank 2", &forward, &common::differences(1e-3, at), 1e-6);
        assert!((common::dot(&yb, &forward) - common::dot(&reverse, &dx)).abs() < 1e-10);
    }
    check::<f64>();
    check::<Complex64>();
}

#[test]
fn norms() {
    use tensoroxide_linalg::Norm;
    fn check<T: Element>() {
        for kind in [Norm::Frobenius, Norm::Spectral, Norm::Nuclear, Norm::One, Norm::Infinity] {
            let case = Case::new(Operation::Norm(kind));
            general::<T>(&case, &SIZES);
            for (m, n) in [(3, 2), (0, 2)] {
                let x = [Array::zeros(&[m, n])];
                let y = case.evaluate::<T>(&x).unwrap();
                let found = case.vjp::<T>(&x, &y, &[Some(Array::new(&[], |_| Complex64::ONE))]).unwrap().0;
                assert_eq!(found[0], Some(x[0].clone()), "{kind:?} at 0");
            }
        }
        // Other equal values do not matter to the largest.
        let a = degenerate::<T>(5, 5, 0.3);
        Case::new(Operation::Norm(Norm::Spectral)).check::<T>(std::slice::from_ref(&a), DIFFERENCES);
        Case::new(Operation::Norm(Norm::Nuclear)).check::<T>(std::slice::from_ref(&a), DIFFERENCES);
        for kind in [Norm::Spectral, Norm::Nuclear, Norm::One] {
            // A subgradient G has Re⟨G, A⟩ = ‖A‖.
            let case = Case::new(Operation::Norm(kind));
            let x = [with_values::<T>(4, 4, &[1.0, 1.0, 0.0, 0.0], 35)];
            let y = case.evaluate::<T>(&x).unwrap();
            let found = case.vjp::<T>(&x, &y, &[Some(Array::new(&[], |_| Complex64::ONE))]).unwrap().0;
            assert!((common::dot(&found, &some(&[&x[0]])) - y[0].data[0].re).abs() < 1e-13);
        }
    }
    check::<f64>();
    check::<Complex64>();
}

#[test]
fn hermitian_functions() {
    use tensoroxide_linalg::Function;
    fn check<T: Element>() {
        for f in [Function::Exp, Function::Log, Function::Sqrt, Function::Inverse, Function::InverseSqrt] {
            let case = Case::new(Operation::HermitianFunction(f));
            for w in [&[][..], &[1.5], &[0.8, 0.8 + 1e-9, 1.0, 2.5, 2.5], &[1.0, 1.0, 1.0]] {
                let (a, dx) = (hermitian_with::<T>(w, 36), hermitian_tangent::<T>(w.len(), 37));
                case.check_along::<T>(&[a], &dx, 1e-3, DIFFERENCES);
            }
        }
        let case = Case::new(Operation::HermitianFunction(Function::Sqrt));
        let x = [Array::zeros(&[2, 2])];
        let y = case.evaluate::<T>(&x).unwrap();
        assert!(matches!(case.jvp::<T>(&x, &y, &hermitian_tangent::<T>(2, 38)), Err(Error::Undefined(_))));
    }
    check::<f64>();
    check::<Complex64>();
}

/// The rules compute in the operation's own precision: against double precision, of one matrix that suits all
/// operations.
#[test]
fn single_precision() {
    use tensoroxide_linalg::{Function, Norm};
    fn check<S: Element, D: Element>() {
        let dx = hermitian_tangent::<S>(4, 91);
        for operation in [
            Operation::SvdFull,
            Operation::SvdTrunc,
            Operation::EighTrunc,
            Operation::LeftPolar,
            Operation::RightPolar,
            Operation::EigFull,
            Operation::EigVals,
            Operation::SchurVals,
            Operation::Pinv,
            Operation::HermitianFunction(Function::Log),
            Operation::Norm(Norm::Nuclear),
            Operation::Norm(Norm::One),
        ] {
            let mut case = Case::new(operation);
            case.settings.truncation.maxrank = Some(2);
            // Sensitivities are of the order of the reciprocals of the gaps, 2; rounding is 6·10⁻⁸.
            case.check_single::<S, D>(&[hermitian_with::<D>(&[0.5, 1.0, 1.6, 2.4], 90)], &dx, 2e-5);
        }
    }
    check::<f32, f64>();
    check::<Complex32, Complex64>();
}
