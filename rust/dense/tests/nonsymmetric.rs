//! Eigenvalues and Schur forms of matrices that are not Hermitian, on the engine's own road: what defines them is
//! what is checked, in double precision, over all element types, layouts and the matrices that eigenvalue solvers are
//! tested with.

mod common;

use common::{config, eps, op, pairs, with, Owned, Rng, LAYOUTS};
use proptest::prelude::*;
use tensoroxide_dense::{eig, eig_values, schur, schur_values, Eig, Element, Error, MatRef, Resources, Schur};
use tensoroxide_tensor::{with_scalar, Complex32, Complex64, DType, Real, Scalar};

const KINDS: usize = 18;

fn matrix<T: Element>(n: usize, kind: usize, layout: usize, rng: &mut Rng) -> Owned<T> {
    let mut a = Owned::random(n, n, layout.min(LAYOUTS - 2), rng);
    let random = a.clone();
    let real = |x: f64| T::from_c64(x.into());
    let chosen = |yes: bool, x: f64| real(if yes { x } else { 0.0 });
    match kind {
        0 => {}
        1 => a.fill(|_, _| T::ZERO),
        2 => a.fill(|_, _| T::ONE),
        // Roots of unity, all of one modulus: without exceptional shifts, the iteration stands still.
        3 => a.fill(|i, j| chosen(i == (j + 1) % n, 1.0)),
        // Rank 1.
        4 => a.fill(|i, j| random.at(i, 0) * random.at(0, j)),
        // Graded over 10 orders of magnitude.
        5 => a.fill(|i, j| random.at(i, j) * real(10f64.powf(-10.0 * (i + j) as f64 / (2 * n) as f64))),
        // Jordan blocks, with the eigenvalues 0 and 2, transposed and not.
        6 => a.fill(|i, j| chosen(i == j + 1, 1.0)),
        7 => a.fill(|i, j| chosen(i == j, 2.0) + chosen(i + 1 == j, 1.0)),
        // Companion matrix of (x − 1)(x − 2)⋯(x − n).
        8 => {
            let mut c = vec![1.0];
            for k in 1..=n {
                c.push(0.0);
                (0..c.len() - 1).rev().for_each(|i| c[i + 1] -= k as f64 * c[i]);
            }
            a.fill(|i, j| if i == 0 { real(-c[j + 1]) } else { chosen(i == j + 1, 1.0) });
        }
        // Hilbert.
        9 => a.fill(|i, j| real(1.0 / (i + j + 1) as f64)),
        // Frank: small eigenvalues are sensitive.
        10 => a.fill(|i, j| chosen(i <= j + 1, (n - i.max(j)) as f64)),
        // Grcar: sensitive.
        11 => a.fill(|i, j| chosen(i == j + 1, -1.0) + chosen(j >= i && j <= i + 3, 1.0)),
        // A cluster.
        12 => a.fill(|i, j| chosen(i == j, 1.0) + random.at(i, j) * real(10.0 * eps::<T>())),
        // Skew.
        13 => a.fill(|i, j| random.at(i, j) - random.at(j, i).conj()),
        // Nilpotent.
        14 => a.fill(|i, j| if i > j { random.at(i, j) } else { T::ZERO }),
        // The same rotation many times.
        15 => a.fill(|i, j| chosen(i / 2 == j / 2, if i == j { 0.6 } else { 0.8 * (i as f64 - j as f64) })),
        // Rows and columns that are out of balance.
        16 => a.fill(|i, j| random.at(i, j) * real(10f64.powf(3.0 * (i as f64 - j as f64) / n as f64))),
        // A triangle, all of whose eigenvalues but the first are equal.
        _ => a.fill(|i, j| if i < j { random.at(i, j) } else { chosen(i == j, if i == 0 { 2.0 } else { 1.0 }) }),
    }
    a
}

fn norm(elements: impl Iterator<Item = Complex64>) -> f64 {
    elements.map(|z| z.norm_sqr()).sum::<f64>().sqrt()
}

