//! How the values that a truncation keeps are found: from the whole decomposition, or from a certified part of it.

use tensoroxide_dense::{Memory, Partial, Plain, Resources};
use tensoroxide_tensor::{Real, Scalar, Threads};

use crate::{Error, Run, Truncation};

/// Who finds the values that a truncation keeps, and their vectors.
///
/// The randomised block Krylov method costs a fraction of a whole decomposition where `maxrank` is far below the size
/// and the values fall fast. Its result is only taken with a certificate: the residual ‖A·V − U·S‖ is at most
/// `tol·‖A‖`, and the rules of truncation would decide the same if all values were off by the residual. In any other
/// case the whole decomposition is computed after all. The random numbers follow from `seed`: the same call gives the
/// same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Method {
    /// The whole decomposition.
    #[default]
    Full,
    /// The randomised method, if the certificate allows it.
    Randomized {
        /// The largest residual, in the Frobenius norm relative to that of A; eps^(3/4) if there is none.
        tol: Option<f64>,
        /// Of the random numbers.
        seed: u64,
    },
    /// The randomised method where it is likely to pay by the sizes alone, and the certificate allows it.
    Auto {
        /// As above.
        tol: Option<f64>,
        /// As above.
        seed: u64,
    },
}

/// From this size on, and up to this part of it, `Auto` tries: measured, on values that fall tenfold over a quarter of
/// the rank.
const AUTO_SIZE: usize = 128;
const AUTO_PART: usize = 8;

impl Method {
    /// [`Error::Tolerance`] if a tolerance is negative or NaN.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Method::Randomized { tol: Some(value), .. } | Method::Auto { tol: Some(value), .. }
                if value.is_nan() || *value < 0.0 =>
            {
                Err(Error::Tolerance { name: "tol", value: *value })
            }
            _ => Ok(()),
        }
    }

    /// What to ask for where `count` of `k` values may stay; `None` for the whole. A matrix that is no part of a batch
    /// gets all threads.
    pub(crate) fn partial(&self, count: usize, k: usize, batch: &[usize], run: Run<'_>) -> Option<Partial> {
        let threads = if batch.is_empty() { run.threads } else { Threads::ONE };
        match *self {
            Method::Full => None,
            Method::Auto { .. } if k < AUTO_SIZE || count > k / AUTO_PART => None,
            Method::Randomized { tol, seed } | Method::Auto { tol, seed } => {
                Some(Partial { count, tol, seed, threads })
            }
        }
    }
}

/// Fills in all values of a matrix of which the `leading` ones, the value after them included, and the 2-norm of those
/// but `count` are known: the others are represented by their root mean square, which is no larger than the largest of
/// them. Whether the rules keep the same number of them if all were off by `residual`, or by rounding.
pub(crate) fn complete<R: Real + Plain>(
    values: &mut [R],
    leading: &[R],
    rest: f64,
    residual: f64,
    truncation: &Truncation,
    with: Resources<'_>,
) -> Result<bool, Error> {
    let (count, k) = (leading.len() - 1, values.len());
    values[..=count].copy_from_slice(leading);
    let next = leading[count].to_f64().min(rest);
    values[count] = R::from_f64(next);
    let others = (rest - next).sqrt() * (rest + next).sqrt() / ((k - count - 1).max(1) as f64).sqrt();
    values[count + 1..].fill(R::from_f64(others));
    let rank = truncation.apply(values)?.rank;
    if truncation.atol == 0.0 && truncation.rtol == 0.0 && truncation.discarded_weight == 0.0 {
        return Ok(true);
    }
    let mut moved: Memory<'_, R> = with.zeros(k)?;
    let doubt = residual.max(k as f64 * R::EPSILON.to_f64() * values[0].to_f64());
    for shift in [-doubt, doubt] {
        let by = |x: R| R::from_f64((x.to_f64() + shift).max(0.0));
        moved.iter_mut().zip(&*values).for_each(|(to, &x)| *to = by(x));
        if truncation.apply(&moved)?.rank != rank {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The moduli of signed values.
pub(crate) fn moduli<'w, R: Real + Scalar<Real = R> + Plain>(
    w: &[R],
    with: Resources<'w>,
) -> Result<Memory<'w, R>, Error> {
    let mut moduli = with.zeros(w.len())?;
    moduli.iter_mut().zip(w).for_each(|(to, x)| *to = x.abs());
    Ok(moduli)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_dense::Workspace;

    #[test]
    fn what_is_not_known_keeps_its_weight() {
        let workspace = Workspace::default();
        let with = Resources::of(&workspace);
        let s = [4.0f64, 3.0, 2.0, 1.0, 1.0, 0.5];
        let rest = (4.0f64 + 1.0 + 1.0 + 0.25).sqrt();
        let mut values = [0.0; 6];
        let mut complete = |truncation: Truncation, residual| {
            complete(&mut values, &s[..3], rest, residual, &truncation, with)
                .map(|certain| (certain, truncation.apply(&values).unwrap()))
        };
        let none = Truncation { maxrank: Some(2), ..Default::default() };
        let (certain, kept) = complete(none, 1e-10).unwrap();
        assert_eq!((certain, kept.rank), (true, 2));
        assert!((kept.error - rest).abs() < 1e-15);
        // The second value is as large as the bound, and no more certain than the residual.
        assert!(!complete(Truncation { atol: 3.0, ..none }, 1e-10).unwrap().0);
        assert!(complete(Truncation { atol: 3.0 - 1e-9, ..none }, 1e-10).unwrap().0);
        let (certain, kept) = complete(Truncation { atol: 3.5, ..none }, 1e-10).unwrap();
        assert_eq!((certain, kept.rank), (true, 1));
        assert!((kept.error - rest.hypot(3.0)).abs() < 1e-15);
        let total: f64 = s.iter().map(|s| s * s).sum();
        for (weight, rank) in [(rest * rest / total - 1e-6, 2), ((rest * rest + 9.0) / total + 1e-6, 1)] {
            let (certain, kept) = complete(Truncation { discarded_weight: weight, ..none }, 1e-9).unwrap();
            assert_eq!((certain, kept.rank), (true, rank));
        }
        assert!(!complete(Truncation { discarded_weight: (rest * rest + 9.0) / total, ..none }, 1e-9).unwrap().0);
    }

    #[test]
    fn bad_tolerances_are_named() {
        for tol in [-1.0, f64::NAN] {
            let method = Method::Auto { tol: Some(tol), seed: 0 };
            assert!(matches!(method.check(), Err(Error::Tolerance { name: "tol", .. })));
        }
        assert_eq!(Method::Randomized { tol: None, seed: 0 }.check(), Ok(()));
    }
}
