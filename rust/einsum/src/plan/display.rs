//! A plan in words.

use std::fmt;

use tensoroxide_contract::Label;

use super::{Inputs, Plan};

impl Plan {
    /// The labels of a tensor as text.
    fn names(&self, labels: &[Label]) -> String {
        labels.iter().map(|&label| self.network.names[label as usize].as_str()).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {}", self.text, self.dtype)?;
        for (shape, labels) in self.network.shapes.iter().zip(&self.network.operands) {
            writeln!(f, "  operand {:<12} {shape:?}", self.names(labels))?;
        }
        writeln!(f, "  output  {:<12} {:?}", self.names(&self.network.output), self.output_shape())?;
        let (flops, peak) = (self.flops(), self.peak_bytes());
        write!(f, "  {} steps, {flops:.3e} flops, {peak} bytes of workspace, {} slices", self.steps(), self.slices())?;
        if !self.slices.is_empty() {
            write!(f, " over {}", self.names(&self.slices))?;
        }
        for (i, (step, kernel)) in self.steps.iter().zip(self.program.kernel_names()).enumerate() {
            let inputs = match step.inputs {
                Inputs::Single(a) => self.names(self.labels(a)),
                Inputs::Pair(a, b) => format!("{},{}", self.names(self.labels(a)), self.names(self.labels(b))),
            };
            let output = step.output.map_or(self.network.output.as_slice(), |i| &self.intermediates[i].labels);
            write!(f, "\n  {:>3}. {inputs}->{}: {kernel}", i + 1, self.names(output))?;
        }
        Ok(())
    }
}
