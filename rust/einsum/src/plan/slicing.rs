//! Which labels to slice, so that a plan keeps a limit of memory.

use tensoroxide_contract::Label;

use super::{Inputs, Plan};

impl Plan {
    /// The label to slice next: the one that most of the workspace has, counted with what slicing by it would free.
    pub(super) fn best_slice(&self) -> Option<Label> {
        let embedded = |label: Label| self.network.output.iter().filter(|&&l| l == label).count() > 1;
        let freed = |label: Label| -> f64 {
            let share = 1.0 - 1.0 / self.network.extents[label as usize] as f64;
            let of_steps = self.steps.iter().zip(self.program.scratches()).map(|(step, scratch)| {
                let output = step.output.map_or(&[][..], |i| &self.intermediates[i].labels);
                let inputs = match step.inputs {
                    Inputs::Single(a) => [self.labels(a), &[]],
                    Inputs::Pair(a, b) => [self.labels(a), self.labels(b)],
                };
                let made = step.output.map_or(0, |i| self.intermediates[i].layout.len());
                let from_output = if output.contains(&label) { made } else { 0 };
                let from_scratch = if inputs.iter().any(|labels| labels.contains(&label)) { scratch } else { 0 };
                share * (from_output as f64 + from_scratch as f64)
            });
            of_steps.sum()
        };
        (0..self.network.extents.len() as Label)
            .filter(|&label| {
                self.network.extents[label as usize] > 1 && !self.slices.contains(&label) && !embedded(label)
            })
            .map(|label| (freed(label), label))
            .filter(|&(freed, _)| freed > 0.0)
            .max_by(|x, y| x.0.total_cmp(&y.0).then(y.1.cmp(&x.1)))
            .map(|(_, label)| label)
    }
}
