//! The memory kernels against memcpy: `cargo bench -p tensoroxide-tensor --bench memory -- [threads] [key=value…]
//! [names…]`.
//!
//! Each line is one case and one element type: the bandwidth (bytes read and written by time, the median of several
//! runs) and its share of what one thread's `memcpy` of as many bytes reaches in the same run; for sums, of what
//! reading them takes. `warm` writes to memory that was written before, `fresh` to memory that the system has to find,
//! page by page, as does the copy it is compared with. `type=f32` runs one element type, `offset=8` starts the output
//! so many bytes beyond a cache line.
#![allow(clippy::print_stdout, unsafe_code)] // fresh memory is what nobody has written yet

use std::alloc::{alloc, dealloc, Layout};
use std::hint::black_box;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::nest::Loop;
use tensoroxide_tensor::{kernels, Complex32, Complex64, Scalar, Threads, View, ViewMut};

/// What a case does with its input.
enum Op {
    /// Output axis `d` is input axis `order[d]`.
    Permute(Vec<usize>),
    /// C ← α·permuted A + β·C.
    Axpby(Vec<usize>, f64, f64),
    /// Sum over all axes but these.
    Sum(Vec<usize>),
    /// Diagonals of n × n matrices, one after the other: summed, or copied.
    Diagonals { sum: bool },
}

struct Case {
    name: &'static str,
    shape: Vec<usize>,
    op: Op,
}

fn cases() -> Vec<Case> {
    use Op::{Axpby, Diagonals, Permute, Sum};
    let case = |name, shape: &[usize], op| Case { name, shape: shape.to_vec(), op };
    let shuffle = vec![7, 2, 10, 5, 0, 8, 3, 11, 6, 1, 9, 4];
    let bits = vec![13, 4, 21, 8, 0, 17, 11, 2, 19, 6, 22, 15, 9, 1, 20, 12, 5, 23, 10, 3, 18, 14, 7, 16];
    vec![
        case("copy", &[1 << 24], Permute(vec![0])),
        case("256^3 (2,0,1)", &[256; 3], Permute(vec![2, 0, 1])),
        case("256^3 (1,2,0)", &[256; 3], Permute(vec![1, 2, 0])),
        case("256^3 (0,2,1)", &[256; 3], Permute(vec![0, 2, 1])),
        case("256^3 (2,1,0)", &[256; 3], Permute(vec![2, 1, 0])),
        case("4096^2", &[4096; 2], Permute(vec![1, 0])),
        case("4095x4097", &[4095, 4097], Permute(vec![1, 0])),
        case("16^6 reversal", &[16; 6], Permute((0..6).rev().collect())),
        case("4^12 shuffle", &[4; 12], Permute(shuffle.clone())),
        case("4^12 reversal", &[4; 12], Permute((0..12).rev().collect())),
        case("2^24 shuffle", &[2; 24], Permute(bits)),
        case("7^8 reversal", &[7; 8], Permute((0..8).rev().collect())),
        case("3x2000x2000 (0,2,1)", &[3, 2000, 2000], Permute(vec![0, 2, 1])),
        case("4x2048x2048 (0,2,1)", &[4, 2048, 2048], Permute(vec![0, 2, 1])),
        case("axpby 4096^2 2,0", &[4096; 2], Axpby(vec![1, 0], 2.0, 0.0)),
        case("axpby 4096^2 2,1", &[4096; 2], Axpby(vec![1, 0], 2.0, 1.0)),
        case("axpby 4096^2 2,3", &[4096; 2], Axpby(vec![1, 0], 2.0, 3.0)),
        case("axpby 2^24 2,3", &[1 << 24], Axpby(vec![0], 2.0, 3.0)),
        case("axpby 256^3 (2,0,1)", &[256; 3], Axpby(vec![2, 0, 1], 2.0, 3.0)),
        case("axpby 4^12 shuffle", &[4; 12], Axpby(shuffle.clone(), 2.0, 3.0)),
        case("sum 256^3 all", &[256; 3], Sum(vec![])),
        case("sum 256^3 leading", &[256; 3], Sum(vec![1, 2])),
        case("sum 256^3 middle", &[256; 3], Sum(vec![0, 2])),
        case("sum 256^3 trailing", &[256; 3], Sum(vec![0, 1])),
        case("sum 256^3 keep (2,1)", &[256; 3], Sum(vec![2, 1])),
        case("sum 8x2^21 leading", &[8, 1 << 21], Sum(vec![1])),
        case("sum 2^21x8 trailing", &[1 << 21, 8], Sum(vec![0])),
        case("traces 8x8x2^18", &[8, 8, 1 << 18], Diagonals { sum: true }),
        case("diagonals 8x8x2^18", &[8, 8, 1 << 18], Diagonals { sum: false }),
    ]
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn time(runs: usize, mut f: impl FnMut()) -> f64 {
    let once = |f: &mut dyn FnMut()| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    };
    median((0..runs).map(|_| once(&mut f)).collect())
}

