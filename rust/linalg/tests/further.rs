//! What defines the further decompositions (full factors, values alone, LQ, null spaces, polar, pivoted QR, parts of
//! the eigenvalues), functions and norms: over all element types, layouts and awkward matrices, checked in double
//! precision.

mod common;

use common::{
    assert_gauge, assert_orthonormal, at, bound, drawn, matrix, output, pairs, plain, real, run, size, KINDS,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tensoroxide_dense::Element;
use tensoroxide_linalg as linalg;
use tensoroxide_linalg::{Error, Function, Method, Norm, Truncation};
use tensoroxide_tensor::testing::{arrangement, poison, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Real, Scalar, Tensor};

/// A matrix in double precision.
#[derive(Clone, Debug, PartialEq)]
struct M {
    m: usize,
    n: usize,
    x: Vec<Complex64>,
}

impl M {
    fn new(m: usize, n: usize, f: impl Fn(usize, usize) -> Complex64) -> M {
        M { m, n, x: pairs(m, n).map(|(i, j)| f(i, j)).collect() }
    }
    fn of<T: Scalar>(a: &Tensor<T>, size: f64) -> M {
        let shape = a.layout().shape();
        M::new(shape[0], shape[1], |i, j| at(a, i, j) / size)
    }
    fn identity(n: usize) -> M {
        M::new(n, n, |i, j| if i == j { 1.0.into() } else { 0.0.into() })
    }
    fn at(&self, i: usize, j: usize) -> Complex64 {
        self.x[i + j * self.m]
    }
    fn block(&self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> M {
        M::new(rows.len(), columns.len(), |i, j| self.at(rows.start + i, columns.start + j))
    }
    fn adjoint(&self) -> M {
        M::new(self.n, self.m, |i, j| self.at(j, i).conj())
    }
    fn times(&self, other: &M) -> M {
        assert_eq!(self.n, other.m);
        M::new(self.m, other.n, |i, j| (0..self.n).map(|l| self.at(i, l) * other.at(l, j)).sum())
    }
    fn minus(&self, other: &M) -> M {
        assert_eq!((self.m, self.n), (other.m, other.n));
        M::new(self.m, self.n, |i, j| self.at(i, j) - other.at(i, j))
    }
    fn norm(&self) -> f64 {
        common::norm(self.x.iter().copied())
    }
    fn scaled(&self, columns: &[f64]) -> M {
        M::new(self.m, self.n, |i, j| self.at(i, j) * columns[j])
    }
}

fn numbers<R: Real>(x: &Tensor<R>, size: f64) -> Vec<f64> {
    (0..x.layout().shape()[0]).map(|l| x.view().get(&[l]).unwrap().to_f64() / size).collect()
}

/// ‖x − y‖ is rounding beside `scale`.
fn assert_close<T: Scalar>(x: &M, y: &M, scale: f64, factor: f64) {
    let error = x.minus(y).norm();
    let limit = factor * bound::<T>(x.m.max(y.m), x.n) * scale;
    assert!(error <= limit, "{} {}×{}: {error} > {limit}", T::DTYPE, x.m, x.n);
}

struct Case {
    m: usize,
    n: usize,
    kind: usize,
    conj: bool,
    arrangements: [Arrangement; 3],
    seed: u64,
}

impl Case {
    fn out<T: Scalar>(&self, shape: &[usize], which: usize) -> Tensor<T> {
        output(shape, &self.arrangements[which])
    }

    /// A, and op(A) divided by its size.
    fn input<T: Element>(&self, m: usize, n: usize) -> (Tensor<T>, M) {
        let a = matrix::<T>(m, n, self.kind, &self.arrangements[0], self.seed);
        let x = M::of(&a, size::<T>(self.kind));
        let x = M::new(m, n, |i, j| if self.conj { x.at(i, j).conj() } else { x.at(i, j) });
        (a, x)
    }

    fn svd<T: Element>(&self) {
        let (m, n, k) = (self.m, self.n, self.m.min(self.n));
        let (a, x) = self.input::<T>(m, n);
        let (mut u, mut s, mut vh) =
            (self.out::<T>(&[m, m], 1), self.out::<T::Real>(&[k], 2), self.out::<T>(&[n, n], 0));
        let views = (u.view_mut().unwrap(), s.view_mut().unwrap(), vh.view_mut().unwrap());
        linalg::svd_full(a.view(), self.conj, views.0, views.1, views.2, run()).unwrap();
        assert_orthonormal(&u, m, false);
        assert_orthonormal(&vh, n, true);
        assert_gauge(&u, m);
        let values = numbers(&s, size::<T>(self.kind));
        let (full_u, full_vh) = (M::of(&u, 1.0), M::of(&vh, 1.0));
        let product = full_u.block(0..m, 0..k).scaled(&values).times(&full_vh.block(0..k, 0..n));
        assert_close::<T>(&product, &x, x.norm(), 1.0);
        // Further rows of Vᴴ: adjoints of vectors with the gauge.
        let further = Tensor::from_fn(&[n, n - k], |i| vh.view().get(&[k + i[1], i[0]]).unwrap().conj()).unwrap();
        assert_gauge(&further, n - k);

        // The compact one is a part, bit for bit.
        let (mut cu, mut cs, mut cvh) = (plain::<T>(&[m, k]), plain::<T::Real>(&[k]), plain::<T>(&[k, n]));
        let views = (cu.view_mut().unwrap(), cs.view_mut().unwrap(), cvh.view_mut().unwrap());
        linalg::svd_compact(a.view(), self.conj, views.0, views.1, views.2, run()).unwrap();
        assert_eq!(M::of(&cu, 1.0), full_u.block(0..m, 0..k));
        assert_eq!(M::of(&cvh, 1.0), full_vh.block(0..k, 0..n));
        assert_eq!(numbers(&cs, size::<T>(self.kind)), values);

        let mut alone = self.out::<T::Real>(&[k], 1);
        linalg::svd_vals(a.view(), self.conj, alone.view_mut().unwrap(), run()).unwrap();
        let alone = numbers(&alone, size::<T>(self.kind));
        assert!(alone.windows(2).all(|w| w[0] >= w[1]) && alone.iter().all(|&s| s >= 0.0));
        let limit = bound::<T>(m, n) * x.norm();
        assert!(alone.iter().zip(&values).all(|(x, y)| (x - y).abs() <= limit), "{alone:?} {values:?}");
    }

    /// Everything of QR for op(A) or, for LQ, of op(A)ᴴ.
    fn orthogonal<T: Element>(&self, lq: bool) {
        let (m, n, k) = (self.m, self.n, self.m.min(self.n));
        let (a, x) = self.input::<T>(m, n);
        // As for QR: factors in the shapes of those of the adjoint.
        let (rows, columns) = if lq { (n, m) } else { (m, n) };
        let shape = |r: usize, c: usize| if lq { [c, r] } else { [r, c] };
        let read = |t: &Tensor<T>, size: f64| if lq { M::of(t, size).adjoint() } else { M::of(t, size) };
        let x = if lq { x.adjoint() } else { x };
        let size = size::<T>(self.kind);
        let (mut q, mut r) = (self.out::<T>(&shape(rows, k), 1), self.out::<T>(&shape(k, columns), 2));
        let (mut fq, mut fr) = (self.out::<T>(&shape(rows, rows), 2), self.out::<T>(&shape(rows, columns), 1));
        let mut null = self.out::<T>(&shape(rows, rows - k), 0);
        {
            let (q, r, fq, fr) =
                (q.view_mut().unwrap(), r.view_mut().unwrap(), fq.view_mut().unwrap(), fr.view_mut().unwrap());
            let null = null.view_mut().unwrap();
            if lq {
                linalg::lq_compact(a.view(), self.conj, r, q, run()).unwrap();
                linalg::lq_full(a.view(), self.conj, fr, fq, run()).unwrap();
                linalg::lq_null(a.view(), self.conj, null, run()).unwrap();
            } else {
                linalg::qr_compact(a.view(), self.conj, q, r, run()).unwrap();
                linalg::qr_full(a.view(), self.conj, fq, fr, run()).unwrap();
                linalg::qr_null(a.view(), self.conj, null, run()).unwrap();
            }
        }
        let (q, r) = (read(&q, 1.0), read(&r, size));
        let (full_q, full_r) = (read(&fq, 1.0), read(&fr, size));
        for (q, r) in [(&q, &r), (&full_q, &full_r)] {
            assert_close::<T>(&q.adjoint().times(q), &M::identity(q.n), 1.0, 1.0);
            assert_close::<T>(&q.times(r), &x, x.norm(), 1.0);
            assert!(pairs(r.m, r.n).all(|(i, j)| i <= j || r.at(i, j) == Complex64::ZERO));
            assert!((0..k).all(|i| r.at(i, i).im == 0.0 && r.at(i, i).re >= 0.0));
        }
        let null = read(&null, 1.0);
        assert_eq!(null, full_q.block(0..rows, k..rows));
        let gauged = Tensor::from_fn(&[rows, rows - k], |i| T::from_c64(null.at(i[0], i[1]))).unwrap();
        assert_gauge(&gauged, rows - k);
        assert!(null.adjoint().times(&x).norm() <= bound::<T>(m, n) * x.norm());
    }

    fn polar<T: Element>(&self) {
        let (m, n) = (self.m, self.n);
        let (a, x) = self.input::<T>(m, n);
        let (k, size) = (m.min(n), size::<T>(self.kind));
        let (mut w, mut p) = (self.out::<T>(&[m, n], 1), self.out::<T>(&[k, k], 2));
        let left = linalg::left_polar(a.view(), self.conj, w.view_mut().unwrap(), p.view_mut().unwrap(), run());
        if m < n {
            let expected = vec![(n, usize::MAX), (n, n)];
            assert_eq!(left, Err(Error::Shape { operand: "A", expected, found: vec![m, n] }));
        } else {
            left.unwrap();
            let (w, p) = (M::of(&w, 1.0), M::of(&p, size));
            assert_close::<T>(&w.times(&p), &x, x.norm(), 2.0);
            assert_close::<T>(&w.adjoint().times(&w), &M::identity(n), 1.0, 2.0);
            assert_eq!(p.adjoint(), p);
            assert_close::<T>(&p.times(&p), &x.adjoint().times(&x), x.norm() * x.norm(), 4.0);
            assert_positive::<T>(&p, x.norm());
        }
        let (mut p, mut wh) = (self.out::<T>(&[k, k], 1), self.out::<T>(&[m, n], 2));
        let right = linalg::right_polar(a.view(), self.conj, p.view_mut().unwrap(), wh.view_mut().unwrap(), run());
        if m > n {
            let expected = vec![(m, m), (m, usize::MAX)];
            assert_eq!(right, Err(Error::Shape { operand: "A", expected, found: vec![m, n] }));
        } else {
            right.unwrap();
            let (wh, p) = (M::of(&wh, 1.0), M::of(&p, size));
            assert_close::<T>(&p.times(&wh), &x, x.norm(), 2.0);
            assert_close::<T>(&wh.times(&wh.adjoint()), &M::identity(m), 1.0, 2.0);
            assert_eq!(p.adjoint(), p);
            assert_positive::<T>(&p, x.norm());
        }
    }

    fn pivoted<T: Element>(&self) {
        let (m, n, k) = (self.m, self.n, self.m.min(self.n));
        let (a, x) = self.input::<T>(m, n);
        let size = size::<T>(self.kind);
        let (mut q, mut r) = (self.out::<T>(&[m, k], 1), self.out::<T>(&[k, n], 2));
        let (mut p, mut rank) = (vec![-1; n], [-1]);
        let views = (q.view_mut().unwrap(), r.view_mut().unwrap());
        linalg::qr_pivoted(a.view(), self.conj, (0.0, None), views.0, views.1, &mut p, &mut rank, run()).unwrap();
        let mut sorted = p.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..n as i64), "{p:?} is no permutation");
        let (q, r) = (M::of(&q, 1.0), M::of(&r, size));
        let ordered = M::new(m, n, |i, j| x.at(i, p[j] as usize));
        assert_close::<T>(&q.times(&r), &ordered, x.norm(), 1.0);
        assert_close::<T>(&q.adjoint().times(&q), &M::identity(k), 1.0, 1.0);
        assert!(pairs(k, n).all(|(i, j)| i <= j || r.at(i, j) == Complex64::ZERO));
        // What is left of any later column is no more than what was left of the pivot.
        let rounding = bound::<T>(m, n) * x.norm();
        for i in 0..k {
            assert!(r.at(i, i).im == 0.0 && r.at(i, i).re >= 0.0);
            for j in i..n {
                let rest = common::norm((i..=j.min(k - 1)).map(|l| r.at(l, j)));
                assert!(rest <= r.at(i, i).re * (1.0 + rounding) + rounding, "{i} {j}: {rest} {}", r.at(i, i).re);
            }
        }
        let known = match self.kind {
            // A random vector of one element may be 0.
            1 | 4 if x.norm() == 0.0 => Some(0),
            2 | 4 => Some(k.min(1)),
            3 if m > 0 => Some((0..n).map(|j| (j + 1) % m).collect::<std::collections::BTreeSet<_>>().len()),
            _ => None,
        };
        assert!(known.is_none_or(|known| known == rank[0] as usize), "kind {}: rank {}", self.kind, rank[0]);
    }

    fn eigh<T: Element>(&self) {
        let n = self.m;
        let (a, _) = self.input::<T>(n, n);
        let size = size::<T>(self.kind);
        let (mut w, mut v) = (plain::<T::Real>(&[n]), plain::<T>(&[n, n]));
        linalg::eigh_full(a.view(), self.conj, w.view_mut().unwrap(), v.view_mut().unwrap(), run()).unwrap();
        let (w, v) = (numbers(&w, size), M::of(&v, 1.0));
        let largest = w.iter().fold(0.0f64, |most, x| most.max(x.abs()));

        let mut alone = self.out::<T::Real>(&[n], 1);
        linalg::eigh_vals(a.view(), self.conj, alone.view_mut().unwrap(), run()).unwrap();
        let alone = numbers(&alone, size);
        assert!(alone.windows(2).all(|pair| pair[0] <= pair[1]));
        let limit = bound::<T>(n, n) * largest;
        assert!(alone.iter().zip(&w).all(|(x, y)| (x - y).abs() <= limit), "{alone:?} {w:?}");

        for (first, count) in [(0, n), (n / 3, n / 2), (n, 0)] {
            let (mut part, mut vectors) = (self.out::<T::Real>(&[count], 1), self.out::<T>(&[n, count], 2));
            let views = (part.view_mut().unwrap(), vectors.view_mut().unwrap());
            linalg::eigh_range(a.view(), self.conj, first, views.0, views.1, run()).unwrap();
            assert_eq!(numbers(&part, size), w[first..first + count]);
            assert_eq!(M::of(&vectors, 1.0), v.block(0..n, first..first + count));
        }

        let rank = n.div_ceil(2);
        let truncation = Truncation { maxrank: Some(rank), minrank: 0, ..Default::default() };
        let (mut kept, mut vectors, mut error) = (self.out::<T::Real>(&[rank], 1), self.out::<T>(&[n, rank], 2), [0.0]);
        let views = (kept.view_mut().unwrap(), vectors.view_mut().unwrap());
        let found =
            linalg::eigh_trunc(a.view(), self.conj, &truncation, Method::Full, views.0, views.1, &mut error, run());
        assert_eq!(found, Ok(rank));
        let (kept, vectors) = (numbers(&kept, size), M::of(&vectors, 1.0));
        assert!(kept.windows(2).all(|pair| pair[0].abs() >= pair[1].abs()));
        let mut moduli: Vec<f64> = w.iter().map(|x| x.abs()).collect();
        moduli.sort_by(|x, y| y.total_cmp(x));
        assert!(kept.iter().zip(&moduli).all(|(x, y)| x.abs() == *y));
        let cut = moduli[rank..].iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!((error[0] / size - cut).abs() <= 1e-14 * largest);
        for (l, value) in kept.iter().enumerate() {
            let from = w.iter().position(|x| x == value).unwrap();
            let same = (from..n).take_while(|&j| w[j] == *value);
            assert!(same.into_iter().any(|j| vectors.block(0..n, l..l + 1) == v.block(0..n, j..j + 1)));
        }
    }

    fn norms<T: Element>(&self) {
        let (m, n) = (self.m, self.n);
        let (a, x) = self.input::<T>(m, n);
        let size = size::<T>(self.kind);
        let norm = |kind| {
            let mut norm = plain::<T::Real>(&[]);
            linalg::norm(a.view(), kind, norm.view_mut().unwrap(), run()).unwrap();
            norm.data()[0].to_f64() / size
        };
        let mut s = plain::<T::Real>(&[m.min(n)]);
        linalg::svd_vals(a.view(), false, s.view_mut().unwrap(), run()).unwrap();
        let s = numbers(&s, size);
        let of_columns = |x: &M| (0..x.n).map(|j| (0..x.m).map(|i| x.at(i, j).norm()).sum()).fold(0.0f64, f64::max);
        // Accumulated in double precision and rounded once, but for singular values.
        let eps = T::Real::EPSILON.to_f64();
        for (kind, expected) in [
            (Norm::Frobenius, x.norm()),
            (Norm::One, of_columns(&x)),
            (Norm::Infinity, of_columns(&x.adjoint())),
            (Norm::Spectral, s.first().copied().unwrap_or(0.0)),
            (Norm::Nuclear, s.iter().sum()),
        ] {
            assert!((norm(kind) - expected).abs() <= (eps + 1e-14) * expected, "{kind:?} {} {expected}", norm(kind));
        }
    }

    fn functions<T: Element>(&self) {
        let n = self.m;
        if self.kind > 7 {
            return;
        }
        let (a, x) = self.input::<T>(n, n);
        let mut exp = self.out::<T>(&[n, n], 1);
        linalg::expm(a.view(), self.conj, exp.view_mut().unwrap(), run()).unwrap();
        let expected = taylor(&x);
        // The condition number of the exponential is at least ‖A‖; for these matrices, entries up to 1.5, not much
        // more.
        assert_close::<T>(&M::of(&exp, 1.0), &expected, expected.norm() * (1.0 + x.norm()), 4.0);

        let hermitian = M::new(n, n, |i, j| (x.at(i, j) + x.at(j, i).conj()) / 2.0);
        let mut h = Tensor::<T>::zeros(self.arrangements[2].layout(&[n, n])).unwrap();
        h.fill(|i| if i[0] < i[1] { poison() } else { T::from_c64(hermitian.at(i[0], i[1])) });
        let rounded = M::new(n, n, |i, j| if i < j { at(&h, j, i).conj() } else { at(&h, i, j) });
        let of = |f| {
            let mut y = self.out::<T>(&[n, n], 1);
            linalg::hermitian_function(h.view(), false, f, y.view_mut().unwrap(), run()).map(|()| M::of(&y, 1.0))
        };
        let exp = of(Function::Exp).unwrap();
        assert_eq!(exp.adjoint(), exp);
        let expected = taylor(&rounded);
        assert_close::<T>(&exp, &expected, expected.norm() * (1.0 + rounded.norm()), 2.0);
        // The general road agrees with the one by eigenvalues, and sees that the matrix is Hermitian.
        let full = Tensor::from_fn(&[n, n], |i| T::from_c64(rounded.at(i[0], i[1]))).unwrap();
        let mut again = self.out::<T>(&[n, n], 0);
        linalg::expm(full.view(), false, again.view_mut().unwrap(), run()).unwrap();
        assert_eq!(M::of(&again, 1.0), exp);
    }

    fn check<T: Element>(&self) {
        self.svd::<T>();
        self.orthogonal::<T>(false);
        self.orthogonal::<T>(true);
        self.polar::<T>();
        self.pivoted::<T>();
        self.eigh::<T>();
        self.norms::<T>();
        self.functions::<T>();
    }
}

