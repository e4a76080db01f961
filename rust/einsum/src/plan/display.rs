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

/// One line for the whole, one for each operand and the output, and one for each step: what is contracted into what,
/// the kernel, the arithmetic, and the bytes read, written and copied.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, None)
    }
}

/// A plan over another algebra: what is known of its tensors and of its kernels.
pub(crate) struct Algebra<'a> {
    pub(crate) elements: String,
    pub(crate) peak_bytes: usize,
    pub(crate) kernel: &'a dyn Fn(usize) -> &'static str,
}

impl Plan {
    pub(crate) fn describe(&self, f: &mut fmt::Formatter<'_>, algebra: Option<&Algebra<'_>>) -> fmt::Result {
        match algebra {
            None => writeln!(f, "{} of {}", self.text, self.dtype)?,
            Some(algebra) => writeln!(f, "{} of {}", self.text, algebra.elements)?,
        }
        for (shape, labels) in self.cut.given.shapes.iter().zip(&self.cut.given.operands) {
            writeln!(f, "  operand {:<12} {shape:?}", self.names(labels))?;
        }
        writeln!(f, "  output  {:<12} {:?}", self.names(&self.cut.given.output), self.output_shape())?;
        write!(f, "  {}, {:.2e} flops, ", several(self.steps(), "step"), self.flops())?;
        match algebra {
            None => write!(f, "{:.2e} bytes moved, peak {}", self.bytes_moved(), bytes(self.peak_bytes()))?,
            Some(algebra) => write!(f, "peak {}", bytes(algebra.peak_bytes))?,
        }
        if !self.cut.fixed.is_empty() {
            let overhead = self.slicing_overhead();
            write!(f, "\n  {} over {}", several(self.slices(), "slice"), self.cut.describe())?;
            write!(f, ", {overhead:.2} times the flops without")?;
            if self.lanes > 1 && algebra.is_none() {
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
            let kernel = algebra.map_or_else(|| self.program.kernel_name(k), |algebra| (algebra.kernel)(k).to_owned());
            write!(f, "\n  {:>3}. {}->{output}: {kernel}", k + 1, inputs.join(","))?;
            write!(f, ", {:.1e} flops", self.step_flops(k))?;
            if algebra.is_none() {
                write!(f, ", {:.1e} bytes", self.step_bytes(k))?;
            }
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
