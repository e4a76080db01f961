//! What defines each decomposition, its gauge, and what happens to the outputs: over all element types, layouts and
//! awkward matrices, checked in double precision.

mod common;

use approx::{abs_diff_eq, assert_abs_diff_eq};
use common::{
    assert_gauge, assert_orthonormal, at, bound, drawn, matrix, norm, output, pairs, plain, real, run, size, KINDS,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tensoroxide_dense::Element;
use tensoroxide_linalg::{eigh_full, qr_compact, svd_compact, svd_trunc, Error, Method, Truncation};
use tensoroxide_tensor::testing::{arrangement, poison, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Real, Scalar, Tensor};

/// One matrix, one set of layouts.
struct Case {
    m: usize,
    n: usize,
    kind: usize,
    conj: bool,
    arrangements: [Arrangement; 3],
    seed: u64,
}

impl Case {
    fn input<T: Element>(&self, m: usize, n: usize) -> Tensor<T> {
        matrix(m, n, self.kind, &self.arrangements[0], self.seed)
    }

    /// ‖op(A) − left·right‖ ≤ bound·‖A‖ + cut, all divided by the size of the matrix.
    fn assert_product<T: Element>(
        &self,
        a: impl Fn(usize, usize) -> Complex64,
        (m, n, k): (usize, usize, usize),
        cut: f64,
        left: impl Fn(usize, usize) -> Complex64,
        right: impl Fn(usize, usize) -> Complex64,
    ) {
        let a = |i, j| if self.conj { a(i, j).conj() } else { a(i, j) } / size::<T>(self.kind);
        let product = |i, j| (0..k).map(|l| left(i, l) / size::<T>(self.kind) * right(l, j)).sum::<Complex64>();
        let error = norm(pairs(m, n).map(|(i, j)| a(i, j) - product(i, j)));
        let norm = norm(pairs(m, n).map(|(i, j)| a(i, j)));
        let (least, most) = (cut - bound::<T>(m, n) * norm, cut + bound::<T>(m, n) * norm);
        assert!((least..=most).contains(&error), "{} {m}×{n}: {error} is not {cut}, norm {norm}", T::DTYPE);
    }

    fn svd<T: Element>(&self) {
        let (m, n, k) = (self.m, self.n, self.m.min(self.n));
        let a = self.input::<T>(m, n);
        let [x, y, z] = &self.arrangements;
        let (mut u, mut s, mut vh) = (output::<T>(&[m, k], x), output::<T::Real>(&[k], y), output::<T>(&[k, n], z));
        let views = (u.view_mut().unwrap(), s.view_mut().unwrap(), vh.view_mut().unwrap());
        svd_compact(a.view(), self.conj, views.0, views.1, views.2, run()).unwrap();
        let value = |l: usize| s.view().get(&[l]).unwrap().to_f64();
        assert!((1..k).all(|l| value(l - 1) >= value(l)) && (0..k).all(|l| value(l) >= 0.0));
        assert_orthonormal(&u, k, false);
        assert_orthonormal(&vh, k, true);
        assert_gauge(&u, k);
        self.assert_product::<T>(
            |i, j| at(&a, i, j),
            (m, n, k),
            0.0,
            |i, l| at(&u, i, l) * value(l),
            |l, j| at(&vh, l, j),
        );

        // The truncated one has the same first columns, bit for bit, and touches nothing else.
        let rank = k.div_ceil(2);
        let truncation = Truncation { maxrank: Some(rank), minrank: 0, ..Default::default() };
        for room in [rank, k] {
            let mut outputs = (output::<T>(&[m, room], z), output::<T::Real>(&[room], x), output::<T>(&[room, n], y));
            let views = (outputs.0.view_mut().unwrap(), outputs.1.view_mut().unwrap(), outputs.2.view_mut().unwrap());
            let mut error = [f64::NAN];
            let found =
                svd_trunc(a.view(), self.conj, &truncation, Method::Full, views.0, views.1, views.2, &mut error, run())
                    .unwrap();
            assert_eq!(found, rank);
            let same = |x: Complex64, y: Complex64, kept: bool| if kept { x == y } else { x.re.is_nan() };
            let kept_u = |i, l| if l < rank { at(&u, i, l) } else { Complex64::ZERO };
            assert!(pairs(m, room).all(|(i, l)| same(at(&outputs.0, i, l), kept_u(i, l), l < rank)));
            let kept_v = |l, j| if l < rank { at(&vh, l, j) } else { Complex64::ZERO };
            assert!(pairs(room, n).all(|(l, j)| same(at(&outputs.2, l, j), kept_v(l, j), l < rank)));
            let found = |l: usize| outputs.1.view().get(&[l]).unwrap().to_c64();
            assert!((0..room).all(|l| same(found(l), value(l.min(k - 1)).into(), l < rank)));
            // The error is the distance of the product from A.
            self.assert_product::<T>(
                |i, j| at(&a, i, j),
                (m, n, rank),
                error[0] / size::<T>(self.kind),
                |i, l| at(&outputs.0, i, l) * value(l),
                |l, j| at(&outputs.2, l, j),
            );
        }
    }

    fn qr<T: Element>(&self) {
        let (m, n, k) = (self.m, self.n, self.m.min(self.n));
        let a = self.input::<T>(m, n);
        let (mut q, mut r) = (output::<T>(&[m, k], &self.arrangements[1]), output::<T>(&[k, n], &self.arrangements[2]));
        qr_compact(a.view(), self.conj, q.view_mut().unwrap(), r.view_mut().unwrap(), run()).unwrap();
        assert_orthonormal(&q, k, false);
        assert!(pairs(k, n).all(|(i, j)| i <= j || at(&r, i, j) == Complex64::ZERO));
        assert!((0..k).all(|i| at(&r, i, i).im == 0.0 && at(&r, i, i).re >= 0.0));
        self.assert_product::<T>(|i, j| at(&a, i, j), (m, n, k), 0.0, |i, l| at(&q, i, l), |l, j| at(&r, l, j));
    }

    fn eigh<T: Element>(&self) {
        let n = self.m;
        let lower = self.input::<T>(n, n);
        // The Hermitian matrix of that lower triangle; what is above the diagonal is never read.
        let full = |i: usize, j: usize| match i.cmp(&j) {
            std::cmp::Ordering::Less => at(&lower, j, i).conj(),
            std::cmp::Ordering::Equal => at(&lower, i, i).re.into(),
            std::cmp::Ordering::Greater => at(&lower, i, j),
        };
        let mut a = Tensor::<T>::zeros(self.arrangements[0].layout(&[n, n])).unwrap();
        a.fill(|index| if index[0] < index[1] { poison() } else { lower.view().get(index).unwrap() });
        let (mut w, mut v) =
            (output::<T::Real>(&[n], &self.arrangements[1]), output::<T>(&[n, n], &self.arrangements[2]));
        eigh_full(a.view(), self.conj, w.view_mut().unwrap(), v.view_mut().unwrap(), run()).unwrap();
        let value = |l: usize| w.view().get(&[l]).unwrap().to_f64();
        assert!((1..n).all(|l| value(l - 1) <= value(l)));
        assert_orthonormal(&v, n, false);
        assert_gauge(&v, n);
        self.assert_product::<T>(full, (n, n, n), 0.0, |i, l| at(&v, i, l) * value(l), |l, j| at(&v, j, l).conj());
    }

    fn check<T: Element>(&self) {
        self.svd::<T>();
        self.qr::<T>();
        self.eigh::<T>();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("proptest-regressions/decompositions.txt"))),
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

/// Beyond the sizes at which the drivers go over to blocks and to divide and conquer.
#[test]
fn large_matrices() {
    for (i, (m, n)) in [(120, 60), (50, 150), (90, 90)].into_iter().enumerate() {
        for (l, dtype) in DType::ALL.into_iter().enumerate() {
            let arrangements = [0, 1, 2].map(|x| drawn(i + 3 * l + x));
            let case = Case { m, n, kind: (3 * i + l) % KINDS, conj: l % 2 == 0, arrangements, seed: 9 };
            with_scalar!(dtype, T => case.check::<T>());
        }
    }
}

/// Vectors whose entries all have the same modulus: the first one is positive, however the entries were rounded.
#[test]
fn the_first_of_equal_entries_is_positive() {
    fn check<T: Element>() {
        let a = Tensor::from_fn(&[2, 2], |i| real::<T>(if i[0] == i[1] { 3.0 } else { 1.0 })).unwrap();
        let (mut u, mut s, mut vh) = (plain::<T>(&[2, 2]), plain::<T::Real>(&[2]), plain::<T>(&[2, 2]));
        let expected = [[1.0, 1.0], [1.0, -1.0]].map(|row| row.map(|x: f64| x / 2f64.sqrt()));
        let close = |x: &Tensor<T>, order: [usize; 2]| {
            let error = norm(pairs(2, 2).map(|(i, j)| at(x, i, j) - expected[i][order[j]]));
            assert!(error < bound::<T>(2, 2), "{error}");
        };
        svd_compact(a.view(), true, u.view_mut().unwrap(), s.view_mut().unwrap(), vh.view_mut().unwrap(), run())
            .unwrap();
        close(&u, [0, 1]);
        close(&vh, [0, 1]);
        eigh_full(a.view(), false, s.view_mut().unwrap(), u.view_mut().unwrap(), run()).unwrap();
        close(&u, [1, 0]);
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// Every refusal, and that it leaves the outputs alone.
#[test]
fn refusals_overwrite_nothing() {
    fn check<T: Element>() {
        let room = Truncation { maxrank: Some(2), ..Default::default() };
        let shape = |expected: &[(usize, usize)], operand, found: &[usize]| {
            Some(Error::Shape { operand, expected: expected.to_vec(), found: found.to_vec() })
        };
        // Shapes of A, U or Q or V, S or w, Vᴴ or R; what svd_compact, svd_trunc, qr_compact and eigh_full say.
        let run = |a: &Tensor<T>, t: &Truncation, x: &[usize], y: &[usize], z: &[usize]| {
            let (mut x, mut y, mut z) = (plain::<T>(x), plain::<T::Real>(y), plain::<T>(z));
            let (u, s, vh) = (x.view_mut().unwrap(), y.view_mut().unwrap(), z.view_mut().unwrap());
            let compact = svd_compact(a.view(), false, u, s, vh, run()).err();
            let (u, s, vh) = (x.view_mut().unwrap(), y.view_mut().unwrap(), z.view_mut().unwrap());
            let trunc = svd_trunc(a.view(), false, t, Method::Full, u, s, vh, &mut [0.0], run()).err();
            let qr = qr_compact(a.view(), false, x.view_mut().unwrap(), z.view_mut().unwrap(), run()).err();
            let eigh = eigh_full(a.view(), false, y.view_mut().unwrap(), x.view_mut().unwrap(), run()).err();
            let results = [compact, trunc, qr, eigh];
            let untouched = |x: &Tensor<T>| x.data().iter().all(|x| x.to_c64().re.is_nan());
            if results.iter().all(Option::is_some) {
                assert!(untouched(&x) && untouched(&z) && y.data().iter().all(|y| y.to_f64().is_nan()), "{results:?}");
            }
            results
        };
        let ones = |shape: &[usize]| Tensor::from_fn(shape, |_| T::ONE).unwrap();

        for found in [vec![], vec![6]] {
            let rank = Some(Error::Rank { operand: "A", found: found.clone() });
            assert_eq!(run(&ones(&found), &room, &[2, 2], &[2], &[2, 3]), [0; 4].map(|_| rank.clone()));
        }

        let a = ones(&[4, 3]);
        let square = shape(&[(4, 4), (4, 4)], "A", &[4, 3]);
        let [compact, trunc, qr, eigh] = run(&a, &room, &[4, 4], &[3], &[3, 3]);
        assert_eq!(compact, shape(&[(4, 4), (3, 3)], "U", &[4, 4]));
        assert_eq!(trunc, shape(&[(4, 4), (2, 3)], "U", &[4, 4]));
        assert_eq!(qr, shape(&[(4, 4), (3, 3)], "Q", &[4, 4]));
        assert_eq!(eigh, square);
        let [compact, trunc, qr, _] = run(&a, &room, &[4, 3], &[3], &[1, 3]);
        assert_eq!(compact, shape(&[(3, 3), (3, 3)], "Vᴴ", &[1, 3]));
        assert_eq!(trunc, shape(&[(2, 3), (3, 3)], "Vᴴ", &[1, 3]));
        assert_eq!(qr, shape(&[(3, 3), (3, 3)], "R", &[1, 3]));
        let [compact, trunc, ..] = run(&a, &room, &[4, 3], &[3, 1], &[3, 3]);
        assert_eq!(compact, shape(&[(3, 3)], "S", &[3, 1]));
        assert_eq!(trunc, shape(&[(2, 3)], "S", &[3, 1]));
        let [.., eigh] = run(&ones(&[3, 3]), &room, &[3, 3], &[4], &[3, 3]);
        assert_eq!(eigh, shape(&[(3, 3)], "w", &[4]));
        let [.., eigh] = run(&ones(&[3, 3]), &room, &[3, 2], &[3], &[3, 3]);
        assert_eq!(eigh, shape(&[(3, 3), (3, 3)], "V", &[3, 2]));
        // Truncation to 2 with room for 1: too little, although rank 1 is all that this matrix has.
        let [_, trunc, ..] = run(&a, &room, &[4, 1], &[1], &[1, 3]);
        assert_eq!(trunc, shape(&[(4, 4), (2, 3)], "U", &[4, 1]));

        let bad = Truncation { rtol: f64::NAN, ..room };
        assert!(matches!(run(&a, &bad, &[4, 3], &[3], &[3, 3])[1], Some(Error::Tolerance { name: "rtol", .. })));

        for bad in [f64::NAN, f64::INFINITY] {
            let a = Tensor::from_fn(&[3, 3], |i| if i[0] > i[1] { real::<T>(bad) } else { T::ONE }).unwrap();
            let results = run(&a, &Truncation::default(), &[3, 3], &[3], &[3, 3]);
            assert_eq!(results, [0; 4].map(|_| Some(Error::NotFinite)));
        }
        let huge = Tensor::from_fn(&[3, 3], |_| T::from_real(T::Real::MAX)).unwrap();
        let results = run(&huge, &Truncation::default(), &[3, 3], &[3], &[3, 3]);
        assert_eq!(results, [0; 4].map(|_| Some(Error::NotFinite)));
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

/// What stays depends on the values: ranks 0 and all, and the norm of what went.
#[test]
fn truncation_of_a_known_spectrum() {
    let a = Tensor::from_fn(&[4, 4], |i| if i[0] == i[1] { [2.0, -8.0, 4.0, 1.0][i[0]] } else { 0.0 }).unwrap();
    let run = |truncation: Truncation| {
        let (mut u, mut s, mut vh) = (plain::<f64>(&[4, 4]), plain::<f64>(&[4]), plain::<f64>(&[4, 4]));
        let mut error = [f64::NAN];
        let rank = svd_trunc(
            a.view(),
            false,
            &truncation,
            Method::Full,
            u.view_mut().unwrap(),
            s.view_mut().unwrap(),
            vh.view_mut().unwrap(),
            &mut error,
            run(),
        )
        .unwrap();
        let kept: Vec<f64> = s.data().iter().copied().filter(|s| !s.is_nan()).collect();
        assert_eq!(kept.len(), rank);
        assert_abs_diff_eq!(kept[..], [8.0, 4.0, 2.0, 1.0][..rank], epsilon = 1e-14);
        (rank, error[0])
    };
    let close = |(found, error): (usize, f64), rank: usize, squares: f64| {
        found == rank && abs_diff_eq!(error, squares.sqrt(), epsilon = 1e-14)
    };
    assert!(close(run(Truncation::default()), 4, 0.0));
    assert!(close(run(Truncation { discarded_weight: 5.5 / 85.0, ..Default::default() }), 2, 5.0));
    assert!(close(run(Truncation { atol: 3.0, ..Default::default() }), 2, 5.0));
    assert!(close(run(Truncation { atol: 9.0, minrank: 0, ..Default::default() }), 0, 85.0));
    assert!(close(run(Truncation { maxrank: Some(0), ..Default::default() }), 1, 21.0));
}
