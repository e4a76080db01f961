//! One run of a shared contraction, on one rank.
//!
//! Threads of its own compute, unit after unit. The thread that the host called on only talks to the other ranks: MPI
//! may be called by no other, and it can answer at any time, however long a slice takes.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tensoroxide_dense::Element;
use tensoroxide_einsum::SharedRun;
use tensoroxide_tensor::{Buffer, Threads, View, ViewMut};

use crate::bytes::{from_bytes, to_bytes};
use crate::deal::{Dealer, Owners};
use crate::group::{Group, Patience, LEADER, LOOK};
use crate::shared::{Progress, SharedEinsum, Target};
use crate::sum::{Node, Sums};
use crate::transport::Message;
use crate::Error;

const ASK: u32 = 17;
const UNIT: u32 = 18;
const OWNERS: u32 = 19;
const NODE: u32 = 20;
const BLOCK: u32 = 21;

/// A rank asks for its next unit before it needs it, unless a leaf takes longer than this: a unit that waits is one
/// that nobody else can begin.
const AHEAD: Duration = Duration::from_millis(50);
/// How often the host is told of the progress.
const TELL: Duration = Duration::from_secs(1);

/// What the threads of a rank have in common.
pub(crate) struct Work<'a, T: Element> {
    of: &'a SharedEinsum<T>,
    operands: &'a [View<'a, T>],
    conj: &'a [bool],
    alpha: T,
    sums: Sums<T>,
    queue: Mutex<Queue>,
    /// Something changed for the threads that compute.
    units: Condvar,
    /// Something changed for the thread that talks.
    news: Condvar,
    stop: AtomicBool,
    /// Slices that are done, and the nanoseconds that the leaves took.
    slices: AtomicU64,
    leaves: AtomicU64,
    nanoseconds: AtomicU64,
}

#[derive(Default)]
struct Queue {
    units: VecDeque<Range<usize>>,
    /// Whether no more units will come.
    closed: bool,
    /// Threads that wait for a unit, and that have ended.
    idle: usize,
    ended: usize,
    failed: Option<Error>,
}

