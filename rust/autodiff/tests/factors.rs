//! The rules of factorizations, systems, determinants and the exponential, held against differences, against each
//! other, and against what is known where others fail.

mod common;

use common::{Array, Case};
use tensoroxide_autodiff::{Error, OnGauge, Operation, Options, Phases};
use tensoroxide_dense::Element;
use tensoroxide_linalg::Triangle;
use tensoroxide_tensor::testing::{arrangement, config};
use tensoroxide_tensor::{Complex32, Complex64};

use proptest::prelude::*;

/// Differences of the fourth order with a step of 10⁻³ have an error of 10⁻¹² times a fifth derivative, and round by
/// 10⁻¹³; the matrices here are such that their inverses have norms up to some 10.
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
        Case::new(Operation::QrNull).check_loss::<T>(std::slice::from_ref(&tall), &tangent, loss, DIFFERENCES);
        let rb = random(&[6, 3], complex, 4);
        let loss = |y: &[Array]| {
            let (value, qb) = of_the_space(&weight, &y[0], 3);
            let of_r: f64 = rb.data.iter().zip(&y[1].data).map(|(x, y)| (x.conj() * y).re).sum();
            // Of the first columns, a linear function.
            let first = Array::new(&[6, 6], |i| if i / 6 < 3 { weight.data[i] } else { Complex64::ZERO });
            let of_q: f64 = first.data.iter().zip(&y[0].data).map(|(x, y)| (x.conj() * y).re).sum();
            (value + of_r + of_q, vec![Some(qb.plus(1.0, &first)), Some(rb.clone())])
        };
        Case::new(Operation::QrFull).check_loss::<T>(std::slice::from_ref(&tall), &tangent, loss, DIFFERENCES);

        let (wide, tangent) = (tall.adjoint(), [tangent[0].as_ref().map(Array::adjoint)]);
        let loss = |y: &[Array]| {
            let (value, nb) = of_the_space(&weight, &y[0].adjoint(), 0);
            (value, vec![Some(nb.adjoint())])
        };
        Case::new(Operation::LqNull).check_loss::<T>(std::slice::from_ref(&wide), &tangent, loss, DIFFERENCES);
        let loss = |y: &[Array]| {
            let (value, qb) = of_the_space(&weight, &y[1].adjoint(), 3);
            (value, vec![None, Some(qb.adjoint())])
        };
        Case::new(Operation::LqFull).check_loss::<T>(&[wide], &tangent, loss, DIFFERENCES);

        // A cotangent that turns them in their space is not one of a function of A.
        for operation in [Operation::QrNull, Operation::QrFull] {
            let case = Case::new(operation);
            let y = case.evaluate::<T>(std::slice::from_ref(&tall)).unwrap();
            let refused = case.vjp::<T>(std::slice::from_ref(&tall), &y, &case.cotangents::<T>(&y, 5));
            assert!(matches!(refused, Err(Error::GaugeDependent { .. })), "{refused:?}");
        }
    }
    check::<f64>(false);
    check::<Complex64>(true);
}

/// The phase of a single further column is fixed: it is a function of A.
#[test]
fn a_single_further_column() {
    in_all_types(&Case::new(Operation::QrFull), |complex| vec![tilted(&[4, 3], complex, 1)]);
    in_all_types(&Case::new(Operation::QrNull), |complex| vec![tilted(&[4, 3], complex, 1)]);
    in_all_types(&Case::new(Operation::LqFull), |complex| vec![tilted(&[3, 4], complex, 1)]);
    in_all_types(&Case::new(Operation::LqNull), |complex| vec![tilted(&[3, 4], complex, 1)]);
    let case = Case::new(Operation::QrFull);
    let case = Case { options: Options { phases: Phases::Free, ..case.options }, ..case };
    let x = [tilted(&[4, 3], true, 1)];
    let y = case.evaluate::<Complex64>(&x).unwrap();
    let refused = case.vjp::<Complex64>(&x, &y, &case.cotangents::<Complex64>(&y, 1));
    assert!(matches!(refused, Err(Error::GaugeDependent { .. })), "{refused:?}");
}

