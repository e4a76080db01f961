//! Truncation at the cost of what is kept: the certificate against values that are known, the results against those of
//! the whole decomposition, and what the randomised method has to refuse.

mod common;

use common::{assert_gauge, assert_orthonormal, at, norm, output, pairs, plain, run};
use tensoroxide_dense::{eigh_partial, svd_partial, MatRef, Partial, Resources, Workspace};
use tensoroxide_dense::{Element, Provider};
use tensoroxide_linalg::{eigh_trunc, qr_compact, svd_trunc, Error, Method, Run, Truncation};
use tensoroxide_tensor::testing::{tensor, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Layout, Real, Scalar, Tensor, Threads};

const RANDOMIZED: Method = Method::Randomized { tol: None, seed: 7 };

/// Orthonormal columns.
fn isometry<T: Element>(m: usize, n: usize, seed: u64) -> Tensor<T> {
    let a = tensor::<T>(Layout::column_major(&[m, n]).unwrap(), seed);
    let (mut q, mut r) = (plain::<T>(&[m, n]), plain::<T>(&[n, n]));
    qr_compact(a.view(), false, q.view_mut().unwrap(), r.view_mut().unwrap(), run()).unwrap();
    q
}

/// A matrix with these singular values; with as many columns as rows and `hermitian`, with these eigenvalues.
fn with_values<T: Element>(m: usize, n: usize, s: &[f64], hermitian: bool, arrangement: &Arrangement) -> Tensor<T> {
    let (u, v) = (isometry::<T>(m, s.len(), 1), isometry::<T>(n, s.len(), if hermitian { 1 } else { 2 }));
    let mut a = Tensor::zeros(arrangement.layout(&[m, n])).unwrap();
    let element =
        |i: usize, j: usize| -> Complex64 { (0..s.len()).map(|l| at(&u, i, l) * s[l] * at(&v, j, l).conj()).sum() };
    a.fill(|i| T::from_c64(element(i[0], i[1])));
    a
}

struct Found<T: Scalar> {
    u: Tensor<T>,
    s: Vec<f64>,
    vh: Tensor<T>,
    error: f64,
}

fn svd<T: Element>(a: &Tensor<T>, conj: bool, truncation: &Truncation, method: Method, run: Run<'_>) -> Found<T> {
    let (m, n) = (a.layout().shape()[0], a.layout().shape()[1]);
    let room = truncation.ceiling(m.min(n));
    let reversed = common::drawn(3);
    let (mut u, mut s, mut vh) =
        (output::<T>(&[m, room], &reversed), plain::<T::Real>(&[room]), output::<T>(&[room, n], &reversed));
    let mut error = [f64::NAN];
    let views = (u.view_mut().unwrap(), s.view_mut().unwrap(), vh.view_mut().unwrap());
    let rank = svd_trunc(a.view(), conj, truncation, method, views.0, views.1, views.2, &mut error, run).unwrap();
    Found { u, s: s.data()[..rank].iter().map(|s| s.to_f64()).collect(), vh, error: error[0] }
}

fn eigh<T: Element>(a: &Tensor<T>, truncation: &Truncation, method: Method) -> Found<T> {
    let n = a.layout().shape()[0];
    let room = truncation.ceiling(n);
    let (mut w, mut v, mut error) = (plain::<T::Real>(&[room]), plain::<T>(&[n, room]), [f64::NAN]);
    let views = (w.view_mut().unwrap(), v.view_mut().unwrap());
    let rank = eigh_trunc(a.view(), false, truncation, method, views.0, views.1, &mut error, run()).unwrap();
    Found { u: v, s: w.data()[..rank].iter().map(|s| s.to_f64()).collect(), vh: plain(&[0]), error: error[0] }
}

fn distance<T: Element>(x: &Tensor<T>, y: &Tensor<T>, m: usize, n: usize) -> f64 {
    norm(pairs(m, n).map(|(i, j)| at(x, i, j) - at(y, i, j)))
}

/// Is the randomised method's own result taken?
fn is_certified<T: Element>(a: &Tensor<T>, count: usize, hermitian: bool) -> bool {
    let workspace = Workspace::default();
    let with = Resources::of(&workspace);
    let wanted = Partial { count, tol: None, seed: 7, threads: Threads::ONE };
    let a = MatRef::from_view(a.view()).unwrap();
    match hermitian {
        true => eigh_partial(a, false, wanted, with).unwrap().is_some(),
        false => svd_partial(a, false, wanted, with).unwrap().is_some(),
    }
}

