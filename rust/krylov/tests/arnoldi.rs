//! Arnoldi against dense eigenvalues and known spectra: residuals, order, conjugate pairs, gauge, restarts, spaces
//! that are invariant, and what is refused.

use tensoroxide_dense::{eig_values, Element, MatRef, Resources, Workspace};
use tensoroxide_krylov::{solve, Arnoldi, Eigsolve, Error, Lanczos, Which};
use tensoroxide_tensor::{with_scalar, Complex32, Complex64, DType, Real, Scalar};

const WHICH: [Which; 3] = [Which::LargestMagnitude, Which::LargestReal, Which::SmallestReal];

struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
    fn vector<T: Scalar>(&mut self, n: usize) -> Vec<T> {
        (0..n).map(|_| T::from_c64(Complex64::new(self.next(), self.next()))).collect()
    }
}

fn apply<T: Scalar>(a: &[T], x: &[T], y: &mut [T]) {
    let n = x.len();
    y.fill(T::ZERO);
    for (column, &x) in a.chunks_exact(n).zip(x) {
        y.iter_mut().zip(column).for_each(|(y, &a)| *y += a * x);
    }
}

fn run<T: Element>(a: &[T], start: &[T], options: Eigsolve) -> Result<Arnoldi<T>, Error> {
    let mut arnoldi = Arnoldi::default();
    arnoldi.start(start.len(), options)?.copy_from_slice(start);
    solve(&mut arnoldi, |x: &[T], y: &mut [T]| {
        apply(a, x, y);
        Ok::<(), Error>(())
    })?;
    Ok(arnoldi)
}

fn eps<T: Scalar>() -> f64 {
    T::Real::EPSILON.to_f64()
}

/// What every result promises; `norm` is that of A.
fn check_results<T: Element>(a: &[T], n: usize, arnoldi: &Arnoldi<T>, norm: f64) {
    for (i, &value) in arnoldi.values().iter().enumerate() {
        let (value, v) = (value.to_c64(), arnoldi.vector(i));
        let x: Vec<Complex64> = v.iter().map(|x| x.to_c64()).collect();
        let product = |l: usize| (0..n).map(|j| a[l + j * n].to_c64() * x[j]).sum::<Complex64>() - value * x[l];
        let mut residual = vec![Scalar::ZERO; n];
        arnoldi.residual(i, &mut residual);
        let error: f64 = (0..n).map(|l| (product(l) - residual[l].to_c64()).norm_sqr()).sum::<f64>().sqrt();
        // Rounding of a few dozen vectors and of the projected problem.
        assert!(error <= 300.0 * eps::<T>() * norm, "{} {n}: {error}", T::DTYPE);
        let size = residual.iter().map(|x| x.to_c64().norm_sqr()).sum::<f64>().sqrt();
        assert!((size - arnoldi.normres()[i].to_f64()).abs() <= 100.0 * eps::<T>() * norm);
        let length = x.iter().map(|x| x.norm_sqr()).sum::<f64>().sqrt();
        assert!((length - 1.0).abs() <= 100.0 * eps::<T>());
        let largest = x.iter().map(|x| x.norm()).fold(0.0, f64::max);
        let lead = x.iter().find(|x| x.norm() >= largest * (1.0 - 30.0 * n as f64 * eps::<T>())).unwrap();
        assert!(lead.im == 0.0 && lead.re > 0.0);
        if !T::DTYPE.is_complex() {
            assert!(value.im != 0.0 || x.iter().all(|x| x.im == 0.0));
            if value.im < 0.0 && i > 0 {
                assert_eq!(arnoldi.values()[i - 1].to_c64(), value.conj());
                assert!(arnoldi.vector(i - 1).iter().zip(v).all(|(&x, &y)| x == y.conj()));
            }
        }
    }
}

/// Sorted as `which` says.
fn sorted(mut w: Vec<Complex64>, which: Which) -> Vec<Complex64> {
    let key = |z: &Complex64| match which {
        Which::LargestMagnitude => -z.norm(),
        Which::LargestReal => -z.re,
        Which::SmallestReal => z.re,
        Which::LargestImaginary => -z.im,
        Which::SmallestImaginary => z.im,
    };
    w.sort_by(|x, y| key(x).total_cmp(&key(y)));
    w
}