/// Of a loss Re⟨G, Q·R⟩ = Re⟨G, A⟩ the gradient is G, whatever the condition of A: PyTorch #42792, where it was not
/// near rank deficiency; JAX #23533, where there was none for wide matrices.
#[test]
fn qr_near_rank_deficiency() {
    for (m, n) in [(5, 4), (4, 4), (4, 6)] {
        for distance in [1.0, 1e-4, 1e-8, 1e-11] {
            let mut a = random(&[m, n], true, 1);
            for i in 0..m {
                a.data[i + 3 * m] = a.at(i, 0) + 2.0 * a.at(i, 1) + distance * a.at(i, 3);
            }
            let (case, x, g) = (Case::new(Operation::QrCompact), [a], random(&[m, n], true, 2));
            let y = case.evaluate::<Complex64>(&x).unwrap();
            let yb = [Some(g.times(&y[1].adjoint())), Some(y[0].adjoint().times(&g))];
            let found = case.vjp::<Complex64>(&x, &y, &yb).unwrap().0;
            common::assert_close(&format!("{m}×{n}, {distance}"), &found, &[Some(g)], 1e-14 / distance);
        }
    }
}

/// MatrixAlgebraKit #150: what comes before the first dependent column is determined.
#[test]
fn qr_of_dependent_columns() {
    for complex in [false, true] {
        for (m, n, lq) in [(5, 4, false), (4, 4, false), (3, 5, false), (5, 4, true)] {
            // The third column is a combination of the first two, or zero.
            for factor in [1.0, 0.0] {
                let mut a = tilted(&[m, n], complex, 1);
                for i in 0..m {
                    a.data[i + 2 * m] = (a.at(i, 0) - 0.5 * a.at(i, 1)) * factor;
                }
                let (weight_q, weight_r) = (random(&[m, m.min(n)], complex, 2), random(&[m.min(n), n], complex, 3));
                let k = m.min(n);
                let qb = Array::new(&[m, k], |i| if i / m < 2 { weight_q.data[i] } else { Complex64::ZERO });
                let rb = Array::new(&[k, n], |i| if i % k < 2 { weight_r.data[i] } else { Complex64::ZERO });
                let da = random(&[m, n], complex, 4);
                let (case, x, dx, yb, free) = match lq {
                    false => (Operation::QrCompact, a, da, [qb, rb], [weight_q, weight_r]),
                    true => (
                        Operation::LqCompact,
                        a.adjoint(),
                        da.adjoint(),
                        [rb.adjoint(), qb.adjoint()],
                        [weight_r.adjoint(), weight_q.adjoint()],
                    ),
                };
                let case = Case::new(case);
                match complex {
                    true => determined_and_free::<Complex64>(case, x, dx, yb.map(Some), free.map(Some)),
                    false => determined_and_free::<f64>(case, x, dx, yb.map(Some), free.map(Some)),
                }
            }
        }
    }
}

/// A cotangent of what is determined gives the derivative along `dx`; another one is refused, or reported.
fn determined_and_free<T: Element>(case: Case, x: Array, dx: Array, yb: [Option<Array>; 2], free: [Option<Array>; 2]) {
    let y = case.evaluate::<T>(std::slice::from_ref(&x)).unwrap();
    let value = |t: f64| {
        let y = case.evaluate::<T>(&[x.plus(t, &dx)]).unwrap();
        let value = common::dot(&yb, &[Some(y[0].clone()), Some(y[1].clone())]);
        vec![Some(Array::new(&[], |_| value.into()))]
    };
    let gradient = case.vjp::<T>(std::slice::from_ref(&x), &y, &yb).unwrap().0;
    let found = common::dot(&gradient, &[Some(dx.clone())]);
    let expected = common::differences(1e-3, value);
    common::assert_close("what is determined", &[Some(Array::new(&[], |_| found.into()))], &expected, DIFFERENCES);

    let refused = case.vjp::<T>(std::slice::from_ref(&x), &y, &free);
    assert!(matches!(refused, Err(Error::GaugeDependent { .. })), "{refused:?}");
    let refused = case.jvp::<T>(std::slice::from_ref(&x), &y, &[Some(dx)]);
    assert!(matches!(refused, Err(Error::GaugeDependent { .. })), "{refused:?}");
    let case = Case { options: Options { on_gauge: OnGauge::Report, ..case.options }, ..case };
    let (gradient, report) = case.vjp::<T>(&[x], &y, &free).unwrap();
    assert!(report.gauge > 1e-3 && common::norm(&gradient).is_finite(), "{report:?}");
}