/// Values that fall by a factor, to below rounding.
fn falling(k: usize, factor: f64) -> Vec<f64> {
    (0..k).map(|i| factor.powi(i as i32)).collect()
}

#[test]
fn fast_decay_gives_what_the_whole_gives() {
    fn check<T: Element>() {
        let eps = T::Real::EPSILON.to_f64();
        for (m, n, number) in [(64, 64, 0), (120, 70, 1), (66, 90, 2)] {
            let s = falling(m.min(n), 0.3);
            let a = with_values::<T>(m, n, &s, false, &common::drawn(number));
            let truncation = Truncation { maxrank: Some(6), ..Default::default() };
            for conj in [false, true] {
                let part = svd(&a, conj, &truncation, RANDOMIZED, run());
                let whole = svd(&a, conj, &truncation, Method::Full, run());
                assert_eq!((part.s.len(), whole.s.len()), (6, 6));
                assert_orthonormal(&part.u, 6, false);
                assert_orthonormal(&part.vh, 6, true);
                assert_gauge(&part.u, 6);
                assert!(part.s.iter().zip(&s).all(|(x, y)| (x - y).abs() < 100.0 * eps), "{:?}", part.s);
                // Residual over gap: tol·‖A‖ over 0.3⁵ − 0.3⁶.
                let limit = 2.0 * eps.powf(0.75) / (s[5] - s[6]);
                assert!(distance(&part.u, &whole.u, m, 6) < limit && distance(&part.vh, &whole.vh, 6, n) < limit);
                assert!((part.error - whole.error).abs() < 100.0 * eps, "{} {}", part.error, whole.error);
            }
            assert!(is_certified(&a, 6, false));
        }
        let s: Vec<f64> = falling(64, 0.3).iter().enumerate().map(|(i, s)| if i % 3 == 1 { -s } else { *s }).collect();
        let a = with_values::<T>(64, 64, &s, true, &common::drawn(0));
        let truncation = Truncation { maxrank: Some(6), ..Default::default() };
        let (part, whole) = (eigh(&a, &truncation, RANDOMIZED), eigh(&a, &truncation, Method::Full));
        assert!(part.s.iter().zip(&s).all(|(x, y)| (x - y).abs() < 100.0 * eps), "{:?}", part.s);
        assert_orthonormal(&part.u, 6, false);
        assert_gauge(&part.u, 6);
        assert!(distance(&part.u, &whole.u, 64, 6) < 2.0 * eps.powf(0.75) / (s[5].abs() - s[6].abs()));
        assert!((part.error - whole.error).abs() < 100.0 * eps);
        assert!(is_certified(&a, 6, true));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

#[test]
fn slow_decay_and_small_matrices_fall_back_to_the_last_bit() {
    fn check<T: Element>() {
        let truncation = Truncation { maxrank: Some(3), ..Default::default() };
        for (m, n) in [(0, 3), (3, 0), (1, 1), (31, 40), (64, 64), (100, 64)] {
            let layout = Layout::column_major(&[m, n]).unwrap();
            let a = tensor::<T>(layout, 3);
            assert!(!is_certified(&a, 3, false));
            let (part, whole) =
                (svd(&a, false, &truncation, RANDOMIZED, run()), svd(&a, false, &truncation, Method::Full, run()));
            assert_eq!((&part.s, part.error), (&whole.s, whole.error));
            assert_eq!(distance(&part.u, &whole.u, m, part.s.len()), 0.0);
            assert_eq!(distance(&part.vh, &whole.vh, part.s.len(), n), 0.0);
        }
        let mut b = tensor::<T>(Layout::column_major(&[64, 64]).unwrap(), 3);
        let (x, size) = (b.data().to_vec(), b.layout().shape()[0]);
        b.fill(|i| x[i[0] + size * i[1]] + x[i[1] + size * i[0]].conj());
        assert!(!is_certified(&b, 3, true));
        let (part, whole) = (eigh(&b, &truncation, RANDOMIZED), eigh(&b, &truncation, Method::Full));
        assert_eq!((part.s, part.error), (whole.s, whole.error));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// The numbers that come with a partial decomposition, against those that define them.
#[test]
fn certificates_are_true() {
    fn check<T: Element>() {
        let (m, n, eps) = (90, 70, T::Real::EPSILON.to_f64());
        // A plateau of small values behind the leading ones: what is left is no single value.
        let mut s = falling(70, 0.2);
        s[5..].iter_mut().for_each(|s| *s = s.max(1e-4));
        let a = with_values::<T>(m, n, &s, false, &common::drawn(1));
        let workspace = Workspace::default();
        let with = Resources::of(&workspace);
        for (count, tol) in [(4, None), (5, Some(1e-3)), (0, None)] {
            let wanted = Partial { count, tol, seed: 1, threads: Threads::ONE };
            let a = MatRef::from_view(a.view()).unwrap();
            let part = svd_partial(a, false, wanted, with).unwrap().unwrap();
            let entry = |i: usize, j: usize| a.get(i, j).unwrap().to_c64();
            let u = |i: usize, l: usize| part.u.as_ref().get(i, l).unwrap().to_c64();
            let v = |j: usize, l: usize| part.vh.as_ref().get(l, j).unwrap().to_c64().conj();
            let value = |l: usize| part.s[l].to_f64();
            let left = |i: usize, j: usize| -> Complex64 {
                entry(i, j) - (0..count).map(|l| u(i, l) * value(l) * v(j, l).conj()).sum::<Complex64>()
            };
            let rest = norm(pairs(m, n).map(|(i, j)| left(i, j)));
            assert!((rest - part.rest).abs() < 100.0 * eps, "{rest} {}", part.rest);
            let product = |i: usize, l: usize| (0..n).map(|j| entry(i, j) * v(j, l)).sum::<Complex64>();
            let residual = norm(pairs(m, count).map(|(i, l)| product(i, l) - u(i, l) * value(l)));
            assert!((residual - part.residual).abs() < 100.0 * eps, "{residual} {}", part.residual);
            assert!(residual <= tol.unwrap_or(eps.powf(0.75)).max(100.0 * eps) * 1.1);
            let known = s[count..].iter().map(|s| s * s).sum::<f64>().sqrt();
            assert!(rest >= known - 100.0 * eps && rest <= known + residual + 100.0 * eps);
            assert!((0..=count).all(|l| (value(l) - s[l]).abs() <= residual.max(100.0 * eps).max(1e-4 * s[l])));
        }
        let symmetric = with_values::<T>(70, 70, &s, true, &common::drawn(2));
        let a = MatRef::from_view(symmetric.view()).unwrap();
        let wanted = Partial { count: 4, tol: None, seed: 1, threads: Threads::ONE };
        let part = eigh_partial(a, true, wanted, with).unwrap().unwrap();
        let entry = |i: usize, j: usize| a.get(i, j).unwrap().to_c64().conj();
        let v = |i: usize, l: usize| part.v.as_ref().get(i, l).unwrap().to_c64();
        let left = |i: usize, j: usize| -> Complex64 {
            entry(i, j) - (0..4).map(|l| v(i, l) * part.w[l].to_f64() * v(j, l).conj()).sum::<Complex64>()
        };
        let rest = norm(pairs(70, 70).map(|(i, j)| left(i, j)));
        let residual = norm(pairs(70, 4).map(|(i, l)| (0..70).map(|j| left(i, j) * v(j, l)).sum::<Complex64>()));
        assert!((rest - part.rest).abs() < 100.0 * eps && (residual - part.residual).abs() < 100.0 * eps);
        let known = s[4..].iter().map(|s| s * s).sum::<f64>().sqrt();
        assert!((rest - known).abs() < 100.0 * eps);
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// Exact low rank: what is beyond it is rounding, in the errors as well.
#[test]
fn exact_low_rank() {
    fn check<T: Element>() {
        let eps = T::Real::EPSILON.to_f64();
        for rank in [0, 1, 5] {
            let s: Vec<f64> = (0..rank).map(|i| 1.0 / (1 + i) as f64).collect();
            let a = with_values::<T>(80, 64, &s, false, &common::drawn(rank));
            assert!(is_certified(&a, 8, false));
            let all = Truncation { maxrank: Some(8), ..Default::default() };
            let part = svd(&a, false, &all, RANDOMIZED, run());
            assert_eq!(part.s.len(), 8);
            assert_orthonormal(&part.u, 8, false);
            assert_orthonormal(&part.vh, 8, true);
            assert!(part.error < 20.0 * eps, "{}", part.error);
            let known = |l: usize| s.get(l).copied().unwrap_or(0.0);
            assert!(part.s.iter().enumerate().all(|(l, x)| (x - known(l)).abs() < 20.0 * eps), "{:?}", part.s);
            // Not below 1e-3 of the norm; of a zero matrix, that is all.
            let (stay, rtol) = (if rank == 0 { 8 } else { rank }, Truncation { rtol: 1e-3, minrank: 0, ..all });
            let cut = svd(&a, false, &rtol, RANDOMIZED, run());
            assert!(cut.s.len() == stay && cut.error < 20.0 * eps);
            let none = svd(&a, false, &Truncation { maxrank: Some(0), minrank: 0, ..all }, RANDOMIZED, run());
            let size = s.iter().map(|s| s * s).sum::<f64>().sqrt();
            assert!(none.s.is_empty() && (none.error - size).abs() < 20.0 * eps);

            let a = with_values::<T>(64, 64, &s, true, &common::drawn(rank));
            let part = eigh(&a, &rtol, RANDOMIZED);
            assert!(is_certified(&a, 8, true));
            assert!(part.s.len() == stay && part.error < 20.0 * eps);
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// Each rule, and a group of equal values at the cut, as the whole decomposition decides.
#[test]
fn rules_decide_as_they_do_of_all_values() {
    let s: Vec<f64> = (0..90).map(|i| 0.05f64.powi(i / 3)).collect();
    let a = with_values::<f64>(96, 90, &s, false, &common::drawn(1));
    let rules = |maxrank| Truncation { maxrank: Some(maxrank), ..Default::default() };
    let mut taken = 0;
    for truncation in [
        rules(7),
        Truncation { keep_multiplets: true, ..rules(7) },
        Truncation { keep_multiplets: true, minrank: 7, ..rules(9) },
        Truncation { keep_multiplets: true, minrank: 7, ..rules(7) },
        Truncation { atol: 0.2, ..rules(7) },
        Truncation { rtol: 0.01, ..rules(7) },
        Truncation { discarded_weight: 1e-2, ..rules(10) },
        Truncation { discarded_weight: 1e-9, ..rules(10) },
    ] {
        let (part, whole) =
            (svd(&a, false, &truncation, RANDOMIZED, run()), svd(&a, false, &truncation, Method::Full, run()));
        assert_eq!(part.s.len(), whole.s.len(), "{truncation:?}");
        assert!(part.s.iter().zip(&whole.s).all(|(x, y)| (x - y).abs() < 1e-14));
        assert!((part.error - whole.error).abs() < 1e-14, "{} {}", part.error, whole.error);
        let differ = distance(&part.u, &whole.u, 96, part.s.len()) + distance(&part.vh, &whole.vh, part.s.len(), 90);
        taken += usize::from(differ > 0.0);
    }
    assert_eq!(taken, 8, "all are done by the randomised method");
    // A bound that a value meets to rounding: the whole decomposition decides.
    let doubtful = Truncation { atol: svd(&a, false, &rules(7), Method::Full, run()).s[4], ..rules(7) };
    let (part, whole) = (svd(&a, false, &doubtful, RANDOMIZED, run()), svd(&a, false, &doubtful, Method::Full, run()));
    assert_eq!((part.s, part.error), (whole.s, whole.error));
}

#[test]
fn the_seed_says_every_bit() {
    let a = with_values::<Complex64>(100, 80, &falling(80, 0.4), false, &common::drawn(0));
    let truncation = Truncation { maxrank: Some(5), ..Default::default() };
    let with_seed = |seed, threads| {
        let run = Run { threads: Threads::new(threads), provider: Provider::Own, ..run() };
        let Found { u, s, vh, error } = svd(&a, false, &truncation, Method::Randomized { tol: None, seed }, run);
        let bits: Vec<u64> = pairs(100, 5)
            .flat_map(|(i, l)| [at(&u, i, l), at(&vh, l, i % 80)])
            .flat_map(|z| [z.re.to_bits(), z.im.to_bits()])
            .collect();
        (bits, s, error)
    };
    assert_eq!(with_seed(1, 1), with_seed(1, 1));
    assert_eq!(with_seed(1, 1), with_seed(1, 3));
    assert_ne!(with_seed(1, 1).0, with_seed(2, 1).0);
}

#[test]
fn entries_near_the_ends_of_the_range() {
    for factor in [2f64.powi(-960), 2f64.powi(960)] {
        let s = falling(64, 0.3);
        let mut a = with_values::<f64>(64, 64, &s, true, &common::drawn(0));
        let x: Vec<f64> = pairs(64, 64).map(|(i, j)| at(&a, i, j).re).collect();
        a.fill(|i| x[i[0] + 64 * i[1]] * factor);
        assert!(is_certified(&a, 4, false) && is_certified(&a, 4, true));
        let truncation = Truncation { maxrank: Some(4), ..Default::default() };
        for found in [svd(&a, false, &truncation, RANDOMIZED, run()), eigh(&a, &truncation, RANDOMIZED)] {
            assert!(found.s.iter().zip(&s).all(|(x, y)| (x / factor - y).abs() < 1e-14));
            let known = s[4..].iter().map(|s| s * s).sum::<f64>().sqrt();
            assert!((found.error / factor - known).abs() < 1e-14);
        }
    }
}

/// A stack: one rank, and for each matrix its own way and its own error.
#[test]
fn stacks_may_mix_both_ways() {
    let fast = with_values::<f64>(64, 64, &falling(64, 0.3), false, &common::drawn(0));
    let slow = with_values::<f64>(64, 64, &falling(64, 0.99), false, &common::drawn(0));
    assert!(is_certified(&fast, 4, false) && !is_certified(&slow, 4, false));
    let stack = Tensor::from_fn(&[64, 64, 3], |i| at(if i[2] == 1 { &slow } else { &fast }, i[0], i[1]).re).unwrap();
    let truncation = Truncation { maxrank: Some(4), discarded_weight: 1e-3, ..Default::default() };
    let (mut u, mut s, mut vh) = (plain::<f64>(&[64, 4, 3]), plain::<f64>(&[4, 3]), plain::<f64>(&[4, 64, 3]));
    let mut errors = [f64::NAN; 3];
    for method in [Method::Auto { tol: None, seed: 0 }, RANDOMIZED] {
        let views = (u.view_mut().unwrap(), s.view_mut().unwrap(), vh.view_mut().unwrap());
        let rank = svd_trunc(stack.view(), false, &truncation, method, views.0, views.1, views.2, &mut errors, run());
        assert_eq!(rank, Ok(4));
        for (i, factor) in [0.3f64, 0.99, 0.3].into_iter().enumerate() {
            let value = |l: usize| s.view().get(&[l, i]).unwrap();
            assert!((0..4).all(|l| (value(l) - factor.powi(l as i32)).abs() < 1e-13));
            let known = falling(64, factor)[4..].iter().map(|s| s * s).sum::<f64>().sqrt();
            assert!((errors[i] - known).abs() < 1e-13);
        }
    }
}

#[test]
fn what_cannot_be_is_an_error() {
    let mut a = with_values::<f64>(64, 64, &falling(64, 0.3), true, &common::drawn(0));
    let truncation = Truncation { maxrank: Some(4), ..Default::default() };
    let (mut u, mut s, mut vh) = (plain::<f64>(&[64, 4]), plain::<f64>(&[4]), plain::<f64>(&[4, 64]));
    let mut error = [0.0];
    let mut refused = |a: &Tensor<f64>, method| {
        let views = (u.view_mut().unwrap(), s.view_mut().unwrap(), vh.view_mut().unwrap());
        let svd = svd_trunc(a.view(), false, &truncation, method, views.0, views.1, views.2, &mut error, run());
        let views = (s.view_mut().unwrap(), u.view_mut().unwrap());
        let eigh = eigh_trunc(a.view(), false, &truncation, method, views.0, views.1, &mut error, run());
        [svd.unwrap_err(), eigh.unwrap_err()]
    };
    for tol in [-1e-3, f64::NAN] {
        let [x, y] = refused(&a, Method::Randomized { tol: Some(tol), seed: 0 });
        assert!(matches!((x, y), (Error::Tolerance { name: "tol", .. }, Error::Tolerance { name: "tol", .. })));
    }
    a.fill(|i| if i == [40, 3] { f64::NAN } else { 1.0 });
    assert_eq!(refused(&a, RANDOMIZED), [Error::NotFinite, Error::NotFinite]);
}
