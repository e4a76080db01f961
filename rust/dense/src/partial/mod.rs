//! Partial decompositions: the leading singular values or eigenvalues of a large matrix and their vectors, by a block
//! Krylov method with a random start (Halko, Martinsson and Tropp, SIAM Rev. 53, 217 (2011); Musco and Musco, Adv.
//! Neural Inf. Process. Syst. 28, 1396 (2015)).
//!
//! What is returned is certified by a residual that is computed from the result, against the matrix. That no value
//! larger than those is missing follows from the start alone: a vector would have to be orthogonal to each of the
//! random ones, to rounding. Where the values fall so slowly that the method would need a large part of the whole
//! space, it gives up early and returns nothing.
//!
//! Bases are kept orthogonal to rounding by projecting twice (Giraud, Langou and Rozložník, Comput. Math. Appl. 50,
//! 1069 (2005)). The random numbers follow from a seed, so that the same call gives the same bits.

mod eigh;
mod svd;

pub use eigh::{eigh_partial, PartialEigh};
pub use svd::{svd_partial, PartialSvd};

use tensoroxide_tensor::{Complex64, Real, Threads};

use crate::workspace::Plain;
use crate::{gemm, qr, Element, Error, MatMut, MatRef, Matrix, Qr, Resources};

/// What a partial decomposition shall find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Partial {
    /// How many values and vectors.
    pub count: usize,
    /// The largest residual, ‖A·V − U·S‖ in the Frobenius norm relative to that of A; eps^(3/4) if there is none. Less
    /// than 4·√n·eps is rounding and counts as that.
    pub tol: Option<f64>,
    /// Of the random start.
    pub seed: u64,
    /// The most threads for a product. They change no bit.
    pub threads: Threads,
}

/// A basis may grow to this part of the space, and to so many blocks: beyond, a whole decomposition costs less.
const SHARE: usize = 2;
const MOST_BLOCKS: usize = 8;
/// The most projections of a block; one is the rule.
const PASSES: usize = 4;

impl Partial {
    /// Columns of a block: a few more than are asked for, so that the last ones converge, too, and one to compare them
    /// with. `None` where the space is too small for a few blocks.
    fn block(&self, space: usize) -> Option<usize> {
        let block = self.count.checked_add(5)?.checked_next_multiple_of(8)?;
        (block.checked_mul(2 * SHARE)? <= space).then_some(block)
    }

    fn tolerance<R: Real>(&self, space: usize) -> f64 {
        let eps = R::EPSILON.to_f64();
        self.tol.unwrap_or(eps.powf(0.75)).max(4.0 * (space as f64).sqrt() * eps)
    }
}

/// The largest number of columns of a basis: whole blocks.
fn most_columns(space: usize, block: usize) -> usize {
    (space / SHARE / block).min(MOST_BLOCKS) * block
}

/// The residuals of one block after another, and what they promise.
struct Progress {
    tolerance: f64,
    most: usize,
    before: Option<f64>,
}

/// What to do after a block.
#[derive(PartialEq, Debug)]
enum Next {
    Done,
    Continue,
    GiveUp,
}

impl Progress {
    fn new(tolerance: f64, most: usize) -> Progress {
        Progress { tolerance, most, before: None }
    }

    /// With a basis of `columns` in blocks: if each further block were to help as the last one did, would there be
    /// room?
    fn after(&mut self, residual: f64, columns: usize, block: usize) -> Next {
        // Half of the tolerance, so that rounding in the certificate does not matter.
        let goal = self.tolerance / 2.0;
        if residual <= goal {
            return Next::Done;
        }
        let gain = self.before.replace(residual).map(|before| (residual / before).ln());
        let needed = match gain {
            None => 1.0,
            Some(gain) if gain < 0.0 => ((goal / residual).ln() / gain).ceil(),
            Some(_) => f64::INFINITY,
        };
        match columns as f64 + needed * block as f64 <= self.most as f64 {
            true => Next::Continue,
            false => Next::GiveUp,
        }
    }
}

/// alpha·op(A)·op(B) + beta·C, with the threads of one matrix.
#[derive(Clone, Copy)]
struct Product<'w> {
    with: Resources<'w>,
    threads: Threads,
}

impl<'w> Product<'w> {
    fn add<T: Element>(
        self,
        alpha: T,
        (a, conj_a): (MatRef<T>, bool),
        (b, conj_b): (MatRef<T>, bool),
        c: MatMut<T>,
    ) -> Result<(), Error> {
        gemm(alpha, a, conj_a, b, conj_b, T::ONE, c, self.threads)
    }

