//! Eigenvalues, exponentials and solutions against dense decompositions, for every element type, and what is refused.

use proptest::prelude::*;
use tensoroxide_dense::Element;
use tensoroxide_einsum::{Einsum, Options, Plan};
use tensoroxide_krylov::{
    solve, ConjugateGradients, Eigsolve, Error, Exponential, Exponentiate, Gmres, Lanczos, Linsolve, PlannedMap,
    Solver, Step, Which,
};
use tensoroxide_linalg::{eigh_full, Run, Workspaces};
use tensoroxide_tensor::testing::config;
use tensoroxide_tensor::{Complex32, Complex64, Real, Scalar, Tensor, Threads, View, ViewMut};

/// A dense matrix, column by column.
#[derive(Clone)]
struct Matrix<T> {
    n: usize,
    elements: Vec<T>,
}

/// Random numbers from −1 to 1; xorshift (Marsaglia, J. Stat. Softw. 8, 14 (2003)).
struct Random(u64);

impl Random {
    fn real(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn vector<T: Scalar>(&mut self, n: usize) -> Vec<T> {
        (0..n).map(|_| T::from_c64(Complex64::new(self.real(), self.real()))).collect()
    }
}

impl<T: Element> Matrix<T> {
    fn new(n: usize, mut f: impl FnMut(usize, usize) -> T) -> Matrix<T> {
        Matrix { n, elements: (0..n * n).map(|at| f(at % n, at / n)).collect() }
    }

    fn at(&self, i: usize, j: usize) -> T {
        self.elements[i + j * self.n]
    }

    fn hermitian(n: usize, random: &mut Random) -> Matrix<T> {
        let x = random.vector::<T>(n * n);
        Matrix::new(n, |i, j| x[i + j * n] + x[j + i * n].conj())
    }

    /// V·Diagonal(values)·Vᴴ with the eigenvectors V of a random matrix.
    fn with_values(values: &[f64], random: &mut Random) -> Matrix<T> {
        let n = values.len();
        let (_, v) = Matrix::<T>::hermitian(n, random).eigh();
        let element = |i, j, k| v.at(i, k) * T::from_c64(values[k].into()) * v.at(j, k).conj();
        let a = Matrix::<T>::new(n, |i, j| (0..n).map(|k| element(i, j, k)).sum());
        Matrix::new(n, |i, j| (a.at(i, j) + a.at(j, i).conj()).scale(T::Real::from_f64(0.5)))
    }

    fn eigh(&self) -> (Vec<f64>, Matrix<T>) {
        let n = self.n;
        let (mut w, mut v) = (vec![<T::Real as Scalar>::ZERO; n], vec![T::ZERO; n * n]);
        let (shape, strides) = ([n, n], [1, n as isize]);
        eigh_full(
            View::new(&self.elements, &shape, &strides, 0).unwrap(),
            false,
            ViewMut::new(&mut w, &shape[..1], &strides[..1], 0).unwrap(),
            ViewMut::new(&mut v, &shape, &strides, 0).unwrap(),
            Run::on(&Workspaces::default()),
        )
        .unwrap();
        (w.iter().map(|w| w.to_f64()).collect(), Matrix { n, elements: v })
    }

    fn apply(&self, x: &[T], y: &mut [T]) {
        y.fill(T::ZERO);
        for (column, &x) in self.elements.chunks(self.n).zip(x) {
            y.iter_mut().zip(column).for_each(|(y, &a)| *y += a * x);
        }
    }

    fn times(&self, x: &[T]) -> Vec<T> {
        let mut y = vec![T::ZERO; self.n];
        self.apply(x, &mut y);
        y
    }