#[test]
fn random_matrices() {
    fn check<T: Element>(n: usize, which: Which, howmany: usize) {
        let rng = &mut Random(7 + n as u64);
        let mut a: Vec<T> = rng.vector(n * n);
        // Some eigenvalues outside of the disk of the others, so that few restarts suffice.
        for i in 0..n.min(6) {
            a[i * (n + 1)] +=
                T::from_c64(Complex64::new([1.5, -1.7, 1.3, -1.2, 0.2, 0.1][i], [0.3, 1.1][i % 2]) * (n as f64).sqrt());
        }
        let norm = n as f64;
        let tol = 1e3 * eps::<T>();
        let options = Eigsolve { howmany, which, krylovdim: 20, maxiter: 400, tol: tol * norm, eager: false };
        let start = rng.vector(n);
        let arnoldi = run(&a, &start, options).unwrap();
        assert_eq!(
            (arnoldi.values().len(), arnoldi.info().converged),
            (howmany, howmany),
            "{} {n} {which:?}",
            T::DTYPE
        );
        assert!(arnoldi.normres().iter().all(|r| r.to_f64() <= tol * norm));
        check_results(&a, n, &arnoldi, norm);
        let workspace = Workspace::default();
        let view = MatRef::from_slice(&a, n, n, 1, n as isize).unwrap();
        let all = eig_values(view, false, Resources::of(&workspace)).unwrap();
        let all = sorted(all.iter().map(|w| w.to_c64()).collect(), which);
        for (i, w) in arnoldi.values().iter().enumerate() {
            let w = w.to_c64();
            // The i-th one, or one that comes as early but for rounding.
            let near = |x: &&Complex64| (*x - w).norm() <= 1e5 * eps::<T>() * norm;
            assert!(
                all[..(howmany + 2).min(n)].iter().any(|x| near(&x)),
                "{} {n} {which:?} {i}: {w} {all:?}",
                T::DTYPE
            );
        }
        let again = run(&a, &start, options).unwrap();
        assert!(again.values() == arnoldi.values() && again.vector(0) == arnoldi.vector(0));
    }
    for dtype in DType::ALL {
        for (n, howmany) in [(1, 1), (2, 2), (5, 3), (19, 4), (60, 1), (60, 2), (90, 4)] {
            for which in WHICH {
                with_scalar!(dtype, T => check::<T>(n, which, howmany));
            }
            if dtype.is_complex() {
                for which in [Which::LargestImaginary, Which::SmallestImaginary] {
                    match dtype {
                        DType::C32 => check::<Complex32>(n, which, howmany),
                        _ => check::<Complex64>(n, which, howmany),
                    }
                }
            }
        }
    }
}

/// A rotation in many planes, damped: pairs only, which a restart must not cut. Known values ρₖ·e^{±iθₖ}.
#[test]
fn pairs_survive_restarts() {
    let n = 80;
    let mut a = vec![0.0; n * n];
    let modulus = |k: usize| 1.0 - 0.02 * k as f64;
    for k in 0..n / 2 {
        let (sin, cos) = (0.3 + k as f64).sin_cos();
        for (i, j, x) in [(0, 0, cos), (1, 0, sin), (0, 1, -sin), (1, 1, cos)] {
            a[2 * k + i + (2 * k + j) * n] = modulus(k) * x;
        }
    }
    let start: Vec<f64> = Random(3).vector(n);
    for howmany in [1, 2, 3, 4, 5] {
        let options =
            Eigsolve { howmany, which: Which::LargestMagnitude, krylovdim: 16, maxiter: 500, ..Eigsolve::default() };
        let arnoldi = run(&a, &start, options).unwrap();
        assert_eq!(arnoldi.info().converged, howmany);
        assert!(arnoldi.info().numiter > 3);
        check_results(&a, n, &arnoldi, 1.0);
        for (i, w) in arnoldi.values().iter().enumerate() {
            let (sin, cos) = (0.3 + (i / 2) as f64).sin_cos();
            let expected = Complex64::new(cos, sin.abs() * [1.0, -1.0][i % 2]) * modulus(i / 2);
            assert!((w - expected).norm() < 1e-11, "{howmany} {i}: {w} {expected}");
        }
    }
}

