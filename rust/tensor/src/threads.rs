//! How many threads a call may use, and the teams that run them.
//!
//! The number is an explicit argument of every kernel that can use more than one; nothing here is implied. A team of n
//! threads is n − 1 helpers and whoever calls. It is made the first time that its number is asked for with work large
//! enough, never before: a host that only loads the library must not find threads in it. Sharing work allocates
//! nothing: a job lives on the stack of its caller, who does not leave before the last helper has.
//!
//! Calls from several threads at once share the helpers of a team; the callers work in any case. A call from within a
//! task gets helpers of the same team, whatever number it asks for, as far as they are idle: the outermost call's
//! number holds.
#![allow(unsafe_code)] // a job on the stack is seen by helpers through a pointer

use std::any::Any;
use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// The largest number of threads that a call can use.
pub const MAX_THREADS: usize = 256;

/// A number of threads, from 1 to [`MAX_THREADS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threads(usize);

impl Default for Threads {
    /// [`Threads::ONE`].
    fn default() -> Threads {
        Threads::ONE
    }
}

impl Threads {
    /// The calling thread only.
    pub const ONE: Threads = Threads(1);

    /// `n` clamped to `1..=MAX_THREADS`.
    pub const fn new(n: usize) -> Threads {
        match n {
            0 => Threads(1),
            n if n > MAX_THREADS => Threads(MAX_THREADS),
            n => Threads(n),
        }
    }

    /// The number.
    pub const fn get(self) -> usize {
        self.0
    }

    /// As many of these threads as have at least `grain` units of `work` each.
    pub const fn for_work(self, work: usize, grain: usize) -> Threads {
        let wanted = work / if grain == 0 { 1 } else { grain };
        if wanted < self.0 {
            Threads::new(wanted)
        } else {
            self
        }
    }

    /// Runs `task(0)`, …, `task(count - 1)`, in any order; on the calling thread when there is one thread or one task,
    /// or when there are no helpers.
    ///
    /// # Panics
    /// With what a task panicked with, after all that had begun have ended.
    pub fn run(self, count: usize, task: impl Fn(usize) + Sync) {
        match (self.0, count) {
            (_, 0) => {}
            (1, _) | (_, 1) => (0..count).for_each(task),
            (n, _) => match TEAM.get().or_else(|| team(n)) {
                Some(team) => team.run(n, count, &task),
                None => (0..count).for_each(task),
            },
        }
    }
}

thread_local! {
    /// The team that this thread works for at the moment.
    static TEAM: Cell<Option<&'static Team>> = const { Cell::new(None) };
}

/// How often a thread looks for what it waits for before it sleeps: some 10 µs, about what waking it costs.
const LOOKS: usize = 300;

/// Helpers, and the jobs that want some.
struct Team {
    jobs: Mutex<Vec<Waiting>>,
    /// The length of `jobs`, to be read without the lock.
    waiting: AtomicUsize,
    come: Condvar,
    gone: Condvar,
}

/// A job in the list. It is there only as long as its caller is in [`Team::run`].
struct Waiting(*const Job<'static>);

// SAFETY: what a job holds may be used by several threads at once.
unsafe impl Send for Waiting {}

struct Job<'a> {
    task: &'a (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
    /// Helpers that may still join, changed under the team's lock.
    wanted: AtomicUsize,
    /// Helpers that are at it: they leave under the lock.
    helpers: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// Takes tasks until there are none left.
    fn work(&self) {
        let tasks = || loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            if i >= self.count {
                break;
            }
            (self.task)(i);
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(tasks)) {
            // The others stop at their next task.
            self.next.store(self.count, Ordering::Relaxed);
            self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
        }
    }

    fn is_open(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0 && self.next.load(Ordering::Relaxed) < self.count
    }
}

impl Team {
    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&'static self, threads: usize, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let wanted = threads.min(count) - 1;
        let job = Job {
            task,
            count,
            next: AtomicUsize::new(0),
            wanted: AtomicUsize::new(wanted),
            helpers: AtomicUsize::new(0),
            panic: Mutex::new(None),
        };
        let here: *const Job<'_> = &job;
        {
            let mut jobs = self.lock();
            jobs.push(Waiting(here.cast()));
            self.waiting.store(jobs.len(), Ordering::Relaxed);
        }
        (0..wanted).for_each(|_| self.come.notify_one());
        let before = TEAM.replace(Some(self));
        job.work();
        TEAM.set(before);
        // From here on nobody can join; those who did are waited for.
        {
            let mut jobs = self.lock();
            jobs.retain(|waiting| !std::ptr::eq(waiting.0, here.cast()));
            self.waiting.store(jobs.len(), Ordering::Relaxed);
        }
        let mut looks = 0;
        while job.helpers.load(Ordering::Acquire) > 0 && looks < LOOKS {
            std::hint::spin_loop();
            looks += 1;
        }
        // Always under the lock once, so that the last helper is done with the job when it is gone.
        let mut jobs = self.lock();
        while job.helpers.load(Ordering::Acquire) > 0 {
            jobs = self.gone.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
        drop(jobs);
        if let Some(panic) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(panic);
        }
    }

    /// What a helper does all its life.
    fn help(&'static self) {
        TEAM.set(Some(self));
        loop {
            let mut looks = 0;
            while self.waiting.load(Ordering::Relaxed) == 0 && looks < LOOKS {
                std::hint::spin_loop();
                looks += 1;
            }
            let mut jobs = self.lock();
            let job = loop {
                // SAFETY: a job is in the list only while its caller keeps it alive, which takes it out under this
                // lock.
                let open = jobs.iter().map(|waiting| unsafe { &*waiting.0 }).find(|job| job.is_open());
                match open {
                    Some(job) => break job,
                    None => jobs = self.come.wait(jobs).unwrap_or_else(PoisonError::into_inner),
                }
            };
            job.wanted.fetch_sub(1, Ordering::Relaxed);
            job.helpers.fetch_add(1, Ordering::Relaxed);
            drop(jobs);
            job.work();
            let jobs = self.lock();
            job.helpers.fetch_sub(1, Ordering::Release);
            drop(jobs);
            self.gone.notify_all();
        }
    }
}

