//! Functions of single elements.

use tensoroxide_tensor::{Complex64, Scalar};

/// A function that is applied to each element. On a real tape it gives NaN where it is not real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elementwise {
    /// eˣ.
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root, whose real part is not negative.
    Sqrt,
    /// 1/x.
    Inverse,
    /// xⁿ.
    Power(i32),
    /// sin x.
    Sin,
    /// cos x.
    Cos,
    /// tanh x.
    Tanh,
}

impl Elementwise {
    /// The function and its first two derivatives.
    pub(super) fn jet<T: Scalar>(self, x: T) -> [T; 3] {
        let z = x.to_c64();
        let jet = match self {
            Elementwise::Exp => [z.exp(); 3],
            Elementwise::Log => [z.ln(), z.inv(), -z.powi(-2)],
            Elementwise::Sqrt => {
                let root = z.sqrt();
                [root, 0.5 / root, -0.25 / (root * z)]
            }
            Elementwise::Inverse => [z.inv(), -z.powi(-2), 2.0 * z.powi(-3)],
            Elementwise::Power(n) => {
                // Where the factor is 0 there is no pole, whatever the power would be.
                let term = |factor: f64, n: i32| if factor == 0.0 { Complex64::ZERO } else { factor * z.powi(n) };
                let m = f64::from(n);
                [z.powi(n), term(m, n.saturating_sub(1)), term(m * (m - 1.0), n.saturating_sub(2))]
            }
            Elementwise::Sin => [z.sin(), z.cos(), -z.sin()],
            Elementwise::Cos => [z.cos(), -z.sin(), -z.cos()],
            Elementwise::Tanh => {
                let (tanh, one) = (z.tanh(), Complex64::ONE);
                [tanh, one - tanh * tanh, -2.0 * tanh * (one - tanh * tanh)]
            }
        };
        // A logarithm or a root of a negative number: real numbers have none.
        let real = T::DTYPE.is_complex() || jet[0].im == 0.0;
        jet.map(|x| T::from_c64(if real { x } else { Complex64::new(f64::NAN, 0.0) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Elementwise; 9] = [
        Elementwise::Exp,
        Elementwise::Log,
        Elementwise::Sqrt,
        Elementwise::Inverse,
        Elementwise::Power(3),
        Elementwise::Power(-2),
        Elementwise::Sin,
        Elementwise::Cos,
        Elementwise::Tanh,
    ];

    #[test]
    fn derivatives_are_those_of_the_functions() {
        for f in ALL {
            for z in [Complex64::new(0.7, 0.3), Complex64::new(1.3, -0.4)] {
                let h = 1e-5;
                let [_, first, second] = f.jet(z);
                for (k, exact) in [(0, first), (1, second)] {
                    // Central differences: an error of h² and of eps/h.
                    let difference = (f.jet(z + h)[k] - f.jet(z - h)[k]) / (2.0 * h);
                    assert!((difference - exact).norm() <= 1e-8 * (1.0 + exact.norm()), "{f:?} at {z}: {exact}");
                }
                // Real numbers give what complex ones without imaginary part do.
                let (real, complex) = (f.jet(z.re), f.jet(Complex64::new(z.re, 0.0)));
                assert_eq!(real, complex.map(|x| x.re));
            }
        }
    }

    #[test]
    fn edges() {
        assert_eq!(Elementwise::Power(0).jet(0.0), [1.0, 0.0, 0.0]);
        assert_eq!(Elementwise::Power(1).jet(0.0), [0.0, 1.0, 0.0]);
        assert_eq!(Elementwise::Power(2).jet(-3.0f32), [9.0, -6.0, 2.0]);
        assert!(Elementwise::Log.jet(-1.0f64).iter().all(|x| x.is_nan()));
        assert_eq!(Elementwise::Sqrt.jet(4.0), [2.0, 0.25, -0.03125]);
        assert_eq!(Elementwise::Exp.jet(0.0f32), [1.0; 3]);
    }
}
