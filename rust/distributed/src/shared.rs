//! A contraction whose slices are shared out among the ranks; every rank has the operands.

use std::ops::Range;

use tensoroxide_dense::Element;
use tensoroxide_einsum::network::Network;
use tensoroxide_einsum::notation::Expression;
use tensoroxide_einsum::path::{Form, Path, Search};
use tensoroxide_einsum::{Einsum, Options, Plan, Shares};
use tensoroxide_tensor::{DType, Threads, View, ViewMut};

use crate::bytes::fingerprint;
use crate::deal::power_of_two;
use crate::group::Group;
use crate::run::{Talk, Work};
use crate::Error;

const PLAN: u32 = 16;

/// The part of the time that beginning each leaf anew would take at most. Most leaves follow one that is done just
/// before, and cost nothing to begin.
const RESTARTS: f64 = 0.01;
/// Leaves that there are at least, if there are as many slices: fewer could not be shared out evenly.
const LEAST_LEAVES: usize = 64;
/// Leaves that there are at most, unless there are more blocks.
const MOST_LEAVES: usize = 1 << 16;

/// What a shared contraction may be asked for.
#[derive(Clone, Debug, Default)]
pub struct ShareOptions {
    /// Most bytes of workspace of each rank, sums of slices included.
    pub memory_limit: Option<usize>,
    /// Threads that compute, of each rank.
    pub threads: Threads,
    /// Least number of slices; 0 for four for each thread of all ranks, where there are several. The result has the
    /// same bits for any number of ranks that has the same slices.
    pub slices: usize,
    /// The path to take; `None` to search one.
    pub path: Option<Path>,
    /// How to search a path.
    pub search: Search,
}

/// Who gets the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Rank 0.
    Leader,
    /// Every rank.
    All,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Slices that are done.
    pub done: u64,
    /// Slices that there are.
    pub slices: u64,
    /// Seconds since the beginning.
    pub seconds: f64,
}

impl Progress {
    /// Slices in a second, so far.
    pub fn rate(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// Seconds that the rest will take at this rate; infinite before the first slice is done.
    pub fn remaining(&self) -> f64 {
        (self.slices - self.done) as f64 / self.rate()
    }
}

/// A contraction whose slices are shared out among the ranks. All ranks make it, and run it, together.
///
/// The slices are dealt out in *leaves*, ranges of slices of one block of the output, and the results of the leaves of
/// a block are added up along a tree that depends on the plan alone: the result has the same bits for any number of
/// ranks and threads that has the same plan.
///
/// ```
/// use std::time::Duration;
/// use tensoroxide_distributed::{Group, Loopback, ShareOptions, SharedEinsum, Target};
/// use tensoroxide_tensor::{Tensor, Threads};
/// let rank = |transport| {
///     let mut group = Group::new(Box::new(transport), Duration::from_secs(10));
///     let shapes: [&[usize]; 2] = [&[2, 3], &[3, 2]];
///     let a = Tensor::from_fn(&[2, 3], |i| (i[0] + i[1]) as f64).unwrap();
///     let b = Tensor::from_fn(&[3, 2], |i| (i[0] * i[1]) as f64).unwrap();
///     let mut c = Tensor::from_fn(&[2, 2], |_| 0.0).unwrap();
///     let einsum = SharedEinsum::<f64>::new(&mut group, "ij,jk->ik", &shapes, ShareOptions::default()).unwrap();
///     let (operands, output) = ([a.view(), b.view()], Some(c.view_mut().unwrap()));
///     einsum.run(&mut group, 1.0, &operands, &[false; 2], 0.0, output, Target::All, &mut |_| true).unwrap();
///     assert_eq!(c.data(), [0.0, 0.0, 5.0, 8.0]);
/// };
/// std::thread::scope(|scope| Loopback::ranks(3).into_iter().for_each(|transport| {
///     scope.spawn(|| rank(transport));
/// }));
/// ```
#[derive(Debug)]
pub struct SharedEinsum<T: Element> {
    pub(crate) einsum: Einsum<T>,
    pub(crate) shares: Shares,
    /// Leaves of a block: a power of two.
    pub(crate) chunks: usize,
    pub(crate) workers: usize,
    peak_bytes: usize,
    fingerprint: u64,
}

impl<T: Element> SharedEinsum<T> {
    /// Plans a contraction that the ranks share. Rank 0 searches the path and tells it the others.
    ///
    /// # Errors
    /// As [`Plan::new`], of any rank; [`Error::Disagreement`] if the ranks ask for different things.
    pub fn new(
        group: &mut Group,
        expression: &str,
        shapes: &[&[usize]],
        options: ShareOptions,
    ) -> Result<SharedEinsum<T>, Error> {
        let network = Expression::parse(expression).and_then(|parsed| Network::new(&parsed, shapes));
        let asked = format!("plan {expression} {shapes:?} {} {:?} {}", T::DTYPE, options.memory_limit, options.slices);
        let ready = network.as_ref().map(|_| fingerprint(&asked)).map_err(|error| error.clone().into());
        let size = group.size();
        let ShareOptions { path, search, threads, .. } = options.clone();
        let agreed = group.call(ready, |group| {
            agree_on_path(group, network.as_ref().map_err(Clone::clone)?, expression, T::DTYPE, threads, path, search)
        })?;
        let made = agreed.and_then(|(path, workers)| {
            let options = ShareOptions { path: Some(path), ..options };
            SharedEinsum::plan(expression, shapes, size, workers, options)
        });
        // Whether all could, and came to the same.
        group.call(made.as_ref().map(|made| made.fingerprint).map_err(Error::clone), |_| Ok(()))?;
        made
    }