/// Memory that nobody has touched yet, some bytes after a cache line's start: Julia's arrays and the engine's own
/// buffers start at one, other hosts' arrays often 16 bytes later.
struct Memory<T> {
    start: *mut T,
    offset: usize,
    layout: Layout,
}

impl<T: Scalar> Memory<T> {
    fn new(n: usize, offset: usize) -> Memory<T> {
        let layout = Layout::from_size_align(n * size_of::<T>() + offset, 64).unwrap();
        // SAFETY: the size is not 0. What nobody has written is not read before it is.
        Memory { start: unsafe { alloc(layout).add(offset) }.cast(), offset, layout }
    }

    fn filled(n: usize, offset: usize, f: impl Fn(usize) -> T) -> Memory<T> {
        let mut memory = Memory::new(n, offset);
        memory.iter_mut().enumerate().for_each(|(i, x)| *x = f(i));
        memory
    }
}

impl<T> Deref for Memory<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: as many elements were allocated.
        unsafe { std::slice::from_raw_parts(self.start, (self.layout.size() - self.offset) / size_of::<T>()) }
    }
}

impl<T> DerefMut for Memory<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as many elements were allocated.
        unsafe { std::slice::from_raw_parts_mut(self.start, (self.layout.size() - self.offset) / size_of::<T>()) }
    }
}

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.start.cast::<u8>().sub(self.offset), self.layout) }
    }
}

fn run<T: Scalar>(case: &Case, a: &[T], c: &mut [T], threads: Threads) {
    let strides = column_major_strides(&case.shape);
    match &case.op {
        Op::Permute(order) | Op::Axpby(order, ..) => {
            let (alpha, beta) = if let Op::Axpby(_, alpha, beta) = case.op { (alpha, beta) } else { (1.0, 0.0) };
            let shape: Vec<usize> = order.iter().map(|&d| case.shape[d]).collect();
            let from: Vec<isize> = order.iter().map(|&d| strides[d]).collect();
            let to = column_major_strides(&shape);
            let real = |x: f64| T::from_c64(Complex64::new(x, 0.0));
            let (a, c) = (View::new(a, &shape, &from, 0).unwrap(), ViewMut::new(c, &shape, &to, 0).unwrap());
            kernels::axpby(real(alpha), a, false, real(beta), c, threads).unwrap();
        }
        Op::Sum(kept) => {
            let shape: Vec<usize> = kept.iter().map(|&d| case.shape[d]).collect();
            let to = column_major_strides(&shape);
            let (a, c) = (View::new(a, &case.shape, &strides, 0).unwrap(), ViewMut::new(c, &shape, &to, 0).unwrap());
            kernels::reduce(T::ONE, a, false, kept, T::ZERO, c, threads).unwrap();
        }
        Op::Diagonals { sum } => {
            let (n, count) = (case.shape[0], case.shape[2]);
            let (shape, from, to) = ([n, count], [strides[0] + strides[1], strides[2]], [1, n as isize]);
            let a = View::new(a, &shape, &from, 0).unwrap();
            if *sum {
                let c = ViewMut::new(c, &shape[1..], &to[..1], 0).unwrap();
                kernels::reduce(T::ONE, a, false, &[1], T::ZERO, c, threads).unwrap();
            } else {
                kernels::axpby(T::ONE, a, false, T::ZERO, ViewMut::new(c, &shape, &to, 0).unwrap(), threads).unwrap();
            }
        }
    }
}

/// Adds up the bits of memory, so that nothing but reading takes time.
fn read<T>(a: &[T]) -> u64 {
    // SAFETY: any bits are numbers; the elements consist of whole words.
    let (_, words, _) = unsafe { a.align_to::<u64>() };
    words.iter().fold(0, |sum, &x| sum.wrapping_add(x))
}

