//! The gauge: which of the many equally good factors is returned.
//!
//! A vector of a decomposition may be multiplied by any number of modulus 1. Here its entry of largest modulus, the
//! first of equals, becomes real and positive. Moduli count as equal if their squares differ by at most 20·n·eps of the
//! largest, n being the number of entries: two drivers that round differently so agree about vectors such as (1, 1)/√2.

use tensoroxide_dense::{Element, Matrix, Resources};
use tensoroxide_tensor::{Complex64, Real, Scalar};

use crate::Error;

/// x/|x|, or 1 for x = 0. Computed from the ratio of the parts, since the modulus itself may over- or underflow.
fn phase<T: Scalar>(x: T) -> T {
    let (re, im) = (x.re().to_f64(), x.im().to_f64());
    let largest = re.abs().max(im.abs());
    if largest == 0.0 {
        return T::ONE;
    }
    let (re, im) = (re / largest, im / largest);
    let modulus = re.hypot(im);
    T::from_c64(Complex64::new(re / modulus, im / modulus))
}

/// Divides a vector of norm 1 by the phase of its leading entry, the first of those of largest modulus, and returns that phase.
///
/// ```
/// let mut x = [0.6, -0.8];
/// assert_eq!(tensoroxide_linalg::fix_vector(&mut x), -1.0);
/// assert_eq!(x, [-0.6, 0.8]);
/// ```
pub fn fix_vector<T: Scalar>(x: &mut [T]) -> T {
    let Some(lead) = leading(x) else {
        return T::ONE;
    };
    let (modulus, phase) = (x[lead].abs(), phase(x[lead]));
    x.iter_mut().for_each(|x| *x *= phase.conj());
    x[lead] = T::from_real(modulus);
    phase
}

/// The position of the entry that leads a vector: the first of those of largest modulus; `None` for a vector without entries.
///
/// ```
/// assert_eq!(tensoroxide_linalg::leading(&[0.1, -0.6, 0.6]), Some(1));
/// ```
pub fn leading<T: Scalar>(x: &[T]) -> Option<usize> {
    let largest = x.iter().fold(<T::Real as Scalar>::ZERO, |largest, x| largest.max(x.abs_sqr()));
    let slack = T::Real::from_f64(1.0 - 20.0 * x.len() as f64 * T::Real::EPSILON.to_f64());
    x.iter().position(|x| x.abs_sqr() >= slack * largest)
}

/// Makes the diagonal of R real and not negative, with the opposite phases for the columns of Q.
pub(crate) fn fix_qr<T: Element>(
    q: &mut Matrix<'_, T>,
    r: &mut Matrix<'_, T>,
    with: Resources<'_>,
) -> Result<(), Error> {
    let mut phases = with.zeros::<T>(q.cols())?;
    phases.iter_mut().enumerate().for_each(|(i, x)| *x = phase(r.col(i)[i]));
    for (j, &phase) in phases.iter().enumerate() {
        q.col_mut(j).iter_mut().for_each(|x| *x *= phase);
    }
    for j in 0..r.cols() {
        let diagonal = r.col(j).get(j).map(|x| T::from_real(x.abs()));
        // Zeros below the diagonal keep their sign.
        r.col_mut(j).iter_mut().zip(&phases[..]).take(j + 1).for_each(|(x, phase)| *x *= phase.conj());
        if let Some(diagonal) = diagonal {
            r.col_mut(j)[j] = diagonal;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensoroxide_tensor::Complex32;

    #[test]
    fn phases_at_the_ends_of_the_range() {
        for size in [5e-324, 1e-310, 1e-200, 1.0, 1e300] {
            let diagonal = Complex64::new(size, -size);
            assert!((phase(diagonal) - Complex64::new(0.5f64.sqrt(), -(0.5f64.sqrt()))).norm() < 1e-15, "{size}");
            assert_eq!(phase(-size), -1.0);
        }
        assert_eq!(phase(Complex32::new(0.0, 1e-45)), Complex32::I);
        assert_eq!(phase(0.0f32), 1.0);
        assert_eq!(phase(-0.0f64), 1.0);
    }

    #[test]
    fn the_first_of_equals_leads() {
        let mut x = [0.1, -0.6, 0.6 * (1.0 + 1e-15), 0.5];
        assert_eq!(fix_vector(&mut x), -1.0);
        assert_eq!(x[..2], [-0.1, 0.6]);
        let mut x = [0.1, -0.6, 0.6 * (1.0 + 1e-12)];
        assert_eq!(fix_vector(&mut x), 1.0);
        let mut x = [Complex64::new(0.0, 0.6), Complex64::new(-0.8, 0.0)];
        assert_eq!(fix_vector(&mut x), Complex64::new(-1.0, 0.0));
        assert_eq!(x[1], Complex64::new(0.8, 0.0));
        assert_eq!(fix_vector::<f32>(&mut []), 1.0);
    }
}
