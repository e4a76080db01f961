//! What defines LU, Cholesky, solutions, inverses, determinants and least squares: over all element types, layouts
//! and awkward matrices, checked in double precision.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tensoroxide_dense::Element;
use tensoroxide_linalg::{
    cholesky, det, inv, logabsdet, lstsq, lu, lu_complete, pinv, solve, solve_triangular, Error, Run, Tolerance,
    Triangle, Workspaces,
};
use tensoroxide_tensor::testing::{arrangement, poison, tensor, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Layout, Real, Scalar, Tensor};

/// Kinds of matrices that elimination trips over.
const KINDS: usize = 9;

/// On one thread, with a workspace for any time.
fn run() -> Run<'static> {
    static WORKSPACES: OnceLock<Workspaces> = OnceLock::new();
    Run::on(WORKSPACES.get_or_init(Workspaces::default))
}

fn real<T: Scalar>(x: f64) -> T {
    T::from_c64(x.into())
}

/// A matrix in double precision, as rows.
#[derive(Clone, Debug, PartialEq)]
struct Dense(usize, usize, Vec<Complex64>);

impl Dense {
    fn new(m: usize, n: usize, f: impl Fn(usize, usize) -> Complex64) -> Dense {
        Dense(m, n, (0..m * n).map(|x| f(x / n, x % n)).collect())
    }
    fn of<T: Scalar>(a: &Tensor<T>, conj: bool) -> Dense {
        let shape = a.layout().shape();
        Dense::new(shape[0], shape[1], |i, j| {
            let z = a.view().get(&[i, j]).unwrap().to_c64();
            if conj {
                z.conj()
            } else {
                z
            }
        })
    }
    fn at(&self, i: usize, j: usize) -> Complex64 {
        self.2[i * self.1 + j]
    }
    fn times(&self, b: &Dense) -> Dense {
        Dense::new(self.0, b.1, |i, j| (0..self.1).map(|l| self.at(i, l) * b.at(l, j)).sum())
    }
    fn minus(&self, b: &Dense) -> Dense {
        Dense::new(self.0, self.1, |i, j| self.at(i, j) - b.at(i, j))
    }
    fn adjoint(&self) -> Dense {
        Dense::new(self.1, self.0, |i, j| self.at(j, i).conj())
    }
    fn scale(&self, x: f64) -> Dense {
        Dense::new(self.0, self.1, |i, j| self.at(i, j).scale(x))
    }
    fn norm(&self) -> f64 {
        self.2.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt()
    }
    /// Rows p and columns q.
    fn select(&self, p: &[i64], q: &[i64]) -> Dense {
        Dense::new(p.len(), q.len(), |i, j| self.at(p[i] as usize, q[j] as usize))
    }
}

fn identity(n: usize) -> Dense {
    Dense::new(n, n, |i, j| if i == j { 1.0 } else { 0.0 }.into())
}

fn in_order(n: usize) -> Vec<i64> {
    (0..n as i64).collect()
}

/// Rounding of backward stable algorithms, relative to the norms: a small multiple of eps and the larger extent.
fn bound<T: Scalar>(n: usize) -> f64 {
    8.0 * T::Real::EPSILON.to_f64() * (n + 4) as f64
}

/// A matrix, and by what its kind is larger than 1.
fn matrix<T: Element>(m: usize, n: usize, kind: usize, arrangement: &Arrangement, seed: u64) -> (Tensor<T>, f64) {
    let random = tensor::<T>(Layout::column_major(&[m, n]).unwrap(), seed);
    let random = |i: usize, j: usize| random.view().get(&[i, j]).unwrap();
    // Near the ends of the range of exponents, with room for sums and inverses.
    let e = if T::Real::EPSILON.to_f64() > 1e-10 { 105 } else { 960 };
    let size = |kind| match kind {
        7 => T::Real::exp2i(-e),
        8 => T::Real::exp2i(e),
        _ => T::Real::from_f64(1.0),
    };
    let mut a = Tensor::zeros(arrangement.layout(&[m, n])).unwrap();
    a.fill(|index| {
        let (i, j) = (index[0], index[1]);
        match kind {
            1 => T::ZERO,
            2 => T::ONE,
            3 => real(if i == (j + 1) % m { 1.0 } else { 0.0 }),
            4 => random(i, 0) * random(0, j),
            5 => random(i, j) * real(10f64.powf(-10.0 * (i + j) as f64 / (m + n) as f64)),
            // Hilbert's.
            6 => real(1.0 / (i + j + 1) as f64),
            _ => random(i, j).scale(size(kind)),
        }
    });
    (a, size(kind).to_f64())
}