/// Maps whose eigenvectors are not independent, or whose Krylov space ends early.
#[test]
fn defective_and_invariant() {
    // A Jordan block: the only eigenvalue moves by about eps^(1/4).
    let n = 4usize;
    let jordan: Vec<f64> = (0..n * n).map(|at| [2.0, 1.0, 0.0][(at / n).wrapping_sub(at % n).min(2)]).collect();
    let arnoldi = run(&jordan, &[1.0, 1.0, 1.0, 1.0], Eigsolve { howmany: 4, ..Eigsolve::default() }).unwrap();
    assert!(arnoldi.values().iter().all(|w| (w - 2.0).norm() < 1e-3));
    check_results(&jordan, n, &arnoldi, 4.0);
    // The identity, zero, and an eigenvector to start from.
    let identity: Vec<f64> = (0..9).map(|at| if at % 4 == 0 { 1.0 } else { 0.0 }).collect();
    let all = Eigsolve { howmany: 3, which: Which::LargestMagnitude, ..Eigsolve::default() };
    let arnoldi = run(&identity, &[1.0, 2.0, 3.0], all).unwrap();
    assert!(arnoldi.values().iter().all(|w| (w - 1.0).norm() < 1e-14));
    check_results(&identity, 3, &arnoldi, 1.0);
    let zero = run(&[0.0f32; 9], &[1.0, 2.0, 3.0], all).unwrap();
    assert!(zero.values().iter().all(|w| w.norm() == 0.0) && zero.info().converged == 3);
    let triangle = [1.0, 0.0, 0.0, 5.0, 2.0, 0.0, 1.0, 1.0, 3.0];
    let one = run(&triangle, &[1.0, 0.0, 0.0], Eigsolve { which: Which::LargestReal, ..Eigsolve::default() }).unwrap();
    assert_eq!((one.values()[0], one.info().numops), (Complex64::ONE, 1));
    // Not enough iterations: the best there is, and how good it is.
    let n = 200;
    let mut a: Vec<f64> = Random(9).vector(n * n);
    a.iter_mut().for_each(|x| *x /= 10.0);
    let few = Eigsolve { howmany: 2, which: Which::LargestReal, krylovdim: 6, maxiter: 2, ..Eigsolve::default() };
    let arnoldi = run(&a, &Random(4).vector(n), few).unwrap();
    assert_eq!((arnoldi.info().converged, arnoldi.info().numiter), (0, 2));
    assert!(arnoldi.normres().iter().all(|&r| r > 1e-3));
    check_results(&a, n, &arnoldi, 10.0);
}

#[test]
fn the_ends_of_the_range() {
    for size in [1e-150, 1e150] {
        let a: Vec<f64> = Random(5).vector::<f64>(100).iter().map(|x| x * size).collect();
        let options = Eigsolve { which: Which::LargestMagnitude, howmany: 2, tol: 0.0, ..Eigsolve::default() };
        let arnoldi = run(&a, &[1e-200; 10], options).unwrap();
        assert_eq!(arnoldi.info().converged, 2);
        let small: Vec<f64> = a.iter().map(|x| x / size).collect();
        let same = run(&small, &[1.0; 10], options).unwrap();
        assert!(arnoldi.values().iter().zip(same.values()).all(|(x, y)| (x / size - y).norm() < 1e-12));
    }
}

#[test]
fn what_is_refused() {
    let mut real = Arnoldi::<f64>::default();
    let mut refused = |n, options| matches!(real.start(n, options), Err(Error::Argument(_)));
    let options = Eigsolve::default();
    assert!(refused(0, options));
    assert!(refused(5, Eigsolve { howmany: 6, ..options }));
    assert!(refused(5, Eigsolve { howmany: 0, ..options }));
    assert!(refused(50, Eigsolve { howmany: 29, ..options }));
    assert!(refused(5, Eigsolve { maxiter: 0, ..options }));
    assert!(refused(5, Eigsolve { tol: f64::NAN, ..options }));
    assert!(refused(5, Eigsolve { which: Which::LargestImaginary, ..options }));
    assert!(matches!(
        Lanczos::<Complex64>::default().start(5, Eigsolve { which: Which::SmallestImaginary, ..options }),
        Err(Error::Argument(_))
    ));
    assert_eq!(run(&[1.0; 9], &[0.0; 3], options).err(), Some(Error::ZeroStart));
    assert!(matches!(run(&[1.0; 9], &[f64::NAN; 3], options), Err(Error::NotFinite(_))));
    assert!(matches!(run(&[f64::INFINITY; 9], &[1.0; 3], options), Err(Error::NotFinite(_))));
}
