//! What small and odd products take, against plain loops and a matrix product by `dense`: nanoseconds and GFLOP/s (or
//! GB/s).
//!
//! `cargo run --release -p tensoroxide-contract --example small [filter]`
#![allow(clippy::print_stdout)] // a program whose purpose is its output

use std::hint::black_box;
use std::time::Instant;

use tensoroxide_contract::{Axes, Label, Pair, Settings};
use tensoroxide_dense::{gemm, Element, MatMut, MatRef};
use tensoroxide_tensor::{Complex64, Tensor, Threads};

/// Nanoseconds of a call: the median of some batches.
fn time(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    f();
    let once = start.elapsed().as_nanos().max(20) as f64;
    let calls = (2e5 / once).ceil().max(1.0) as usize;
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| f());
            start.elapsed().as_nanos() as f64 / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[4]
}

/// A step in einsum's notation over dense tensors, the last of whose labels is the slowest.
fn step<T: Element>(notation: &str, extents: &[(char, usize)], filter: &str) {
    if !notation.contains(filter) && !filter.is_empty() {
        return;
    }
    let extent = |l: char| extents.iter().find(|e| e.0 == l).map_or(2, |e| e.1);
    let (inputs, output) = notation.split_once("->").expect("an arrow");
    let (a, b) = inputs.split_once(',').expect("two operands");
    let of = |labels: &str| -> (Vec<Label>, Vec<usize>, Vec<isize>) {
        let shape: Vec<usize> = labels.chars().map(extent).collect();
        let strides = tensoroxide_tensor::layout::column_major_strides(&shape);
        (labels.chars().map(u32::from).collect(), shape, strides)
    };
    let (la, lb, lc) = (of(a), of(b), of(output));
    let axes = |l: &(Vec<Label>, Vec<usize>, Vec<isize>)| -> (Vec<Label>, Vec<usize>, Vec<isize>) { l.clone() };
    let (xa, xb, xc) = (axes(&la), axes(&lb), axes(&lc));
    let view = |l| {
        let (labels, shape, strides): &(Vec<Label>, Vec<usize>, Vec<isize>) = l;
        Axes { labels, shape, strides }
    };
    let value = |i: &[usize]| T::from_c64(Complex64::new(i.iter().sum::<usize>() as f64 % 7.0, 1.0));
    let ta = Tensor::<T>::from_fn(&la.1, value).expect("memory");
    let tb = Tensor::<T>::from_fn(&lb.1, value).expect("memory");
    let mut tc = Tensor::<T>::from_fn(&lc.1, |_| T::ZERO).expect("memory");
    let settings = Settings { dtype: T::DTYPE, threads: Threads::ONE, least_scratch: false };
    let pair = || Pair::new(view(&xa), view(&xb), view(&xc), &[], settings).expect("a step");
    let prepared = pair();
    let mut scratch = vec![T::ZERO; prepared.scratch()];
    let run = time(|| {
        let (a, b, c) = (black_box(&ta).view(), tb.view(), tc.view_mut().expect("injective"));
        prepared.run(T::ONE, a, false, b, false, T::ZERO, c, &[], &mut scratch, Threads::ONE).expect("runs");
    });
    let prepare = time(|| drop(black_box(pair())));
    let elements = (ta.data().len() + tb.data().len() + tc.data().len()) as f64 * size_of::<T>() as f64;
    let per = if T::DTYPE.is_complex() { 8.0 } else { 2.0 };
    let mut text: String = notation.chars().take(40).collect();
    if extents.len() < 5 {
        extents.iter().for_each(|(l, e)| text += &format!(" {l}{e}"));
    }
    println!(
        "{text:44} {:>5} {run:12.1} ns {:7.1} GFLOP/s {:6.1} GB/s  prepared in {prepare:6.0} ns  {}",
        T::DTYPE.to_string().replace("Float", "F").replace("Complex", "C"),
        per * prepared.volume() / run,
        elements / run,
        prepared.kernel_name(),
    );
}