/// No eigenvalue of a Hermitian matrix is below 0 by more than rounding.
fn assert_positive<T: Element>(p: &M, scale: f64) {
    let a = Tensor::from_fn(&[p.m, p.m], |i| p.at(i[0], i[1])).unwrap();
    let mut w = plain::<f64>(&[p.m]);
    linalg::eigh_vals(a.view(), false, w.view_mut().unwrap(), run()).unwrap();
    assert!(w.data().iter().all(|&w| w >= -bound::<T>(p.m, p.m) * scale), "{:?}", w.data());
}

/// The exponential by its series, of A/8, squared 3 times: more squarings would lose digits.
fn taylor(a: &M) -> M {
    let small = M::new(a.m, a.n, |i, j| a.at(i, j) / 8.0);
    let (mut sum, mut term) = (M::identity(a.m), M::identity(a.m));
    for l in 1..60 {
        term = term.times(&small).scaled(&vec![1.0 / f64::from(l); a.n]);
        sum.x.iter_mut().zip(&term.x).for_each(|(x, y)| *x += y);
    }
    (0..3).for_each(|_| sum = sum.times(&sum));
    sum
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/further.txt"))),
        ..Default::default()
    })]
    #[test]
    fn small_matrices(
        m in 0usize..9,
        n in 0usize..9,
        kind in 0..KINDS,
        conj: bool,
        arrangements in [arrangement(), arrangement(), arrangement()],
        dtype in prop::sample::select(&DType::ALL[..]),
        seed: u64,
    ) {
        let case = Case { m, n, kind, conj, arrangements, seed };
        with_scalar!(dtype, T => case.check::<T>());
    }
}

