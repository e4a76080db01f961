//! Runs of some of a plan's slices, for those who share a contraction out among processes.
//!
//! The slowest of the sliced labels are those of the output: slices with the same values of them add up to one *block*
//! of the output, a dense tensor that no other slice touches. A share of the work is a range of the slices of one
//! block, and its result a tensor of the block's shape; who adds the shares up, in which order, is the caller's
//! business.

use tensoroxide_dense::Element;
use tensoroxide_tensor::kernels::Move;
use tensoroxide_tensor::nest::Loop;
use tensoroxide_tensor::{Threads, View, ViewMut};

use super::{advance, Einsum, Shared, Workspace};
use crate::plan::Plan;
use crate::Error;

/// How the slices of a plan can be shared out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Parts of the output that are computed independently of each other.
    pub blocks: usize,
    /// Slices that each block is the sum of: block b has those from b·slices on.
    pub slices: usize,
    /// Elements of a block.
    pub elements: usize,
    /// What it costs to begin a range of slices, over what all slices cost together.
    pub restart: f64,
}

impl Plan {
    /// How the slices can be shared out; `None` for a plan that was not made for that
    /// ([`Options::shares`](crate::Options::shares)).
    pub fn shares(&self) -> Option<Shares> {
        if !self.shared {
            return None;
        }
        let output = &self.cut.sliced.output;
        let of_output = self.cut.fixed.iter().zip(self.slice_extents()).filter(|(label, _)| output.contains(label));
        let blocks = of_output.map(|(_, extent)| extent).product();
        let moving = self.cut.block(0);
        let elements =
            moving.parts().filter(|(label, ..)| !self.cut.fixed.contains(label)).map(|(_, n, _)| n).product();
        Some(Shares { blocks, slices: self.slices() / blocks, elements, restart: self.restart() })
    }

    /// output ← block + β · output, for the elements that `block` has of the output.
    ///
    /// # Errors
    /// [`Error::Shape`]: nothing is then written.
    ///
    /// # Panics
    /// Unless the plan was made for shares, and `elements` is a block of it.
    pub fn write_block<T: Element>(
        &self,
        block: usize,
        elements: &[T],
        beta: T,
        mut output: ViewMut<'_, T>,
        threads: Threads,
    ) -> Result<(), Error> {
        let shares = self.shares().expect("a plan for shares");
        assert!(block < shares.blocks && elements.len() == shares.elements, "a block of this plan");
        let expected = self.output_shape();
        if output.shape() != expected {
            return Err(Error::Shape { operand: None, found: output.shape().to_vec(), expected });
        }
        let mut values = vec![0; self.cut.fixed.len()];
        self.slice_values(block * shares.slices, &mut values);
        let variant = self.cut.variant(&values);
        let whole = self.cut.axes(&self.cut.given.output, output.shape(), output.strides(), variant);
        let (mut start, mut loops) = (output.as_mut_ptr(), Vec::new());
        for ((label, extent, stride), (_, _, of_block)) in whole.parts().zip(self.cut.block(variant).parts()) {
            match self.cut.fixed.iter().position(|&fixed| fixed == label) {
                Some(at) => start = start.wrapping_offset(values[at] as isize * stride),
                None => loops.push(Loop { extent, strides: [stride, of_block] }),
            }
        }
        // SAFETY: the axes are those of the output, an exclusive view, taken apart and set to values that they have;
        // the block is as long as its axes reach.
        unsafe { Move::new(&loops).run(T::ONE, elements.as_ptr(), false, beta, start, threads) };
        Ok(())
    }
}

/// A run of an [`Einsum`] whose plan is for shares, range by range. See [`Einsum::share`].
#[derive(Debug)]
pub struct SharedRun<'a, T: Element> {
    einsum: &'a Einsum<T>,
    /// There until the drop.
    workspace: Option<Box<Workspace<T>>>,
    alpha: T,
    /// The slice that comes after those that were done last, and the slowest label that changes up to it: what depends
    /// on slower ones only is there already.
    next: Option<(usize, usize)>,
    /// The operands are read through the workspace for as long as this lives.
    operands: std::marker::PhantomData<&'a T>,
}