/// A tensor in an arrangement, full of NaN.
fn output<T: Scalar>(shape: &[usize], arrangement: &Arrangement) -> Tensor<T> {
    let mut output = Tensor::zeros(arrangement.layout(shape)).unwrap();
    output.fill(|_| poison());
    output
}

/// A permutation to be filled.
fn integers(shape: &[usize]) -> Vec<i64> {
    vec![-1; shape.iter().product()]
}

fn view_mut<'a>(x: &'a mut [i64], shape: &'a [usize]) -> tensoroxide_tensor::ViewMut<'a, i64> {
    let strides: &'static [isize] = if shape.is_empty() { &[] } else { &[1] };
    tensoroxide_tensor::ViewMut::new(x, shape, strides, 0).unwrap()
}

fn assert_permutation(p: &[i64]) {
    let mut sorted = p.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, in_order(p.len()));
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
    fn input<T: Element>(&self, m: usize, n: usize) -> (Tensor<T>, f64) {
        matrix(m, n, self.kind, &self.arrangements[0], self.seed)
    }

    fn lu<T: Element>(&self) {
        let (m, n, k) = (self.m, self.n, self.m.min(self.n));
        let (a, size) = self.input::<T>(m, n);
        let dense = Dense::of(&a, self.conj).scale(1.0 / size);
        for complete in [false, true] {
            let (mut l, mut u) = (output::<T>(&[m, k], &self.arrangements[1]), output(&[k, n], &self.arrangements[2]));
            let (mut p, mut q, rows, shape) = (integers(&[m]), in_order(n), [m], [n]);
            let (lv, uv, pv) = (l.view_mut().unwrap(), u.view_mut().unwrap(), view_mut(&mut p, &rows));
            if complete {
                lu_complete(a.view(), self.conj, lv, uv, pv, view_mut(&mut q, &shape), run()).unwrap();
            } else {
                lu(a.view(), self.conj, lv, uv, pv, run()).unwrap();
            }
            assert_permutation(&p);
            assert_permutation(&q);
            let (l, u) = (Dense::of(&l, false), Dense::of(&u, false).scale(1.0 / size));
            let largest = if T::DTYPE.is_complex() { 2f64.sqrt() } else { 1.0 } * (1.0 + bound::<T>(0));
            for (i, j) in (0..m).flat_map(|i| (0..k).map(move |j| (i, j))) {
                let x = l.at(i, j);
                assert!(if i < j { x == 0.0.into() } else { i > j || x == 1.0.into() });
                assert!(x.norm() <= largest, "an entry of L is {x}");
            }
            assert!((0..k).all(|i| (0..i.min(n)).all(|j| u.at(i, j) == 0.0.into())));
            if complete {
                let size = |i: usize, j: usize| u.at(i, j).re.abs() + u.at(i, j).im.abs();
                let slack = 1.0 + bound::<T>(0);
                assert!((0..k).all(|i| (i..n).all(|j| size(i, j) <= size(i, i) * slack)), "not the largest pivot");
            }
            let error = dense.select(&p, &q).minus(&l.times(&u)).norm();
            assert!(error <= bound::<T>(k) * l.norm() * u.norm(), "{} {m}×{n}, kind {}: {error}", T::DTYPE, self.kind);
        }
    }

    /// ‖L‖·‖U‖ of a square matrix, or nothing if it is singular or its pivots tell that rounding decides.
    fn pivots<T: Element>(&self, a: &Tensor<T>, size: f64) -> Result<f64, usize> {
        let n = self.m;
        let (mut l, mut u, mut p) =
            (output::<T>(&[n, n], &self.arrangements[1]), output(&[n, n], &self.arrangements[1]), integers(&[n]));
        let shape = [n];
        lu(a.view(), self.conj, l.view_mut().unwrap(), u.view_mut().unwrap(), view_mut(&mut p, &shape), run()).unwrap();
        let u = Dense::of(&u, false);
        match (0..n).find(|&i| u.at(i, i) == 0.0.into()) {
            Some(index) => Err(index),
            None => Ok(Dense::of(&l, false).norm() * u.scale(1.0 / size).norm()),
        }
    }

    fn solve<T: Element>(&self) {
        let (n, k) = (self.m, self.n);
        let (a, size) = self.input::<T>(n, n);
        let b = matrix::<T>(n, k, 0, &self.arrangements[2], self.seed ^ 5).0;
        let (mut x, mut y) = (output::<T>(&[n, k], &self.arrangements[1]), output::<T>(&[n, n], &self.arrangements[2]));
        let solved = solve(a.view(), self.conj, b.view(), !self.conj, x.view_mut().unwrap(), run());
        let inverted = inv(a.view(), self.conj, y.view_mut().unwrap(), run());
        let amplification = match self.pivots(&a, size) {
            Err(index) => {
                assert_eq!((solved, inverted), (Err(Error::Singular { index }), Err(Error::Singular { index })));
                assert!(Dense::of(&x, false).2.iter().chain(&Dense::of(&y, false).2).all(|z| z.re.is_nan()));
                return;
            }
            Ok(amplification) => amplification,
        };
        let (a, b) = (Dense::of(&a, self.conj).scale(1.0 / size), Dense::of(&b, !self.conj));
        for (result, x, b) in [(solved, &x, b), (inverted, &y, identity(n))] {
            if result == Err(Error::NotFinite) {
                continue; // X is too large, as is possible for a nearly singular matrix near the end of the range
            }
            result.unwrap();
            // A power of two, which puts nothing out of the range.
            let x = Dense::of(x, false).scale(size);
            let error = a.times(&x).minus(&b).norm();
            let limit = bound::<T>(n) * amplification * x.norm();
            assert!(error <= limit, "{} {n}, kind {}: {error} > {limit}", T::DTYPE, self.kind);
        }
    }

    fn triangular<T: Element>(&self) {
        let (n, k) = (self.m, self.n);
        let b = matrix::<T>(n, k, 0, &self.arrangements[2], self.seed ^ 5).0;
        for (upper, unit_diagonal) in [(false, false), (false, true), (true, false), (true, true)] {
            let (full, size) = self.input::<T>(n, n);
            let size = if unit_diagonal { 1.0 } else { size };
            let part = |i: usize, j: usize| if i == j { !unit_diagonal } else { upper == (i < j) };
            let mut a = Tensor::zeros(self.arrangements[0].layout(&[n, n])).unwrap();
            a.fill(|index| if part(index[0], index[1]) { full.view().get(index).unwrap() } else { poison::<T>() });
            let triangle = Dense::of(&full, self.conj).scale(1.0 / size);
            let triangle = Dense::new(n, n, |i, j| match part(i, j) {
                true => triangle.at(i, j),
                false => if i == j { 1.0 } else { 0.0 }.into(),
            });
            let mut x = output::<T>(&[n, k], &self.arrangements[1]);
            let kind = Triangle { upper, unit_diagonal };
            let solved = solve_triangular(a.view(), self.conj, kind, b.view(), self.conj, x.view_mut().unwrap(), run());
            if let Some(index) = (0..n).find(|&i| triangle.at(i, i) == 0.0.into()) {
                assert_eq!(solved, Err(Error::Singular { index }));
                continue;
            }
            if solved == Err(Error::NotFinite) {
                continue; // X is too large for the type
            }
            solved.unwrap();
            let x = Dense::of(&x, false).scale(size);
            let error = triangle.times(&x).minus(&Dense::of(&b, self.conj)).norm();
            let limit = bound::<T>(n) * triangle.norm() * x.norm();
            assert!(error <= limit || !limit.is_finite(), "{} {n}, kind {}: {error} > {limit}", T::DTYPE, self.kind);
        }
    }

    fn cholesky<T: Element>(&self) {
        let n = self.m;
        let (g, size) = self.input::<T>(n, n);
        let g = Dense::of(&g, false).scale(1.0 / size);
        let product = g.times(&g.adjoint());
        let mut a = Tensor::zeros(self.arrangements[1].layout(&[n, n])).unwrap();
        a.fill(|index| match index[0].cmp(&index[1]) {
            std::cmp::Ordering::Less => poison::<T>(),
            std::cmp::Ordering::Equal => T::from_c64((product.at(index[0], index[1]) + 1.0).scale(size)),
            std::cmp::Ordering::Greater => T::from_c64(product.at(index[0], index[1]).scale(size)),
        });
        let mut l = output::<T>(&[n, n], &self.arrangements[2]);
        cholesky(a.view(), self.conj, l.view_mut().unwrap(), run()).unwrap();
        let l = Dense::of(&l, false);
        assert!((0..n).all(|i| l.at(i, i).im == 0.0 && l.at(i, i).re > 0.0));
        assert!((0..n).all(|i| (i + 1..n).all(|j| l.at(i, j) == 0.0.into())));
        let lower = Dense::of(&a, self.conj);
        let a = Dense::new(n, n, |i, j| if i < j { lower.at(j, i).conj() } else { lower.at(i, j) }.unscale(size));
        let l = l.scale(1.0 / size.sqrt());
        let error = l.times(&l.adjoint()).minus(&a).norm();
        assert!(error <= bound::<T>(n) * a.norm(), "{} {n}, kind {}: {error}", T::DTYPE, self.kind);
    }

    fn least_squares<T: Element>(&self) {
        if self.kind == 5 || self.kind == 6 {
            return; // their rank is a matter of the tolerance, and of opinion
        }
        let (m, n, k) = (self.m, self.n, 3);
        let (a, size) = self.input::<T>(m, n);
        let b = matrix::<T>(m, k, 0, &self.arrangements[2], self.seed ^ 5).0;
        let tolerance = Tolerance { atol: 0.0, rtol: Some(100.0 * bound::<T>(m.max(n))) };
        let (mut x, mut y) = (output::<T>(&[n, k], &self.arrangements[1]), output::<T>(&[n, m], &self.arrangements[2]));
        let mut rank = [-1];
        let rank_view = view_mut(&mut rank, &[]);
        lstsq(a.view(), self.conj, b.view(), !self.conj, tolerance, x.view_mut().unwrap(), rank_view, run()).unwrap();
        pinv(a.view(), self.conj, tolerance, y.view_mut().unwrap(), run()).unwrap();
        match self.kind {
            1 => assert_eq!(rank[0], 0),
            2 => assert_eq!(rank[0], 1.min(m).min(n) as i64),
            4 => assert!(rank[0] <= 1),
            _ => assert!(rank[0] <= m.min(n) as i64),
        }
        let (a, b) = (Dense::of(&a, self.conj).scale(1.0 / size), Dense::of(&b, !self.conj));
        let (x, y) = (Dense::of(&x, false).scale(size), Dense::of(&y, false).scale(size));
        // Penrose's four conditions; what was cut off is below the tolerance.
        let limit = 200.0 * bound::<T>(m.max(n)) * (1.0 + a.norm() * y.norm()).powi(2);
        let (ay, ya) = (a.times(&y), y.times(&a));
        assert!(ay.times(&a).minus(&a).norm() <= limit * a.norm());
        assert!(ya.times(&y).minus(&y).norm() <= limit * y.norm());
        assert!(ay.minus(&ay.adjoint()).norm() <= limit && ya.minus(&ya.adjoint()).norm() <= limit);
        assert!(y.times(&b).minus(&x).norm() <= limit * y.norm() * b.norm(), "{} {m}×{n}", T::DTYPE);
    }

    fn det<T: Element>(&self) {
        let n = self.m.min(6);
        let (a, _) = matrix::<T>(n, n, self.kind.min(4), &self.arrangements[0], self.seed);
        let (mut d, mut log, mut phase) = ([poison::<T>()], [poison::<T::Real>()], [poison::<T>()]);
        let view = |x| tensoroxide_tensor::ViewMut::new(x, &[], &[], 0).unwrap();
        det(a.view(), self.conj, view(&mut d), run()).unwrap();
        let log_view = tensoroxide_tensor::ViewMut::new(&mut log, &[], &[], 0).unwrap();
        logabsdet(a.view(), self.conj, log_view, view(&mut phase), run()).unwrap();
        let a = Dense::of(&a, self.conj);
        let (found, expected) = (d[0].to_c64(), laplace(&a, 0, &in_order(n)));
        // Hadamard's bound for a change of each row by rounding.
        let rows: f64 = (0..n).map(|i| a.select(&[i as i64], &in_order(n)).norm().max(1.0)).product();
        let limit = bound::<T>(n * n) * rows;
        assert!((found - expected).norm() <= limit, "{} {n}, kind {}: {found} for {expected}", T::DTYPE, self.kind);
        let (log, phase) = (log[0].to_f64(), phase[0].to_c64());
        assert!(
            (phase * log.exp() - found).norm() <= bound::<T>(n) * (1.0 + found.norm() * (1.0 + log.abs()))
                || found == 0.0.into()
        );
        assert_eq!(found == 0.0.into(), (log, phase) == (f64::NEG_INFINITY, 0.0.into()));
    }

    fn check<T: Element>(&self) {
        self.lu::<T>();
        self.solve::<T>();
        self.triangular::<T>();
        self.cholesky::<T>();
        self.least_squares::<T>();
        self.det::<T>();
    }
}