/// Beyond a panel of the pivoted decomposition and the sizes at which drivers go over to blocks.
#[test]
fn large_matrices() {
    for (i, (m, n)) in [(90, 40), (50, 100), (70, 70)].into_iter().enumerate() {
        for (l, dtype) in DType::ALL.into_iter().enumerate() {
            let arrangements = [0, 1, 2].map(|x| drawn(i + 3 * l + x));
            let case = Case { m, n, kind: [0, 5, 7][(i + l) % 3], conj: l % 2 == 0, arrangements, seed: 3 };
            with_scalar!(dtype, T => {
                case.svd::<T>();
                case.orthogonal::<T>(l % 2 == 0);
                case.polar::<T>();
                case.pivoted::<T>();
                case.eigh::<T>();
            });
        }
    }
}

/// Kahan's matrix: where downdated norms without a safeguard go wrong. The order of the columns is the one that is
/// given, and the diagonal of R is known.
#[test]
fn norms_that_cancel_are_measured_again() {
    let n = 90;
    let (c, s) = (0.6f64, 0.8f64);
    // Columns shrink by a factor a little above rounding, so that no two of them tie.
    let entry = |i: usize, j: usize| match i.cmp(&j) {
        std::cmp::Ordering::Less => -c * s.powi(i as i32),
        std::cmp::Ordering::Equal => s.powi(i as i32),
        std::cmp::Ordering::Greater => 0.0,
    };
    let a = Tensor::from_fn(&[n, n], |i| entry(i[0], i[1]) * (1.0 - 1e-13 * i[1] as f64)).unwrap();
    let (mut q, mut r, mut p, mut rank) = (plain::<f64>(&[n, n]), plain::<f64>(&[n, n]), vec![0; n], [0]);
    let views = (q.view_mut().unwrap(), r.view_mut().unwrap());
    linalg::qr_pivoted(a.view(), false, (0.0, Some(0.0)), views.0, views.1, &mut p, &mut rank, run()).unwrap();
    let r = M::of(&r, 1.0);
    for i in 0..n {
        for j in i..n {
            let rest = common::norm((i..=j).map(|l| r.at(l, j)));
            assert!(rest <= r.at(i, i).re * (1.0 + 1e-10), "{i} {j}: {rest} {}", r.at(i, i).re);
        }
    }
    assert_eq!(rank, [n as i64]);
}

