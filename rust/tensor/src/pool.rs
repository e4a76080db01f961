//! Things that wait for their next use, taken and given back without a lock as long as few are in use at once.

use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// Places that are reached without a lock: as many users at once never wait for each other.
const PLACES: usize = 8;

/// Idle boxes of one kind. Any number of threads may take and give at once.
///
/// ```
/// use tensoroxide_tensor::Pool;
/// let pool = Pool::default();
/// assert!(pool.take().is_none());
/// pool.give(Box::new(7));
/// assert_eq!(pool.take().as_deref(), Some(&7));
/// ```
pub struct Pool<T> {
    /// NULL, or what `Box::into_raw` gave and nobody else has.
    places: [AtomicPtr<T>; PLACES],
    /// What found no place.
    #[allow(clippy::vec_box)] // boxed already, and taken out again as boxes
    others: Mutex<Vec<Box<T>>>,
}

impl<T> Pool<T> {
    /// One of the idle things, if there are any.
    pub fn take(&self) -> Option<Box<T>> {
        for place in &self.places {
            // Looking first spares the others' caches a write where there is nothing to be had.
            if !place.load(Ordering::Relaxed).is_null() {
                let found = place.swap(ptr::null_mut(), Ordering::Acquire);
                if !found.is_null() {
                    // SAFETY: it came from `Box::into_raw` in `give`, and the swap made it ours alone.
                    return Some(unsafe { Box::from_raw(found) });
                }
            }
        }
        self.others.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps a thing for its next use.
    pub fn give(&self, thing: Box<T>) {
        let thing = Box::into_raw(thing);
        for place in &self.places {
            let free = place.load(Ordering::Relaxed).is_null();
            if free && place.compare_exchange(ptr::null_mut(), thing, Ordering::Release, Ordering::Relaxed).is_ok() {
                return;
            }
        }
        // SAFETY: made from a box above, and given to no place.
        let thing = unsafe { Box::from_raw(thing) };
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(thing);
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool { places: [const { AtomicPtr::new(ptr::null_mut()) }; PLACES], others: Mutex::default() }
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        while self.take().is_some() {}
    }
}

// SAFETY: a pool hands things from thread to thread and never shares one.
unsafe impl<T: Send> Send for Pool<T> {}
// SAFETY: as for `Send`.
unsafe impl<T: Send> Sync for Pool<T> {}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn nothing_is_lost_or_had_twice() {
        let (pool, dropped) = (Pool::default(), AtomicUsize::new(0));
        struct Counted<'a>(usize, &'a AtomicUsize);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.1.fetch_add(1, Ordering::Relaxed);
            }
        }
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..2000 {
                        let mut held: Vec<Box<Counted<'_>>> = Vec::new();
                        // More than there are places, so that the locked list is used too.
                        for _ in 0..round % 5 {
                            let fresh = || Box::new(Counted(made.fetch_add(1, Ordering::Relaxed), &dropped));
                            held.push(pool.take().unwrap_or_else(fresh));
                        }
                        held.drain(..).for_each(|thing| pool.give(thing));
                    }
                });
            }
        });
        let made = made.into_inner();
        assert!(made <= 16, "{made} were made, though 16 are never in use at once");
        let mut names = Vec::new();
        while let Some(thing) = pool.take() {
            names.push(thing.0);
        }
        names.sort_unstable();
        assert_eq!(names, (0..made).collect::<Vec<_>>());
        assert_eq!(dropped.load(Ordering::Relaxed), made);
        (0..20).for_each(|i| pool.give(Box::new(Counted(i, &dropped))));
        drop(pool);
        assert_eq!(dropped.load(Ordering::Relaxed), made + 20);
    }
}