/// The determinant by expansion along the rows from `row` on, in these columns.
fn laplace(a: &Dense, row: usize, columns: &[i64]) -> Complex64 {
    if columns.is_empty() {
        return 1.0.into();
    }
    let without = |l: usize| [&columns[..l], &columns[l + 1..]].concat();
    let sign = |l: usize| if l % 2 == 0 { 1.0 } else { -1.0 };
    (0..columns.len()).map(|l| a.at(row, columns[l] as usize) * sign(l) * laplace(a, row + 1, &without(l))).sum()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/elimination.txt"))),
        ..Default::default()
    })]
    #[test]
    fn small_matrices(
        m in 0usize..10,
        n in 0usize..10,
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

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/elimination.txt"))),
        ..Default::default()
    })]
    /// Beyond the sizes at which kernels go over to blocks.
    #[test]
    fn large_matrices(
        m in 17usize..90,
        n in 1usize..60,
        kind in prop::sample::select(&[0usize, 3, 5, 7, 8][..]),
        arrangements in [arrangement(), arrangement(), arrangement()],
        dtype in prop::sample::select(&DType::ALL[..]),
        seed: u64,
    ) {
        let case = Case { m, n, kind, conj: m % 2 == 0, arrangements, seed };
        with_scalar!(dtype, T => { case.lu::<T>(); case.solve::<T>(); case.triangular::<T>(); case.cholesky::<T>() });
    }
}

