//! What derivatives take of memory, measured: every byte that is asked of the system's allocator is counted.
#![allow(unsafe_code)] // an allocator

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use tensoroxide_autodiff::einsum::EinsumRule;
use tensoroxide_autodiff::tape::{Tape, Value};
use tensoroxide_einsum::{Options, Plan};
use tensoroxide_tensor::{DType, Tensor, Threads, View};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        MOST.fetch_max(NOW.fetch_add(memory.size(), Ordering::Relaxed) + memory.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(memory) }
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

/// All in one test: what runs beside would be counted, too.
#[test]
fn derivatives_keep_to_their_memory() {
    einsum_allocates_nothing_after_the_first_run();
    a_chain_with_checkpoints_holds_few_values();
}

fn einsum_allocates_nothing_after_the_first_run() {
    let shapes: [&[usize]; 4] = [&[30, 20], &[20, 10, 7], &[7, 40], &[10, 40, 5]];
    let plan = Plan::new("ab,bcd,de,cef->af", &shapes, DType::F64, Options::default()).unwrap();
    let rule = EinsumRule::<f64>::new(&plan, &[false; 4]).unwrap();
    let tensors = || -> Vec<Tensor<f64>> {
        shapes.iter().map(|n| Tensor::from_fn(n, |i| i.iter().sum::<usize>() as f64).unwrap()).collect()
    };
    let (operands, mut first, mut second) = (tensors(), tensors(), tensors());
    let one = || Tensor::from_fn(&[30, 5], |_| 1.0).unwrap();
    let (mut value, mut tangent, cotangent) = (one(), one(), one());
    let operands: Vec<View<'_, f64>> = operands.iter().map(Tensor::view).collect();
    let tangents: Vec<Option<View<'_, f64>>> = operands.iter().map(|&view| Some(view)).collect();
    let mut first: Vec<_> = first.iter_mut().map(|t| Some(t.view_mut().unwrap())).collect();
    let mut second: Vec<_> = second.iter_mut().map(|t| Some(t.view_mut().unwrap())).collect();
    let mut run = || {
        let out = value.view_mut().ok();
        let mut record = rule.forward(1.0, &operands, 0.0, out, Threads::ONE).unwrap();
        record.pullback(&operands, cotangent.view(), &mut first, Threads::ONE).unwrap();
        drop(record);
        let (out, along) = (value.view_mut().ok(), tangent.view_mut().ok());
        rule.jvp(1.0, &operands, &tangents, 0.0, out, along, Threads::ONE).unwrap();
        let (bar, moved) = (cotangent.view(), Some(cotangent.view()));
        rule.pullback_jvp(1.0, &operands, &tangents, bar, moved, &mut first, &mut second, Threads::ONE).unwrap();
    };
    run();
    assert_eq!(measure(run), (0, 0));
}

/// The most bytes at once while a chain of matrix product tensors is contracted and differentiated, without the tensors
/// and their cotangents.
fn chain(sites: usize, checkpoints: bool) -> usize {
    let edge = Tensor::from_fn(&[32, 32], |i| f64::from(u8::from(i[0] == i[1]))).unwrap();
    let tensor = Tensor::from_fn(&[32, 2, 32], |i| 0.1 + 0.01 * ((i[0] + 2 * i[1] + 3 * i[2]) % 7) as f64).unwrap();
    let (most, _) = measure(|| {
        let mut tape = Tape::<f64>::new();
        let mut given = Vec::with_capacity(sites);
        let edge = tape.constant(edge.view()).unwrap();
        let mut site = |tape: &mut Tape<f64>, _: usize, [env]: [Value; 1]| {
            let a = tape.variable(tensor.view())?;
            given.push(a);
            let half = tape.einsum("ab,aic->bic", &[env, a])?;
            let whole = tape.einsum("bic,bid->cd", &[half, a])?;
            Ok([tape.scale(1e-3, whole)?])
        };
        let [last] = if checkpoints {
            tape.chain(sites, [edge], site).unwrap()
        } else {
            (0..sites).fold([edge], |state, k| site(&mut tape, k, state).unwrap())
        };
        let loss = tape.norm_squared(last).unwrap();
        tape.gradient(loss, &given).unwrap();
    });
    most - 2 * sites * SITE
}

/// Bytes of a tensor of the chain, and of what is computed from it.
const SITE: usize = 8 * 32 * 2 * 32;
const COMPUTED: usize = SITE + 2 * 8 * 32 * 32;

fn a_chain_with_checkpoints_holds_few_values() {
    let sites = 1000;
    // Each step of the tape is written down with its shapes and inputs, in so many bytes for a site's four.
    let written = 3072 * sites;
    // What products of matrices take once in the life of a process does not count.
    chain(2, false);
    let (kept, again) = (chain(sites, false), chain(sites, true));
    assert!(kept >= sites * COMPUTED, "{kept}");
    // 32 states, 32 sites of which all is there, and cotangents.
    let most = written + 40 * COMPUTED + 40 * 8 * 32 * 32;
    assert!(again <= most, "{again} bytes, where {most} are needed; without checkpoints {kept}");
}
