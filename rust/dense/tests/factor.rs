//! SVD, QR and Hermitian eigenvalues on the engine's own road: what defines them is what is checked, in double
//! precision, over all element types, layouts and awkward matrices.

mod common;

use common::{config, eps, op, pairs, with, Owned, Rng, LAYOUTS};
use proptest::prelude::*;
use tensoroxide_dense::{eigh, eigh_part, qr, svd, Eigh, Element, Error, MatRef, Matrix, Qr, Svd};
use tensoroxide_tensor::testing::poison;
use tensoroxide_tensor::{with_scalar, Complex64, DType, Real, Scalar};

/// Kinds of matrices that factorizations trip over.
const KINDS: usize = 9;

fn matrix<T: Element>(m: usize, n: usize, kind: usize, layout: usize, rng: &mut Rng) -> Owned<T> {
    let mut a = Owned::random(m, n, layout.min(LAYOUTS - 2), rng);
    let random = a.clone();
    let real = |x: f64| T::from_c64(x.into());
    match kind {
        0 => {}
        1 => a.fill(|_, _| T::ZERO),
        2 => a.fill(|_, _| T::ONE),
        // The identity, in columns that come in another order: all singular values equal.
        3 => a.fill(|i, j| if i == (j + 1) % m.max(1) { T::ONE } else { T::ZERO }),
        // Rank 1, with a complex phase.
        4 => a.fill(|i, j| random.at(i, 0) * random.at(0, j)),
        // Graded over 10 orders of magnitude, by rows and by columns.
        5 => a.fill(|i, j| random.at(i, j) * real(10f64.powf(-10.0 * (i + j) as f64 / (m + n) as f64))),
        // A zero row and a zero column.
        6 => a.fill(|i, j| if i == m / 2 || j == n / 2 { T::ZERO } else { random.at(i, j) }),
        // One element only.
        7 => a.fill(|i, j| if (i, j) == (m / 2, n / 3) { random.at(i, j) } else { T::ZERO }),
        // Nearly equal rows.
        _ => a.fill(|i, j| random.at(0, j) + random.at(i, j) * real(eps::<T>() * 10.0)),
    }
    a
}

/// ‖·‖ as the root of the sum of squares.
fn norm(elements: impl Iterator<Item = Complex64>) -> f64 {
    elements.map(|z| z.norm_sqr()).sum::<f64>().sqrt()
}

/// Rounding of backward stable algorithms, relative to the norm: a small multiple of eps and the larger extent.
fn bound<T: Element>(m: usize, n: usize) -> f64 {
    8.0 * eps::<T>() * (m.max(n) + 4) as f64
}

fn column<T: Element>(a: &Matrix<T>, j: usize) -> Vec<Complex64> {
    a.col(j).iter().map(|x| x.to_c64()).collect()
}

/// The columns are orthonormal to within `bound`, in the root of the sum of squared errors.
fn assert_orthonormal<T: Element>(a: MatRef<T>, bound: f64) {
    let a = Matrix::copy_of(a, false, with().workspace).unwrap();
    let columns: Vec<_> = (0..a.cols()).map(|j| column(&a, j)).collect();
    let error = norm(pairs(a.cols(), a.cols()).map(|(i, j)| {
        let dot: Complex64 = columns[i].iter().zip(&columns[j]).map(|(x, y)| x.conj() * y).sum();
        dot - if i == j { 1.0 } else { 0.0 }
    }));
    assert!(error <= bound, "{}: off orthonormality by {error}", T::DTYPE);
}

/// op(A)·size = Σ_l left(i, l)·right(l, j), relative to ‖A‖.
fn assert_product<T: Element>(
    a: &Owned<T>,
    conj: bool,
    size: f64,
    k: usize,
    left: impl Fn(usize, usize) -> Complex64,
    right: impl Fn(usize, usize) -> Complex64,
) {
    let (m, n) = a.shape();
    let product = |i, j| (0..k).map(|l| left(i, l) * right(l, j)).sum::<Complex64>();
    let error = norm(pairs(m, n).map(|(i, j)| op(a.at(i, j), conj) / size - product(i, j)));
    let norm = norm(pairs(m, n).map(|(i, j)| op(a.at(i, j), conj) / size));
    assert!(error <= bound::<T>(m, n) * norm, "{} {m}×{n}: residual {error}, norm {norm}", T::DTYPE);
}

/// Everything that a thin SVD promises. Numbers are divided by `size`, so that the check does not overflow.
fn check_svd<T: Element>(a: &Owned<T>, conj: bool, size: f64) {
    let (m, n) = a.shape();
    let k = m.min(n);
    let Svd { u, s, vh } = svd(a.view(), conj, with()).unwrap();
    assert_eq!((u.rows(), u.cols(), s.len(), vh.rows(), vh.cols()), (m, k, k, k, n));
    assert!(s.windows(2).all(|w| w[0] >= w[1]) && s.iter().all(|&x| x >= Scalar::ZERO), "{s:?} {:?}", &s[..]);
    assert_orthonormal(u.as_ref(), bound::<T>(m, n));
    assert_orthonormal(vh.as_ref().t(), bound::<T>(m, n));
    let (u, vh) = (u.as_ref(), vh.as_ref());
    let left = |i, l: usize| u.get(i, l).unwrap().to_c64() * (s[l].to_f64() / size);
    assert_product(a, conj, size, k, left, |l, j| vh.get(l, j).unwrap().to_c64());
}