    /// Plans for a rank of so many, with so many threads, or with fewer if the limit leaves no room for them.
    fn plan(
        expression: &str,
        shapes: &[&[usize]],
        size: usize,
        workers: usize,
        options: ShareOptions,
    ) -> Result<SharedEinsum<T>, Error> {
        let several = size * workers > 1;
        let slices = if options.slices == 0 && several { 4 * size * workers } else { options.slices };
        // What is kept for sums is known once the slices are; it hardly changes with the limit.
        let (mut limit, mut path) = (options.memory_limit, options.path);
        for _ in 0..4 {
            let each = Options {
                memory_limit: limit.map(|limit| limit / workers),
                threads: Threads::ONE,
                shares: slices.max(1),
                path: path.take(),
                search: options.search,
            };
            let plan = match Plan::new(expression, shapes, T::DTYPE, each) {
                Err(tensoroxide_einsum::Error::MemoryLimit { .. }) if workers > 1 => {
                    let options = ShareOptions { path, ..options };
                    return SharedEinsum::plan(expression, shapes, size, workers / 2, options);
                }
                plan => plan?,
            };
            path = Some(plan.path().clone());
            let made = SharedEinsum::of(plan, workers, size);
            let Some(most) = options.memory_limit.filter(|&most| made.peak_bytes > most) else { return Ok(made) };
            let sums = made.peak_bytes - workers * made.einsum.plan().peak_bytes();
            limit = Some(
                most.checked_sub(sums)
                    .filter(|&left| left > 0)
                    .ok_or(tensoroxide_einsum::Error::MemoryLimit { limit: most, needed: made.peak_bytes })?,
            );
        }
        let limit = options.memory_limit.unwrap_or(usize::MAX);
        Err(tensoroxide_einsum::Error::MemoryLimit { limit, needed: limit }.into())
    }

    fn of(plan: Plan, workers: usize, size: usize) -> SharedEinsum<T> {
        let shares = plan.shares().expect("planned for shares");
        let chunks = chunks(&shares);
        // Each thread fills a leaf; of its units, which halve, and of a unit's own sums, one of each level may be
        // there.
        let levels = (shares.blocks * chunks).ilog2() as usize + 1;
        let sums = workers * (levels + 2) + usize::from(size > 1) * levels;
        let block = shares.elements * T::DTYPE.size();
        let peak_bytes = (workers * plan.peak_bytes()).saturating_add(sums.saturating_mul(block));
        let network = plan.network();
        let steps = (plan.path(), plan.slices(), plan.flops().to_bits(), shares.blocks, shares.elements, chunks);
        let text = format!("{} {:?} {} {steps:?} {workers}", plan.expression(), network.shapes, plan.dtype());
        let fingerprint = fingerprint(&format!("{text} {plan}"));
        SharedEinsum { einsum: Einsum::new(plan), shares, chunks, workers, peak_bytes, fingerprint }
    }

    /// What each rank runs slices of.
    pub fn plan_of_slices(&self) -> &Plan {
        self.einsum.plan()
    }