/// Everything that eigenvalues and eigenvectors promise. Numbers are divided by `size`, so that the check does not
/// overflow.
fn check_eig<T: Element>(a: &Owned<T>, conj: bool, size: f64, with: Resources<'static>) {
    let n = a.shape().0;
    let of_a = |i, j| op(a.at(i, j), conj) / size;
    let whole = norm(pairs(n, n).map(|(i, j)| of_a(i, j)));
    let Eig { w, v } = eig(a.view(), conj, with).unwrap();
    assert_eq!((w.len(), v.rows(), v.cols()), (n, n, n));
    let value = |k: usize| w[k].to_c64() / size;
    for k in 0..n {
        let x: Vec<Complex64> = v.col(k).iter().map(|x| x.to_c64()).collect();
        assert!((norm(x.iter().copied()) - 1.0).abs() <= (n + 4) as f64 * eps::<T>(), "{} norm", T::DTYPE);
        let product = |i: usize| (0..n).map(|j| of_a(i, j) * x[j]).sum::<Complex64>();
        let residual = norm((0..n).map(|i| product(i) - value(k) * x[i]));
        // The bound that is documented, and the rounding to the element type.
        assert!(residual <= (10.0 * n as f64 + 4.0) * eps::<T>() * whole, "{} {n}: {residual}, {whole}", T::DTYPE);
    }
    // The sum of the eigenvalues is as well conditioned as can be.
    let (trace, sum) = ((0..n).map(|i| of_a(i, i)).sum::<Complex64>(), (0..n).map(value).sum::<Complex64>());
    assert!((trace - sum).norm() <= 10.0 * (n + 1) as f64 * eps::<T>() * whole, "{} {n}: {trace} {sum}", T::DTYPE);
    let alone = eig_values(a.view(), conj, with).unwrap();
    let sum = alone.iter().map(|w| w.to_c64() / size).sum::<Complex64>();
    assert!((trace - sum).norm() <= 10.0 * (n + 1) as f64 * eps::<T>() * whole, "{} {n}: {trace} {sum}", T::DTYPE);
    if !T::DTYPE.is_complex() {
        check_pairs(&w);
        check_pairs(&alone);
        for (k, w) in w.iter().enumerate() {
            if w.im() == Scalar::ZERO {
                assert!(v.col(k).iter().all(|x| x.im() == Scalar::ZERO));
            } else if k + 1 < n && v.col(k)[0].im() != Scalar::ZERO && w.im() > Scalar::ZERO {
                assert!(v.col(k).iter().zip(v.col(k + 1)).all(|(&x, &y)| x == y.conj()));
            }
        }
    }
}

/// Conjugates are neighbours, the one with the positive imaginary part first.
fn check_pairs<C: Element>(w: &[C]) {
    let mut k = 0;
    while k < w.len() {
        if w[k].im() != Scalar::ZERO {
            assert!(w[k].im() > Scalar::ZERO && w[k + 1] == w[k].conj(), "{w:?}");
            k += 1;
        }
        k += 1;
    }
}

