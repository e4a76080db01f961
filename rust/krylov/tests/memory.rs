//! A method that starts again with a problem of the same size asks the system's allocator for nothing, nor does a plan
//! as its map: every call is counted.
#![allow(unsafe_code)] // an allocator

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use tensoroxide_dense::Element;
use tensoroxide_einsum::{Einsum, Options, Plan};
use tensoroxide_krylov::{
    solve, ConjugateGradients, Eigsolve, Error, Exponential, Exponentiate, Gmres, Lanczos, Linsolve, PlannedMap,
};
use tensoroxide_tensor::{with_scalar, DType, Tensor, Threads};

struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(memory) }
    }
    unsafe fn dealloc(&self, start: *mut u8, memory: Memory) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, memory) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const N: usize = 30;

fn check<T: Element>() {
    // (1 + i)·δ_ij and a coupling of neighbours: Hermitian, positive definite.
    let entry = |i: usize, j: usize| match i.abs_diff(j) {
        0 => 2.0 + i as f64,
        1 => 0.5,
        _ => 0.0,
    };
    let matrix = Tensor::from_fn(&[N, N], |i| T::from_c64(entry(i[0], i[1]).into())).unwrap();
    let plan = Plan::new("ij,j->i", &[&[N, N], &[N]], T::DTYPE, Options::default()).unwrap();
    let einsum = Einsum::new(plan);
    let others = [matrix.view()];
    let map = PlannedMap::new(&einsum, &others, &[false, false], 1, Threads::ONE).unwrap();
    let apply = |x: &[T], y: &mut [T]| -> Result<(), Error> { map.apply(x, y) };

    let mut lanczos = Lanczos::default();
    let mut exponential = Exponential::default();
    let (mut gmres, mut gradients) = (Gmres::default(), ConjugateGradients::default());
    // Small Krylov spaces, so that the restarts are there as well; other right-hand sides than the first time.
    let eigen = Eigsolve { howmany: 2, krylovdim: 8, tol: 1e-4, ..Default::default() };
    let linear = Linsolve { krylovdim: 4, ..Default::default() };
    let mut counts = [[0; 4]; 3];
    for (round, counts) in counts.iter_mut().enumerate() {
        let fill = |x: &mut [T]| {
            let entry = |i: usize| T::from_c64((1.0 + ((i * (3 + round)) % 7) as f64).into());
            x.iter_mut().enumerate().for_each(|(i, x)| *x = entry(i));
        };
        let mut method = 0;
        let mut count = |run: &mut dyn FnMut()| {
            let before = CALLS.load(Ordering::Relaxed);
            run();
            counts[method] = CALLS.load(Ordering::Relaxed) - before;
            method += 1;
        };
        count(&mut || {
            fill(lanczos.start(N, eigen).unwrap());
            solve(&mut lanczos, apply).unwrap();
        });
        count(&mut || {
            fill(exponential.start(N, Exponentiate::default()).unwrap());
            solve(&mut exponential, apply).unwrap();
        });
        count(&mut || {
            let (x, b) = gmres.start(N, linear).unwrap();
            x.fill(T::ZERO);
            fill(b);
            solve(&mut gmres, apply).unwrap();
        });
        count(&mut || {
            let (x, b) = gradients.start(N, linear).unwrap();
            x.fill(T::ZERO);
            fill(b);
            solve(&mut gradients, apply).unwrap();
        });
    }
    assert!(counts[0].iter().all(|&count| count > 0), "{}: the first run takes memory", T::DTYPE);
    assert_eq!(counts[2], [0; 4], "{}: Lanczos, exponential, GMRES, conjugate gradients", T::DTYPE);
}

#[test]
fn a_second_problem_takes_no_memory() {
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}
