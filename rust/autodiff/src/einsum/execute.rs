//! Running a listing on the caller's tensors.
#![allow(unsafe_code)] // the steps run on pointers: their layouts were checked when the program was made

use tensoroxide_contract::Settings;
use tensoroxide_dense::Element;
use tensoroxide_tensor::kernels::scale_ordered;
use tensoroxide_tensor::{overlap, Buffer, Layout, Pool, Region, Scalar, Threads, View, ViewMut};

use super::arena::Arena;
use super::listing::{Factor, Family, Listing, Slot};
use super::program::{Kernel, Program};
use crate::Error;

/// A listing with the memory to run it, in one phase or in two: what the first `split` instructions make is then there
/// for the others, as often as they run.
#[derive(Debug)]
pub(super) struct Machine<T: Scalar> {
    pub(super) listing: Listing,
    arena: Arena,
    split: usize,
    shapes: Vec<Vec<usize>>,
    settings: Settings,
    limit: Option<usize>,
    idle: Pool<Workspace<T>>,
}

/// What one run at a time uses.
#[derive(Debug)]
pub(super) struct Workspace<T: Scalar> {
    phases: [Phase; 2],
    /// Where each tensor of the caller's has its element at index (0, …, 0), and whether this run has it.
    starts: Vec<(*mut T, bool)>,
    /// Addresses of the first byte and of one past the last, of what is written.
    written: Vec<(usize, usize, Slot)>,
    arena: Buffer<T>,
    scratch: Buffer<T>,
}

// SAFETY: the pointers are followed only during a run, which has the workspace for itself and whose caller vouches for
// them; between runs they are numbers without a meaning.
unsafe impl<T: Scalar> Send for Workspace<T> {}

/// What a phase is prepared for.
#[derive(Debug)]
struct Phase {
    /// Of the caller's tensors that the run had.
    layouts: Vec<Option<Layout>>,
    program: Option<Program>,
}

/// One of the caller's tensors: as good as the view that it was made of.
pub(super) struct Given<'a, T> {
    slot: Slot,
    shape: &'a [usize],
    strides: &'a [isize],
    start: *mut T,
}

impl<'a, T: Scalar> Given<'a, T> {
    pub(super) fn read(slot: Slot, view: &View<'a, T>) -> Given<'a, T> {
        Given { slot, shape: view.shape(), strides: view.strides(), start: view.as_ptr().cast_mut() }
    }

    pub(super) fn write(slot: Slot, mut view: ViewMut<'a, T>) -> Given<'a, T> {
        Given { slot, shape: view.shape(), strides: view.strides(), start: view.as_mut_ptr() }
    }
}

/// Which instructions run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Those before the split; all that they make is kept.
    First,
    /// Those behind it.
    Second,
}

/// What a run multiplies by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors<T> {
    pub(super) alpha: T,
    /// Of what the output, or its tangent, held before.
    pub(super) beta: T,
}

impl<T: Element> Machine<T> {
    pub(super) fn new(
        listing: Listing,
        split: usize,
        extents: &[usize],
        settings: Settings,
        limit: Option<usize>,
    ) -> Result<Machine<T>, Error> {
        let arena = Arena::new(&listing, split, extents)?;
        let shape = |slot: Slot| listing.labels[slot].iter().map(|&label| extents[label as usize]).collect();
        let shapes = (0..listing.givens()).map(shape).collect();
        Ok(Machine { listing, arena, split, shapes, settings, limit, idle: Pool::default() })
    }

    /// A workspace that is idle, or a new one.
    pub(super) fn workspace(&self) -> Result<Box<Workspace<T>>, Error> {
        if let Some(workspace) = self.idle.take() {
            return Ok(workspace);
        }
        let givens = self.listing.givens();
        let phase = || Phase { layouts: vec![None; givens], program: None };
        Ok(Box::new(Workspace {
            phases: [phase(), phase()],
            starts: vec![(std::ptr::null_mut(), false); givens],
            written: Vec::with_capacity(givens),
            arena: Buffer::zeroed(self.arena.elements)?,
            scratch: Buffer::zeroed(0)?,
        }))
    }

    /// Takes a workspace back.
    pub(super) fn give(&self, workspace: Box<Workspace<T>>) {
        // What a panic has interrupted is not used again.
        if !std::thread::panicking() {
            self.idle.give(workspace);
        }
    }

    /// Bytes of what is made.
    pub(super) fn bytes(&self) -> usize {
        self.arena.elements.saturating_mul(size_of::<T>())
    }