    fn of<T: Element>(self, a: MatRef<T>, b: MatRef<T>) -> Result<Matrix<'w, T>, Error> {
        self.make((a, false), (b, false))
    }

    fn adjoint_of<T: Element>(self, a: MatRef<T>, b: MatRef<T>) -> Result<Matrix<'w, T>, Error> {
        self.make((a.t(), true), (b, false))
    }

    fn make<T: Element>(
        self,
        (a, conj_a): (MatRef<T>, bool),
        (b, conj_b): (MatRef<T>, bool),
    ) -> Result<Matrix<'w, T>, Error> {
        let mut c = self.with.matrix(a.rows(), b.cols())?;
        gemm(T::ONE, a, conj_a, b, conj_b, T::ZERO, c.as_mut(), self.threads)?;
        Ok(c)
    }
}

/// Orthonormal columns, block after block.
struct Basis<'w, T: Plain> {
    columns: Matrix<'w, T>,
    len: usize,
}

/// A block Y = Q·C + N·T, in the old columns Q and the new ones N of a basis.
struct Coefficients<'w, T: Plain> {
    old: Matrix<'w, T>,
    new: Matrix<'w, T>,
}

impl<'w, T: Element> Basis<'w, T> {
    fn new(rows: usize, most: usize, with: Resources<'w>) -> Result<Self, Error> {
        Ok(Basis { columns: with.matrix(rows, most)?, len: 0 })
    }

    /// Columns from `start` on.
    fn columns(&self, start: usize, count: usize) -> Result<MatRef<'_, T>, Error> {
        self.columns.as_ref().block(0, start, self.columns.rows(), count)
    }

    fn last(&self, block: usize) -> Result<MatRef<'_, T>, Error> {
        self.columns(self.len - block, block)
    }

    /// Takes in what is new in a block. Where that is nothing but rounding, its directions are arbitrary, and
    /// orthonormal all the same.
    fn extend(&mut self, mut block: Matrix<'w, T>, product: Product<'w>) -> Result<Coefficients<'w, T>, Error> {
        let mut old = self.project(&mut block, product)?;
        let Qr { q: mut new, r } = qr(block.as_ref(), false, product.with)?;
        let mut coefficients = r;
        let mut passes = if self.len > 0 { PASSES } else { 0 };
        while passes > 0 {
            let rest = self.project(&mut new, product)?;
            product.add(T::ONE, (rest.as_ref(), false), (coefficients.as_ref(), false), old.as_mut())?;
            let Qr { q, r } = qr(new.as_ref(), false, product.with)?;
            (new, coefficients) = (q, product.of(r.as_ref(), coefficients.as_ref())?);
            // Where much of a direction was taken away, what is left of it has lost digits.
            passes = if frobenius(&rest) < 0.1 { 0 } else { passes - 1 };
        }
        let at = self.len;
        self.len += new.cols();
        self.columns.as_mut().block(0, at, new.rows(), new.cols())?.copy_from(new.as_ref())?;
        Ok(Coefficients { old, new: coefficients })
    }

    /// Takes the projection onto the basis away, and returns its coefficients.
    fn project(&self, block: &mut Matrix<'_, T>, product: Product<'w>) -> Result<Matrix<'w, T>, Error> {
        let basis = self.columns(0, self.len)?;
        let coefficients = product.adjoint_of(basis, block.as_ref())?;
        product.add(-T::ONE, (basis, false), (coefficients.as_ref(), false), block.as_mut())?;
        Ok(coefficients)
    }
}

/// Whether the columns are orthonormal to eps^(3/4).
fn orthonormal<T: Element>(columns: MatRef<T>, product: Product<'_>) -> Result<bool, Error> {
    let mut gram = product.adjoint_of(columns, columns)?;
    (0..gram.cols()).for_each(|j| gram.col_mut(j)[j] -= T::ONE);
    Ok(frobenius(&gram) <= T::Real::EPSILON.to_f64().powf(0.75) * (1.0 + gram.cols() as f64).sqrt())
}

/// The Frobenius norm of a matrix with elements of about 1, in double precision.
fn frobenius<T: Element>(a: &Matrix<'_, T>) -> f64 {
    // Several sums, so that one addition need not wait for the other.
    let mut sums = [0.0; 8];
    let chunks = a.elements().chunks_exact(sums.len());
    let rest: f64 = chunks.remainder().iter().map(|x| x.abs_sqr().to_f64()).sum();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += x.abs_sqr().to_f64());
    }
    (sums.iter().sum::<f64>() + rest).sqrt()
}