#[test]
fn ties_go_to_the_first_column_and_tolerances_tell_the_rank() {
    let a = Tensor::from_fn(&[3, 3], |i| if i[0] == i[1] { [2.0, 4.0, 4.0][i[0]] } else { 0.0 }).unwrap();
    let pivoted = |tolerances| {
        let (mut q, mut r, mut p, mut rank) = (plain::<f64>(&[3, 3]), plain::<f64>(&[3, 3]), [0; 3], [0]);
        let views = (q.view_mut().unwrap(), r.view_mut().unwrap());
        linalg::qr_pivoted(a.view(), false, tolerances, views.0, views.1, &mut p, &mut rank, run())
            .map(|()| (p, rank[0]))
    };
    assert_eq!(pivoted((0.0, None)), Ok(([1, 2, 0], 3)));
    assert_eq!(pivoted((2.5, None)), Ok(([1, 2, 0], 2)));
    assert_eq!(pivoted((0.0, Some(0.6))), Ok(([1, 2, 0], 2)));
    assert_eq!(pivoted((5.0, Some(0.0))), Ok(([1, 2, 0], 0)));
    assert!(matches!(pivoted((-1.0, None)), Err(Error::Tolerance { name: "atol", .. })));
    assert!(matches!(pivoted((0.0, Some(f64::NAN))), Err(Error::Tolerance { name: "rtol", .. })));
}