fn bench<T: Scalar>(threads: Threads, offset: usize, names: &[String]) {
    for case in cases() {
        if !names.is_empty() && !names.iter().any(|name| case.name.contains(name.as_str())) {
            continue;
        }
        let n: usize = case.shape.iter().product();
        let a = Memory::filled(n, 0, |i| T::from_c64(Complex64::new(i as f64, -1.0)));
        let mut c = Memory::filled(n, offset, |_| T::ONE);
        let bytes = |passes: f64| passes * (n * size_of::<T>()) as f64 / 1e9;
        let (passes, sums) = match case.op {
            Op::Axpby(_, _, beta) if beta != 0.0 => (3.0, false),
            Op::Permute(_) | Op::Axpby(..) => (2.0, false),
            Op::Sum(_) | Op::Diagonals { .. } => (1.0, true),
        };
        let (mut bounds, mut runs) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            bounds.push(time(1, || {
                if sums {
                    black_box(read(&a));
                } else {
                    c.copy_from_slice(&a);
                }
            }));
            runs.push(time(1, || run(&case, &a, &mut c, threads)));
        }
        let bound = bytes(if sums { 1.0 } else { 2.0 }) / median(bounds);
        let warm = bytes(passes) / median(runs);
        // With β ≠ 0 there is nothing fresh to write to, and sums write little.
        let fresh = (passes == 2.0).then(|| {
            let fresh = |f: &dyn Fn(&mut [T])| time(3, || f(black_box(&mut Memory::new(n, offset))));
            let copy = fresh(&|c| c.copy_from_slice(&a));
            format!(", fresh {:4.2}", copy / fresh(&|c| run(&case, &a, c, threads)))
        });
        println!(
            "{:<22} {:<11} {} threads: {} {bound:5.1} GB/s, warm {warm:5.1} GB/s {:4.2}{}",
            case.name,
            T::DTYPE.to_string(),
            threads.get(),
            if sums { "read" } else { "memcpy" },
            warm / bound,
            fresh.unwrap_or_default(),
        );
    }
}

/// What a prepared call costs where there is little to move.
fn small(threads: Threads) {
    let shapes: [&[usize]; 6] = [&[2, 2], &[2, 3, 4], &[4, 4, 4], &[8, 8, 8], &[16, 16, 16], &[10, 9, 11, 4]];
    for shape in shapes {
        let n: usize = shape.iter().product();
        let (a, mut c) = (Memory::filled(n, 0, |i| i as f64), Memory::filled(n, 0, |_| 0.0));
        let (from, reversed) = (column_major_strides(shape), shape.iter().rev().copied().collect::<Vec<_>>());
        let to = column_major_strides(&reversed);
        let axes = shape.iter().zip(to.iter().rev()).zip(&from);
        let loops: Vec<Loop<2>> = axes.map(|((&extent, &c), &a)| Loop { extent, strides: [c, a] }).collect();
        let step = kernels::Move::new(&loops);
        // SAFETY: both have as many elements as the loops reach, each once.
        let call = |c: &mut Memory<f64>| unsafe { step.run(1.0, a.as_ptr(), false, 0.0, c.as_mut_ptr(), threads) };
        let each = time(9, || (0..1000).for_each(|_| call(&mut c))) / 1000.0;
        println!("reversal of {shape:?}: {:.0} ns a call, {:.2} ns an element", each * 1e9, each * 1e9 / n as f64);
    }
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|x| !x.starts_with("--")).collect();
    let threads = arguments.first().and_then(|x| x.parse().ok());
    if threads.is_some() {
        arguments.remove(0);
    }
    let threads = Threads::new(threads.unwrap_or(1));
    let values = |key| arguments.iter().filter_map(move |x| x.strip_prefix(key).map(str::to_owned)).collect::<Vec<_>>();
    let (types, offsets) = (values("type="), values("offset="));
    let offset = offsets.first().and_then(|x| x.parse().ok()).unwrap_or(0);
    arguments.retain(|x| !x.contains('='));
    let wanted = |name: &str| types.is_empty() || types.iter().any(|t| t == name);
    if wanted("f64") {
        bench::<f64>(threads, offset, &arguments);
    }
    if wanted("f32") {
        bench::<f32>(threads, offset, &arguments);
    }
    if wanted("c32") {
        bench::<Complex32>(threads, offset, &arguments);
    }
    if wanted("c64") {
        bench::<Complex64>(threads, offset, &arguments);
    }
    small(threads);
}
