//! The rules of factorizations, systems, determinants and the exponential, held against differences, against each other,
//! and against what is known where others fail.

mod common;

use common::{Array, Case};
use tensoroxide_autodiff::{Error, OnGauge, Operation, Options};
use tensoroxide_dense::Element;
use tensoroxide_tensor::testing::{arrangement, config};
use tensoroxide_tensor::{Complex32, Complex64};

use proptest::prelude::*;

/// Differences of the fourth order with a step of 10⁻³ have an error of 10⁻¹² times a fifth derivative, and round by 10⁻¹³;
/// the matrices here are such that their inverses have norms up to some 10.
const DIFFERENCES: f64 = 1e-8;

/// A square matrix far from singular.
fn regular<T: Element>(n: usize, batch: &[usize], seed: u64) -> Array {
    let shape = [&[n, n], batch].concat();
    let mut a = Array::random::<T>(&shape, seed);
    for (i, x) in a.data.iter_mut().enumerate() {
        if i % n == i / n % n {
            *x += 1.0 + (n as f64).sqrt();
        }
    }
    a
}

/// Both types of double precision, and each of single precision against them.
fn in_all_types(case: &Case, x: impl Fn(bool) -> Vec<Array>) {
    case.check::<f64>(&x(false), DIFFERENCES);
    case.check::<Complex64>(&x(true), DIFFERENCES);
    case.check_single::<f32, f64>(&x(false), &case.tangents::<f32>(&x(false), 13), 1e-4);
    case.check_single::<Complex32, Complex64>(&x(true), &case.tangents::<Complex32>(&x(true), 13), 1e-4);
}

#[test]
fn inverse() {
    for (n, batch) in [(0, vec![]), (1, vec![]), (5, vec![]), (3, vec![2, 2]), (3, vec![0])] {
        in_all_types(&Case::new(Operation::Inv), |complex| {
            vec![if complex { regular::<Complex64>(n, &batch, 1) } else { regular::<f64>(n, &batch, 1) }]
        });
    }
}

#[test]
fn systems() {
    for (n, columns, batch) in
        [(4, Some(2), vec![]), (4, None, vec![]), (0, Some(2), vec![]), (3, Some(0), vec![]), (2, None, vec![3])]
    {
        let shape: Vec<_> = [n].into_iter().chain(columns).chain(batch.iter().copied()).collect();
        in_all_types(&Case::new(Operation::Solve), |complex| match complex {
            true => vec![regular::<Complex64>(n, &batch, 1), Array::random::<Complex64>(&shape, 2)],
            false => vec![regular::<f64>(n, &batch, 1), Array::random::<f64>(&shape, 2)],
        });
    }
}

/// Random matrices in both kinds of types.
fn random(shape: &[usize], complex: bool, seed: u64) -> Array {
    if complex {
        Array::random::<Complex64>(shape, seed)
    } else {
        Array::random::<f64>(shape, seed)
    }
}

/// Well conditioned: with the identity on top, or to the left.
fn tilted(shape: &[usize], complex: bool, seed: u64) -> Array {
    let mut a = random(shape, complex, seed);
    for (i, x) in a.data.iter_mut().enumerate() {
        if i % shape[0] == i / shape[0] % shape[1] {
            *x += 2.0;
        }
    }
    a
}

#[test]
fn thin_qr_and_lq_of_full_rank() {
    let shapes: [&[usize]; 9] = [&[4, 4], &[6, 3], &[3, 6], &[1, 1], &[0, 3], &[3, 0], &[5, 1], &[1, 5], &[4, 2, 2]];
    for shape in shapes {
        for operation in [Operation::QrCompact, Operation::LqCompact, Operation::QrPivoted] {
            in_all_types(&Case::new(operation), |complex| vec![tilted(shape, complex, 1)]);
        }
    }
}

/// Nothing of a square Q is free.
#[test]
fn full_qr_and_lq_without_further_columns() {
    in_all_types(&Case::new(Operation::QrFull), |complex| vec![tilted(&[3, 5], complex, 1)]);
    in_all_types(&Case::new(Operation::LqFull), |complex| vec![tilted(&[5, 3], complex, 1)]);
    in_all_types(&Case::new(Operation::QrNull), |complex| vec![tilted(&[3, 5], complex, 1)]);
    in_all_types(&Case::new(Operation::LqNull), |complex| vec![tilted(&[5, 3], complex, 1)]);
}

