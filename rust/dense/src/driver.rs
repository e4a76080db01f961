//! The drivers of the decompositions that iterate, and the record of those that failed.

use std::fmt;

use crate::Error;

/// A way to compute a decomposition, which may fail to converge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Driver {
    /// Own rotations, for small matrices.
    Rotations,
    /// The own QR iteration.
    Iteration,
    /// The same without balancing the matrix first.
    Unbalanced,
    /// LAPACK's gesdd: divide and conquer.
    Gesdd,
    /// LAPACK's gesvd: QR iteration.
    Gesvd,
    /// LAPACK's syevd or heevd: divide and conquer.
    Heevd,
    /// LAPACK's syevr or heevr: relatively robust representations.
    Heevr,
    /// LAPACK's syevr or heevr for a part of the values: bisection and inverse iteration.
    HeevrPart,
    /// LAPACK's geev.
    Geev,
    /// LAPACK's gees.
    Gees,
    /// faer.
    Faer,
    /// faer on the adjoint of the matrix.
    FaerAdjoint,
    /// faer on the triangular factor of the matrix.
    FaerTriangle,
    /// faer on the matrix with rows and columns in reverse order.
    FaerReversed,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Driver::Rotations => "own rotations",
            Driver::Iteration => "own QR iteration",
            Driver::Unbalanced => "own QR iteration without balancing",
            Driver::Gesdd => "LAPACK gesdd",
            Driver::Gesvd => "LAPACK gesvd",
            Driver::Heevd => "LAPACK syevd/heevd",
            Driver::Heevr => "LAPACK syevr/heevr",
            Driver::HeevrPart => "LAPACK syevr/heevr on the range",
            Driver::Geev => "LAPACK geev",
            Driver::Gees => "LAPACK gees",
            Driver::Faer => "faer",
            Driver::FaerAdjoint => "faer on the adjoint",
            Driver::FaerTriangle => "faer on the triangular factor",
            Driver::FaerReversed => "faer with rows and columns reversed",
        })
    }
}

/// Drivers that were tried without success, in this order.
///
/// ```
/// use tensoroxide_dense::{Driver, Tried};
/// let tried: Tried = [Driver::Gesdd, Driver::Faer].into_iter().collect();
/// assert_eq!(tried.to_string(), "LAPACK gesdd, faer");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// More than any chain has.
    drivers: [Option<Driver>; 8],
}

impl FromIterator<Driver> for Tried {
    /// The first eight.
    fn from_iter<I: IntoIterator<Item = Driver>>(drivers: I) -> Self {
        let mut tried = Self::default();
        tried.drivers.iter_mut().zip(drivers).for_each(|(place, driver)| *place = Some(driver));
        tried
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, driver) in self.drivers.iter().flatten().enumerate() {
            write!(f, "{}{driver}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// The result of the first driver of a chain that has one; `attempt` has `None` for a driver that cannot compute this.
///
/// # Errors
/// Any but [`Error::NoConvergence`], at which the next driver is tried; [`Error::Exhausted`] after the last one.
pub(crate) fn first<R>(
    chain: &[Driver],
    mut attempt: impl FnMut(Driver) -> Option<Result<R, Error>>,
) -> Result<R, Error> {
    let (mut tried, mut count) = (Tried::default(), 0);
    for &driver in chain {
        match attempt(driver) {
            None => {}
            Some(Err(Error::NoConvergence)) => {
                tried.drivers[count] = Some(driver);
                count += 1;
            }
            Some(result) => return result,
        }
    }
    Err(Error::Exhausted { tried })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Driver::*;

    #[test]
    fn the_first_result_counts() {
        let chain = [Gesdd, Gesvd, Faer, FaerAdjoint];
        let mut calls = Vec::new();
        let result = first(&chain, |driver| {
            calls.push(driver);
            match driver {
                Gesdd => None,
                Gesvd => Some(Err(Error::NoConvergence)),
                driver => Some(Ok(driver)),
            }
        });
        assert_eq!((result, &calls[..]), (Ok(Faer), &chain[..3]));
        let result = first(&chain, |driver| (driver == Gesvd).then_some(Err::<(), _>(Error::OutOfMemory)));
        assert_eq!(result, Err(Error::OutOfMemory));
    }

    #[test]
    fn the_error_names_those_that_were_tried_in_order() {
        let failing = |driver| (driver != Heevd).then_some(Err::<(), _>(Error::NoConvergence));
        let error = first(&[Rotations, Heevd, Faer, FaerReversed], failing).unwrap_err();
        assert_eq!(error, Error::Exhausted { tried: [Rotations, Faer, FaerReversed].into_iter().collect() });
        let text =
            "no driver converged; tried, in this order: own rotations, faer, faer with rows and columns reversed";
        assert_eq!(error.to_string(), text);
    }
}