/// A reflection whose first entry is too small to divide by: were it lost, the last two columns would change places.
#[test]
fn a_pivot_may_be_subnormal() {
    let columns = [[5e-324, 1.0, 0.0], [0.0, 0.5, 0.4], [0.0, 0.9, 0.1]];
    let a = Tensor::from_fn(&[3, 3], |i| columns[i[1]][i[0]]).unwrap();
    let (mut q, mut r, mut p, mut rank) = (plain::<f64>(&[3, 3]), plain::<f64>(&[3, 3]), [0; 3], [0]);
    let views = (q.view_mut().unwrap(), r.view_mut().unwrap());
    linalg::qr_pivoted(a.view(), false, (0.0, None), views.0, views.1, &mut p, &mut rank, run()).unwrap();
    assert_eq!((p, rank), ([0, 1, 2], [2]));
}

/// Every matrix of a stack gets what it gets alone; a truncation keeps one rank for all, the largest that one needs.
#[test]
fn stacks_are_cut_to_one_rank() {
    let diagonal = [[8.0, 4.0, 2.0], [8.0, 1.0, 0.5], [0.0, 0.0, 0.0], [-9.0, 3.0, -1.0]];
    let a =
        Tensor::from_fn(&[3, 3, 2, 2], |i| if i[0] == i[1] { diagonal[i[2] + 2 * i[3]][i[0]] } else { 0.0 }).unwrap();
    let truncation = Truncation { atol: 1.5, minrank: 0, ..Default::default() };
    let (mut u, mut s, mut vh) = (plain::<f64>(&[3, 3, 2, 2]), plain::<f64>(&[3, 2, 2]), plain::<f64>(&[3, 3, 2, 2]));
    let mut errors = [f64::NAN; 4];
    let views = (u.view_mut().unwrap(), s.view_mut().unwrap(), vh.view_mut().unwrap());
    let rank =
        linalg::svd_trunc(a.view(), false, &truncation, Method::Full, views.0, views.1, views.2, &mut errors, run());
    assert_eq!((rank, errors), (Ok(3), [0.0; 4]));
    let truncation = Truncation { atol: 2.5, ..truncation };
    let views = (u.view_mut().unwrap(), s.view_mut().unwrap(), vh.view_mut().unwrap());
    let rank =
        linalg::svd_trunc(a.view(), false, &truncation, Method::Full, views.0, views.1, views.2, &mut errors, run());
    assert_eq!(rank, Ok(2));
    assert!(errors.iter().zip([2.0, 0.5, 0.0, 1.0]).all(|(x, y)| (x - y).abs() < 1e-14));
    let (mut w, mut v) = (plain::<f64>(&[3, 2, 2]), plain::<f64>(&[3, 3, 2, 2]));
    let views = (w.view_mut().unwrap(), v.view_mut().unwrap());
    let rank = linalg::eigh_trunc(a.view(), false, &truncation, Method::Full, views.0, views.1, &mut errors, run());
    assert_eq!(rank, Ok(2));
    assert!(errors.iter().zip([2.0, 0.5, 0.0, 1.0]).all(|(x, y)| (x - y).abs() < 1e-14));
    let value = |l| w.view().get(&[l, 1, 1]).unwrap();
    assert!((value(0) + 9.0).abs() < 1e-14 && (value(1) - 3.0).abs() < 1e-14);
    let views = (w.view_mut().unwrap(), v.view_mut().unwrap());
    let few = linalg::eigh_trunc(a.view(), false, &truncation, Method::Full, views.0, views.1, &mut errors[..3], run());
    assert!(matches!(few, Err(Error::Shape { operand: "the errors", .. })));
}