    /// How many leaves are dealt out.
    pub fn leaves(&self) -> usize {
        self.shares.blocks * self.chunks
    }

    /// Threads of each rank that compute.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Bytes of workspace of a rank, sums of slices included. Where one rank is more than some times faster than others
    /// it may have some more sums.
    pub fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }

    pub(crate) fn slices_of(&self, leaf: usize) -> Range<usize> {
        let (block, chunk) = (leaf / self.chunks, leaf % self.chunks);
        let (first, slices) = (block * self.shares.slices, self.shares.slices);
        first + slices * chunk / self.chunks..first + slices * (chunk + 1) / self.chunks
    }

    /// output ← α · (Einstein sum of the operands) + β · output, on rank 0 or on all. Every rank gives the same
    /// operands; `output` is there where the result goes. `tell` is told of the progress on rank 0, about every second
    /// and at the end, and stops the run everywhere if it returns `false`. After an error the output may be partly
    /// written.
    ///
    /// # Errors
    /// As [`Einsum::run`], and all of [`Error`], on every rank.
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &self,
        group: &mut Group,
        alpha: T,
        operands: &[View<'_, T>],
        conj: &[bool],
        beta: T,
        output: Option<ViewMut<'_, T>>,
        target: Target,
        tell: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<(), Error> {
        let needed = target == Target::All || group.leads();
        let call = (alpha.to_c64(), conj, target, self.fingerprint);
        let ready = self.check(operands, conj, output.as_ref(), needed).map(|()| fingerprint(&format!("run {call:?}")));
        group.call(ready, |group| {
            let output = output.filter(|_| needed);
            let work = Work::new(self, operands, conj, alpha);
            Talk::new(&work, group, beta, output, target, tell).run()
        })
    }

    fn check(
        &self,
        operands: &[View<'_, T>],
        conj: &[bool],
        output: Option<&ViewMut<'_, T>>,
        needed: bool,
    ) -> Result<(), Error> {
        let network = self.einsum.plan().network();
        let expected = network.operands.len();
        for found in [operands.len(), conj.len()] {
            if found != expected {
                return Err(tensoroxide_einsum::Error::OperandCount { expected, found }.into());
            }
        }
        let shape = |operand: Option<usize>, found: &[usize], expected: &[usize]| match found == expected {
            true => Ok(()),
            false => {
                let (found, expected) = (found.to_vec(), expected.to_vec());
                Err(Error::from(tensoroxide_einsum::Error::Shape { operand, found, expected }))
            }
        };
        for (i, (operand, expected)) in operands.iter().zip(&network.shapes).enumerate() {
            shape(Some(i), operand.shape(), expected)?;
        }
        match output {
            Some(output) => shape(None, output.shape(), &self.einsum.plan().output_shape()),
            None if needed => Err(Error::Argument("there is no output on a rank that gets the result".into())),
            None => Ok(()),
        }
    }
}

/// The path that rank 0 has, or finds, and its number of threads. The inner error is one that rank 0 tells later.
pub(crate) fn agree_on_path(
    group: &mut Group,
    network: &Network,
    expression: &str,
    dtype: DType,
    threads: Threads,
    path: Option<Path>,
    search: Search,
) -> Result<Result<(Path, usize), Error>, Error> {
    if group.leads() {
        let path = match path {
            Some(path) => path,
            None => group.busy(|| tensoroxide_einsum::path::search(network, dtype, &search))?,
        };
        let text = path.write(Form::Ssa, network, expression);
        group.send_all(PLAN, [threads.get() as u64, 0], text.as_bytes())?;
        return Ok(Ok((path, threads.get())));
    }
    let message = group.wait(PLAN)?;
    let path = Path::read(&String::from_utf8_lossy(&message.data), Form::Ssa, network);
    Ok(path.map(|path| (path, message.args[0] as usize)).map_err(Error::from))
}

/// Into how many leaves a block is cut: many, to be dealt out evenly, but not so many that beginning each anew costs
/// much.
fn chunks(shares: &Shares) -> usize {
    let few = (LEAST_LEAVES / shares.blocks).max(1);
    let cheap = RESTARTS / (shares.restart * shares.blocks as f64).max(f64::MIN_POSITIVE);
    let many = (MOST_LEAVES / shares.blocks).max(1);
    power_of_two((cheap as usize).clamp(few, many.max(few)).min(shares.slices).max(1))
}