/// Everything that a Schur decomposition promises.
fn check_schur<T: Element>(a: &Owned<T>, conj: bool, size: f64, with: Resources<'static>) {
    let n = a.shape().0;
    let of_a = |i, j| op(a.at(i, j), conj) / size;
    let whole = norm(pairs(n, n).map(|(i, j)| of_a(i, j)));
    let Schur { t, z, w } = schur(a.view(), conj, with).unwrap();
    let (of_t, of_z) = (|i: usize, j: usize| t.col(j)[i].to_c64() / size, |i: usize, j: usize| z.col(j)[i].to_c64());
    // Rounding of backward stable algorithms: a small multiple of eps and the size.
    let bound = 8.0 * eps::<T>() * (n + 4) as f64;
    let gram = |i, j| (0..n).map(|l| of_z(l, i).conj() * of_z(l, j)).sum::<Complex64>();
    assert!(norm(pairs(n, n).map(|(i, j)| gram(i, j) - if i == j { 1.0 } else { 0.0 })) <= bound, "{}", T::DTYPE);
    let zt: Vec<Vec<Complex64>> =
        (0..n).map(|j| (0..n).map(|i| (0..n).map(|l| of_z(i, l) * of_t(l, j)).sum()).collect()).collect();
    let product = |i: usize, j: usize| (0..n).map(|l| zt[l][i] * of_z(j, l).conj()).sum::<Complex64>();
    let residual = norm(pairs(n, n).map(|(i, j)| of_a(i, j) - product(i, j)));
    assert!(residual <= bound * whole, "{} {n}: {residual}, {whole}", T::DTYPE);
    // The shape of T, and the eigenvalues in its order.
    let zero = |i, j| of_t(i, j) == Complex64::ZERO;
    assert!(pairs(n, n).all(|(i, j)| i <= j + usize::from(!T::DTYPE.is_complex()) || zero(i, j)));
    let mut k = 0;
    while k < n {
        if k + 1 < n && !zero(k + 1, k) {
            assert!(k + 2 == n || zero(k + 2, k + 1));
            let (a, b, c, d) = (of_t(k, k).re, of_t(k, k + 1).re, of_t(k + 1, k).re, of_t(k + 1, k + 1).re);
            assert!(a == d && b * c <= 0.0 && b.signum() != c.signum(), "{a} {b} {c} {d}");
            let im = b.abs().sqrt() * c.abs().sqrt();
            let value = w[k].to_c64() / size;
            assert!((value - Complex64::new(a, im)).norm() <= 4.0 * eps::<T>() * value.norm());
            assert_eq!(w[k + 1], w[k].conj());
            k += 1;
        } else {
            assert_eq!(w[k].to_c64(), t.col(k)[k].to_c64());
        }
        k += 1;
    }
    let alone = schur_values(a.view(), conj, with).unwrap();
    let trace = (0..n).map(|i| of_a(i, i)).sum::<Complex64>();
    let sum = alone.iter().map(|w| w.to_c64() / size).sum::<Complex64>();
    assert!((trace - sum).norm() <= 10.0 * (n + 1) as f64 * eps::<T>() * whole);
    if !T::DTYPE.is_complex() {
        check_pairs(&alone);
    }
}

fn check_all<T: Element>(n: usize, kind: usize, layout: usize, conj: bool, seed: u64) {
    let a = matrix::<T>(n, kind, layout, &mut Rng(seed | 1));
    check_eig(&a, conj, 1.0, with());
    check_schur(&a, conj, 1.0, with());
}

proptest! {
    #![proptest_config(config(1000, "proptest-regressions/nonsymmetric.txt"))]
    #[test]
    fn small_matrices(
        n in 0usize..14,
        kind in 0..KINDS,
        layout in 0..LAYOUTS,
        conj: bool,
        dtype in prop::sample::select(&DType::ALL[..]),
        seed: u64,
    ) {
        with_scalar!(dtype, T => check_all::<T>(n, kind, layout, conj, seed));
    }
}

/// Sizes beyond the thresholds at which others compute.
#[test]
fn large_matrices() {
    for (i, n) in [30, 65, 97, 140].into_iter().enumerate() {
        for (l, dtype) in DType::ALL.into_iter().enumerate() {
            with_scalar!(dtype, T => check_all::<T>(n, 0, i + l, l % 2 == 0, 5));
        }
    }
    for kind in 1..KINDS {
        // The coefficients of the companion matrix are too large for more.
        let n = if kind == 8 { 18 } else { 40 };
        for (l, dtype) in DType::ALL.into_iter().enumerate() {
            with_scalar!(dtype, T => check_all::<T>(n, kind, l, l % 2 == 1, 6));
        }
    }
}

/// Entries whose squares leave the range of the type, down to those that have lost digits already.
#[test]
fn the_ends_of_the_range() {
    fn check<T: Element>(size: f64) {
        for n in [1, 2, 6, 30, 130] {
            let mut a = Owned::<T>::random(n, n, 0, &mut Rng(11));
            let small = a.clone();
            a.fill(|i, j| T::from_c64(small.at(i, j).to_c64() * size));
            check_eig(&a, false, size, with());
            check_schur(&a, false, size, with());
        }
    }
    for size in [1e-290, 1e-170, 1e155, 1e300] {
        check::<f64>(size);
        check::<Complex64>(size);
    }
    for size in [1e-32, 1e-22, 1e19, 1e36] {
        check::<f32>(size);
        check::<Complex32>(size);
    }
    let tiny = [5e-324];
    let a = MatRef::from_slice(&tiny, 1, 1, 1, 1).unwrap();
    assert_eq!(eig(a, false, with()).unwrap().w[..], [Complex64::from(5e-324)]);
    assert_eq!(schur(a, false, with()).unwrap().t.elements(), tiny);
}