/// Paths along which dependent columns stay so have tangents.
#[test]
fn qr_of_dependent_columns_that_stay_so() {
    let (left, right) = (tilted(&[4, 2], true, 1), tilted(&[2, 4], true, 2));
    let case = Case::new(Operation::QrCompact);
    let x = [left.times(&right)];
    let dx = [Some(left.times(&random(&[2, 4], true, 3)).plus(1.0, &random(&[4, 2], true, 4).times(&right)))];
    let y = case.evaluate::<Complex64>(&x).unwrap();
    let tangent = case.jvp::<Complex64>(&x, &y, &dx).unwrap().0;
    let rows = |x: &Array| Some(Array::new(&[4, 4], |i| if i % 4 < 2 { x.data[i] } else { Complex64::ZERO }));
    let expected = common::differences(1e-3, |t| {
        let y = case.evaluate::<Complex64>(&[x[0].plus(t, dx[0].as_ref().unwrap())]).unwrap();
        vec![rows(&y[1])]
    });
    common::assert_close("the first rows of R", &[rows(tangent[1].as_ref().unwrap())], &expected, DIFFERENCES);
}

/// MatrixAlgebraKit #89: tolerances are relative, and a matrix times 10^±100 has derivatives times the power that
/// belongs to them.
#[test]
fn scaled_matrices() {
    let cases: [(Operation, &[usize], [i32; 2]); 7] = [
        (Operation::QrCompact, &[4, 3], [-1, 0]),
        (Operation::QrCompact, &[3, 4], [-1, 0]),
        (Operation::LqFull, &[4, 3], [0, -1]),
        (Operation::QrPivoted, &[3, 3], [-1, 0]),
        (Operation::Lu, &[3, 3], [-1, 0]),
        (Operation::Inv, &[3, 3], [-2, 0]),
        (Operation::LogAbsDet, &[3, 3], [-1, -1]),
    ];
    for (operation, shape, powers) in cases {
        let (case, x) = (Case::new(operation), [tilted(shape, true, 1)]);
        let y = case.evaluate::<Complex64>(&x).unwrap();
        for (slot, power) in powers.into_iter().enumerate().take(operation.outputs().len()) {
            let mut yb = case.cotangents::<Complex64>(&y, 2);
            yb.iter_mut().enumerate().filter(|(i, _)| *i != slot).for_each(|(_, yb)| *yb = None);
            let expected = case.vjp::<Complex64>(&x, &y, &yb).unwrap().0;
            for size in [1e100, 1e-100] {
                let x = [x[0].scale(size)];
                let y = case.evaluate::<Complex64>(&x).unwrap();
                let found = case.vjp::<Complex64>(&x, &y, &yb).unwrap().0.remove(0).unwrap();
                let found = [Some(found.scale(size.powi(-power)))];
                common::assert_close(&format!("{operation:?} times {size}"), &found, &expected, 1e-12);
            }
        }
    }
}