    fn norm(&self) -> f64 {
        norm(&self.elements)
    }
}

fn norm<T: Scalar>(x: &[T]) -> f64 {
    x.iter().map(|x| x.to_c64().norm_sqr()).sum::<f64>().sqrt()
}

fn difference<T: Scalar>(x: &[T], y: &[T]) -> f64 {
    norm(&x.iter().zip(y).map(|(&x, &y)| x - y).collect::<Vec<T>>())
}

fn dot<T: Scalar>(x: &[T], y: &[T]) -> Complex64 {
    x.iter().zip(y).map(|(x, y)| x.to_c64().conj() * y.to_c64()).sum()
}

fn eps<T: Scalar>() -> f64 {
    T::Real::EPSILON.to_f64()
}

fn eigsolve<T: Element>(a: &Matrix<T>, start: &[T], options: Eigsolve) -> Result<Lanczos<T>, Error> {
    let mut lanczos = Lanczos::default();
    lanczos.start(a.n, options)?.copy_from_slice(start);
    solve(&mut lanczos, |x: &[T], y: &mut [T]| {
        a.apply(x, y);
        Ok::<(), Error>(())
    })?;
    Ok(lanczos)
}

/// The values that belong to `which`, from ascending ones.
fn chosen(values: &[f64], which: Which, howmany: usize) -> Vec<f64> {
    let mut values = values.to_vec();
    match which {
        Which::SmallestReal => {}
        Which::LargestReal => values.reverse(),
        _ => values.sort_by(|x, y| y.abs().total_cmp(&x.abs())),
    }
    values.truncate(howmany);
    values
}

/// Everything that the results claim, held against the matrix. A residual r moves an eigenvalue by r at most.
fn check_pairs<T: Element>(a: &Matrix<T>, lanczos: &Lanczos<T>, options: Eigsolve) {
    let size = a.norm().max(1e-30);
    let rounding = 50.0 * (a.n as f64).sqrt() * eps::<T>();
    assert_eq!(lanczos.values().len(), options.howmany);
    for i in 0..options.howmany {
        let (value, vector) = (lanczos.values()[i].to_f64(), lanczos.vector(i));
        let mut residual = a.times(vector);
        residual.iter_mut().zip(vector).for_each(|(r, &x)| *r += -x.scale(T::Real::from_f64(value)));
        let claimed = lanczos.normres()[i].to_f64();
        assert!((norm(&residual) - claimed).abs() <= rounding * size, "residual {} for {claimed}", norm(&residual));
        let mut given = vec![T::ZERO; a.n];
        lanczos.residual(i, &mut given);
        assert!(difference(&given, &residual) <= rounding * size, "the residual vector");
        if i < lanczos.info().converged {
            assert!(claimed <= options.tol.max(10.0 * eps::<T>() * size));
        }
        for j in 0..=i {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((dot(lanczos.vector(j), vector) - expected).norm() <= rounding, "orthonormal");
        }
        let largest = vector.iter().map(|x| x.to_c64().norm()).fold(0.0, f64::max);
        let gauged = |x: &T| {
            let x = x.to_c64();
            x.im == 0.0 && x.re >= largest * (1.0 - 100.0 * a.n as f64 * eps::<T>())
        };
        assert!(vector.iter().any(gauged), "the gauge");
    }
}

fn eigenvalues_of<T: Element>() {
    let mut random = Random(7);
    for (n, howmany, krylovdim) in
        [(1, 1, 30), (2, 1, 2), (2, 2, 30), (5, 5, 5), (9, 2, 4), (40, 3, 12), (60, 1, 6), (24, 24, 24), (30, 4, 100)]
    {
        let a = Matrix::<T>::hermitian(n, &mut random);
        let (values, _) = a.eigh();
        for (which, eager) in [
            (Which::SmallestReal, false),
            (Which::LargestReal, true),
            (Which::LargestMagnitude, false),
            (Which::SmallestReal, true),
        ] {
            let tol = 100.0 * eps::<T>();
            let options = Eigsolve { howmany, which, krylovdim, eager, tol, maxiter: 300 };
            let lanczos = eigsolve(&a, &random.vector(n), options).unwrap();
            assert_eq!(lanczos.info().converged, howmany, "{n} {howmany} {which:?} {:?}", lanczos.info());
            check_pairs(&a, &lanczos, options);
            // Where a space is so small, a restart may lose one of the two ends of the spectrum.
            if which == Which::LargestMagnitude && krylovdim == 4 {
                continue;
            }
            let expected = chosen(&values, which, howmany);
            for (value, expected) in lanczos.values().iter().zip(expected) {
                assert!((value.to_f64() - expected).abs() <= tol + 100.0 * eps::<T>() * a.norm(), "{value} {expected}");
            }
        }
    }
}

#[test]
fn eigenvalues() {
    eigenvalues_of::<f32>();
    eigenvalues_of::<f64>();
    eigenvalues_of::<Complex32>();
    eigenvalues_of::<Complex64>();
}

fn degenerate_of<T: Element>() {
    let mut random = Random(8);
    // Every value twice or more: one Krylov space has a single vector of each, the others come of new start vectors.
    for (values, howmany) in [
        (vec![2.0; 6], 6),
        (vec![-1.0, -1.0, 3.0, 3.0], 4),
        (vec![0.0; 5], 3),
        (vec![-2.0, -2.0, -2.0, 1.0, 1.0, 5.0, 5.0, 5.0], 8),
    ] {
        let a = Matrix::<T>::with_values(&values, &mut random);
        let options = Eigsolve { howmany, tol: 0.0, ..Eigsolve::default() };
        let lanczos = eigsolve(&a, &random.vector(values.len()), options).unwrap();
        assert_eq!(lanczos.info().converged, howmany);
        check_pairs(&a, &lanczos, options);
        for (value, expected) in lanczos.values().iter().zip(&values) {
            assert!((value.to_f64() - expected).abs() <= 1e3 * eps::<T>(), "{value} {expected}");
        }
    }
}

#[test]
fn degenerate_eigenvalues() {
    degenerate_of::<f32>();
    degenerate_of::<f64>();
    degenerate_of::<Complex32>();
    degenerate_of::<Complex64>();
}

#[test]
fn an_invariant_start_is_enough() {
    let mut random = Random(9);
    let a = Matrix::<Complex64>::hermitian(20, &mut random);
    let (values, v) = a.eigh();
    // One eigenvector: the answer after one application, whatever other eigenvalues there are.
    let column = |j: usize| &v.elements[j * 20..][..20];
    let lanczos = eigsolve(&a, column(4), Eigsolve::default()).unwrap();
    assert_eq!((lanczos.info().numops, lanczos.info().converged), (1, 1));
    assert!((lanczos.values()[0] - values[4]).abs() < 1e-13);
    // Three of them, known exactly: three applications.
    let diagonal = |i: usize, j: usize| if i == j { Complex64::from(i as f64) } else { Complex64::ZERO };
    let a = Matrix::<Complex64>::new(20, diagonal);
    let mut three = [Complex64::ZERO; 20];
    (three[3], three[7], three[11]) = (1.0.into(), 2.0.into(), -Complex64::I);
    let options = Eigsolve { howmany: 2, which: Which::LargestReal, ..Eigsolve::default() };
    let lanczos = eigsolve(&a, &three, options).unwrap();
    assert_eq!((lanczos.info().numops, lanczos.info().converged), (3, 2));
    assert!((lanczos.values()[0] - 11.0).abs() < 1e-13 && (lanczos.values()[1] - 7.0).abs() < 1e-13);
    // More than the space has: the search goes on beyond it.
    let options = Eigsolve { howmany: 5, ..Eigsolve::default() };
    let lanczos = eigsolve(&a, &three, options).unwrap();
    assert_eq!(lanczos.info().converged, 5);
    check_pairs(&a, &lanczos, options);
}

#[test]
fn what_has_not_converged_says_so() {
    let mut random = Random(10);
    let a = Matrix::<f64>::hermitian(200, &mut random);
    let options = Eigsolve { howmany: 2, krylovdim: 5, maxiter: 2, ..Eigsolve::default() };
    let lanczos = eigsolve(&a, &random.vector(200), options).unwrap();
    assert_eq!((lanczos.info().converged, lanczos.info().numiter), (0, 2));
    check_pairs(&a, &lanczos, options);
    assert!(lanczos.normres().iter().all(|&r| r > options.tol));
    // A tolerance that no arithmetic can reach is met as far as rounding allows.
    let options = Eigsolve { tol: 0.0, krylovdim: 40, maxiter: 500, ..Eigsolve::default() };
    let lanczos = eigsolve(&a, &random.vector(200), options).unwrap();
    assert_eq!(lanczos.info().converged, 1);
    assert!(lanczos.info().numiter < 100);
    check_pairs(&a, &lanczos, options);
}

#[test]
fn eager_ends_earlier() {
    let mut random = Random(11);
    let mut values = vec![0.0; 50];
    values[0] = -10.0;
    values.iter_mut().enumerate().skip(1).for_each(|(i, x)| *x = i as f64 / 50.0);
    let a = Matrix::<f64>::with_values(&values, &mut random);
    let start = random.vector(50);
    let options = |eager| Eigsolve { eager, tol: 1e-8, ..Eigsolve::default() };
    let (eager, not) = (eigsolve(&a, &start, options(true)).unwrap(), eigsolve(&a, &start, options(false)).unwrap());
    assert!(eager.info().numops < 20 && not.info().numops == 30);
    assert!((eager.values()[0] + 10.0).abs() < 1e-8 && (not.values()[0] + 10.0).abs() < 1e-12);
}

#[test]
fn magnitudes_over_the_whole_range() {
    let mut random = Random(12);
    for scale in [1e-290, 1e-160, 1e160, 1e290] {
        let a = Matrix::<f64>::hermitian(12, &mut random);
        let (values, _) = a.eigh();
        let scaled = Matrix::new(12, |i, j| a.at(i, j) * scale);
        let start: Vec<f64> = random.vector::<f64>(12).iter().map(|x| x * scale).collect();
        let lanczos = eigsolve(&scaled, &start, Eigsolve { tol: 0.0, ..Eigsolve::default() }).unwrap();
        assert!((lanczos.values()[0] / scale - values[0]).abs() < 1e-12, "{scale}");
    }
    let a = Matrix::<f32>::new(2, |i, j| if i == j { 0.0 } else { 1e30 });
    let lanczos = eigsolve(&a, &[1e-40, 0.0], Eigsolve::default()).unwrap();
    assert!((lanczos.values()[0] / 1e30 + 1.0).abs() < 1e-6);
}

#[test]
fn what_is_refused() {
    let a = Matrix::<f64>::new(3, |i, j| if i == j { i as f64 } else { 1.0 });
    let with = |start: [f64; 3], options| eigsolve(&a, &start, options).err().unwrap();
    let ones = [1.0; 3];
    assert_eq!(with([0.0; 3], Eigsolve::default()), Error::ZeroStart);
    assert_eq!(with([1.0, f64::NAN, 0.0], Eigsolve::default()), Error::NotFinite("the start vector"));
    for options in [
        Eigsolve { howmany: 0, ..Eigsolve::default() },
        Eigsolve { howmany: 4, ..Eigsolve::default() },
        Eigsolve { krylovdim: 0, ..Eigsolve::default() },
        Eigsolve { krylovdim: 1, ..Eigsolve::default() },
        Eigsolve { krylovdim: 2, howmany: 2, ..Eigsolve::default() },
        Eigsolve { maxiter: 0, ..Eigsolve::default() },
        Eigsolve { tol: f64::NAN, ..Eigsolve::default() },
        Eigsolve { tol: -1.0, ..Eigsolve::default() },
    ] {
        assert!(matches!(with(ones, options), Error::Argument(_)), "{options:?}");
    }
    assert!(matches!(Lanczos::<f64>::default().start(0, Eigsolve::default()), Err(Error::Argument(_))));
    assert!(Lanczos::<f64>::default().start(usize::MAX, Eigsolve::default()).is_err());

    // A map that makes NaN at its third application, after which there is nothing to be had.
    let mut lanczos = Lanczos::<f64>::default();
    lanczos.start(3, Eigsolve::default()).unwrap().copy_from_slice(&ones);
    let mut count = 0;
    let result = solve(&mut lanczos, |x: &[f64], y: &mut [f64]| {
        a.apply(x, y);
        count += 1;
        if count == 2 {
            y[1] = f64::NAN;
        }
        Ok::<(), Error>(())
    });
    assert_eq!(result, Err(Error::NotFinite("what the map made of a vector")));
    assert_eq!(lanczos.next(), Ok(Step::Done));
    assert!(lanczos.values().is_empty());

    // Not Hermitian, in each of the ways that a projected matrix shows.
    let rotation = Matrix::<f64>::new(2, |i, j| [[0.0, -1.0], [1.0, 0.0]][i][j]);
    let imaginary = Matrix::<Complex64>::new(2, |i, j| if i == j { Complex64::I } else { Complex64::ONE });
    let shift = Matrix::<f32>::new(4, |i, j| if i == (j + 1) % 4 { 1.0 } else { 0.0 });
    assert!(matches!(eigsolve(&rotation, &[1.0, 0.0], Eigsolve::default()), Err(Error::NotHermitian { .. })));
    assert!(matches!(eigsolve(&imaginary, &[Complex64::ONE; 2], Eigsolve::default()), Err(Error::NotHermitian { .. })));
    assert!(matches!(eigsolve(&shift, &[1.0, 0.5, 0.0, 0.0], Eigsolve::default()), Err(Error::NotHermitian { .. })));
}

#[test]
fn the_same_input_gives_the_same_bits() {
    let mut random = Random(13);
    let a = Matrix::<Complex32>::hermitian(70, &mut random);
    let start = random.vector(70);
    let options = Eigsolve { howmany: 3, krylovdim: 10, tol: 1e-4, ..Eigsolve::default() };
    let first = eigsolve(&a, &start, options).unwrap();
    // Used before, for something larger: what is left in its memory does not count.
    let mut again = Lanczos::default();
    let b = Matrix::<Complex32>::hermitian(90, &mut random);
    for (matrix, start) in [(&b, random.vector(90)), (&a, start)] {
        again.start(matrix.n, options).unwrap().copy_from_slice(&start);
        solve(&mut again, |x: &[Complex32], y: &mut [Complex32]| {
            matrix.apply(x, y);
            Ok::<(), Error>(())
        })
        .unwrap();
    }
    assert_eq!((first.values(), first.info()), (again.values(), again.info()));
    (0..3).for_each(|i| assert_eq!(first.vector(i), again.vector(i)));
}

fn exponentiate<T: Element>(a: &Matrix<T>, x: &[T], options: Exponentiate) -> Result<Exponential<T>, Error> {
    let mut exponential = Exponential::default();
    exponential.start(a.n, options)?.copy_from_slice(x);
    solve(&mut exponential, |x: &[T], y: &mut [T]| {
        a.apply(x, y);
        Ok::<(), Error>(())
    })?;
    Ok(exponential)
}

/// exp(t·A)·x by the eigenvectors of A.
fn exact<T: Element>(a: &Matrix<T>, t: Complex64, x: &[T]) -> Vec<T> {
    let (values, v) = a.eigh();
    let mut y = vec![Complex64::ZERO; a.n];
    for (j, value) in values.iter().enumerate() {
        let column = &v.elements[j * a.n..][..a.n];
        let factor = (t * value).exp() * dot(column, x);
        y.iter_mut().zip(column).for_each(|(y, v)| *y += factor * v.to_c64());
    }
    y.into_iter().map(T::from_c64).collect()
}

fn exponentials_of<T: Element>() {
    let mut random = Random(14);
    let real = [0.0, 1e-3, 0.7, -2.0].map(Complex64::from);
    let complex = [Complex64::new(0.0, -1.3), Complex64::new(0.0, 8.0), Complex64::new(-0.5, 0.5)];
    let times = real.into_iter().chain(complex.into_iter().filter(|_| T::DTYPE.is_complex()));
    let times: Vec<_> = times.collect();
    for (n, krylovdim) in [(1, 30), (2, 30), (7, 5), (30, 8), (30, 100)] {
        let a = Matrix::<T>::hermitian(n, &mut random);
        let x = random.vector::<T>(n);
        for (&t, eager) in times.iter().zip([false, true].into_iter().cycle()) {
            let options = Exponentiate { t, krylovdim, eager, tol: 1e-10, maxiter: 100_000 };
            let done = exponentiate(&a, &x, options).unwrap();
            let expected = exact(&a, t, &x);
            let size = norm(&expected).max(norm(&x)) * (1.0 + t.norm() * a.norm());
            // What one step misses grows with the flow in the steps after it.
            let bound = 1e-10 * t.norm() * (size / norm(&x)).max(1.0) + 200.0 * eps::<T>() * size;
            let error = difference(done.result(), &expected);
            assert!(error <= bound, "{n} {t} {krylovdim}: {error:e} {bound:e} {:?}", done.info());
            assert_eq!(done.info().converged, 1);
            assert!(done.info().numops > 0 || t == Complex64::ZERO);
        }
    }
}

#[test]
fn exponentials() {
    exponentials_of::<f32>();
    exponentials_of::<f64>();
    exponentials_of::<Complex32>();
    exponentials_of::<Complex64>();
}

#[test]
fn an_error_estimate_is_no_smaller_than_the_error() {
    let mut random = Random(15);
    let a = Matrix::<Complex64>::hermitian(60, &mut random);
    let x = random.vector::<Complex64>(60);
    for t in [0.05, 0.2, 1.0, 4.0] {
        let t = Complex64::new(0.0, -t);
        for krylovdim in [4, 8, 12] {
            // One step is all there may be, whatever its error.
            let done =
                exponentiate(&a, &x, Exponentiate { t, krylovdim, maxiter: 1, ..Exponentiate::default() }).unwrap();
            let error = difference(done.result(), &exact(&a, t, &x));
            assert!(error <= 1.2 * done.error() + 1e-12, "{t} {krylovdim}: {error:e} {:e}", done.error());
            assert_eq!(done.info().numiter, 1);
            match done.info().converged {
                1 => assert!(done.error() <= 5e-12, "{t} {krylovdim}"),
                _ => assert!(done.error() > 1e-14, "{t} {krylovdim}"),
            }
        }
    }
}

#[test]
fn exponentials_of_nothing_and_of_too_much() {
    let a = Matrix::<f64>::new(2, |i, j| if i == j { 1.0 } else { 0.0 });
    let done = exponentiate(&a, &[0.0, 0.0], Exponentiate::default()).unwrap();
    assert_eq!((done.result(), done.info().numops, done.info().converged), (&[0.0, 0.0][..], 0, 1));
    let huge = Exponentiate { t: 1e4.into(), ..Exponentiate::default() };
    assert_eq!(exponentiate(&a, &[1.0, 0.0], huge).err(), Some(Error::NotFinite("the exponential")));
    let gone = Exponentiate { t: (-1e4).into(), ..Exponentiate::default() };
    assert_eq!(exponentiate(&a, &[1.0, 1.0], gone).unwrap().result(), [0.0, 0.0]);
    let imaginary = Exponentiate { t: Complex64::I, ..Exponentiate::default() };
    assert!(matches!(exponentiate(&a, &[1.0, 0.0], imaginary).err(), Some(Error::Argument(_))));
    let nan = Exponentiate { t: f64::NAN.into(), ..Exponentiate::default() };
    assert!(matches!(exponentiate(&a, &[1.0, 0.0], nan).err(), Some(Error::Argument(_))));
    assert_eq!(
        exponentiate(&a, &[f64::INFINITY, 0.0], Exponentiate::default()).err(),
        Some(Error::NotFinite("the start vector"))
    );
}

fn gmres<T: Element>(a: &Matrix<T>, x: &[T], b: &[T], options: Linsolve) -> Result<Gmres<T>, Error> {
    let mut gmres = Gmres::default();
    let (start, right) = gmres.start(a.n, options)?;
    start.copy_from_slice(x);
    right.copy_from_slice(b);
    solve(&mut gmres, |x: &[T], y: &mut [T]| {
        a.apply(x, y);
        Ok::<(), Error>(())
    })?;
    Ok(gmres)
}

fn gradients<T: Element>(a: &Matrix<T>, x: &[T], b: &[T], options: Linsolve) -> Result<ConjugateGradients<T>, Error> {
    let mut gradients = ConjugateGradients::default();
    let (start, right) = gradients.start(a.n, options)?;
    start.copy_from_slice(x);
    right.copy_from_slice(b);
    solve(&mut gradients, |x: &[T], y: &mut [T]| {
        a.apply(x, y);
        Ok::<(), Error>(())
    })?;
    Ok(gradients)
}

/// b − (a₀ + a₁·A)·x.
fn rest<T: Element>(a: &Matrix<T>, x: &[T], b: &[T], options: Linsolve) -> Vec<T> {
    let (a0, a1) = (T::from_c64(options.a0), T::from_c64(options.a1));
    a.times(x).iter().zip(x).zip(b).map(|((&y, &x), &b)| b - a0 * x - a1 * y).collect()
}

fn systems_of<T: Element>() {
    let mut random = Random(16);
    let tol = 1e4 * eps::<T>();
    for (n, krylovdim) in [(1, 30), (2, 1), (2, 30), (6, 6), (40, 50), (40, 15)] {
        // Well conditioned without being normal: 2 on the diagonal, small numbers beside it.
        let small = 0.5 / (n as f64).sqrt();
        let x = random.vector::<T>(n * n);
        let a = Matrix::<T>::new(n, |i, j| {
            x[i + j * n].scale(T::Real::from_f64(small)) + if i == j { T::from_c64(2.0.into()) } else { T::ZERO }
        });
        let (b, guess, zero) = (random.vector::<T>(n), random.vector::<T>(n), vec![T::ZERO; n]);
        let shifts = [(0.0, 1.0), (1.0, 0.5), (3.0, -0.25)];
        for (start, (a0, a1)) in [&zero, &guess].into_iter().cycle().zip(shifts) {
            let (a0, a1) = (a0.into(), a1.into());
            let options = Linsolve { a0, a1, krylovdim, rtol: tol, atol: 0.0, maxiter: 100 };
            let done = gmres(&a, start, &b, options).unwrap();
            let residual = rest(&a, done.solution(), &b, options);
            let rounding = 50.0 * eps::<T>() * a.norm() * norm(&b);
            assert_eq!(done.info().converged, 1, "{n} {krylovdim} {a0} {:?}", done.info());
            assert!(norm(&residual) <= tol * norm(&b) + rounding);
            assert!(difference(done.residual(), &residual) <= rounding);
            assert!((done.normres().to_f64() - norm(&residual)).abs() <= rounding);
        }
        // AᴴA is positive definite.
        let square = Matrix::<T>::new(n, |i, j| (0..n).map(|k| a.at(k, i).conj() * a.at(k, j)).sum());
        for start in [&zero, &guess] {
            let options = Linsolve { a0: 0.5.into(), rtol: tol, atol: 0.0, ..Linsolve::default() };
            let done = gradients(&square, start, &b, options).unwrap();
            let residual = rest(&square, done.solution(), &b, options);
            let rounding = 50.0 * eps::<T>() * square.norm() * norm(&b);
            assert_eq!(done.info().converged, 1, "{n} {:?}", done.info());
            assert!(norm(&residual) <= tol * norm(&b) + rounding);
            assert!(difference(done.residual(), &residual) <= rounding);
        }
    }
}

#[test]
fn linear_systems() {
    systems_of::<f32>();
    systems_of::<f64>();
    systems_of::<Complex32>();
    systems_of::<Complex64>();
}

#[test]
fn systems_without_a_solution_and_with_a_trivial_one() {
    let projector = Matrix::<f64>::new(3, |i, j| if i == j && i < 2 { 1.0 } else { 0.0 });
    let options = Linsolve::default();
    // b is in the range: solved. It is not: the part outside is left, and said to be.
    let done = gmres(&projector, &[0.0; 3], &[1.0, 2.0, 0.0], options).unwrap();
    assert_eq!((done.info().converged, done.solution()), (1, &[1.0, 2.0, 0.0][..]));
    let done = gmres(&projector, &[0.0; 3], &[1.0, 2.0, 1.0], options).unwrap();
    assert_eq!(done.info().converged, 0);
    assert!((done.normres() - 1.0).abs() < 1e-14 && done.info().numops < 10);
    let nothing = Matrix::<Complex64>::new(3, |_, _| Complex64::ZERO);
    let done = gmres(&nothing, &[Complex64::ZERO; 3], &[Complex64::ONE; 3], options).unwrap();
    assert_eq!((done.info().converged, done.solution()), (0, &[Complex64::ZERO; 3][..]));
    // A cyclic shift: the residual stays as it is until the space is full, so that restarts win nothing.
    let shift = Matrix::<f64>::new(5, |i, j| if i == (j + 1) % 5 { 1.0 } else { 0.0 });
    let b = [1.0, 0.0, 0.0, 0.0, 0.0];
    let done = gmres(&shift, &[0.0; 5], &b, Linsolve { krylovdim: 4, ..options }).unwrap();
    assert_eq!((done.info().converged, done.normres()), (0, 1.0));
    assert!(done.info().numops < 10);
    let done = gmres(&shift, &[0.0; 5], &b, options).unwrap();
    assert_eq!(done.info().converged, 1);
    // The guess is the solution, or b is 0.
    let done = gmres(&shift, &[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 1.0, 2.0, 3.0, 4.0], options).unwrap();
    assert_eq!((done.info().converged, done.info().numops, done.normres()), (1, 1, 0.0));
    let done = gmres(&shift, &[0.0; 5], &[0.0; 5], options).unwrap();
    assert_eq!((done.info().converged, done.info().numops, done.solution()), (1, 0, &[0.0; 5][..]));
    // Not positive definite.
    assert!(matches!(gradients(&projector, &[0.0; 3], &[0.0, 0.0, 1.0], options), Err(Error::NotPositiveDefinite(_))));
    assert!(matches!(
        gradients(&projector, &[0.0; 3], &[1.0, 0.0, 0.0], Linsolve { a1: (-1.0).into(), ..options }),
        Err(Error::NotPositiveDefinite(_))
    ));
    assert_eq!(gmres(&shift, &[0.0; 5], &[f64::NAN; 5], options).err(), Some(Error::NotFinite("the right-hand side")));
    assert_eq!(gmres(&shift, &[f64::NAN; 5], &b, options).err(), Some(Error::NotFinite("the start vector")));
    assert!(matches!(
        gmres(&shift, &[0.0; 5], &b, Linsolve { a0: Complex64::I, ..options }).err(),
        Some(Error::Argument(_))
    ));
}

fn planned_of<T: Element>() {
    let mut random = Random(17);
    // θ_abc ← Σ L_aA·M_bB·θ_ABc, for Hermitian L and M: the eigenvalues are the products of theirs, c times.
    let (l, m) = (Matrix::<T>::hermitian(4, &mut random), Matrix::<T>::hermitian(3, &mut random));
    let plan = Plan::new("ax,xyc,by->abc", &[&[4, 4], &[4, 3, 2], &[3, 3]], T::DTYPE, Options::default()).unwrap();
    let einsum = Einsum::new(plan);
    let shapes = [([4, 4], [1, 4]), ([3, 3], [1, 3])];
    let operands = [
        View::new(&l.elements, &shapes[0].0, &shapes[0].1, 0).unwrap(),
        View::new(&m.elements, &shapes[1].0, &shapes[1].1, 0).unwrap(),
    ];
    let map = PlannedMap::new(&einsum, &operands, &[false; 3], 1, Threads::ONE).unwrap();
    assert_eq!(map.len(), 24);
    let mut lanczos = Lanczos::<T>::default();
    let options = Eigsolve { howmany: 1, tol: 1e3 * eps::<T>(), ..Eigsolve::default() };
    lanczos.start(24, options).unwrap().copy_from_slice(&random.vector(24));
    solve(&mut lanczos, |x: &[T], y: &mut [T]| map.apply(x, y)).unwrap();
    let (l, m) = (l.eigh().0, m.eigh().0);
    let smallest = l.iter().flat_map(|l| m.iter().map(move |m| l * m)).fold(f64::MAX, f64::min);
    assert!((lanczos.values()[0].to_f64() - smallest).abs() <= 1e4 * eps::<T>(), "{}", T::DTYPE);
    assert_eq!(lanczos.info().converged, 1);

    assert!(map.apply(&random.vector(24), &mut random.vector(23)).is_err());
    let refused =
        |others, conj: &[bool], free| PlannedMap::new(&einsum, others, conj, free, Threads::ONE).err().unwrap();
    assert!(matches!(refused(&operands[..1], &[false; 3], 1), Error::Argument(_)));
    assert!(matches!(refused(&operands, &[false; 3], 3), Error::Argument(_)));
    assert!(matches!(refused(&operands, &[false; 2], 1), Error::Argument(_)));
    assert_eq!(refused(&operands, &[false; 3], 0), Error::Shape { free: vec![4, 4], output: vec![4, 3, 2] });
    assert_eq!(
        PlannedMap::new(&einsum, &operands, &[false, true, false], 1, Threads::ONE).is_err(),
        T::DTYPE.is_complex()
    );
}

#[test]
fn plans_as_maps() {
    planned_of::<f32>();
    planned_of::<f64>();
    planned_of::<Complex32>();
    planned_of::<Complex64>();
    // An operand that does not fit the plan is refused by the first application.
    let plan = Plan::new("ij,j->i", &[&[2, 2], &[2]], f64::DTYPE, Options::default()).unwrap();
    let einsum = Einsum::new(plan);
    let wrong = Tensor::from_fn(&[2, 3], |_| 1.0).unwrap();
    let operands = [wrong.view()];
    let map = PlannedMap::new(&einsum, &operands, &[false; 2], 1, Threads::ONE).unwrap();
    assert!(matches!(map.apply(&[1.0; 2], &mut [0.0; 2]), Err(Error::Plan(_))));
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn any_hermitian_matrix(
        seed in 1u64..u64::MAX,
        n in 1usize..25,
        howmany in 1usize..5,
        room in 1usize..12,
        levels in proptest::collection::vec(-4i8..5, 25),
        which in prop_oneof![Just(Which::SmallestReal), Just(Which::LargestReal), Just(Which::LargestMagnitude)],
        eager: bool,
    ) {
        // Whole numbers: groups of equal eigenvalues, also of opposite sign.
        let mut random = Random(seed);
        let howmany = howmany.min(n);
        let values: Vec<f64> = levels[..n].iter().map(|&x| f64::from(x)).collect();
        let a = Matrix::<Complex64>::with_values(&values, &mut random);
        let options = Eigsolve { howmany, which, krylovdim: howmany + room, eager, tol: 1e-9, maxiter: 400 };
        let lanczos = eigsolve(&a, &random.vector(n), options).unwrap();
        check_pairs(&a, &lanczos, options);
        prop_assert_eq!(lanczos.info().converged, howmany);
        // Each value is one of the matrix's, and the first is the extreme one.
        for value in lanczos.values() {
            prop_assert!(values.iter().any(|x| (x - value).abs() < 1e-8));
        }
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let first = chosen(&sorted, which, 1)[0];
        let found = lanczos.values()[0];
        prop_assert!((first - found).abs() < 1e-8 || which == Which::LargestMagnitude);
    }

    #[test]
    fn time_goes_forth_and_back(seed in 1u64..u64::MAX, n in 1usize..20, krylovdim in 6usize..14, t in -3.0f64..3.0) {
        let mut random = Random(seed);
        let a = Matrix::<Complex64>::hermitian(n, &mut random);
        let x = random.vector::<Complex64>(n);
        let t_of = |t: f64| Complex64::new(0.0, t);
        let options = |t: f64| Exponentiate { t: t_of(t), krylovdim, maxiter: 10_000, ..Exponentiate::default() };
        let there = exponentiate(&a, &x, options(t)).unwrap();
        let back = exponentiate(&a, there.result(), options(-t)).unwrap();
        prop_assert!(difference(back.result(), &x) < 1e-9 * norm(&x).max(1.0));
        prop_assert!((norm(there.result()) - norm(&x)).abs() < 1e-10 * norm(&x).max(1.0));
    }
}
