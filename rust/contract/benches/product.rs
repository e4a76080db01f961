//! Contractions by the fused product against the same through plain matrices: copies where needed, and `dense`'s
//! product. `cargo bench -p tensoroxide-contract --bench product -- [what] [threads]`
#![allow(clippy::print_stdout)] // a table is what it is for

use std::time::{Duration, Instant};

use tensoroxide_contract::{Axes, Label, Pair, Settings};
use tensoroxide_dense::{set_provider, Element, Provider};
use tensoroxide_tensor::{with_scalar, Buffer, Complex64, DType, Threads, View, ViewMut};

type Labelled<'a> = &'a [(char, usize)];

/// Labels of A, B and C, such as `ik,kj->ij`, and extents.
fn step(expression: &str, extents: &dyn Fn(char) -> usize, settings: Settings) -> (Pair, [usize; 3], [Vec<usize>; 3]) {
    let (inputs, c) = expression.split_once("->").unwrap();
    let (a, b) = inputs.split_once(',').unwrap();
    let shapes = [a, b, c].map(|t| t.chars().map(extents).collect::<Vec<usize>>());
    let strides = shapes.clone().map(|shape| tensoroxide_tensor::layout::column_major_strides(&shape));
    let labels = [a, b, c].map(|t| t.chars().map(|l| l as Label).collect::<Vec<Label>>());
    let axes = |t: usize| Axes { labels: &labels[t], shape: &shapes[t], strides: &strides[t] };
    let pair = Pair::new(axes(0), axes(1), axes(2), &[], settings).unwrap();
    (pair, shapes.clone().map(|shape| shape.iter().product()), shapes)
}

fn seconds(mut f: impl FnMut()) -> f64 {
    f();
    let once = {
        let t = Instant::now();
        f();
        t.elapsed()
    };
    let rounds = (Duration::from_millis(4).as_nanos() / once.as_nanos().max(1)).clamp(1, 100_000) as u32;
    let mut best = f64::INFINITY;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(60) || best == f64::INFINITY {
        let t = Instant::now();
        (0..rounds).for_each(|_| f());
        best = best.min(t.elapsed().as_secs_f64() / f64::from(rounds));
    }
    best
}

fn time<T: Element>(
    expression: &str,
    extents: &dyn Fn(char) -> usize,
    provider: Provider,
    threads: Threads,
) -> (f64, f64, String) {
    set_provider(provider);
    let (pair, sizes, shapes) = step(expression, extents, Settings { dtype: T::DTYPE, threads, least_scratch: false });
    let strides = shapes.clone().map(|shape| tensoroxide_tensor::layout::column_major_strides(&shape));
    let fill = |len: usize, seed: usize| {
        let mut buffer = Buffer::<T>::zeroed(len).unwrap();
        buffer.iter_mut().enumerate().for_each(|(i, x)| {
            *x = T::from_c64(Complex64::new(((i * 7 + seed) % 13) as f64 - 6.0, ((i * 5 + seed) % 11) as f64 - 5.0));
        });
        buffer
    };
    let (a, b, mut c) = (fill(sizes[0], 1), fill(sizes[1], 2), fill(sizes[2], 3));
    let mut scratch = Buffer::<T>::zeroed(pair.scratch()).unwrap();
    let took = seconds(|| {
        let a = View::new(&a, &shapes[0], &strides[0], 0).unwrap();
        let b = View::new(&b, &shapes[1], &strides[1], 0).unwrap();
        let c = ViewMut::new(&mut c, &shapes[2], &strides[2], 0).unwrap();
        pair.run(T::ONE, a, false, b, false, T::ZERO, c, &[], &mut scratch, threads).unwrap();
    });
    let flops = pair.volume() * if T::DTYPE.is_complex() { 8.0 } else { 2.0 };
    (took, flops / took * 1e-9, pair.kernel_name())
}