/// A zero matrix has no direction: R grows in every one.
#[test]
fn zero_matrices() {
    for operation in [Operation::QrCompact, Operation::LqCompact] {
        let (case, x) = (Case::new(operation), [Array::zeros(&[3, 3])]);
        let y = case.evaluate::<f64>(&x).unwrap();
        let nothing = [Some(Array::zeros(&[3, 3])), Some(Array::zeros(&[3, 3]))];
        assert_eq!(case.vjp::<f64>(&x, &y, &nothing).unwrap().0, [Some(Array::zeros(&[3, 3]))]);
        for slot in [0, 1] {
            let mut yb = nothing.clone();
            yb[slot] = Some(random(&[3, 3], false, 1));
            let refused = case.vjp::<f64>(&x, &y, &yb);
            assert!(matches!(refused, Err(Error::GaugeDependent { .. })), "{refused:?}");
        }
    }
    for operation in [Operation::Solve, Operation::LogAbsDet] {
        let case = Case::new(operation);
        let x: Vec<_> = operation.inputs().iter().map(|_| Array::zeros(&[2, 2])).collect();
        let y: Vec<_> = match operation {
            Operation::LogAbsDet => case.evaluate::<f64>(&x).unwrap(),
            _ => vec![Array::zeros(&[2, 2])],
        };
        let refused = case.vjp::<f64>(&x, &y, &case.cotangents::<f64>(&y, 1));
        assert!(matches!(refused, Err(Error::Linalg(_))), "{refused:?}");
    }
    let case = Case::new(Operation::Lstsq);
    let x = [Array::zeros(&[3, 2]), random(&[3, 1], false, 1)];
    let y = case.evaluate::<f64>(&x).unwrap();
    let gradient = case.vjp::<f64>(&x, &y, &case.cotangents::<f64>(&y, 2)).unwrap().0;
    assert_eq!(gradient, [Some(Array::zeros(&[3, 2])), Some(Array::zeros(&[3, 1]))]);
}

#[test]
fn elimination() {
    let shapes: [&[usize]; 8] = [&[4, 4], &[6, 3], &[3, 6], &[1, 1], &[0, 3], &[3, 0], &[4, 1], &[3, 3, 2]];
    for shape in shapes {
        for operation in [Operation::Lu, Operation::LuComplete] {
            in_all_types(&Case::new(operation), |complex| vec![tilted(shape, complex, 1)]);
        }
    }
}

/// Only the last pivot is zero, and nothing below it: no entry of L depends on it.
#[test]
fn elimination_of_a_singular_matrix() {
    for complex in [false, true] {
        for columns in [3, 5] {
            let mut a = tilted(&[3, columns], complex, 1);
            // The third row becomes a sum of the others, in the first three columns.
            for j in 0..3 {
                a.data[2 + 3 * j] = a.at(0, j) * 0.5 - a.at(1, j) * 0.25;
            }
            let case = Case::new(Operation::Lu);
            match complex {
                true => case.check::<Complex64>(&[a], DIFFERENCES),
                false => case.check::<f64>(&[a], DIFFERENCES),
            }
        }
    }
    // Rank 1: L and U jump, but for the first column and row.
    let case = Case::new(Operation::Lu);
    let x = [Array::rows(&[&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]])];
    let y = case.evaluate::<f64>(&x).unwrap();
    let refused = case.vjp::<f64>(&x, &y, &case.cotangents::<f64>(&y, 1));
    assert!(matches!(refused, Err(Error::GaugeDependent { .. })), "{refused:?}");
    let first = |array: &Array, row: bool| {
        let keep = |i: usize| if (if row { i % 3 } else { i / 3 }) == 0 { array.data[i] } else { Complex64::ZERO };
        Array::new(&[3, 3], keep)
    };
    // The two rows below may come in either order: their weights are equal.
    let (mut weight, tangent) = (Array::random::<f64>(&[3, 3], 4), Array::random::<f64>(&[3, 3], 5));
    weight.data[2] = weight.data[1];
    let loss = |y: &[Array]| {
        let (l, u) = (first(&weight, false), first(&weight, true));
        (
            common::dot(&[Some(l.clone()), Some(u.clone())], &[Some(y[0].clone()), Some(y[1].clone())]),
            vec![Some(l), Some(u), None],
        )
    };
    let (value, yb) = loss(&y);
    let gradient = case.vjp::<f64>(&x, &y, &yb).unwrap().0;
    let along = common::differences(1e-4, |t| {
        let y = case.evaluate::<f64>(&[x[0].plus(t, &tangent)]).unwrap();
        vec![Some(Array::new(&[], |_| (loss(&y).0 - value).into()))]
    });
    let found = common::dot(&gradient, &[Some(tangent)]);
    common::assert_close("the first column and row", &[Some(Array::new(&[], |_| found.into()))], &along, DIFFERENCES);
}