#[test]
fn functions_of_known_matrices() {
    fn check<T: Element>() {
        let close = |x: &Tensor<T>, y: [f64; 4]| {
            let error = common::norm(pairs(2, 2).map(|(i, j)| at(x, i, j) - y[i + 2 * j]));
            assert!(error <= bound::<T>(2, 2) * y.iter().map(|y| y.abs()).sum::<f64>(), "{}: {error}", T::DTYPE);
        };
        let matrix = |x: [f64; 4]| Tensor::from_fn(&[2, 2], |i| real::<T>(x[i[0] + 2 * i[1]])).unwrap();
        let of = |f, a: [f64; 4]| {
            let mut x = plain::<T>(&[2, 2]);
            linalg::hermitian_function(matrix(a).view(), false, f, x.view_mut().unwrap(), run()).map(|()| x)
        };
        close(&of(Function::Sqrt, [5.0, 4.0, 4.0, 5.0]).unwrap(), [2.0, 1.0, 1.0, 2.0]);
        close(&of(Function::Inverse, [2.0, 1.0, 1.0, 2.0]).unwrap(), [2.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0]);
        close(&of(Function::InverseSqrt, [4.0, 0.0, 0.0, 0.25]).unwrap(), [0.5, 0.0, 0.0, 2.0]);
        let (e, root) = (1f64.exp(), 0.5 * 2f64.ln());
        close(&of(Function::Log, [e, 0.0, 0.0, 1.0]).unwrap(), [1.0, 0.0, 0.0, 0.0]);
        close(&of(Function::Log, [1.5, 0.5, 0.5, 1.5]).unwrap(), [root, root, root, root]);
        // Rank 1: the eigenvalue 0 comes out as ±rounding, whose root is 0.
        let root = of(Function::Sqrt, [1.0, 1.0, 1.0, 1.0]).unwrap();
        close(&root, [0.5f64.sqrt(); 4]);
        for f in [Function::Log, Function::Sqrt, Function::InverseSqrt] {
            assert!(matches!(of(f, [1.0, 0.0, 0.0, -2.0]), Err(Error::Function { at }) if at == -2.0));
        }
        assert!(matches!(of(Function::Inverse, [1.0, 0.0, 0.0, 0.0]), Err(Error::Function { at }) if at == 0.0));

        let exp = |a: [f64; 4]| {
            let mut x = plain::<T>(&[2, 2]);
            linalg::expm(matrix(a).view(), false, x.view_mut().unwrap(), run()).map(|()| x)
        };
        // Nilpotent, however large: no scaling is needed, where the norm alone would ask for 13 halvings.
        close(&exp([0.0, 0.0, 3e4, 0.0]).unwrap(), [1.0, 0.0, 3e4, 1.0]);
        close(&exp([1.0, 0.0, 1e4, -1.0]).unwrap(), [e, 0.0, 1e4 * 1f64.sinh(), 1.0 / e]);
        // Every degree, and squarings.
        for angle in [1e-3f64, 0.02, 0.1, 0.5, 1.5, 3.0, 40.0] {
            let (sin, cos) = angle.sin_cos();
            let error =
                common::norm(pairs(2, 2).map(|(i, j)| {
                    at(&exp([0.0, angle, -angle, 0.0]).unwrap(), i, j) - [cos, sin, -sin, cos][i + 2 * j]
                }));
            // The angle itself is rounded, which turns by angle·eps.
            assert!(error <= (bound::<T>(2, 2) + 2.0 * T::Real::EPSILON.to_f64()) * (1.0 + angle), "{angle}: {error}");
        }
        for bad in [[f64::NAN, 0.0, 1.0, 0.0], [1e4, 1.0, 2.0, 1e4], [f64::INFINITY, 0.0, 0.0, 0.0]] {
            assert_eq!(exp(bad).err(), Some(Error::NotFinite));
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// Refusals name what is wrong.
#[test]
fn refusals() {
    let a = Tensor::from_fn(&[2, 3], |_| 1.0).unwrap();
    let square = Err(Error::Shape { operand: "A", expected: vec![(2, 2), (2, 2)], found: vec![2, 3] });
    let (mut w, mut v) = (plain::<f64>(&[2]), plain::<f64>(&[2, 2]));
    assert_eq!(linalg::eigh_vals(a.view(), false, w.view_mut().unwrap(), run()), square);
    assert_eq!(linalg::expm(a.view(), false, v.view_mut().unwrap(), run()), square);
    let a = Tensor::from_fn(&[2, 2], |_| 1.0).unwrap();
    let range = linalg::eigh_range(a.view(), false, 1, w.view_mut().unwrap(), v.view_mut().unwrap(), run());
    assert_eq!(range, Err(Error::Range { asked: (1, 2), available: 2 }));
    let nan = Tensor::from_fn(&[2, 2], |i| if i[0] >= i[1] { f64::NAN } else { 1.0 }).unwrap();
    let refused = |result| assert_eq!(result, Err(Error::NotFinite));
    refused(linalg::eigh_vals(nan.view(), false, w.view_mut().unwrap(), run()));
    refused(linalg::svd_vals(nan.view(), false, w.view_mut().unwrap(), run()));
    refused(linalg::hermitian_function(nan.view(), false, Function::Exp, v.view_mut().unwrap(), run()));
    for kind in [Norm::Frobenius, Norm::Spectral, Norm::Nuclear, Norm::One, Norm::Infinity] {
        refused(linalg::norm(nan.view(), kind, plain::<f64>(&[]).view_mut().unwrap(), run()));
    }
    let huge = Tensor::from_fn(&[2, 2], |_| f64::MAX).unwrap();
    refused(linalg::norm(huge.view(), Norm::Frobenius, plain::<f64>(&[]).view_mut().unwrap(), run()));
    assert!(w.data().iter().chain(v.data()).all(|x| x.is_nan()));
}
