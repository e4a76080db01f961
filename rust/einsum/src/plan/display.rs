//! A plan in words.

use std::fmt;

use tensoroxide_contract::Label;

use super::{Plan, Source};

impl Plan {
    /// The labels of a tensor as text.
    fn names(&self, labels: &[Label]) -> String {
        labels.iter().map(|&label| self.cut.sliced.names[label as usize].as_str()).collect()
    }
}

/// `1 step`, `2 steps`.
fn several(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A number of bytes with at most four digits, rounded up where it is not exact.
fn bytes(n: usize) -> String {
    match [(30, "GiB"), (20, "MiB"), (10, "KiB")].into_iter().find(|(shift, _)| n >> shift >= 10) {
        Some((shift, unit)) => format!("{} {unit}", n.div_ceil(1 << shift)),
        None => several(n, "byte"),
    }
}

/// One line for the whole, one for each operand and the output, and one for each step: what is contracted into what, the
/// kernel, the arithmetic, and the bytes read, written and copied.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {}", self.text, self.dtype)?;
        for (shape, labels) in self.cut.given.shapes.iter().zip(&self.cut.given.operands) {
            writeln!(f, "  operand {:<12} {shape:?}", self.names(labels))?;
        }
        writeln!(f, "  output  {:<12} {:?}", self.names(&self.cut.given.output), self.output_shape())?;
        let (steps, moved) = (several(self.steps(), "step"), self.bytes_moved());
        write!(f, "  {steps}, {:.2e} flops, {moved:.2e} bytes moved, peak {}", self.flops(), bytes(self.peak_bytes()))?;
        if !self.cut.fixed.is_empty() {
            let overhead = self.slicing_overhead();
            write!(f, "\n  {} over {}", several(self.slices(), "slice"), self.cut.describe())?;
            write!(f, ", {overhead:.2} times the flops without")?;
            if self.lanes > 1 {
                write!(f, ", on {} threads", self.lanes)?;
            }
        }
        for (k, step) in self.steps.iter().enumerate() {
            // Tensors of the caller's as they are, not taken apart.
            let labels = |source: Source| match source {
                Source::Operand(i) => self.names(&self.cut.given.operands[i]),
                Source::Intermediate(i) => self.names(&self.intermediates[i].labels),
            };
            let inputs: Vec<String> = step.sources().map(labels).collect();
            let output = self.names(step.output.map_or(&self.cut.given.output, |i| &self.intermediates[i].labels));
            let kernel = self.program.kernel_name(k);
            write!(f, "\n  {:>3}. {}->{output}: {kernel}", k + 1, inputs.join(","))?;
            write!(f, ", {:.1e} flops, {:.1e} bytes", self.step_flops(k), self.step_bytes(k))?;
            if !self.cut.fixed.is_empty() {
                match self.runs(k) {
                    1.0 => f.write_str(", once")?,
                    runs => write!(f, ", {runs} times")?,
                }
            }
        }
        Ok(())
    }
}