#[test]
fn cholesky() {
    for shape in [&[0, 0][..], &[1, 1], &[4, 4], &[3, 3, 2]] {
        let case = Case::new(Operation::Cholesky);
        let (x, dx) = (random(shape, false, 1).positive(1.0), random(shape, false, 2).hermitian());
        case.check_along::<f64>(std::slice::from_ref(&x), &[Some(dx.clone())], 1e-3, DIFFERENCES);
        case.check_single::<f32, f64>(&[x], &[Some(dx)], 1e-4);
        let (x, dx) = (random(shape, true, 1).positive(1.0), random(shape, true, 2).hermitian());
        case.check_along::<Complex64>(std::slice::from_ref(&x), &[Some(dx.clone())], 1e-3, DIFFERENCES);
        case.check_single::<Complex32, Complex64>(&[x], &[Some(dx)], 1e-4);
    }
    // A gradient by which one can descend is Hermitian itself.
    let case = Case::new(Operation::Cholesky);
    let x = [random(&[4, 4], true, 1).positive(1.0)];
    let y = case.evaluate::<Complex64>(&x).unwrap();
    let gradient = case.vjp::<Complex64>(&x, &y, &case.cotangents::<Complex64>(&y, 1)).unwrap().0.remove(0).unwrap();
    assert_eq!(gradient, gradient.adjoint());
}

#[test]
fn triangular_systems() {
    for (upper, unit_diagonal) in [(false, false), (false, true), (true, false), (true, true)] {
        let case = Case::new(Operation::SolveTriangular(Triangle { upper, unit_diagonal }));
        in_all_types(&case, |complex| vec![tilted(&[4, 4], complex, 1), random(&[4, 2], complex, 2)]);
        in_all_types(&case, |complex| vec![tilted(&[3, 3, 2], complex, 1), random(&[3, 2], complex, 2)]);
        in_all_types(&case, |complex| vec![tilted(&[0, 0], complex, 1), random(&[0], complex, 2)]);
    }
}

/// PyTorch #77225, #93982 and #147543: none, or none for shapes that are not tall and of full rank.
#[test]
fn least_squares_of_full_rank() {
    let shapes: [(&[usize], &[usize]); 7] = [
        (&[5, 3], &[5, 2]),
        (&[3, 5], &[3, 2]),
        (&[4, 4], &[4]),
        (&[4, 3, 2], &[4, 2]),
        (&[1, 1], &[1]),
        (&[0, 2], &[0, 1]),
        (&[2, 0], &[2, 1]),
    ];
    for (a, b) in shapes {
        in_all_types(&Case::new(Operation::Lstsq), |complex| vec![tilted(a, complex, 1), random(b, complex, 2)]);
    }
}

/// Along directions that keep the rank, straight ones: factors on one side move.
#[test]
fn least_squares_of_lower_rank() {
    let case = Case::new(Operation::Lstsq);
    for (m, n) in [(5, 4), (4, 5), (4, 4)] {
        for complex in [false, true] {
            let (left, right) = (tilted(&[m, 2], complex, 1), tilted(&[2, n], complex, 2));
            let x = [left.times(&right), random(&[m, 2], complex, 3)];
            let db = random(&[m, 2], complex, 4);
            for da in [left.times(&random(&[2, n], complex, 5)), random(&[m, 2], complex, 6).times(&right)] {
                let dx = [Some(da), Some(db.clone())];
                match complex {
                    true => case.check_along::<Complex64>(&x, &dx, 1e-3, DIFFERENCES),
                    false => case.check_along::<f64>(&x, &dx, 1e-3, DIFFERENCES),
                }
            }
        }
    }
}