/// faer's product of n×n matrices, and three loops.
fn peers(n: usize) {
    let a = vec![1.0f64; n * n];
    let b = a.clone();
    let mut c = a.clone();
    let loops = time(|| {
        for j in 0..n {
            let column = &mut c[j * n..][..n];
            column.fill(0.0);
            for k in 0..n {
                let y = black_box(&b)[j * n + k];
                column.iter_mut().zip(&a[k * n..][..n]).for_each(|(c, a)| *c += a * y);
            }
        }
    });
    let mat = |x| MatRef::from_slice(x, n, n, 1, n as isize).expect("fits");
    let product = time(|| {
        let c = MatMut::from_slice(&mut c, n, n, 1, n as isize).expect("fits");
        gemm(1.0, mat(black_box(&a)), false, mat(&b), false, 0.0, c, Threads::ONE).expect("fits");
    });
    println!("{n}: loops {loops:.1} ns, faer {product:.1} ns");
}

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let f = filter.as_str();
    for n in [2, 3, 4, 8, 16, 32, 48, 64] {
        if f.is_empty() {
            peers(n);
        }
        let e = [('i', n), ('j', n), ('k', n)];
        for notation in ["ik,kj->ij", "ki,kj->ij", "ik,jk->ij", "ki,jk->ij", "ik,kj->ji"] {
            step::<f64>(notation, &e, f);
        }
        step::<Complex64>("ik,kj->ij", &e, f);
        step::<f32>("ik,kj->ij", &e, f);
    }
    for chi in [1, 8, 16, 32] {
        let e = [('a', chi), ('b', 2), ('c', chi), ('d', 2), ('e', chi)];
        println!("χ = {chi}");
        step::<f64>("abc,cde->abde", &e, f);
        step::<Complex64>("abc,cde->abde", &e, f);
    }
    for n in [2, 4, 8, 16] {
        let e = [('i', n), ('j', n), ('k', n), ('z', 1000)];
        step::<f64>("ikz,kjz->ijz", &e, f);
        step::<f64>("zik,zkj->zij", &e, f);
        step::<Complex64>("zik,zkj->zij", &e, f);
        step::<f64>("izk,kzj->zij", &e, f);
    }
    for n in [100, 10_000, 1_000_000] {
        let e = [('i', n)];
        step::<f64>("i,i->", &e, f);
        step::<f64>("i,i->i", &e, f);
        step::<Complex64>("i,i->i", &e, f);
    }
    for n in [64, 1024, 4096] {
        let e = [('i', n), ('k', n)];
        step::<f64>("ik,k->i", &e, f);
        step::<f64>("ki,k->i", &e, f);
    }
    let e = [('i', 1024), ('j', 1024)];
    step::<f64>("i,j->ij", &e, f);
    step::<f64>("ij,ji->ij", &e, f);
    step::<f64>("ij,j->ij", &e, f);
    step::<f64>("ij,ij->j", &e, f);
    // Labels of two values, scattered.
    step::<f64>("abcdefghijklmnopqr,ry->abcdefghijklmnopqy", &[], f);
    step::<f64>("abcdefghijklmnopqr,ay->ybcdefghijklmnopqr", &[], f);
    step::<f64>("abcdefghijklmnopqr,gjxy->abcdefxhiyklmnopqr", &[], f);
    step::<f64>("abcdefghijklmnopqr,gjxy->xyabcdefhiklmnopqr", &[], f);
    step::<f64>("abcdefghijklmnopqr,gjxy->rbqdemchiyklfnopax", &[], f);
    step::<Complex64>("abcdefghijklmnopqr,ajxy->bcdefxghiyklmnopqr", &[], f);
    step::<f64>("wabc,wa->wbc", &[('w', 1100), ('a', 12), ('b', 12), ('c', 12)], f);
    step::<f64>("abc,wa->wbc", &[('w', 1100), ('a', 12), ('b', 12), ('c', 12)], f);
    step::<f64>("wab,wab->w", &[('w', 1100), ('a', 12), ('b', 12)], f);
}