impl<T: Element> Einsum<T> {
    /// Begins a run that is done range by range: steps that no slice changes are done here. Several threads may each
    /// have one of the same plan, with a workspace of its own.
    ///
    /// ```
    /// use tensoroxide_einsum::{Einsum, Options, Plan};
    /// use tensoroxide_tensor::{DType, Tensor, Threads};
    /// let a = Tensor::from_fn(&[4, 4], |i| (i[0] + 4 * i[1]) as f64)?;
    /// let options = Options { shares: 4, ..Options::default() };
    /// let einsum = Einsum::new(Plan::new("ij,ij->", &[&[4, 4], &[4, 4]], DType::F64, options)?);
    /// let operands = [a.view(), a.view()];
    /// let mut run = einsum.share(1.0, &operands, &[false, false], Threads::ONE)?;
    /// let (mut low, mut high) = ([0.0], [0.0]);
    /// run.run(0..1, &mut low, Threads::ONE)?;
    /// run.run(1..4, &mut high, Threads::ONE)?;
    /// assert_eq!(low[0] + high[0], (0..16).map(|i| f64::from(i * i)).sum::<f64>());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Einsum::run`].
    ///
    /// # Panics
    /// If the plan was not made for shares.
    pub fn share<'a>(
        &'a self,
        alpha: T,
        operands: &'a [View<'a, T>],
        conj: &[bool],
        threads: Threads,
    ) -> Result<SharedRun<'a, T>, Error> {
        assert!(self.plan.shared, "a plan for shares");
        let expected = self.plan.network().operands.len();
        for found in [operands.len(), conj.len()] {
            if found != expected {
                return Err(Error::OperandCount { expected, found });
            }
        }
        let mut workspace = match self.idle.take() {
            Some(workspace) => workspace,
            None => Box::new(self.workspace()?),
        };
        let output = workspace.tensors[expected].layout.clone();
        workspace.fit(&self.plan, operands, (output.shape(), output.strides()))?;
        for (bound, (operand, &conj)) in workspace.tensors.iter_mut().zip(operands.iter().zip(conj)) {
            (bound.start, bound.conj) = (operand.as_ptr().cast_mut(), conj);
        }
        let operands = std::marker::PhantomData;
        let mut run = SharedRun { einsum: self, workspace: Some(workspace), alpha, next: None, operands };
        if !self.plan.cut.fixed.is_empty() {
            // SAFETY: the operands' layouts are those of the program; they are valid for as long as the run lives.
            unsafe { run.shared().0.once(threads) }?;
        }
        Ok(run)
    }
}

impl<T: Element> SharedRun<'_, T> {
    fn shared(&mut self) -> (Shared<'_, T>, &mut Vec<usize>) {
        let Workspace { program, tensors, memory, slice } =
            self.workspace.as_deref_mut().expect("taken only when dropped");
        let (memory, values) = (memory.as_mut_ptr(), slice.as_mut_ptr());
        (Shared { plan: &self.einsum.plan, program, tensors, alpha: self.alpha, memory, values }, slice)
    }

    /// block ← α · (the sum over these slices), which are all of one block. The elements beyond a shorter range of the
    /// block's labels are 0. Ranges that follow one another cost no more than one range of all.
    ///
    /// # Errors
    /// [`Error::Step`] if a step was planned wrongly.
    ///
    /// # Panics
    /// If the slices are not all of one block, or `block` is not as long as one.
    pub fn run(&mut self, slices: std::ops::Range<usize>, block: &mut [T], threads: Threads) -> Result<(), Error> {
        let shares = self.einsum.plan.shares().expect("a plan for shares");
        let of = slices.start / shares.slices;
        assert!(block.len() == shares.elements && slices.end <= (of + 1) * shares.slices, "slices of one block");
        assert!(of < shares.blocks, "slices of this plan");
        let next = self.next.take();
        let (shared, values) = self.shared();
        let (plan, lane) = (shared.plan, shared.lane(0));
        plan.slice_values(slices.start, values);
        if slices.is_empty() || plan.cut.variants() > 1 {
            block.fill(T::ZERO);
        }
        let all = values.len().saturating_sub(1);
        let mut changed = next.filter(|&(slice, _)| slice == slices.start).map_or(all, |(_, changed)| changed);
        let (end, mut beta) = (slices.end, T::ZERO);
        for _ in slices {
            let output = block.as_mut_ptr();
            // SAFETY: the operands' layouts are those of the program, and they are valid for as long as the run lives;
            // the block is exclusively ours, and as long as the layout that the last step writes it in. What these
            // steps do not make anew is there from the slice before, or from the beginning of the run.
            unsafe { shared.steps(&lane, 0..=changed, values, output, true, beta, threads, |_| ()) }?;
            changed = advance(values, plan.slice_extents()).unwrap_or(0);
            beta = T::ONE;
        }
        self.next = Some((end, changed));
        Ok(())
    }
}

impl<T: Element> Drop for SharedRun<'_, T> {
    fn drop(&mut self) {
        match self.workspace.take() {
            Some(workspace) if !std::thread::panicking() => self.einsum.idle.give(workspace),
            _ => {}
        }
    }
}
