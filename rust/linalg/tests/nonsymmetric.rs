//! Eigenvalues and Schur forms of matrices that are not Hermitian: order, gauge, conjugate pairs, and what defines
//! them, over all element types, layouts and awkward matrices, checked in double precision.

mod common;

use common::{
    assert_gauge, assert_orthonormal, at, bound, drawn, matrix, output, pairs, plain, real, run, size, KINDS,
};
use proptest::prelude::*;
use tensoroxide_dense::Element;
use tensoroxide_linalg as linalg;
use tensoroxide_linalg::Error;
use tensoroxide_tensor::testing::{arrangement, config, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Real, Scalar, Tensor};

fn vector<C: Scalar>(x: &Tensor<C>, size: f64) -> Vec<Complex64> {
    (0..x.layout().shape()[0]).map(|l| x.view().get(&[l]).unwrap().to_c64() / size).collect()
}

/// Real parts ascend but for rounding, and imaginary parts where real parts are equal.
fn assert_sorted(w: &[Complex64], eps: f64) {
    let largest = w.iter().map(|w| w.norm()).fold(0.0, f64::max);
    let slack = 10.0 * (w.len() as f64).sqrt() * eps * largest * (1.0 + 1e-6);
    for w in w.windows(2) {
        assert!(w[0].re <= w[1].re + slack, "{w:?}");
        assert!(w[0].re != w[1].re || w[0].im <= w[1].im, "{w:?}");
    }
}

fn check<T: Element>(n: usize, kind: usize, conj: bool, arrangements: &[Arrangement; 3], seed: u64) {
    let a = matrix::<T>(n, n, kind, &arrangements[0], seed);
    let (size, eps) = (size::<T>(kind), T::Real::EPSILON.to_f64());
    let of_a = |i, j| if conj { at(&a, i, j).conj() } else { at(&a, i, j) } / size;
    let whole = common::norm(pairs(n, n).map(|(i, j)| of_a(i, j)));

    let (mut w, mut v) =
        (output::<T::Complex>(&[n], &arrangements[1]), output::<T::Complex>(&[n, n], &arrangements[2]));
    linalg::eig_full(a.view(), conj, w.view_mut().unwrap(), v.view_mut().unwrap(), run()).unwrap();
    let values = vector(&w, size);
    assert_sorted(&values, eps);
    assert_gauge(&v, n);
    for k in 0..n {
        let x: Vec<Complex64> = (0..n).map(|i| at(&v, i, k)).collect();
        let product = |i: usize| (0..n).map(|j| of_a(i, j) * x[j]).sum::<Complex64>();
        let residual = common::norm((0..n).map(|i| product(i) - values[k] * x[i]));
        // The documented bound, and the rounding of the vector and of this product.
        assert!(residual <= (11.0 * n as f64 + 4.0) * eps * whole, "{} {n}: {residual}, {whole}", T::DTYPE);
        assert!((common::norm(x.iter().copied()) - 1.0).abs() <= (n + 4) as f64 * eps);
        if !T::DTYPE.is_complex() {
            let partner = values.iter().filter(|&&w| w == values[k].conj()).count();
            assert_eq!(partner, values.iter().filter(|&&w| w == values[k]).count());
            let once = values.iter().filter(|&&w| w == values[k]).count() == 1;
            if values[k].im == 0.0 {
                assert!(x.iter().all(|x| x.im == 0.0 && x.im.is_sign_positive()));
            } else if once {
                let j = values.iter().position(|&w| w == values[k].conj()).unwrap();
                assert!((0..n).all(|i| at(&v, i, j) == x[i].conj()));
            }
        }
    }
    let mut alone = output::<T::Complex>(&[n], &arrangements[0]);
    linalg::eig_vals(a.view(), conj, alone.view_mut().unwrap(), run()).unwrap();
    let alone = vector(&alone, size);
    assert_sorted(&alone, eps);
    // Sums are as well conditioned as can be.
    let trace = (0..n).map(|i| of_a(i, i)).sum::<Complex64>();
    for sum in [values.iter().sum::<Complex64>(), alone.iter().sum()] {
        assert!((sum - trace).norm() <= 10.0 * (n + 1) as f64 * eps * whole, "{} {n}: {sum} {trace}", T::DTYPE);
    }

    let (mut t, mut z) = (output::<T>(&[n, n], &arrangements[1]), output::<T>(&[n, n], &arrangements[2]));
    let mut w = output::<T::Complex>(&[n], &arrangements[0]);
    let views = (t.view_mut().unwrap(), z.view_mut().unwrap(), w.view_mut().unwrap());
    linalg::schur_full(a.view(), conj, views.0, views.1, views.2, run()).unwrap();
    assert_orthonormal(&z, n, false);
    let zt = |i, l| (0..n).map(|k| at(&z, i, k) * at(&t, k, l) / size).sum::<Complex64>();
    let zt: Vec<Complex64> = pairs(n, n).map(|(i, l)| zt(i, l)).collect();
    let product = |i: usize, j: usize| (0..n).map(|l| zt[i + l * n] * at(&z, j, l).conj()).sum::<Complex64>();
    let residual = common::norm(pairs(n, n).map(|(i, j)| of_a(i, j) - product(i, j)));
    assert!(residual <= bound::<T>(n, n) * whole, "{} {n}: {residual}, {whole}", T::DTYPE);
    let zero = |i, j| at(&t, i, j) == Complex64::ZERO;
    assert!(pairs(n, n).all(|(i, j)| i <= j + usize::from(!T::DTYPE.is_complex()) || zero(i, j)));
    let second = |j: usize| j > 0 && !zero(j, j - 1);
    let gauged: Vec<usize> = (0..n).filter(|&j| !second(j)).collect();
    let columns = Tensor::from_fn(&[n, gauged.len()], |i| z.view().get(&[i[0], gauged[i[1]]]).unwrap()).unwrap();
    assert_gauge(&columns, gauged.len());
    for (k, value) in vector(&w, size).into_iter().enumerate() {
        let (diagonal, blocks) = (at(&t, k, k) / size, second(k) || k + 1 < n && second(k + 1));
        assert!(value.re == diagonal.re && (blocks || value.im == diagonal.im), "{value} {diagonal}");
        if blocks {
            let (i, j) = if second(k) { (k - 1, k) } else { (k, k + 1) };
            assert_eq!(at(&t, i, i), at(&t, j, j));
            let im = (at(&t, i, j) / size).norm().sqrt() * (at(&t, j, i) / size).norm().sqrt();
            assert!((value.im.abs() - im).abs() <= 4.0 * eps * im && (value.im > 0.0) == (k == i));
        }
    }
    let mut w = output::<T::Complex>(&[n], &arrangements[1]);
    linalg::schur_vals(a.view(), conj, w.view_mut().unwrap(), run()).unwrap();
    let sum: Complex64 = vector(&w, size).into_iter().sum();
    assert!((sum - trace).norm() <= 10.0 * (n + 1) as f64 * eps * whole);
}

