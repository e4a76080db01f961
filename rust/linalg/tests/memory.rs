//! A decomposition that runs again with its workspaces asks the system's allocator for nothing: every call is counted.
#![allow(unsafe_code)] // an allocator

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use tensoroxide_dense::{Element, Provider};
use tensoroxide_linalg as linalg;
use tensoroxide_linalg::{Method, Run, Tolerance, Triangle, Truncation, Workspaces};
use tensoroxide_tensor::testing::tensor;
use tensoroxide_tensor::{with_scalar, DType, Layout, Scalar, Tensor, Threads, ViewMut};

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

/// Outputs that are kept, so that only the operations take memory.
struct Case<T: Scalar> {
    a: Tensor<T>,
    b: Tensor<T>,
    matrices: [Tensor<T>; 3],
    numbers: Tensor<T::Real>,
    batch: Vec<usize>,
    truncation: Truncation,
}

fn view<T: Scalar>(x: &mut Tensor<T>) -> ViewMut<'_, T> {
    x.view_mut().unwrap()
}

impl<T: Element> Case<T> {
    fn new(n: usize, batch: &[usize]) -> Case<T> {
        let shape = |own: &[usize]| [own, batch].concat();
        let zeros = |own: &[usize]| Tensor::from_fn(&shape(own), |_| T::ZERO).unwrap();
        let layout = Layout::column_major(&shape(&[n, n])).unwrap();
        let mut a = tensor::<T>(layout, 1);
        let x = a.data().to_vec();
        // Far from singular, with values that fall.
        let mut at = 0;
        a.fill(|i| {
            at += 1;
            let diagonal = if i[0] == i[1] { 0.4f64.powi(i[0] as i32) } else { 0.0 };
            x[at - 1] * T::from_c64(1e-7.into()) + T::from_c64(diagonal.into())
        });
        Case {
            a,
            b: zeros(&[n]),
            matrices: [zeros(&[n, n]), zeros(&[n, n]), zeros(&[n])],
            numbers: Tensor::from_fn(&shape(&[n]), |_| <T::Real as Scalar>::ZERO).unwrap(),
            batch: batch.to_vec(),
            truncation: Truncation { maxrank: Some(n.min(3)), ..Default::default() },
        }
    }

    /// Every operation once; what it is called, and what it does.
    fn operations(&mut self, run: Run<'_>, mut each: impl FnMut(&'static str, &mut dyn FnMut())) {
        let Case { a, b, matrices: [x, y, z], numbers, batch, truncation } = self;
        let count: usize = batch.iter().product();
        let (mut errors, mut rank) = (vec![0.0; count], vec![0i64; count]);
        let strides = Layout::column_major(batch).unwrap();
        let (a, b) = (a.view(), b.view());
        let randomized = Method::Randomized { tol: None, seed: 0 };
        let upper = Triangle { upper: true, unit_diagonal: false };
        each("svd_compact", &mut || linalg::svd_compact(a, false, view(x), view(numbers), view(y), run).unwrap());
        each("svd_vals", &mut || linalg::svd_vals(a, false, view(numbers), run).unwrap());
        for (name, method) in [("svd_trunc", Method::Full), ("svd_trunc, randomized", randomized)] {
            each(name, &mut || {
                let (u, s, vh) = (view(x), view(numbers), view(y));
                linalg::svd_trunc(a, false, truncation, method, u, s, vh, &mut errors, run).unwrap();
            });
        }
        each("qr_compact", &mut || linalg::qr_compact(a, false, view(x), view(y), run).unwrap());
        each("eigh_full", &mut || linalg::eigh_full(a, false, view(numbers), view(x), run).unwrap());
        for (name, method) in [("eigh_trunc", Method::Full), ("eigh_trunc, randomized", randomized)] {
            each(name, &mut || {
                let (w, v) = (view(numbers), view(x));
                linalg::eigh_trunc(a, false, truncation, method, w, v, &mut errors, run).unwrap();
            });
        }
        each("solve", &mut || linalg::solve(a, false, b, false, view(z), run).unwrap());
        each("solve_triangular", &mut || {
            linalg::solve_triangular(a, false, upper, b, false, view(z), run).unwrap();
        });
        each("inv", &mut || linalg::inv(a, false, view(x), run).unwrap());
        each("lstsq", &mut || {
            let rank = ViewMut::new(&mut rank, batch, strides.strides(), 0).unwrap();
            linalg::lstsq(a, false, b, false, Tolerance::default(), view(z), rank, run).unwrap();
        });
        each("pinv", &mut || linalg::pinv(a, false, Tolerance::default(), view(x), run).unwrap());
    }
}

#[test]
fn a_second_run_takes_no_memory() {
    fn check<T: Element>() {
        for (n, batch) in [(3, &[][..]), (12, &[]), (40, &[]), (70, &[]), (12, &[6]), (40, &[2, 3])] {
            for threads in [1, 2, 3] {
                let workspaces = Workspaces::default();
                let run = Run { threads: Threads::new(threads), provider: Provider::Own, ..Run::on(&workspaces) };
                let mut case = Case::<T>::new(n, batch);
                case.operations(run, |name, operation| {
                    let mut count = || {
                        let before = CALLS.load(Ordering::Relaxed);
                        operation();
                        CALLS.load(Ordering::Relaxed) - before
                    };
                    // Which threads share a batch, and in which of the workspaces, differs from run to run: each of
                    // these has to have seen the sizes. And threads that earlier cases began may still be starting,
                    // which takes memory of its own.
                    let again = if threads == 1 { 10 } else { 100 };
                    count();
                    let mut counts = (0..again).map(|_| count());
                    assert!(counts.any(|count| count == 0), "{name}, {} {n}, {batch:?}, {threads} threads", T::DTYPE);
                });
            }
        }
    }
    for dtype in DType::ALL {
        with_scalar!(dtype, T => check::<T>());
    }
}
