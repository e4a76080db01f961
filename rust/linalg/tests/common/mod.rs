//! What the tests share: awkward matrices, outputs full of NaN, and what makes vectors orthonormal and gauged, all
//! checked in double precision.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part

use std::sync::OnceLock;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tensoroxide_dense::Element;
use tensoroxide_linalg::{Run, Workspaces};
use tensoroxide_tensor::testing::{arrangement, poison, tensor, Arrangement};
use tensoroxide_tensor::{Complex64, Layout, Real, Scalar, Tensor};

/// Kinds of matrices that decompositions trip over.
pub const KINDS: usize = 10;

/// On one thread, with a workspace for any time: a test ends soon.
pub fn run() -> Run<'static> {
    static WORKSPACES: OnceLock<Workspaces> = OnceLock::new();
    Run::on(WORKSPACES.get_or_init(Workspaces::default))
}

pub fn real<T: Scalar>(x: f64) -> T {
    T::from_c64(x.into())
}

pub fn at<T: Scalar>(a: &Tensor<T>, i: usize, j: usize) -> Complex64 {
    a.view().get(&[i, j]).unwrap().to_c64()
}

pub fn matrix<T: Element>(m: usize, n: usize, kind: usize, arrangement: &Arrangement, seed: u64) -> Tensor<T> {
    let random = tensor::<T>(Layout::column_major(&[m, n]).unwrap(), seed);
    let random = |i: usize, j: usize| random.view().get(&[i, j]).unwrap();
    let mut a = Tensor::zeros(arrangement.layout(&[m, n])).unwrap();
    a.fill(|index| {
        let (i, j) = (index[0], index[1]);
        let x = random(i, j);
        match kind {
            0 => x,
            1 => T::ZERO,
            2 => T::ONE,
            // Singular values all equal.
            3 => real(if i == (j + 1) % m { 1.0 } else { 0.0 }),
            // Rank 1.
            4 => random(i, 0) * random(0, j),
            // Graded.
            5 => x * real(10f64.powf(-10.0 * (i + j) as f64 / (m + n) as f64)),
            // Singular values in pairs, all entries of equal modulus in a vector.
            6 => {
                real(if i / 2 == j / 2 { [1.0, 1.0, 1.0, -1.0][i % 2 + 2 * (j % 2)] / (1 + i / 2) as f64 } else { 0.0 })
            }
            // Nearly of rank 1.
            7 => random(0, j) + x * real(T::Real::EPSILON.to_f64() * 10.0),
            // Near either end of the range of exponents.
            8 => x.scale(range::<T>().0),
            _ => x.scale(range::<T>().1),
        }
    });
    a
}

/// Powers of two near the ends of the range, with room for sums and for as many digits.
pub fn range<T: Scalar>() -> (T::Real, T::Real) {
    let e = if T::DTYPE.size() / (1 + usize::from(T::DTYPE.is_complex())) == 4 { 90 } else { 930 };
    (T::Real::exp2i(-e), T::Real::exp2i(e))
}

/// What matrices of a kind are divided by before a norm is taken.
pub fn size<T: Scalar>(kind: usize) -> f64 {
    match kind {
        8 => range::<T>().0.to_f64(),
        9 => range::<T>().1.to_f64(),
        _ => 1.0,
    }
}

/// A matrix in an arrangement, full of NaN.
pub fn output<T: Scalar>(shape: &[usize], arrangement: &Arrangement) -> Tensor<T> {
    let mut output = Tensor::zeros(arrangement.layout(shape)).unwrap();
    output.fill(|_| poison());
    output
}

pub fn norm(elements: impl Iterator<Item = Complex64>) -> f64 {
    elements.map(|z| z.norm_sqr()).sum::<f64>().sqrt()
}

pub fn pairs(m: usize, n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |j| (0..m).map(move |i| (i, j)))
}

/// Rounding of backward stable algorithms, relative to the norm: a small multiple of eps and the larger extent.
pub fn bound<T: Scalar>(m: usize, n: usize) -> f64 {
    8.0 * T::Real::EPSILON.to_f64() * (m.max(n) + 4) as f64
}

/// The first `k` columns, or rows, are orthonormal.
pub fn assert_orthonormal<T: Scalar>(a: &Tensor<T>, k: usize, rows: bool) {
    let len = a.layout().shape()[usize::from(rows)];
    let x = |i: usize, j: usize| if rows { at(a, j, i) } else { at(a, i, j) };
    let dot = |i: usize, j: usize| (0..len).map(|l| x(l, i).conj() * x(l, j)).sum::<Complex64>();
    let error = norm(pairs(k, k).map(|(i, j)| dot(i, j) - if i == j { 1.0 } else { 0.0 }));
    assert!(error <= bound::<T>(len, len), "{}: off orthonormality by {error}", T::DTYPE);
}

/// In each of the first `k` columns, the first entry of largest modulus is real and positive. What rounding may decide
/// otherwise is left out: an entry that comes first may be as much as 20·n·eps smaller.
pub fn assert_gauge<T: Scalar>(a: &Tensor<T>, k: usize) {
    let n = a.layout().shape()[0];
    for j in 0..k {
        let column: Vec<_> = (0..n).map(|i| at(a, i, j)).collect();
        let largest = column.iter().map(|z| z.norm()).fold(0.0, f64::max);
        let slack = largest * (1.0 - 20.0 * n as f64 * T::Real::EPSILON.to_f64());
        let fixed = column.iter().find(|z| z.im == 0.0 && z.re >= slack);
        assert!(fixed.is_some(), "{} column {j}: {column:?}", T::DTYPE);
    }
}

/// A column-major output full of NaN.
pub fn plain<T: Scalar>(shape: &[usize]) -> Tensor<T> {
    Tensor::from_fn(shape, |_| poison()).unwrap()
}

/// An arrangement of a number's choice.
pub fn drawn(number: usize) -> Arrangement {
    let mut runner = TestRunner::deterministic();
    let draw = |_| arrangement().new_tree(&mut runner).expect("no condition can fail").current();
    (0..=number).map(draw).last().expect("at least one is drawn")
}
