//! What a rule makes of a gauge.

use tensoroxide_tensor::{Real, Scalar};

/// What is done with a cotangent that depends on the gauge: on which of many equally good vectors were returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnGauge {
    /// [`crate::Error::GaugeDependent`].
    #[default]
    Error,
    /// The dependent part is left out, and its size is in the [`crate::Report`].
    Report,
}

/// Whether the phases of vectors are differentiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phases {
    /// As the standard fixes them: the leading entry of a vector stays real and positive under variation, too.
    #[default]
    Fixed,
    /// They are free: a cotangent that depends on them depends on the gauge.
    Free,
}

/// How a derivative is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// What is done with a cotangent that depends on the gauge of equal values.
    pub on_gauge: OnGauge,
    /// Whether phases are differentiated.
    pub phases: Phases,
    /// The most of a cotangent, relative to the whole, that may depend on the gauge and counts as rounding; √eps unless
    /// given.
    pub gauge_tolerance: Option<f64>,
    /// Values that differ by at most so much, relative to the largest, are equal; 10·n·eps unless given, for matrices of n
    /// rows or columns: rounding moves values by a few times n·eps at most, and equal ones are to stay equal.
    pub degeneracy: Option<f64>,
}

impl Options {
    pub(crate) fn gauge_tolerance<T: Scalar>(&self) -> f64 {
        self.gauge_tolerance.unwrap_or_else(|| T::Real::EPSILON.to_f64().sqrt())
    }

    /// The relative distance up to which two values of a matrix of size `n` are equal.
    pub(crate) fn degeneracy<T: Scalar>(&self, n: usize) -> f64 {
        self.degeneracy.unwrap_or_else(|| 10.0 * n as f64 * T::Real::EPSILON.to_f64())
    }
}
