//! What a plan promises about memory, measured: every byte that is asked of the system's allocator is counted.
#![allow(unsafe_code)] // an allocator

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Barrier;

use tensoroxide_einsum::{Einsum, Error, Options, Plan};
use tensoroxide_tensor::{DType, Layout, Tensor, Threads, View};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

fn add(bytes: usize) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    MOST.fetch_max(NOW.fetch_add(bytes, Ordering::Relaxed) + bytes, Ordering::Relaxed);
}

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        add(memory.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(memory) }
    }
    unsafe fn alloc_zeroed(&self, memory: Memory) -> *mut u8 {
        add(memory.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(memory) }
    }
    unsafe fn dealloc(&self, start: *mut u8, memory: Memory) {
        NOW.fetch_sub(memory.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, memory) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes held at once during a call, beyond those before it, and the number of allocations.
fn measure(call: impl FnOnce()) -> (usize, usize) {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let calls = CALLS.load(Ordering::Relaxed);
    call();
    (MOST.load(Ordering::Relaxed) - before, CALLS.load(Ordering::Relaxed) - calls)
}

/// What a run keeps besides the workspace: the layouts and the prepared steps, twice while they are prepared for other
/// strides.
fn bookkeeping(plan: &Plan) -> usize {
    4096 + 6144 * plan.steps()
}

/// What faer's products with a vector that has gaps take for a moment, beyond the plan, where no BLAS is lent.
const FAER: usize = 128 << 10;

struct Case {
    expression: &'static str,
    shapes: Vec<Vec<usize>>,
}

fn cases() -> Vec<Case> {
    let case =
        |expression, shapes: &[&[usize]]| Case { expression, shapes: shapes.iter().map(|s| s.to_vec()).collect() };
    vec![
        case("ij,jk->ik", &[&[2, 2], &[2, 2]]),
        case("ab,bc,cd,de->ea", &[&[60, 50], &[50, 40], &[40, 30], &[30, 70]]),
        case("abw,bcx,cdy,day->wx", &[&[20, 20, 4], &[20, 20, 4], &[20, 20, 4], &[20, 20, 4]]),
        case("abc,dbe,cef,afg->dg", &[&[12, 13, 14], &[11, 13, 12], &[14, 12, 10], &[12, 10, 9]]),
        case("ax,bx,cx,dx->abcd", &[&[9, 12], &[8, 12], &[7, 12], &[10, 12]]),
        case("ab,cb,db,ac,ad->", &[&[14, 15], &[13, 15], &[12, 15], &[14, 13], &[14, 12]]),
        case("i,i->i", &[&[100], &[100]]),
    ]
}

/// Every axis at twice its step, the axes in reverse order.
fn strided(shape: &[usize]) -> Tensor<f64> {
    let mut strides = vec![0; shape.len()];
    let mut step = 2isize;
    for (stride, &extent) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step *= 2 * extent as isize;
    }
    let mut tensor = Tensor::zeros(Layout::new(shape, &strides).unwrap()).unwrap();
    tensor.fill(|_| 1.0);
    tensor
}

fn check(case: &Case, limit: Option<usize>, threads: usize, odd: bool) {
    let shapes: Vec<&[usize]> = case.shapes.iter().map(Vec::as_slice).collect();
    let options = Options { memory_limit: limit, threads: Threads::new(threads), ..Options::default() };
    let plan = match Plan::new(case.expression, &shapes, DType::F64, options) {
        Err(Error::MemoryLimit { .. }) => return,
        plan => plan.unwrap(),
    };
    let dense = |shape: &&[usize]| Tensor::from_fn(shape, |_| 1.0).unwrap();
    let operands: Vec<Tensor<f64>> = match odd {
        true => shapes.iter().map(|shape| strided(shape)).collect(),
        false => shapes.iter().map(dense).collect(),
    };
    let views: Vec<View<'_, f64>> = operands.iter().map(Tensor::view).collect();
    let conj = vec![false; views.len()];
    let mut out = Tensor::from_fn(&plan.output_shape(), |_| 0.0).unwrap();
    let einsum = Einsum::new(plan);
    let plan = einsum.plan();
    let mut run = || match einsum.run(1.0, &views, &conj, 0.0, out.view_mut().unwrap(), Threads::new(threads)) {
        Err(Error::Strides { .. }) if odd && limit.is_some() => {}
        done => done.unwrap(),
    };
    let what = format!("{threads} threads, limit {limit:?}, odd strides: {odd}\n{plan}");
    let (most, _) = measure(&mut run);
    // Promised is the workspace for dense operands, and the limit for any.
    if let Some(promise) = if odd { limit } else { Some(plan.peak_bytes()) } {
        assert!(
            most <= promise + bookkeeping(plan) + if odd { FAER } else { 0 },
            "{most} bytes instead of {promise}: {what}"
        );
    }
    assert!(limit.is_none_or(|limit| plan.peak_bytes() <= limit), "{what}");
    let (_, calls) = measure(&mut run);
    assert!(odd || calls == 0, "{calls} allocations in the second run: {what}");
}

/// Makes the threads, and what faer's matrix product keeps for each, once and for all: 64 MiB that are no plan's.
fn warm_up(threads: usize) {
    let together = Barrier::new(threads);
    Threads::new(threads).run(threads, |_| {
        together.wait();
        for case in cases() {
            let shapes: Vec<&[usize]> = case.shapes.iter().map(Vec::as_slice).collect();
            let einsum = Einsum::new(Plan::new(case.expression, &shapes, DType::F64, Options::default()).unwrap());
            let operands: Vec<Tensor<f64>> =
                shapes.iter().map(|shape| Tensor::from_fn(shape, |_| 1.0).unwrap()).collect();
            let views: Vec<View<'_, f64>> = operands.iter().map(Tensor::view).collect();
            let mut out = Tensor::from_fn(&einsum.plan().output_shape(), |_| 0.0).unwrap();
            let conj = vec![false; views.len()];
            einsum.run(1.0, &views, &conj, 0.0, out.view_mut().unwrap(), Threads::ONE).unwrap();
        }
    });
}

/// One test, since the counters are the process's.
#[test]
fn the_peak_is_what_is_allocated() {
    for threads in [1, 2, 3] {
        warm_up(threads);
        for case in cases() {
            let shapes: Vec<&[usize]> = case.shapes.iter().map(Vec::as_slice).collect();
            let whole = Plan::new(case.expression, &shapes, DType::F64, Options::default()).unwrap().peak_bytes();
            for odd in [false, true] {
                check(&case, None, threads, odd);
                for share in [2, 4, 16] {
                    check(&case, Some(whole / share), threads, odd);
                }
            }
        }
    }
}