/// Re tr(Xᴴ·N·Nᴴ) for the columns of N from `first` on, and its cotangent of the whole matrix.
fn of_the_space(x: &Array, n: &Array, first: usize) -> (f64, Array) {
    let kept = Array::new(&n.shape, |i| if i / n.shape[0] >= first { n.data[i] } else { Complex64::ZERO });
    let projector = kept.times(&kept.adjoint());
    let value = x.data.iter().zip(&projector.data).map(|(x, p)| (x.conj() * p).re).sum();
    (value, x.hermitian().scale(2.0).times(&kept))
}

#[test]
fn further_columns_through_their_space() {
    fn check<T: Element>(complex: bool) {
        let (tall, weight) = (tilted(&[6, 3], complex, 1), random(&[6, 6], complex, 2));
        let tangent = [Some(random(&[6, 3], complex, 3))];
        let loss = |y: &[Array]| {
            let (value, nb) = of_the_space(&weight, &y[0], 0);
            (value, vec![Some(nb)])
        };
        Case::new(Operation::QrNull).check_loss::<T>(&[tall.clone()], &tangent, loss, DIFFERENCES);
        let rb = random(&[6, 3], complex, 4);
        let loss = |y: &[Array]| {
            let (value, qb) = of_the_space(&weight, &y[0], 3);
            let of_r: f64 = rb.data.iter().zip(&y[1].data).map(|(x, y)| (x.conj() * y).re).sum();
            // Of the first columns, a linear function.
            let first = Array::new(&[6, 6], |i| if i / 6 < 3 { weight.data[i] } else { Complex64::ZERO });
            let of_q: f64 = first.data.iter().zip(&y[0].data).map(|(x, y)| (x.conj() * y).re).sum();
            (value + of_r + of_q, vec![Some(qb.plus(1.0, &first)), Some(rb.clone())])
        };
        Case::new(Operation::QrFull).check_loss::<T>(&[tall.clone()], &tangent, loss, DIFFERENCES);

        let (wide, tangent) = (tall.adjoint(), [tangent[0].as_ref().map(Array::adjoint)]);
        let loss = |y: &[Array]| {
            let (value, nb) = of_the_space(&weight, &y[0].adjoint(), 0);
            (value, vec![Some(nb.adjoint())])
        };
        Case::new(Operation::LqNull).check_loss::<T>(&[wide.clone()], &tangent, loss, DIFFERENCES);
        let loss = |y: &[Array]| {
            let (value, qb) = of_the_space(&weight, &y[1].adjoint(), 3);
            (value, vec![None, Some(qb.adjoint())])
        };
        Case::new(Operation::LqFull).check_loss::<T>(&[wide], &tangent, loss, DIFFERENCES);

        // A cotangent that turns them in their space is not one of a function of A.
        for operation in [Operation::QrNull, Operation::QrFull] {
            let case = Case::new(operation);
            let y = case.evaluate::<T>(&[tall.clone()]).unwrap();
            let refused = case.vjp::<T>(&[tall.clone()], &y, &case.cotangents::<T>(&y, 5));
            assert!(matches!(refused, Err(Error::GaugeDependent { .. })), "{refused:?}");
        }
    }
    check::<f64>(false);
    check::<Complex64>(true);
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn layouts_do_not_matter(arrangement in arrangement(), n in 0usize..5, seed in 0u64..100) {
        let x = vec![regular::<Complex64>(n, &[2], seed), Array::random::<Complex64>(&[n, 2, 2], seed + 1)];
        let case = Case::new(Operation::Solve);
        case.check_layouts::<Complex64>(&x, &case.tangents::<Complex64>(&x, 3), &arrangement);
        let case = Case::new(Operation::Inv);
        case.check_layouts::<Complex64>(&x[..1], &case.tangents::<Complex64>(&x[..1], 3), &arrangement);
    }
}