/// A column-major tensor.
fn plain<T: Scalar>(shape: &[usize], f: impl Fn(&[usize]) -> f64) -> Tensor<T> {
    Tensor::from_fn(shape, |index| real(f(index))).unwrap()
}

/// Systems whose rows are of very different sizes lose none, and pivots at either end of the range divide.
#[test]
fn rows_of_any_size() {
    fn check<T: Element>() {
        let e = if T::Real::EPSILON.to_f64() > 1e-10 { 120.0 } else { 1000.0 };
        let sizes = [2f64.powf(e), 1.0, 2f64.powf(-e)];
        for n in [3, 30] {
            let size = |i: usize| sizes[i % 3];
            let a = plain::<T>(&[n, n], |i| if i[0] == i[1] { size(i[0]) } else { 0.0 });
            let b = plain::<T>(&[n], |i| 3.0 * size(i[0]));
            let mut x = plain::<T>(&[n], |_| f64::NAN);
            solve(a.view(), false, b.view(), false, x.view_mut().unwrap(), run()).unwrap();
            assert!(x.data().iter().all(|x| x.to_c64() == 3.0.into()), "{:?}", x.data());
            let (mut log, mut phase) = (plain::<T::Real>(&[], |_| 7.0), plain::<T>(&[], |_| 7.0));
            logabsdet(a.view(), false, log.view_mut().unwrap(), phase.view_mut().unwrap(), run()).unwrap();
            assert_eq!((log.data()[0].to_f64(), phase.data()[0]), (0.0, T::ONE));
        }
        // A determinant beyond the range, and its logarithm within.
        let a = plain::<T>(&[20, 20], |i| if i[0] == i[1] { sizes[0] } else { 0.0 });
        let mut d = plain::<T>(&[], |_| 7.0);
        det(a.view(), false, d.view_mut().unwrap(), run()).unwrap();
        assert_eq!((d.data()[0].to_c64().re, d.data()[0].im().to_f64()), (f64::INFINITY, 0.0));
        // The solution is beyond the range.
        let a = plain::<T>(&[1, 1], |_| sizes[2]);
        let b = plain::<T>(&[1], |_| sizes[0]);
        let mut x = plain::<T>(&[1], |_| 7.0);
        assert_eq!(solve(a.view(), false, b.view(), false, x.view_mut().unwrap(), run()), Err(Error::NotFinite));
        assert_eq!(x.data()[0], real(7.0));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// Every refusal of a batch names the matrix and the pivot.
#[test]
fn a_batch_says_which_matrix_failed() {
    fn check<T: Element>() {
        // The last matrix has equal rows 1 and 2; the others are triangular.
        let entry = |i: &[usize]| if i[0] <= i[1] { 1.0 + i[1] as f64 } else { 0.0 };
        let a = plain::<T>(&[3, 3, 2], |i| if i[2] == 1 && i[0] == 2 { entry(&[1, i[1]]) } else { entry(i) });
        let mut x = plain::<T>(&[3, 3, 2], |_| f64::NAN);
        let expected = Error::InBatch { index: vec![1], error: Box::new(Error::Singular { index: 2 }) };
        let result = inv(a.view(), false, x.view_mut().unwrap(), run());
        assert_eq!((result.as_ref().err(), expected.index()), (Some(&expected), Some(2)));
        // Vectors, one for each matrix.
        let b = plain::<T>(&[3, 2], |_| 1.0);
        let mut y = plain::<T>(&[3, 2], |_| f64::NAN);
        let result = solve(a.view(), false, b.view(), false, y.view_mut().unwrap(), run());
        assert_eq!(result, Err(expected));
        assert!(y.data()[..3].iter().all(|y| y.is_finite()), "the first matrix was done");

        for (row, value) in [(0, 0.0), (1, -1.0), (2, 0.0)] {
            let a = plain::<T>(&[3, 3], |i| {
                if i[0] != i[1] {
                    0.0
                } else if i[0] == row {
                    value
                } else {
                    2.0
                }
            });
            let mut l = plain::<T>(&[3, 3], |_| f64::NAN);
            let result = cholesky(a.view(), false, l.view_mut().unwrap(), run());
            assert_eq!(result, Err(Error::NotPositiveDefinite { index: row }));
            assert!(l.data().iter().all(|l| l.re().to_f64().is_nan()));
        }
        for n in [5, 40] {
            let a = plain::<T>(&[n, n], |i| if i[0] == i[1] && i[0] != n - 2 { 2.0 } else { 1.0 });
            let a =
                Tensor::from_fn(&[n, n], |i| if i == [n - 2, n - 2] { real(-3.0) } else { a.view().get(i).unwrap() });
            let mut l = plain::<T>(&[n, n], |_| f64::NAN);
            let result = cholesky(a.unwrap().view(), false, l.view_mut().unwrap(), run());
            assert_eq!(result, Err(Error::NotPositiveDefinite { index: n - 2 }));
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

#[test]
fn refusals() {
    fn check<T: Element>() {
        let (a, nan) = (plain::<T>(&[2, 2], |i| 1.0 + i[0] as f64), plain::<T>(&[2, 2], |_| f64::NAN));
        let wide = plain::<T>(&[2, 3], |_| 1.0);
        let b = plain::<T>(&[3, 1], |_| 1.0);
        let mut x = plain::<T>(&[2, 2], |_| 7.0);
        let shape = |expected: &[usize], operand, found: &[usize]| {
            let expected = expected.iter().map(|&x| (x, x)).collect();
            Err(Error::Shape { operand, expected, found: found.to_vec() })
        };
        assert_eq!(inv(wide.view(), false, x.view_mut().unwrap(), run()), shape(&[2, 2], "A", &[2, 3]));
        assert_eq!(solve(a.view(), false, b.view(), false, x.view_mut().unwrap(), run()), shape(&[2, 1], "B", &[3, 1]));
        let regular = plain::<T>(&[2, 2], |i| if i[0] == i[1] { 2.0 } else { 1.0 });
        assert_eq!(
            solve(regular.view(), false, nan.view(), false, x.view_mut().unwrap(), run()),
            Err(Error::NotFinite)
        );
        for infinite in [f64::NAN, f64::INFINITY] {
            let bad = plain::<T>(&[2, 2], |i| if i[0] == i[1] { infinite } else { 1.0 });
            assert_eq!(solve(bad.view(), false, a.view(), false, x.view_mut().unwrap(), run()), Err(Error::NotFinite));
            assert_eq!(inv(bad.view(), false, x.view_mut().unwrap(), run()), Err(Error::NotFinite));
            assert_eq!(cholesky(bad.view(), false, x.view_mut().unwrap(), run()), Err(Error::NotFinite));
            assert_eq!(
                pinv(bad.view(), false, Tolerance::default(), x.view_mut().unwrap(), run()),
                Err(Error::NotFinite)
            );
        }
        for (atol, rtol) in [(-1.0, None), (f64::NAN, None), (0.0, Some(-1.0)), (0.0, Some(f64::NAN))] {
            let result = pinv(a.view(), false, Tolerance { atol, rtol }, x.view_mut().unwrap(), run());
            assert!(matches!(result, Err(Error::Tolerance { .. })));
        }
        let result = cholesky(plain::<T>(&[2], |_| 1.0).view(), false, x.view_mut().unwrap(), run());
        assert_eq!(result, Err(Error::Rank { operand: "A", found: vec![2] }));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}