impl<'a, T: Element> Work<'a, T> {
    pub(crate) fn new(of: &'a SharedEinsum<T>, operands: &'a [View<'a, T>], conj: &'a [bool], alpha: T) -> Work<'a, T> {
        Work {
            of,
            operands,
            conj,
            alpha,
            sums: Sums::new(of.shares.elements, of.chunks.ilog2()),
            queue: Mutex::default(),
            units: Condvar::new(),
            news: Condvar::new(),
            stop: AtomicBool::new(false),
            slices: AtomicU64::new(0),
            leaves: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // What is locked here is whole between any two lines.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Result<SharedRun<'a, T>, Error> {
        Ok(self.of.einsum.share(self.alpha, self.operands, self.conj, Threads::ONE)?)
    }

    fn leaf(&self, run: &mut SharedRun<'_, T>, leaf: usize) -> Result<(), Error> {
        let since = Instant::now();
        let slices = self.of.slices_of(leaf);
        let count = slices.len() as u64;
        let mut sum = self.sums.buffer()?;
        run.run(slices, &mut sum, Threads::ONE)?;
        self.sums.insert(Node { level: 0, at: leaf }, sum);
        self.slices.fetch_add(count, Ordering::Relaxed);
        self.leaves.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(since.elapsed().as_nanos() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// What a thread does that computes.
    fn compute(&self) {
        let done = self.begin().and_then(|mut run| {
            while let Some(unit) = self.next_unit() {
                for leaf in unit {
                    if self.stop.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    self.leaf(&mut run, leaf)?;
                }
            }
            Ok(())
        });
        let mut queue = self.lock();
        queue.ended += 1;
        queue.failed = queue.failed.take().or(done.err());
        self.news.notify_one();
    }

    fn next_unit(&self) -> Option<Range<usize>> {
        let mut queue = self.lock();
        queue.idle += 1;
        loop {
            let unit = if self.stop.load(Ordering::Relaxed) { None } else { queue.units.pop_front() };
            if unit.is_some() || queue.closed {
                queue.idle -= 1;
                self.news.notify_one();
                return unit;
            }
            self.news.notify_one();
            queue = self.units.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Units that should be there beside those that are being computed.
    fn wanted(&self, queue: &Queue) -> usize {
        let (leaves, time) = (self.leaves.load(Ordering::Relaxed), self.nanoseconds.load(Ordering::Relaxed));
        let short = leaves > 0 && u128::from(time / leaves) < AHEAD.as_nanos();
        queue.idle + usize::from(short)
    }
}

/// The thread that was called on.
pub(crate) struct Talk<'a, 'g, T: Element> {
    work: &'a Work<'a, T>,
    group: &'g mut Group,
    beta: T,
    output: Option<ViewMut<'g, T>>,
    target: Target,
    tell: &'g mut dyn FnMut(Progress) -> bool,
    /// On rank 0.
    dealer: Dealer,
    /// Once all is dealt out.
    owners: Option<Owners>,
    /// Units that were asked for and have not come.
    asked: usize,
    /// Blocks of the output that have to be written still.
    blocks: usize,
    start: Instant,
    told: Instant,
}

impl<'a, 'g, T: Element> Talk<'a, 'g, T> {
    pub(crate) fn new(
        work: &'a Work<'a, T>,
        group: &'g mut Group,
        beta: T,
        output: Option<ViewMut<'g, T>>,
        target: Target,
        tell: &'g mut dyn FnMut(Progress) -> bool,
    ) -> Talk<'a, 'g, T> {
        let (leaves, now) = (work.of.leaves(), Instant::now());
        let dealer = Dealer::new(leaves, work.of.workers * group.size(), work.of.shares.restart);
        let blocks = if output.is_some() { work.of.shares.blocks } else { 0 };
        Talk { work, group, beta, output, target, tell, dealer, owners: None, asked: 0, blocks, start: now, told: now }
    }

    pub(crate) fn run(mut self) -> Result<(), Error> {
        let Work { of, operands, conj, alpha, .. } = self.work;
        if self.group.size() == 1 && of.workers == 1 {
            match self.output.take_if(|_| of.einsum.plan().slices() == 1) {
                // Nothing is added up: the result is written where it goes at once.
                Some(output) => of.einsum.run(*alpha, operands, conj, self.beta, output, Threads::ONE)?,
                None => self.alone()?,
            }
        } else {
            let work = self.work;
            std::thread::scope(|scope| {
                let compute = || {
                    if catch_unwind(AssertUnwindSafe(|| work.compute())).is_err() {
                        work.lock().failed = Some(Error::Panicked);
                    }
                };
                let begun = (0..work.of.workers).try_for_each(|_| {
                    let begun = std::thread::Builder::new().spawn_scoped(scope, compute);
                    begun.map(|_| ()).map_err(|error| Error::Thread(error.to_string()))
                });
                let done = begun.and_then(|()| self.together());
                work.stop.store(done.is_err(), Ordering::Relaxed);
                work.lock().closed = true;
                work.units.notify_all();
                done
            })?;
        }
        self.progress(true)
    }

    /// One thread of one rank needs nobody.
    fn alone(&mut self) -> Result<(), Error> {
        let mut run = self.work.begin()?;
        for leaf in 0..self.work.of.leaves() {
            self.work.leaf(&mut run, leaf)?;
            self.progress(false)?;
            self.finished_blocks()?;
        }
        Ok(())
    }

    fn together(&mut self) -> Result<(), Error> {
        let mut patience = Patience::default();
        loop {
            let mut active = false;
            while let Some(message) = self.group.poll()? {
                self.receive(message)?;
                active = true;
            }
            self.refill()?;
            self.pass_on()?;
            self.group.report(self.work.slices.load(Ordering::Relaxed));
            self.progress(false)?;
            let queue = self.work.lock();
            if let Some(error) = &queue.failed {
                return Err(error.clone());
            }
            let all_idle = queue.idle + queue.ended == self.work.of.workers && queue.units.is_empty();
            let computed = queue.ended == self.work.of.workers;
            // All workers compute: they tell when they want something.
            if !all_idle {
                patience = Patience::default();
                drop(self.work.news.wait_timeout(queue, LOOK));
                continue;
            }
            drop(queue);
            if computed && self.owners.is_some() && self.blocks == 0 && self.work.sums.is_empty() {
                return Ok(());
            }
            if active {
                patience = Patience::default();
            }
            patience.wait();
        }
    }

    fn receive(&mut self, message: Message) -> Result<(), Error> {
        let Message { from, kind, args, data, .. } = message;
        match kind {
            ASK => {
                for _ in 0..args[0] {
                    if let Some(unit) = self.dealer.deal(from) {
                        self.group.send(from, UNIT, [unit.start as u64, unit.end as u64], Vec::new())?;
                    }
                }
            }
            UNIT => {
                self.asked = self.asked.saturating_sub(1);
                self.give(args[0] as usize..args[1] as usize);
            }
            OWNERS => self.close(Owners::from_bytes(&data)),
            NODE => {
                let mut sum = self.work.sums.buffer()?;
                from_bytes(&data, &mut sum)?;
                self.work.sums.insert(Node { level: args[0] as u32, at: args[1] as usize }, sum);
            }
            BLOCK => {
                let mut sum = self.work.sums.buffer()?;
                from_bytes(&data, &mut sum)?;
                self.deliver(args[0] as usize, args[1] as usize, sum)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn give(&self, unit: Range<usize>) {
        self.work.lock().units.push_back(unit);
        self.work.units.notify_one();
    }

    fn close(&mut self, owners: Owners) {
        self.owners = Some(owners);
        self.work.lock().closed = true;
        self.work.units.notify_all();
    }

    /// Sees to it that the threads have something to do.
    fn refill(&mut self) -> Result<(), Error> {
        if self.owners.is_some() {
            return Ok(());
        }
        let missing = {
            let queue = self.work.lock();
            self.work.wanted(&queue).saturating_sub(queue.units.len() + self.asked)
        };
        if !self.group.leads() {
            if missing > 0 {
                self.group.send(LEADER, ASK, [missing as u64, 0], Vec::new())?;
                self.asked += missing;
            }
            return Ok(());
        }
        for _ in 0..missing {
            if let Some(unit) = self.dealer.deal(LEADER) {
                self.give(unit);
            }
        }
        if let Some(owners) = self.dealer.owners().cloned() {
            self.group.send_all(OWNERS, [0; 2], &owners.to_bytes())?;
            self.close(owners);
        }
        Ok(())
    }

    /// Sends sums to whoever adds to them, and blocks to where the result goes.
    fn pass_on(&mut self) -> Result<(), Error> {
        self.finished_blocks()?;
        let Some(owners) = &self.owners else { return Ok(()) };
        let (sums, rank) = (&self.work.sums, self.group.rank());
        let to = |node: Node| match node.at % 2 {
            0 => rank,
            _ => owners.of(Node { at: node.at - 1, ..node }.first_leaf()),
        };
        while let Some((node, sum)) = sums.take(|node| sums.block(node).is_none() && to(node) != rank) {
            let args = [u64::from(node.level), node.at as u64];
            self.group.send(to(node), NODE, args, to_bytes(&sum)?)?;
            sums.spare(sum);
        }
        Ok(())
    }

    fn finished_blocks(&mut self) -> Result<(), Error> {
        let sums = &self.work.sums;
        while let Some((node, sum)) = sums.take(|node| sums.block(node).is_some()) {
            self.deliver(node.at, self.group.rank(), sum)?;
        }
        Ok(())
    }

    /// Passes a block on that came from `root`, and writes it.
    fn deliver(&mut self, block: usize, root: usize, sum: Buffer<T>) -> Result<(), Error> {
        let (rank, size) = (self.group.rank(), self.group.size());
        let args = [block as u64, root as u64];
        if self.target == Target::Leader && rank != LEADER {
            self.group.send(LEADER, BLOCK, args, to_bytes(&sum)?)?;
        } else if self.target == Target::All {
            // Along a binomial tree whose root has the block: rank r of it serves r + 1, r + 2, r + 4, … below its own
            // lowest bit.
            let relative = (rank + size - root) % size;
            let steps = (0..usize::BITS).map(|k| 1usize << k).take_while(|&step| step < size);
            for step in steps.take_while(|&step| relative & step == 0).filter(|&step| relative + step < size) {
                self.group.send((rank + step) % size, BLOCK, args, to_bytes(&sum)?)?;
            }
        }
        if let Some(output) = &mut self.output {
            self.work.of.einsum.plan().write_block(block, &sum, self.beta, output.reborrow(), Threads::ONE)?;
            self.blocks -= 1;
        }
        self.work.sums.spare(sum);
        Ok(())
    }

    fn progress(&mut self, end: bool) -> Result<(), Error> {
        let now = Instant::now();
        if !self.group.leads() || !end && now - self.told < TELL {
            return Ok(());
        }
        self.told = now;
        self.group.report(self.work.slices.load(Ordering::Relaxed));
        let slices = self.work.of.einsum.plan().slices() as u64;
        // At the end all is done, whatever was reported last.
        let done = if end { slices } else { self.group.reported().min(slices) };
        let goes_on = (self.tell)(Progress { done, slices, seconds: (now - self.start).as_secs_f64() });
        if goes_on || end {
            Ok(())
        } else {
            Err(Error::Interrupted)
        }
    }
}
