//! The product on the engine's own road, against naive loops in double precision.

mod common;

use common::{config, eps, op, pairs, Owned, Rng, LAYOUTS, OUTPUT_LAYOUTS};
use proptest::prelude::*;
use tensoroxide_dense::{gemm, Element, Error, MatMut, MatRef};
use tensoroxide_tensor::testing::poison;
use tensoroxide_tensor::{with_scalar, Complex64, DType, Threads};

/// One product of random matrices, compared element by element.
struct Case {
    shape: (usize, usize, usize),
    layouts: (usize, usize, usize),
    conj: (bool, bool),
    alpha: Complex64,
    beta: Complex64,
    threads: usize,
}

impl Case {
    /// The rounding of a sum of k products is at most k·eps times the sum of their moduli; 4 covers complex products
    /// and the two factors.
    fn check<T: Element>(&self, seed: u64) {
        let ((m, n, k), rng) = (self.shape, &mut Rng(seed | 1));
        let a = Owned::<T>::random(m, k, self.layouts.0, rng);
        let b = Owned::<T>::random(k, n, self.layouts.1, rng);
        let (alpha, beta) = (T::from_c64(self.alpha), T::from_c64(self.beta));
        let nan = poison();
        let before = match beta == T::ZERO {
            true => Owned::new(m, n, self.layouts.2, nan),
            false => Owned::random(m, n, self.layouts.2, rng),
        };
        let mut c = before.clone();
        let threads = Threads::new(self.threads);
        gemm(alpha, a.view(), self.conj.0, b.view(), self.conj.1, beta, c.view_mut(), threads).unwrap();
        for (i, j) in pairs(m, n) {
            let old = if beta == T::ZERO { Complex64::ZERO } else { beta.to_c64() * before.at(i, j).to_c64() };
            let terms = (0..k).map(|l| alpha.to_c64() * op(a.at(i, l), self.conj.0) * op(b.at(l, j), self.conj.1));
            let (sum, size) = terms.fold((old, old.norm()), |(s, z), t| (s + t, z + t.norm()));
            let error = (c.at(i, j).to_c64() - sum).norm();
            let bound = 4.0 * (k + 2) as f64 * eps::<T>() * size;
            assert!(error <= bound, "{} ({i}, {j}): {error} > {bound}", T::DTYPE);
        }
        assert!(c.gaps_untouched());
    }
}

/// 0, 1, −1 or anything: the first three are often treated apart.
fn factor() -> impl Strategy<Value = Complex64> {
    prop_oneof![
        Just(Complex64::ZERO),
        Just(Complex64::ONE),
        Just(-Complex64::ONE),
        (-2.0..2.0, -2.0..2.0).prop_map(|(re, im)| Complex64::new(re, im)),
    ]
}

proptest! {
    #![proptest_config(config(600, "proptest-regressions/gemm.txt"))]
    #[test]
    fn any_layout(
        shape in (0usize..20, 0usize..20, 0usize..20),
        layouts in (0..LAYOUTS, 0..LAYOUTS, 0..OUTPUT_LAYOUTS),
        conj in any::<(bool, bool)>(),
        alpha in factor(),
        beta in factor(),
        dtype in prop::sample::select(&DType::ALL[..]),
        seed: u64,
    ) {
        let case = Case { shape, layouts, conj, alpha, beta, threads: 1 };
        with_scalar!(dtype, T => case.check::<T>(seed));
    }
}

/// Above the sizes at which faer changes its kernel, and over the edges of the tiles.
#[test]
fn large_in_every_layout() {
    for (i, dtype) in DType::ALL.into_iter().enumerate() {
        for layout in 0..LAYOUTS {
            let case = Case {
                shape: ([33, 260, 129][layout % 3], [40, 70, 517][layout / 3], [130, 129, 61][(layout + i) % 3]),
                layouts: (layout, (layout + i) % LAYOUTS, (2 * layout + i) % OUTPUT_LAYOUTS),
                conj: (layout % 2 == 0, i % 2 == 0),
                alpha: Complex64::new(0.5, -1.0),
                beta: if layout % 3 == 0 { Complex64::ZERO } else { Complex64::new(1.5, 0.25) },
                threads: 1 + layout % 3,
            };
            with_scalar!(dtype, T => case.check::<T>(layout as u64));
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    fn check<T: Element>() {
        let rng = &mut Rng(7);
        let (a, b) = (Owned::<T>::random(300, 101, 0, rng), Owned::<T>::random(101, 530, 1, rng));
        let product = |threads| {
            let mut c = Owned::new(300, 530, 0, T::ONE);
            gemm(T::ONE, a.view(), true, b.view(), false, T::ONE, c.view_mut(), Threads::new(threads)).unwrap();
            pairs(300, 530).map(|(i, j)| c.at(i, j)).collect::<Vec<_>>()
        };
        let one = product(1);
        for threads in [2, 3, 8] {
            assert!(product(threads) == one, "{} with {threads} threads", T::DTYPE);
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}

#[test]
fn alpha_zero_reads_neither_operand() {
    let nan = [f64::NAN; 4];
    let a = MatRef::from_slice(&nan, 2, 2, 1, 2).unwrap();
    let mut c = [1.0, 2.0, 3.0, 4.0];
    gemm(0.0, a, false, a, false, 2.0, MatMut::from_slice(&mut c, 2, 2, 1, 2).unwrap(), Threads::ONE).unwrap();
    assert_eq!(c, [2.0, 4.0, 6.0, 8.0]);
}

#[test]
fn extents_that_do_not_fit_are_named() {
    let x = [1.0; 12];
    let mut c = [5.0; 6];
    let mut product = |a: (usize, usize), b: (usize, usize)| {
        let a = MatRef::from_slice(&x, a.0, a.1, 1, a.0 as isize).unwrap();
        let b = MatRef::from_slice(&x, b.0, b.1, 1, b.0 as isize).unwrap();
        let c = MatMut::from_slice(&mut c, 2, 3, 1, 2).unwrap();
        gemm(1.0, a, false, b, false, 0.0, c, Threads::ONE)
    };
    assert_eq!(product((3, 4), (4, 3)), Err(Error::Shape { operand: "A", expected: (2, 4), found: (3, 4) }));
    assert_eq!(product((2, 4), (3, 3)), Err(Error::Shape { operand: "B", expected: (4, 3), found: (3, 3) }));
    assert_eq!(product((2, 4), (4, 2)), Err(Error::Shape { operand: "B", expected: (4, 3), found: (4, 2) }));
    assert_eq!(c, [5.0; 6]);
}
