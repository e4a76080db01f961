//! An Einstein sum as a list of instructions, and the derivatives of such a list, which are lists again.
//!
//! Every instruction is linear in each of the tensors that it reads, C ← C + ϕ·Σ op(A)·op(B), where op may conjugate.
//! So δC = ϕ·Σ op(δA)·op(B) + ϕ·Σ op(A)·op(δB), and from δL = Re⟨C̄, δC⟩ follows, with op for the conjugation of A
//! alone, Ā = op(ϕ*·Σ C̄·op(B)*): the derivatives consist of instructions of the same form, and can be derived again.

use tensoroxide_einsum::{Inputs, Plan, Source};

use tensoroxide_contract::Label;

/// A number that stands for a tensor of a listing.
pub(super) type Slot = usize;

/// What is made of the tensors of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// The operands and the output themselves.
    Value,
    /// Their cotangents.
    Cotangent,
    /// Their tangents.
    Tangent,
    /// The tangents of their cotangents.
    CotangentTangent,
}

/// How many families there are.
const FAMILIES: usize = 4;

/// C ← C + ϕ·Σ op(A)·op(B), or without B; the first instruction that writes C replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) to: Slot,
    pub(super) factor: Factor,
    /// A, and whether it is conjugated.
    pub(super) a: (Slot, bool),
    pub(super) b: Option<(Slot, bool)>,
}

impl Instruction {
    /// What is read.
    pub(super) fn reads(&self) -> impl Iterator<Item = Slot> {
        [Some(self.a), self.b].into_iter().flatten().map(|(slot, _)| slot)
    }
}

/// ϕ, by the α of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Factor {
    One,
    Alpha,
    ConjugateOfAlpha,
}

/// Instructions, and the tensors that they are about. The caller gives the tensors of every family, those of a family
/// one after another: the operands, then the output. What the instructions make on the way comes behind.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) operands: usize,
    /// The labels of each tensor's axes.
    pub(super) labels: Vec<Vec<Label>>,
    pub(super) instructions: Vec<Instruction>,
}

impl Listing {
    /// The steps of a plan without slices.
    pub(super) fn forward(plan: &Plan, conj: &[bool]) -> Listing {
        let network = plan.network();
        let family = || network.operands.iter().chain([&network.output]).cloned();
        let mut labels: Vec<Vec<Label>> = (0..FAMILIES).flat_map(|_| family()).collect();
        let given = labels.len();
        labels.extend((0..).map_while(|i| plan.intermediate(i)).map(<[Label]>::to_vec));
        let operands = network.operands.len();
        let read = |source| match source {
            Source::Operand(k) => (k, conj[k]),
            Source::Intermediate(i) => (given + i, false),
        };
        let steps = (0..).map_while(|k| plan.step(k));
        let instruction = |step: tensoroxide_einsum::Step| {
            let (a, b) = match step.inputs {
                Inputs::Single(a) => (read(a), None),
                Inputs::Pair(a, b) => (read(a), Some(read(b))),
            };
            let (to, factor) = match step.output {
                Some(i) => (given + i, Factor::One),
                None => (operands, Factor::Alpha),
            };
            Instruction { to, factor, a, b }
        };
        Listing { operands, labels, instructions: steps.map(instruction).collect() }
    }

    /// Operand `k`'s tensor of a family, or the output's, which comes behind the operands'.
    pub(super) fn given(&self, family: Family, k: usize) -> Slot {
        family as usize * (self.operands + 1) + k
    }

    /// How many tensors the caller gives; the others are made.
    pub(super) fn givens(&self) -> usize {
        FAMILIES * (self.operands + 1)
    }

    /// The tensor whose family is the next but `step` of that of `slot`, if the caller gives it, else a new one; made
    /// once.
    fn relative(&mut self, slot: Slot, step: usize, known: &mut [Option<Slot>]) -> Slot {
        let new = match slot < self.givens() {
            true => slot + step * (self.operands + 1),
            false => self.labels.len(),
        };
        let relative = *known[slot].get_or_insert(new);
        if relative == self.labels.len() {
            self.labels.push(self.labels[slot].clone());
        }
        relative
    }

    /// Appends the cotangents of all operands, by that of the output. In a forward listing, every tensor is read once.
    pub(super) fn append_cotangents(&mut self) {
        let mut cotangents = vec![None; self.labels.len()];
        for Instruction { to, factor, a, b } in self.instructions.clone().into_iter().rev() {
            let of_to = self.relative(to, Family::Cotangent as usize, &mut cotangents);
            for (this, other) in [(Some(a), b), (b, Some(a))] {
                let Some((slot, conj)) = this else { continue };
                let factor = match factor {
                    Factor::Alpha if !conj => Factor::ConjugateOfAlpha,
                    factor => factor,
                };
                let b = other.map(|(slot, conj_other)| (slot, conj == conj_other));
                let to = self.relative(slot, Family::Cotangent as usize, &mut cotangents);
                self.instructions.push(Instruction { to, factor, a: (of_to, conj), b });
            }
        }
    }

    /// The same list with the tangents of all that it makes.
    pub(super) fn with_tangents(mut self) -> Listing {
        let mut tangents = vec![None; self.labels.len()];
        for instruction in std::mem::take(&mut self.instructions) {
            self.instructions.push(instruction);
            let Instruction { to, factor, a, b } = instruction;
            let to = self.relative(to, Family::Tangent as usize, &mut tangents);
            let of_a = (self.relative(a.0, Family::Tangent as usize, &mut tangents), a.1);
            self.instructions.push(Instruction { to, factor, a: of_a, b });
            if let Some(b) = b {
                let of_b = (self.relative(b.0, Family::Tangent as usize, &mut tangents), b.1);
                self.instructions.push(Instruction { to, factor, a, b: Some(of_b) });
            }
        }
        self
    }
}