/// The team of `n` threads, made on first use; `None` if there can be no helper. One slot a number, so that finding it
/// takes no lock.
fn team(n: usize) -> Option<&'static Team> {
    static TEAMS: [OnceLock<Option<Box<Team>>>; MAX_THREADS + 1] = [const { OnceLock::new() }; MAX_THREADS + 1];
    let make = || {
        // Room for as many callers at once as are likely.
        let jobs = Mutex::new(Vec::with_capacity(MAX_THREADS));
        Some(Box::new(Team { jobs, waiting: AtomicUsize::new(0), come: Condvar::new(), gone: Condvar::new() }))
    };
    let mut made = false;
    let team = TEAMS[n].get_or_init(|| {
        made = true;
        make()
    });
    let team: &'static Team = team.as_deref()?;
    if made {
        for i in 1..n {
            let helper = std::thread::Builder::new().name(format!("tensoroxide-{n}-{i}"));
            // With fewer helpers, or none, the caller does the rest.
            _ = helper.spawn(move || team.help());
        }
    }
    Some(team)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Barrier;

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 3] {
            for count in [0, 1, 2, 7, 100] {
                let ran: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                Threads::new(threads).run(count, |i| {
                    ran[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(ran.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{threads} threads, {count} tasks");
            }
        }
    }

    #[test]
    fn as_many_threads_as_asked_run_at_once() {
        for threads in [2, 3, 5] {
            let together = Barrier::new(threads);
            Threads::new(threads).run(threads, |_| _ = together.wait());
        }
    }

    /// The most tasks at once, and the threads that ran any.
    fn at_once(run: impl FnOnce(&(dyn Fn() + Sync))) -> (usize, usize) {
        let (now, most, seen) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(HashSet::new()));
        run(&|| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            seen.lock().unwrap().insert(std::thread::current().id());
            std::thread::sleep(std::time::Duration::from_micros(50));
            now.fetch_sub(1, Ordering::SeqCst);
        });
        (most.into_inner(), seen.into_inner().unwrap().len())
    }

    #[test]
    fn nested_calls_use_no_more_threads_than_the_outermost() {
        for (outer, inner) in [(3, 3), (3, 5), (4, 2)] {
            let (most, threads) = at_once(|task| {
                Threads::new(outer).run(6, |_| Threads::new(inner).run(6, |_| task()));
            });
            assert!(most <= outer && threads <= outer, "{most} at once of {threads} threads, {outer} asked for");
        }
    }

    #[test]
    fn callers_at_once_share_the_helpers() {
        let callers = 4;
        let (most, _) = at_once(|task| {
            std::thread::scope(|scope| {
                for _ in 0..callers {
                    scope.spawn(|| (0..20).for_each(|_| Threads::new(6).run(7, |_| task())));
                }
            });
        });
        assert!(most <= callers + 5, "{most} at once: the callers and 5 helpers");
    }

    #[test]
    fn a_panic_reaches_the_caller_after_all_tasks() {
        for round in 0..20 {
            let running = AtomicUsize::new(0);
            let caught = catch_unwind(AssertUnwindSafe(|| {
                Threads::new(3).run(8, |i| {
                    running.fetch_add(1, Ordering::SeqCst);
                    if i == round % 8 {
                        running.fetch_sub(1, Ordering::SeqCst);
                        std::panic::panic_any(i);
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }));
            assert_eq!(caught.unwrap_err().downcast_ref(), Some(&(round % 8)));
            assert_eq!(running.into_inner(), 0);
        }
        Threads::new(3).run(3, |_| {});
    }

    #[test]
    fn small_work_stays_on_the_calling_thread() {
        let here = std::thread::current().id();
        let threads = Threads::new(4).for_work(10, 1000);
        assert_eq!(threads, Threads::ONE);
        threads.run(5, |_| assert_eq!(std::thread::current().id(), here));
    }

    #[test]
    fn numbers_are_clamped() {
        assert_eq!(Threads::new(0).get(), 1);
        assert_eq!(Threads::new(usize::MAX).get(), MAX_THREADS);
        assert_eq!(Threads::new(8).for_work(5000, 1000).get(), 5);
        assert_eq!(Threads::new(8).for_work(5000, 0).get(), 8);
    }
}
