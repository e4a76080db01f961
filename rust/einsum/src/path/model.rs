//! What a step costs.
//!
//! Sizes are logarithms to base 2, for a network may have tensors of more than 2¹⁰²³ elements on its worse paths. Costs
//! are plain numbers in units of 2^shift, where the shift is 0 unless even a good path is beyond what a number holds.

use tensoroxide_tensor::DType;

/// What a path is to have least of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Minimize {
    /// Multiplications; between equals the elements that are moved.
    Flops,
    /// Elements of the largest tensor that is made; between equals multiplications.
    Size,
    /// Estimated time: multiplications, elements read and written, and a fixed time for each step.
    #[default]
    Time,
}

/// What a step or a path costs; the first counts, the second decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Cost {
    pub(super) first: f64,
    pub(super) second: f64,
}

/// Weights of the parts of a step's cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    /// Of a multiplication.
    pub(crate) multiply: f64,
    /// Of an element read or written.
    pub(crate) touch: f64,
    /// Of a step.
    pub(crate) step: f64,
    /// Whether the largest result counts before all that.
    pub(super) peak: bool,
    /// Costs are in units of 2^shift.
    pub(super) shift: f64,
}

/// The time model in ns. A multiplication of two numbers and its addition at 80 GFLOP/s; an element of 8 bytes read or
/// written, packed or permuted on the way, at 16 GB/s; a step that finds everything ready.
const MULTIPLY_NS: f64 = 0.025;
const BYTE_NS: f64 = 1.0 / 16.0;
const STEP_NS: f64 = 400.0;

impl Model {
    pub(super) fn new(minimize: Minimize, dtype: DType) -> Model {
        match minimize {
            // A result has no more elements than the step has multiplications, so that the tie-break changes no digit
            // that counts.
            Minimize::Flops => Model { multiply: 1.0, touch: 1e-9, step: 0.0, peak: false, shift: 0.0 },
            Minimize::Size => Model { multiply: 1.0, touch: 0.0, step: 0.0, peak: true, shift: 0.0 },
            Minimize::Time => Model::nanoseconds(dtype),
        }
    }

    /// The time model.
    pub(crate) fn nanoseconds(dtype: DType) -> Model {
        let complex = if dtype.is_complex() { 4.0 } else { 1.0 };
        let single = if dtype.size() / if dtype.is_complex() { 2 } else { 1 } == 4 { 0.5 } else { 1.0 };
        let touch = BYTE_NS * dtype.size() as f64;
        Model { multiply: MULTIPLY_NS * complex * single, touch, step: STEP_NS, peak: false, shift: 0.0 }
    }

    /// Sets the unit so that costs of paths about as good as one whose largest step has 2^`volume` multiplications can
    /// be added up.
    pub(super) fn scale(&mut self, volume: f64) {
        self.shift = (volume - 900.0).max(0.0);
    }

    /// 2^x in the unit.
    #[inline]
    pub(super) fn amount(&self, x: f64) -> f64 {
        (x - self.shift).exp2()
    }

    /// The cost of a step of 2^`volume` multiplications that takes and makes tensors of these sizes, but for what
    /// `peak` says.
    #[inline]
    pub(super) fn sum(&self, volume: f64, a: f64, b: f64, made: f64) -> f64 {
        let mut cost = self.multiply * self.amount(volume) + self.step;
        if self.touch != 0.0 {
            cost += self.touch * (self.amount(a) + self.amount(b) + self.amount(made));
        }
        cost
    }

    /// The same with the peak.
    pub(super) fn cost(&self, volume: f64, a: f64, b: f64, made: f64) -> Cost {
        let sum = self.sum(volume, a, b, made);
        match self.peak {
            true => Cost { first: grid(made), second: sum },
            false => Cost { first: sum, second: 0.0 },
        }
    }

    /// The cost of nothing.
    pub(super) fn none(&self) -> Cost {
        Cost { first: 0.0, second: 0.0 }
    }

    /// The cost of two parts of a path.
    #[inline]
    pub(super) fn both(&self, x: Cost, y: Cost) -> Cost {
        let first = if self.peak { x.first.max(y.first) } else { x.first + y.first };
        Cost { first, second: x.second + y.second }
    }

    /// What annealing makes small, of a step of `products` multiplications that takes `a` and `b` and makes `made`
    /// elements, all in the unit. For the peak it is a power of the results' sizes, in whose sum the largest is nearly
    /// all. The fixed time of a step is left out: with it all small steps would be alike.
    #[inline]
    pub(super) fn energy(&self, products: f64, a: f64, b: f64, made: f64) -> f64 {
        match self.peak {
            true => made * made * made + 1e-6 * products,
            false => self.multiply * products + self.touch * (a + b + made),
        }
    }
}

/// A logarithm without the rounding of the sum that made it: equal sizes have to be equal.
pub(super) fn grid(log: f64) -> f64 {
    (log * 1048576.0).round() / 1048576.0
}
