//! How many threads a call may use, and the pools that run them.
//!
//! The number is an explicit argument of every kernel that can use more than one; nothing here is implied. A pool is
//! made the first time that its number of threads is asked for with work large enough, never before: entering one
//! costs several microseconds, and a host that only loads the library must not find threads in it.

use std::sync::OnceLock;

use rayon::ThreadPool;

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
    /// or when no pool could be made.
    pub fn run(self, count: usize, task: impl Fn(usize) + Sync) {
        match (self.0, count) {
            (_, 0) => {}
            (1, _) | (_, 1) => (0..count).for_each(task),
            (n, _) => match pool(n) {
                Some(pool) => pool.scope(|scope| {
                    let task = &task;
                    (0..count).for_each(|i| scope.spawn(move |_| task(i)));
                }),
                None => (0..count).for_each(task),
            },
        }
    }
}

/// The pool of `n` threads, made on first use. One slot a number, so that finding it takes no lock.
fn pool(n: usize) -> Option<&'static ThreadPool> {
    static POOLS: [OnceLock<Option<ThreadPool>>; MAX_THREADS + 1] = [const { OnceLock::new() }; MAX_THREADS + 1];
    POOLS[n]
        .get_or_init(|| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(n)
                .thread_name(move |i| format!("tensoroxide-{n}-{i}"))
                .build()
                .ok()
        })
        .as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

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
