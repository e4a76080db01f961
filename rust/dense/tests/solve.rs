//! Systems of linear equations: small ones are solved on the stack, to the same bits as by the factors of A, and
//! whatever is out of the ordinary ends as it does there.

mod common;

use common::{eps, op, pairs, with, Owned, Rng, LAYOUTS, OUTPUT_LAYOUTS};
use tensoroxide_dense::{lu, solve, Element, Error, Provider, Resources};
use tensoroxide_tensor::testing::poison;
use tensoroxide_tensor::{with_scalar, Complex64, DType, Real};

fn own() -> Resources<'static> {
    Resources { provider: Provider::Own, ..with() }
}

/// Solves, and compares with the factors' solution or error.
fn check<T: Element>(a: &Owned<T>, conj_a: bool, b: &Owned<T>, conj_b: bool, layout: usize) -> Result<(), Error> {
    let (n, k) = b.shape();
    let mut x = Owned::<T>::new(n, k, layout, poison());
    let solved = solve(a.view(), conj_a, b.view(), conj_b, x.view_mut(), own());
    let expected = lu(a.view(), conj_a, own()).and_then(|lu| lu.solve(b.view(), conj_b, own()));
    assert_eq!(solved.err(), expected.as_ref().err().copied(), "{n} {k}");
    match &expected {
        Ok(expected) => assert!(pairs(n, k).all(|(i, j)| x.at(i, j) == expected.col(j)[i]), "{n} {k}"),
        Err(_) => assert!(pairs(n, k).all(|(i, j)| x.at(i, j).re() != x.at(i, j).re())),
    }
    assert!(x.gaps_untouched());
    solved
}

#[test]
fn the_solution_is_that_of_the_factors() {
    fn all<T: Element>() {
        let rng = &mut Rng(31);
        let mut layout = 0;
        for n in 0..=10 {
            for k in 0..=9 {
                for (conj_a, conj_b) in [(false, false), (true, false), (false, true), (true, true)] {
                    layout += 1;
                    let a = Owned::<T>::random(n, n, layout % (LAYOUTS - 1), rng);
                    let b = Owned::<T>::random(n, k, layout / 8 % LAYOUTS, rng);
                    check(&a, conj_a, &b, conj_b, layout % OUTPUT_LAYOUTS).unwrap();
                }
            }
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => all::<T>());
    }
}

#[test]
fn pivots_move_rows() {
    fn all<T: Element>() {
        for n in 1..=8 {
            // A permutation with other powers of two: every pivot is in another row.
            let mut a = Owned::<T>::new(n, n, n % OUTPUT_LAYOUTS, T::ZERO);
            a.fill(|i, j| if (i + 1) % n == j { T::from_real(<T::Real as Real>::exp2i(i as i32)) } else { T::ZERO });
            let mut b = Owned::<T>::new(n, 1, 0, T::ZERO);
            b.fill(|i, _| T::from_real(<T::Real as Real>::exp2i(2 * i as i32)));
            check(&a, false, &b, false, 0).unwrap();
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => all::<T>());
    }
}

/// The ends of the range, zero pivots, zeros, NaN and infinity.
#[test]
fn what_is_out_of_the_ordinary() {
    fn all<T: Element>() {
        let rng = &mut Rng(32);
        let (least, most) = if T::Real::EPSILON.to_f64() > 1e-10 { (-149, 127) } else { (-1074, 1023) };
        for n in 1..=8 {
            let layout = n % OUTPUT_LAYOUTS;
            let (a, b) = (Owned::<T>::random(n, n, layout, rng), Owned::<T>::random(n, 2, 7 - layout, rng));
            let scaled = |x: &Owned<T>, e: i32| {
                let (mut y, (first, second)) = (x.clone(), (e / 2, e - e / 2));
                y.fill(|i, j| x.at(i, j).scale(Real::exp2i(first)).scale(Real::exp2i(second)));
                y
            };
            for e in [least, least + 8, least / 2, most / 2, most - 70, most - 20, most - 1] {
                for f in [0, e] {
                    // Beyond the range or not, both ways end alike.
                    _ = check(&scaled(&a, e), false, &scaled(&b, f), false, 0);
                    _ = check(&scaled(&a, f), false, &scaled(&b, e), true, 1);
                }
            }
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut spoiled = a.clone();
                spoiled.fill(|i, j| if (i, j) == (n - 1, n / 2) { T::from_c64(bad.into()) } else { a.at(i, j) });
                assert_eq!(check(&spoiled, false, &b, false, 0), Err(Error::NotFinite));
                let mut spoiled = b.clone();
                spoiled.fill(|i, j| if (i, j) == (n - 1, 1) { T::from_c64(bad.into()) } else { b.at(i, j) });
                assert_eq!(check(&a, false, &spoiled, false, 0), Err(Error::NotFinite));
            }
            let mut singular = a.clone();
            singular.fill(|i, j| if j == n / 2 { T::ZERO } else { a.at(i, j) });
            assert_eq!(check(&singular, false, &b, false, 0), Err(Error::Singular { index: n / 2 }));
            check(&a, false, &Owned::new(n, 2, 0, T::ZERO), false, 0).unwrap();
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => all::<T>());
    }
}

/// Few right-hand sides and many are solved by different loops; the residual is that of a backward stable solution.
#[test]
fn adjoint_systems() {
    fn all<T: Element>() {
        let rng = &mut Rng(37);
        for (n, k) in [(0, 2), (1, 1), (3, 2), (20, 1), (20, 4), (20, 7), (41, 3)] {
            for (layout, conj_b) in [(0, false), (1, true)] {
                let (a, b) = (Owned::<T>::random(n, n, layout, rng), Owned::<T>::random(n, k, layout, rng));
                let x = lu(a.view(), false, with()).unwrap().solve_adjoint(b.view(), conj_b, with()).unwrap();
                for (i, j) in pairs(n, k) {
                    let terms = || (0..n).map(|l| op(a.at(l, i), true) * x.col(j)[l].to_c64());
                    let error = (terms().sum::<Complex64>() - op(b.at(i, j), conj_b)).norm();
                    let size: f64 = terms().map(|term| term.norm()).sum();
                    assert!(error <= 20.0 * n as f64 * eps::<T>() * (size + 1.0), "{n} {k}: {error} of {size}");
                }
            }
        }
        let zero = Owned::<T>::new(2, 2, 0, T::ZERO);
        let refused = lu(zero.view(), false, with()).unwrap().solve_adjoint(zero.view(), false, with());
        assert_eq!(refused.err(), Some(Error::Singular { index: 0 }));
        let three = Owned::<T>::new(3, 1, 0, T::ONE);
        let a = Owned::<T>::random(2, 2, 0, rng);
        let refused = lu(a.view(), false, with()).unwrap().solve_adjoint(three.view(), false, with());
        assert_eq!(refused.err(), Some(Error::Shape { operand: "B", expected: (2, 1), found: (3, 1) }));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => all::<T>());
    }
}

#[test]
fn the_operands_have_to_fit() {
    let new = |m, n| Owned::<f64>::new(m, n, 0, 1.0);
    let refused = |a: &Owned<f64>, b: &Owned<f64>, mut x: Owned<f64>| match solve(
        a.view(),
        false,
        b.view(),
        false,
        x.view_mut(),
        own(),
    ) {
        Err(Error::Shape { operand, .. }) => operand,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&new(2, 3), &new(2, 1), new(2, 1)), "A");
    assert_eq!(refused(&new(2, 2), &new(3, 1), new(2, 1)), "B");
    assert_eq!(refused(&new(2, 2), &new(2, 1), new(2, 2)), "X");
}