/// Random columns to start from: independent normal numbers.
fn random<'w, T: Element>(rows: usize, cols: usize, seed: u64, with: Resources<'w>) -> Result<Matrix<'w, T>, Error> {
    let mut state = seed;
    // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), to a number in (0, 1].
    let mut uniform = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) + 1) as f64 / (1u64 << 53) as f64
    };
    let mut numbers = with.matrix(rows, cols)?;
    for x in numbers.elements_mut() {
        // Two normal numbers at once (Box and Muller, Ann. Math. Stat. 29, 610 (1958)).
        let (size, angle) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
        *x = T::from_c64(Complex64::from_polar(size, angle));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Workspace;
    use tensoroxide_tensor::{Complex32, Scalar};

    #[test]
    fn a_basis_stays_orthonormal_whatever_it_is_given() {
        let workspace = Workspace::default();
        let product = Product { with: Resources::of(&workspace), threads: Threads::ONE };
        let mut basis = Basis::<Complex64>::new(40, 32, product.with).unwrap();
        let first = random(40, 8, 1, product.with).unwrap();
        let again = product.with.copy_of(first.as_ref(), false).unwrap();
        let zero = product.with.matrix(40, 8).unwrap();
        let mut thin = random(40, 8, 2, product.with).unwrap();
        (1..8).for_each(|j| thin.col_mut(j).fill(Complex64::ONE));
        for (given, y) in [(&first, &first), (&again, &again), (&zero, &zero), (&thin, &thin)] {
            let copy = product.with.copy_of(given.as_ref(), false).unwrap();
            let Coefficients { old, new } = basis.extend(copy, product).unwrap();
            assert!(orthonormal(basis.columns(0, basis.len).unwrap(), product).unwrap());
            // The block is what its coefficients say.
            let mut rest = product.with.copy_of(y.as_ref(), false).unwrap();
            let (before, minus) = (basis.len - 8, -Complex64::ONE);
            for (columns, coefficients) in [(basis.columns(0, before), &old), (basis.last(8), &new)] {
                let factors = ((columns.unwrap(), false), (coefficients.as_ref(), false));
                product.add(minus, factors.0, factors.1, rest.as_mut()).unwrap();
            }
            assert!(frobenius(&rest) < 1e-13, "{}", frobenius(&rest));
        }
    }

    #[test]
    fn the_random_numbers_are_normal_and_those_of_the_seed() {
        let workspace = Workspace::default();
        let with = Resources::of(&workspace);
        let numbers = |seed| random::<f64>(100, 100, seed, with).unwrap();
        let (x, y) = (numbers(3), numbers(4));
        assert_eq!(x.elements(), numbers(3).elements());
        assert_ne!(x.elements(), y.elements());
        // Of 10⁴ numbers; within five standard deviations.
        let moment = |k: i32| x.elements().iter().map(|x| x.powi(k)).sum::<f64>() / 1e4;
        assert!(moment(1).abs() < 0.05 && (moment(2) - 1.0).abs() < 0.08 && (moment(4) - 3.0).abs() < 0.5);
        let z = random::<Complex32>(100, 100, 3, with).unwrap();
        let square: Complex64 = z.elements().iter().map(|z| (z * z).to_c64()).sum();
        assert!(square.norm() / 1e4 < 0.15, "the phases are even");
    }

    #[test]
    fn progress_is_extrapolated() {
        let mut progress = Progress::new(2e-6, 80);
        assert_eq!(progress.after(1.0, 8, 8), Next::Continue);
        assert_eq!(progress.after(1e-2, 16, 8), Next::Continue); // two more blocks would do
        assert_eq!(progress.after(0.9e-2, 24, 8), Next::GiveUp); // some ninety
        assert_eq!(progress.after(2e-2, 32, 8), Next::GiveUp);
        assert_eq!(progress.after(1e-6, 32, 8), Next::Done);
        assert_eq!(Progress::new(1e-6, 8).after(1.0, 8, 8), Next::GiveUp);
    }

    #[test]
    fn small_spaces_are_refused() {
        let wanted = |count| Partial { count, tol: None, seed: 0, threads: Threads::ONE };
        assert_eq!([31, 32, 1000].map(|n| wanted(3).block(n)), [None, Some(8), Some(8)]);
        assert_eq!((wanted(64).block(1024), wanted(64).block(287)), (Some(72), None));
        assert_eq!(wanted(usize::MAX).block(1024), None);
        assert_eq!((most_columns(1024, 72), most_columns(1024, 8)), (504, 64));
        assert_eq!(wanted(1).tolerance::<f64>(100), f64::EPSILON.powf(0.75));
        assert_eq!(Partial { tol: Some(0.0), ..wanted(1) }.tolerance::<f64>(100), 40.0 * f64::EPSILON);
    }
}
