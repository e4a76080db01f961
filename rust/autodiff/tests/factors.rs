//! The rules of factorizations, systems, determinants and the exponential, held against differences, against each other,
//! and against what is known where others fail.

mod common;

use common::{Array, Case};
use tensoroxide_autodiff::Operation;
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