    /// Runs a part. Of the tensors that are read, those that are not given are 0; of those that are written, those that
    /// are not given are not computed. [`Part::Second`] goes on from what [`Part::First`] has left in the same
    /// workspace.
    pub(super) fn run<'a>(
        &self,
        workspace: &mut Workspace<T>,
        part: Part,
        tensors: impl Iterator<Item = Given<'a, T>>,
        factors: Factors<T>,
        threads: Threads,
    ) -> Result<(), Error> {
        let phase = &mut workspace.phases[part as usize];
        workspace.starts.iter_mut().for_each(|(_, there)| *there = false);
        for tensor in tensors {
            let slot = tensor.slot;
            if tensor.shape != self.shapes[slot] {
                let expected = format!("size {:?}, not {:?}", self.shapes[slot], tensor.shape);
                return Err(Error::Operand { name: self.name(slot), expected });
            }
            workspace.starts[slot] = (tensor.start, true);
            let known = &mut phase.layouts[slot];
            if known.as_ref().is_none_or(|known| known.strides() != tensor.strides) {
                *known = Some(Layout::new(tensor.shape, tensor.strides)?);
                phase.program = None;
            }
        }
        for (known, (_, there)) in phase.layouts.iter_mut().zip(&workspace.starts) {
            if known.is_some() && !there {
                *known = None;
                phase.program = None;
            }
        }
        self.check_aliasing(part, workspace)?;
        let phase = &mut workspace.phases[part as usize];
        let program = match phase.program.take() {
            Some(program) => program,
            None => self.program(part, &phase.layouts)?,
        };
        if workspace.scratch.len() < program.scratch {
            workspace.scratch = Buffer::zeroed(0)?;
            workspace.scratch = Buffer::zeroed(program.scratch)?;
        }
        // SAFETY: the tensors are views, which vouch for their elements; the program is that of their layouts, and
        // those that are written share no element with another.
        let done = unsafe { self.steps(&program, part, workspace, factors, threads) };
        workspace.phases[part as usize].program = Some(program);
        done
    }

    fn program(&self, part: Part, layouts: &[Option<Layout>]) -> Result<Program, Error> {
        let listing = &self.listing;
        let (first, all) = (0..self.split, listing.instructions.len());
        let mut known = vec![false; listing.labels.len()];
        let mut wanted = known.clone();
        for (slot, _) in layouts.iter().enumerate().filter(|(_, layout)| layout.is_some()) {
            wanted[slot] = self.is_written(slot);
            known[slot] = !wanted[slot];
        }
        for instruction in listing.instructions[first.clone()].iter().filter(|made| made.to >= listing.givens()) {
            known[instruction.to] |= part == Part::Second;
            wanted[instruction.to] |= part == Part::First;
        }
        let range = if part == Part::First { first } else { self.split..all };
        let layout = |slot: Slot| match slot.checked_sub(layouts.len()) {
            None => layouts[slot].as_ref(),
            Some(made) => Some(&self.arena.places[made].0),
        };
        let prepare = |least_scratch: bool| {
            let settings = Settings { least_scratch, ..self.settings };
            Program::new(listing, range.clone(), known.clone(), &wanted, layout, settings)
        };
        let bytes = |program: &Program| self.bytes().saturating_add(program.scratch.saturating_mul(size_of::<T>()));
        let fits = |program: &Program| self.limit.is_none_or(|limit| bytes(program) <= limit);
        let program = prepare(false)?;
        if fits(&program) {
            return Ok(program);
        }
        let program = prepare(true)?;
        match self.limit {
            Some(limit) if !fits(&program) => {
                Err(tensoroxide_einsum::Error::MemoryLimit { limit, needed: bytes(&program) }.into())
            }
            _ => Ok(program),
        }
    }

    /// The operand, from 0, or `None` for the output, of a tensor of the caller's.
    fn operand(&self, slot: Slot) -> Option<usize> {
        Some(slot % (self.listing.operands + 1)).filter(|&k| k < self.listing.operands)
    }

    /// Whether a tensor of the caller's is to be written, and not to be read: of the cotangents those of the operands,
    /// of all others that of the output.
    fn is_written(&self, slot: Slot) -> bool {
        let family = slot / (self.listing.operands + 1);
        let of_cotangents = [Family::Cotangent, Family::CotangentTangent].iter().any(|&f| f as usize == family);
        self.operand(slot).is_some() == of_cotangents
    }

    /// What texts call a tensor of the caller's.
    fn name(&self, slot: Slot) -> String {
        let of = match slot / (self.listing.operands + 1) {
            0 => "",
            1 => "the cotangent of ",
            2 => "the tangent of ",
            _ => "the cotangent's tangent of ",
        };
        self.operand(slot).map_or(format!("{of}the output"), |operand| format!("{of}operand {}", operand + 1))
    }

    /// That what is written shares no element with anything else.
    fn check_aliasing(&self, part: Part, workspace: &mut Workspace<T>) -> Result<(), Error> {
        let Workspace { phases, starts, written, .. } = workspace;
        let layouts = &phases[part as usize].layouts;
        let bytes = |slot: Slot| {
            let layout = layouts[slot].as_ref().filter(|layout| !layout.is_empty())?;
            let ((low, high), at, size) = (layout.reach(), starts[slot].0 as usize, size_of::<T>() as isize);
            Some((at.wrapping_add_signed(low * size), at.wrapping_add_signed((high + 1) * size), slot))
        };
        let region = |slot: Slot| {
            let layout = layouts[slot].as_ref()?;
            let (shape, strides) = (layout.shape(), layout.strides());
            Some(Region { address: starts[slot].0 as usize, shape, strides, element: size_of::<T>() })
        };
        let shared = |x: Slot, y: Slot| region(x).zip(region(y)).is_some_and(|(x, y)| overlap(x, y));
        written.clear();
        written.extend((0..layouts.len()).filter(|&slot| self.is_written(slot)).filter_map(bytes));
        written.sort_unstable();
        let error = |x: Slot, y: Slot| Err(Error::Aliasing { written: self.name(x), other: self.name(y) });
        // Mostly each lies behind the one before it, and a search finds what another tensor may meet.
        let apart = written.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        if !apart {
            for (i, &(_, end, x)) in written.iter().enumerate() {
                let met = written[i + 1..].iter().take_while(|other| other.0 < end).find(|other| shared(x, other.2));
                if let Some(&(_, _, y)) = met {
                    return error(x, y);
                }
            }
        }
        for (first, end, read) in (0..layouts.len()).filter(|&slot| !self.is_written(slot)).filter_map(bytes) {
            let start = if apart { written.partition_point(|w| w.1 <= first) } else { 0 };
            let met = written[start..].iter().take_while(|w| w.0 < end).find(|w| w.1 > first && shared(w.2, read));
            if let Some(&(_, _, x)) = met {
                return error(x, read);
            }
        }
        Ok(())
    }

    /// # Safety
    /// From the starts, the layouts of all tensors that the program was made for are valid; those that are written
    /// share no element with another. The scratch is as long as the program says.
    unsafe fn steps(
        &self,
        program: &Program,
        part: Part,
        workspace: &mut Workspace<T>,
        factors: Factors<T>,
        threads: Threads,
    ) -> Result<(), Error> {
        let Workspace { starts, arena, scratch, phases, .. } = workspace;
        debug_assert!(phases[part as usize].program.is_none());
        let (givens, memory) = (starts.len(), arena.as_mut_ptr());
        let start = |slot: Slot| match slot.checked_sub(givens) {
            None => starts[slot].0,
            Some(made) => memory.wrapping_add(self.arena.places[made].1),
        };
        let of_output = |slot: Slot| slot < givens && self.operand(slot).is_none();
        let kept = |slot: Slot| if of_output(slot) { factors.beta } else { T::ZERO };
        for step in &program.steps {
            let instruction = &step.instruction;
            let (to, alpha) = (start(instruction.to), instruction.factor.of(factors.alpha));
            let mut beta = if step.first { kept(instruction.to) } else { T::ONE };
            // SAFETY: for the caller's tensors, his promise. What is made lies in the arena, which is long enough, and
            // what is alive at once shares no element (`Arena`). Kernels and loops were made for these layouts.
            unsafe {
                if let Some(whole) = &step.whole {
                    scale_ordered(whole, beta, to, threads);
                    beta = T::ONE;
                }
                match (&step.kernel, instruction.a, instruction.b) {
                    (Kernel::Pair(pair), (a, conj_a), Some((b, conj_b))) => {
                        let (a, b) = (start(a).cast_const(), start(b).cast_const());
                        pair.run_unchecked(alpha, a, conj_a, b, conj_b, beta, to, &[], scratch, threads)?;
                    }
                    (Kernel::Single(single), (a, conj_a), _) => {
                        single.run_unchecked(alpha, start(a).cast_const(), conj_a, beta, to, &[], threads)?;
                    }
                    _ => return Err(tensoroxide_contract::Error::Layout.into()),
                }
            }
        }
        for (slot, elements) in &program.zeros {
            // SAFETY: the caller's promise; these are the elements of the tensor.
            unsafe { scale_ordered(elements, kept(*slot), start(*slot), threads) };
        }
        Ok(())
    }
}

impl Factor {
    fn of<T: Scalar>(self, alpha: T) -> T {
        match self {
            Factor::One => T::ONE,
            Factor::Alpha => alpha,
            Factor::ConjugateOfAlpha => alpha.conj(),
        }
    }
}