/// Eigenvalues that are known: (x − 1)⋯(x − 5) by its companion matrix, sines and cosines, and a matrix that
/// balancing saves.
#[test]
fn known_eigenvalues() {
    let sorted = |w: &[Complex64]| {
        let mut w = w.to_vec();
        w.sort_by(|a, b| a.re.total_cmp(&b.re).then(a.im.total_cmp(&b.im)));
        w
    };
    let companion = matrix::<f64>(5, 8, 0, &mut Rng(1));
    let w = sorted(&eig_values(companion.view(), false, with()).unwrap());
    // The worst of these roots has a condition of about 4e3.
    assert!(w.iter().zip(1..).all(|(w, k)| (w - k as f64).norm() < 1e-11), "{w:?}");
    // tridiag(b, a, c) has the eigenvalues a + 2·√(b·c)·cos(kπ/(n+1)): here 1 ± 2i·cos.
    let n = 12;
    let mut a = Owned::new(n, n, 3, 0.0);
    a.fill(|i, j| match i as isize - j as isize {
        0 => 1.0,
        1 => -1.0,
        -1 => 1.0,
        _ => 0.0,
    });
    let w = sorted(&eig_values(a.view(), false, with()).unwrap());
    let mut expected: Vec<f64> =
        (1..=n).map(|k| 2.0 * (k as f64 * std::f64::consts::PI / (n + 1) as f64).cos()).collect();
    expected.sort_by(f64::total_cmp);
    let mut im: Vec<f64> = w.iter().map(|w| w.im).collect();
    im.sort_by(f64::total_cmp);
    assert!(w.iter().all(|w| (w.re - 1.0).abs() < 1e-13));
    assert!(im.iter().zip(&expected).all(|(x, y)| (x - y).abs() < 1e-13), "{im:?} {expected:?}");
    // Similar to [1 2; 3 4], with entries that are 1e12 apart; unbalanced, four digits would be left.
    let a = [1.0, 3e12, 2e-12, 4.0];
    let w = sorted(&eig_values(MatRef::from_slice(&a, 2, 2, 1, 2).unwrap(), false, with()).unwrap());
    let root = 33f64.sqrt();
    assert!((w[0].re - (5.0 - root) / 2.0).abs() < 1e-14 && (w[1].re - (5.0 + root) / 2.0).abs() < 1e-14, "{w:?}");
}

#[test]
fn what_is_refused() {
    fn check<T: Element>() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for (i, j) in pairs(3, 3) {
                let mut a = Owned::<T>::random(3, 3, i, &mut Rng(3));
                let good = a.clone();
                a.fill(|p, q| if (p, q) == (i, j) { T::from_c64(bad.into()) } else { good.at(p, q) });
                assert_eq!(eig(a.view(), false, with()).err(), Some(Error::NotFinite));
                assert_eq!(eig_values(a.view(), true, with()).err(), Some(Error::NotFinite));
                assert_eq!(schur(a.view(), false, with()).err(), Some(Error::NotFinite));
                assert_eq!(schur_values(a.view(), true, with()).err(), Some(Error::NotFinite));
            }
        }
        // Eigenvalues beyond the range.
        let a = Owned::new(3, 3, 0, T::from_real(T::Real::MAX));
        assert_eq!(eig_values(a.view(), false, with()).err(), Some(Error::NotFinite));
        assert_eq!(schur(a.view(), false, with()).err(), Some(Error::NotFinite));
        let a = Owned::new(2, 3, 0, T::ONE);
        let shape = Error::Shape { operand: "A", expected: (2, 2), found: (2, 3) };
        assert_eq!(eig(a.view(), false, with()).err(), Some(shape));
        assert_eq!(schur_values(a.view(), false, with()).err(), Some(shape));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}