proptest! {
    #![proptest_config(config(500))]
    #[test]
    fn small_matrices(
        n in 0usize..12,
        kind in 0..KINDS,
        conj: bool,
        arrangements in [arrangement(), arrangement(), arrangement()],
        dtype in prop::sample::select(&DType::ALL[..]),
        seed: u64,
    ) {
        with_scalar!(dtype, T => check::<T>(n, kind, conj, &arrangements, seed));
    }
}

#[test]
fn larger_matrices() {
    for (i, n) in [33, 70, 101].into_iter().enumerate() {
        for (l, dtype) in DType::ALL.into_iter().enumerate() {
            let arrangements = [drawn(i + l), drawn(2 * l), drawn(7)];
            with_scalar!(dtype, T => check::<T>(n, [0, 5, 9][i], l % 2 == 0, &arrangements, 3));
        }
    }
}

/// Values that are known, in their order: pairs next to values with the same real part, and Jordan blocks.
#[test]
fn known_values_in_order() {
    fn check<T: Element>() {
        let eps = T::Real::EPSILON.to_f64();
        // Cyclic: the sixth roots of unity.
        let cyclic = Tensor::from_fn(&[6, 6], |i| real::<T>(if i[0] == (i[1] + 1) % 6 { 1.0 } else { 0.0 })).unwrap();
        let mut w = plain::<T::Complex>(&[6]);
        linalg::eig_vals(cyclic.view(), false, w.view_mut().unwrap(), run()).unwrap();
        let (half, root) = (0.5, 0.75f64.sqrt());
        let expected = [(-1.0, 0.0), (-half, -root), (-half, root), (half, -root), (half, root), (1.0, 0.0)];
        for (w, (re, im)) in vector(&w, 1.0).into_iter().zip(expected) {
            assert!((w - Complex64::new(re, im)).norm() < 20.0 * eps, "{w}");
        }
        // i, −i, 2i, −2i, 0: one real part.
        let block = |i: usize, j: usize| if i == j { 0.0 } else { (1 + i / 2) as f64 * (i as f64 - j as f64) };
        let skew = Tensor::from_fn(&[5, 5], |i| real::<T>(if i[0] / 2 == i[1] / 2 { block(i[0], i[1]) } else { 0.0 }))
            .unwrap();
        let mut v = plain::<T::Complex>(&[5, 5]);
        let mut w = plain::<T::Complex>(&[5]);
        linalg::eig_full(skew.view(), false, w.view_mut().unwrap(), v.view_mut().unwrap(), run()).unwrap();
        for (w, im) in vector(&w, 1.0).into_iter().zip([-2.0, -1.0, 0.0, 1.0, 2.0]) {
            assert!((w - Complex64::new(0.0, im)).norm() < 20.0 * eps, "{w}");
        }
        assert!((at(&v, 2, 0) - 0.5f64.sqrt()).norm() < 20.0 * eps);
        // A Jordan block has one eigenvector only.
        let jordan =
            Tensor::from_fn(&[3, 3], |i| real::<T>([1.0, 2.0, 0.0][(i[1] + 1).wrapping_sub(i[0]).min(2)])).unwrap();
        let lower = Tensor::from_fn(&[3, 3], |i| if i[0] > i[1] + 1 { T::ZERO } else { jordan.view().get(i).unwrap() });
        let mut v = plain::<T::Complex>(&[3, 3]);
        let mut w = plain::<T::Complex>(&[3]);
        let result =
            linalg::eig_full(lower.unwrap().view(), false, w.view_mut().unwrap(), v.view_mut().unwrap(), run());
        assert_eq!(result, Ok(()));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// Each matrix of a stack gives what it gives by itself, on any number of threads; and a failure says which one failed.
#[test]
fn stacks() {
    fn check<T: Element>() {
        let n = 5;
        let a = Tensor::from_fn(&[n, n, 4, 3], |i| {
            T::from_c64(Complex64::new((3 * i[0] + i[1] * i[1] + i[2]) as f64, (i[0] * i[3]) as f64 + 0.5).sin())
        })
        .unwrap();
        let threads = tensoroxide_tensor::Threads::new(2);
        let run2 = linalg::Run { threads, ..run() };
        let (mut w, mut v) = (plain::<T::Complex>(&[n, 4, 3]), plain::<T::Complex>(&[n, n, 4, 3]));
        linalg::eig_full(a.view(), true, w.view_mut().unwrap(), v.view_mut().unwrap(), run2).unwrap();
        for (p, q) in pairs(4, 3) {
            let one = Tensor::from_fn(&[n, n], |i| a.view().get(&[i[0], i[1], p, q]).unwrap()).unwrap();
            let (mut x, mut y) = (plain::<T::Complex>(&[n]), plain::<T::Complex>(&[n, n]));
            linalg::eig_full(one.view(), true, x.view_mut().unwrap(), y.view_mut().unwrap(), run()).unwrap();
            assert!((0..n).all(|i| x.view().get(&[i]) == w.view().get(&[i, p, q])));
            assert!(pairs(n, n).all(|(i, j)| y.view().get(&[i, j]) == v.view().get(&[i, j, p, q])));
        }
        let bad = Tensor::from_fn(&[2, 2, 3], |i| real::<T>(if i[2] == 1 { f64::NAN } else { 1.0 })).unwrap();
        let mut w = plain::<T::Complex>(&[2, 3]);
        let error = linalg::eig_vals(bad.view(), false, w.view_mut().unwrap(), run());
        assert_eq!(error, Err(Error::InBatch { index: vec![1], error: Box::new(Error::NotFinite) }));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

#[test]
fn refusals() {
    let a = Tensor::from_fn(&[2, 3], |_| 1.0).unwrap();
    let square = Err(Error::Shape { operand: "A", expected: vec![(2, 2), (2, 2)], found: vec![2, 3] });
    let (mut w, mut v) = (plain::<Complex64>(&[2]), plain::<Complex64>(&[2, 2]));
    let (mut t, mut z) = (plain::<f64>(&[2, 2]), plain::<f64>(&[2, 2]));
    let full = linalg::eig_full(a.view(), false, w.view_mut().unwrap(), v.view_mut().unwrap(), run());
    assert_eq!(full, square);
    let nan = Tensor::from_fn(&[2, 2], |i| if i[0] < i[1] { f64::NAN } else { 1.0 }).unwrap();
    let views = (t.view_mut().unwrap(), z.view_mut().unwrap(), w.view_mut().unwrap());
    assert_eq!(linalg::schur_full(nan.view(), false, views.0, views.1, views.2, run()), Err(Error::NotFinite));
    let full = linalg::eig_full(nan.view(), false, w.view_mut().unwrap(), v.view_mut().unwrap(), run());
    assert_eq!(full, Err(Error::NotFinite));
    assert!(w.data().iter().chain(v.data()).all(|x| x.re.is_nan()));
    assert!(t.data().iter().chain(z.data()).all(|x| x.is_nan()));
    let a = Tensor::from_fn(&[2, 2], |_| 1.0).unwrap();
    let mut w = plain::<Complex64>(&[3]);
    let shape = Error::Shape { operand: "w", expected: vec![(2, 2)], found: vec![3] };
    assert_eq!(linalg::schur_vals(a.view(), false, w.view_mut().unwrap(), run()), Err(shape));
}