#[test]
fn determinants() {
    for shape in [&[0, 0][..], &[1, 1], &[4, 4], &[3, 3, 2]] {
        in_all_types(&Case::new(Operation::Det), |complex| vec![tilted(shape, complex, 1)]);
        in_all_types(&Case::new(Operation::LogAbsDet), |complex| vec![tilted(shape, complex, 1)]);
    }
}

/// The determinant is a polynomial: whatever the rank, it has all derivatives.
#[test]
fn determinants_of_singular_matrices() {
    for rank in [0, 1, 2, 3] {
        for complex in [false, true] {
            let x = [random(&[4, rank], complex, 1).times(&random(&[rank, 4], complex, 2))];
            // The value itself is rounding here, and so is what differences of it round by.
            let case = Case::new(Operation::Det);
            let dx = case.tangents::<Complex64>(&x, 3);
            let dx = if complex { dx } else { case.tangents::<f64>(&x, 3) };
            match (complex, rank) {
                // Third and higher derivatives are all that is left.
                (_, 0 | 1) => {
                    let y = case.evaluate::<Complex64>(&x).unwrap();
                    let yb = [Some(Array::new(&[], |_| Complex64::ONE))];
                    let gradient = case.vjp::<Complex64>(&x, &y, &yb).unwrap().0;
                    assert!(common::norm(&gradient) <= 1e-14, "{gradient:?}");
                    let hvp = case.hvp::<Complex64>(&x, &y, &yb, &dx, &[None]).unwrap().0;
                    assert!(common::norm(&hvp) <= 1e-13, "{hvp:?}");
                }
                (true, 3) => case.check_along::<Complex64>(&x, &dx, 1e-2, DIFFERENCES),
                (false, 3) => case.check_along::<f64>(&x, &dx, 1e-2, DIFFERENCES),
                (_, _) => {
                    let y = case.evaluate::<Complex64>(&x).unwrap();
                    let yb = [Some(Array::new(&[], |_| Complex64::ONE))];
                    let gradient = case.vjp::<Complex64>(&x, &y, &yb).unwrap().0;
                    assert!(common::norm(&gradient) <= 1e-14, "{gradient:?}");
                    let hvp = case.hvp::<Complex64>(&x, &y, &yb, &dx, &[None]).unwrap().0;
                    let expected = common::differences(1e-2, |t| {
                        let x = [x[0].plus(t, dx[0].as_ref().unwrap())];
                        let y = case.evaluate::<Complex64>(&x).unwrap();
                        case.vjp::<Complex64>(&x, &y, &yb).unwrap().0
                    });
                    common::assert_close("det of rank n − 2", &hvp, &expected, DIFFERENCES);
                }
            }
        }
    }
}

#[test]
fn exponential() {
    for size in [1e-3, 0.1, 0.5, 1.5, 8.0] {
        for shape in [&[4, 4][..], &[1, 1]] {
            let case = Case::new(Operation::Expm);
            for complex in [false, true] {
                // Antihermitian but for a part of size 1, so that results stay moderate.
                let a = random(shape, complex, 1);
                let a = a.plus(-1.0, &a.hermitian()).scale(size).plus(size.min(1.0), &random(shape, complex, 2));
                match complex {
                    true => case.check::<Complex64>(&[a], DIFFERENCES),
                    false => case.check::<f64>(&[a], DIFFERENCES),
                }
            }
        }
    }
    in_all_types(&Case::new(Operation::Expm), |complex| vec![random(&[3, 3, 2], complex, 1)]);
    in_all_types(&Case::new(Operation::Expm), |complex| vec![random(&[0, 0], complex, 1)]);
    // A Jordan block, which has no basis of eigenvectors: L(A, E) is then a sum of powers.
    in_all_types(&Case::new(Operation::Expm), |_| vec![Array::rows(&[&[0.0, 1.0], &[0.0, 0.0]])]);
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