/// Everything that a thin QR promises.
fn check_qr<T: Element>(a: &Owned<T>, conj: bool, size: f64) {
    let (m, n) = a.shape();
    let k = m.min(n);
    let Qr { q, r } = qr(a.view(), conj, with()).unwrap();
    assert_eq!((q.rows(), q.cols(), r.rows(), r.cols()), (m, k, k, n));
    assert_orthonormal(q.as_ref(), bound::<T>(m, n));
    let (q, r) = (q.as_ref(), r.as_ref());
    assert!(pairs(k, n).all(|(i, j)| i <= j || r.get(i, j) == Some(T::ZERO)));
    assert_product(a, conj, size, k, |i, l| q.get(i, l).unwrap().to_c64(), |l, j| r.get(l, j).unwrap().to_c64() / size);
}

/// Everything that a Hermitian decomposition promises, given a lower triangle above which is NaN.
fn check_eigh<T: Element>(a: &Owned<T>, conj: bool, size: f64) {
    let n = a.shape().0;
    let mut lower = a.clone();
    let mut full = a.clone();
    let nan = poison();
    // On the diagonal only the real part is read.
    let imaginary = T::from_c64(Complex64::new(0.0, f64::NAN));
    lower.fill(|i, j| match i.cmp(&j) {
        std::cmp::Ordering::Less => nan,
        std::cmp::Ordering::Equal if T::DTYPE.is_complex() => T::from_real(a.at(i, i).re()) + imaginary,
        _ => a.at(i, j),
    });
    full.fill(|i, j| match i.cmp(&j) {
        std::cmp::Ordering::Less => a.at(j, i).conj(),
        std::cmp::Ordering::Equal => T::from_real(a.at(i, i).re()),
        std::cmp::Ordering::Greater => a.at(i, j),
    });
    let Eigh { w, v } = eigh(lower.view(), conj, with()).unwrap();
    assert_eq!((w.len(), v.rows(), v.cols()), (n, n, n));
    assert!(w.windows(2).all(|w| w[0] <= w[1]), "{:?}", &w[..]);
    assert_orthonormal(v.as_ref(), bound::<T>(n, n));
    for part in [0..n, n / 3..n / 2, n..n] {
        let of_part = eigh_part(lower.view(), conj, part.clone(), with()).unwrap();
        assert_eq!(of_part.w[..], w[part.clone()]);
        assert!(part.clone().zip(0..).all(|(j, l)| of_part.v.col(l) == v.col(j)) && of_part.v.cols() == part.len());
    }
    let v = v.as_ref();
    let left = |i, l: usize| v.get(i, l).unwrap().to_c64() * (w[l].to_f64() / size);
    assert_product(&full, conj, size, n, left, |l, j| v.get(j, l).unwrap().to_c64().conj());
}

fn check_all<T: Element>(m: usize, n: usize, kind: usize, layout: usize, conj: bool, seed: u64) {
    let rng = &mut Rng(seed | 1);
    let a = matrix::<T>(m, n, kind, layout, rng);
    check_svd(&a, conj, 1.0);
    check_qr(&a, conj, 1.0);
    check_eigh(&matrix::<T>(m, m, kind, layout, rng), conj, 1.0);
}

proptest! {
    #![proptest_config(config(400, "proptest-regressions/factor.txt"))]
    #[test]
    fn small_matrices(
        m in 0usize..14,
        n in 0usize..14,
        kind in 0..KINDS,
        layout in 0..LAYOUTS,
        conj: bool,
        dtype in prop::sample::select(&DType::ALL[..]),
        seed: u64,
    ) {
        with_scalar!(dtype, T => check_all::<T>(m, n, kind, layout, conj, seed));
    }
}

/// Sizes beyond the thresholds at which faer goes over to blocks, to divide and conquer, and to a QR in advance.
#[test]
fn large_matrices() {
    for (i, (m, n)) in [(150, 140), (40, 200), (300, 30), (97, 97)].into_iter().enumerate() {
        for (l, dtype) in DType::ALL.into_iter().enumerate() {
            let kind = (i + 3 * l) % KINDS;
            with_scalar!(dtype, T => check_all::<T>(m, n, kind, i + l, l % 2 == 0, 5));
            with_scalar!(dtype, T => check_all::<T>(m, n, 0, i + l, l % 2 == 1, 6));
        }
    }
}