fn compare(dtype: DType, expression: &str, extents: &dyn Fn(char) -> usize, threads: Threads, note: &str) {
    let (own, rate, name) = with_scalar!(dtype, T => time::<T>(expression, extents, Provider::Own, threads));
    let (other, other_rate, other_name) =
        with_scalar!(dtype, T => time::<T>(expression, extents, Provider::Lent, threads));
    println!(
        "{:6.2}  {dtype:<10} {expression:<22} {note:<14} {:10.2} µs {rate:7.1} GFLOP/s {name:<22} | {:10.2} µs {other_rate:7.1} {other_name}",
        other / own, own * 1e6, other * 1e6
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let what = arguments.first().map_or("all", |s| s.as_str());
    let threads = Threads::new(arguments.get(1).and_then(|s| s.parse().ok()).unwrap_or(1));
    let wants = |name: &str| what == "all" || what == name;
    let _: Labelled<'_> = &[];
    println!("ratio: through matrices / fused");
    if wants("square") {
        for dtype in DType::ALL {
            for n in [4, 8, 16, 24, 32, 48, 64, 96, 100, 128, 192, 256, 384, 512, 1024] {
                compare(dtype, "ik,kj->ij", &|_| n, threads, &format!("n = {n}"));
            }
        }
    }
    if wants("f64") {
        for n in [8, 16, 32, 50, 64, 96, 128, 256, 512, 1024] {
            compare(DType::F64, "ik,kj->ij", &|_| n, threads, &format!("n = {n}"));
        }
    }
    if wants("turned") {
        for expression in ["ki,kj->ij", "ik,jk->ij", "ki,jk->ij", "ik,kj->ji"] {
            for n in [64, 256, 1024] {
                compare(DType::F64, expression, &|_| n, threads, &format!("n = {n}"));
            }
        }
    }
    if wants("mps") {
        for dtype in [DType::F64, DType::C64] {
            for chi in [8, 16, 32, 50, 64, 100, 200] {
                let extents = move |l: char| match l {
                    'b' | 'd' | 's' | 't' => 2,
                    'w' | 'v' => 5,
                    _ => chi,
                };
                compare(dtype, "abc,cde->abde", &extents, threads, &format!("χ = {chi}"));
                compare(dtype, "asbw,wvts->atbv", &extents_dmrg(chi), threads, &format!("χ = {chi}"));
                compare(dtype, "axbw,bsc->axwsc", &extents_dmrg(chi), threads, &format!("χ = {chi}"));
            }
        }
    }
    if wants("four") {
        for d in [8, 12, 16, 24, 32, 48] {
            for e in [
                "abef,efcd->abcd",
                "aebf,ecfd->abcd",
                "eafb,cedf->abcd",
                "befa,dfce->abcd",
                "eafb,ecfd->dcba",
                "fbea,cfde->acbd",
            ] {
                compare(DType::F64, e, &|_| d, threads, &format!("d = {d}"));
            }
        }
    }
    if wants("batched") {
        for n in [8, 16, 32, 64] {
            for e in ["ikx,kjx->ijx", "xik,xkj->xij", "ixk,kxj->ixj"] {
                compare(DType::F64, e, &|l| if l == 'x' { 1000 } else { n }, threads, &format!("n = {n}"));
            }
        }
    }
    // The steps of a chain of matrices and of an MPS's inner product: one extent is about twenty.
    if wants("chain") {
        for (m, n, k) in [(21, 505, 462), (505, 21, 462), (371, 424, 24), (21, 21, 480), (19, 2413, 19), (19, 19, 2413)]
        {
            for expression in ["ik,kj->ij", "ki,kj->ij", "ik,jk->ij", "ki,jk->ij"] {
                let extents = |l| [m, n, k][l as usize - 'i' as usize];
                compare(DType::F64, expression, &extents, threads, &format!("{m}×{n}×{k}"));
            }
        }
    }
    if wants("slim") {
        for (m, n, k) in [
            (100_000, 4, 4),
            (100_000, 8, 16),
            (10_000, 16, 100),
            (16, 10_000, 100),
            (4, 100_000, 8),
            (64, 64, 10_000),
            (16, 16, 100_000),
            (1000, 1000, 4),
            (1000, 1000, 8),
            (1000, 1000, 16),
        ] {
            compare(
                DType::F64,
                "ik,kj->ij",
                &|l| match l {
                    'i' => m,
                    'j' => n,
                    _ => k,
                },
                threads,
                &format!("{m}×{n}×{k}"),
            );
        }
    }
}

fn extents_dmrg(chi: usize) -> impl Fn(char) -> usize {
    move |l| match l {
        's' | 't' => 2,
        'w' | 'v' | 'x' => 5,
        _ => chi,
    }
}