/// Entries whose squares leave the range of the type, down to those that have lost digits already.
#[test]
fn the_ends_of_the_range() {
    fn check<T: Element>(size: f64) {
        for (m, n) in [(1, 1), (6, 4), (4, 6), (50, 50)] {
            let rng = &mut Rng(11);
            let mut a = Owned::<T>::random(m, n, 0, rng);
            let small = a.clone();
            a.fill(|i, j| T::from_c64(small.at(i, j).to_c64() * size));
            let mut square = Owned::<T>::random(m, m, 1, rng);
            let small = square.clone();
            square.fill(|i, j| T::from_c64(small.at(i, j).to_c64() * size));
            check_svd(&a, false, size);
            check_qr(&a, false, size);
            check_eigh(&square, false, size);
        }
    }
    for size in [1e-290, 1e-170, 1e155, 1e300] {
        check::<f64>(size);
        check::<Complex64>(size);
    }
    for size in [1e-32, 1e-22, 1e19, 1e36] {
        check::<f32>(size);
        check::<tensoroxide_tensor::Complex32>(size);
    }
    // Subnormal: a 1×1 matrix comes back exactly.
    let tiny = [5e-324];
    let a = MatRef::from_slice(&tiny, 1, 1, 1, 1).unwrap();
    assert_eq!(svd(a, false, with()).unwrap().s[..], tiny);
    assert_eq!(eigh(a, false, with()).unwrap().w[..], tiny);
    assert_eq!(qr(a, false, with()).unwrap().r.elements()[0].abs(), tiny[0]);
}

/// What a column of a tall matrix adds to those before it is kept, however little it is: faer's own QR drops up to
/// 16·m·eps, which is 0.6 % here.
#[test]
fn nearly_dependent_columns() {
    fn check<T: Element>() {
        let (m, n) = (3000, 3);
        let small = 1000.0 * eps::<T>();
        let mut a = Owned::<T>::random(m, n, 0, &mut Rng(2));
        let random = a.clone();
        a.fill(|i, j| T::from_c64(random.at(i, 0).to_c64() + random.at(i, j).to_c64() * (small * j as f64)));
        // The residual, summed in double precision, is a few eps where rounding errors do not conspire.
        let residual = |product: &dyn Fn(usize, usize) -> Complex64| {
            let of_a = |i, j| a.at(i, j).to_c64();
            norm(pairs(m, n).map(|(i, j)| of_a(i, j) - product(i, j))) / norm(pairs(m, n).map(|(i, j)| of_a(i, j)))
        };
        let Qr { q, r } = qr(a.view(), false, with()).unwrap();
        let (q, r) = (q.as_ref(), r.as_ref());
        let sum = |i, j| (0..n).map(|l| q.get(i, l).unwrap().to_c64() * r.get(l, j).unwrap().to_c64()).sum();
        assert!(residual(&sum) < 40.0 * eps::<T>());
        let Svd { u, s, vh } = svd(a.view(), false, with()).unwrap();
        let (u, vh) = (u.as_ref(), vh.as_ref());
        let term = |i, j, l: usize| u.get(i, l).unwrap().to_c64() * s[l].to_f64() * vh.get(l, j).unwrap().to_c64();
        assert!(residual(&|i, j| (0..n).map(|l| term(i, j, l)).sum()) < 40.0 * eps::<T>());
        // No singular value is lost: what the columns add has a norm of about small·√m.
        assert!(s[2].to_f64() > 0.1 * small * (m as f64).sqrt());
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

#[test]
fn results_beyond_the_range_are_an_error() {
    let a = [f64::MAX; 9];
    let a = MatRef::from_slice(&a, 3, 3, 1, 3).unwrap();
    assert_eq!(svd(a, false, with()).err(), Some(Error::NotFinite));
    assert_eq!(qr(a, false, with()).err(), Some(Error::NotFinite));
    assert_eq!(eigh(a, false, with()).err(), Some(Error::NotFinite));
}

#[test]
fn not_finite_input_is_an_error() {
    fn check<T: Element>() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for (i, j) in pairs(3, 3) {
                let mut a = Owned::<T>::random(3, 3, i, &mut Rng(3));
                let good = a.clone();
                a.fill(|p, q| if (p, q) == (i, j) { T::from_c64(bad.into()) } else { good.at(p, q) });
                assert_eq!(svd(a.view(), false, with()).err(), Some(Error::NotFinite));
                assert_eq!(qr(a.view(), true, with()).err(), Some(Error::NotFinite));
                assert_eq!(eigh(a.view(), false, with()).err(), (i >= j).then_some(Error::NotFinite));
            }
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

#[test]
fn only_square_matrices_have_eigenvalues() {
    let a = [1.0; 6];
    let a = MatRef::from_slice(&a, 2, 3, 1, 2).unwrap();
    let error = Error::Shape { operand: "A", expected: (2, 2), found: (2, 3) };
    assert_eq!(eigh(a, false, with()).err(), Some(error));
    assert_eq!(eigh_part(a, false, 0..1, with()).err(), Some(error));
}
