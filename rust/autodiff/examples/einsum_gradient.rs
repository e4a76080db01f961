//! What value, and value with gradient, of an Einstein sum take: `cargo run --release -p tensoroxide-autodiff --example
//! einsum_gradient`.
#![allow(clippy::print_stdout)] // a program whose purpose is its output

use std::time::Instant;

use tensoroxide_autodiff::einsum::EinsumRule;
use tensoroxide_dense::Element;
use tensoroxide_einsum::{Einsum, Options, Plan};
use tensoroxide_tensor::{Complex64, Tensor, Threads, View};

/// The median of a few runs, in microseconds.
fn median(mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = Vec::new();
    let begin = Instant::now();
    run();
    while times.len() < 5 || begin.elapsed().as_secs_f64() < 0.4 {
        let start = Instant::now();
        run();
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn measure<T: Element>(name: &str, expression: &str, shapes: &[Vec<usize>], conj: &[bool]) {
    let slices: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let plan = Plan::new(expression, &slices, T::DTYPE, Options::default()).expect("planned");
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let mut filled = |shape: &[usize]| {
        let scale = 1.0 / (shape.iter().product::<usize>() as f64).sqrt();
        Tensor::<T>::from_fn(shape, |_| T::from_c64(Complex64::new(scale * next(), scale * next()))).expect("memory")
    };
    let tensors: Vec<Tensor<T>> = shapes.iter().map(|shape| filled(shape)).collect();
    let operands: Vec<View<'_, T>> = tensors.iter().map(Tensor::view).collect();
    let mut cotangents: Vec<Tensor<T>> = shapes.iter().map(|shape| filled(shape)).collect();
    let (mut output, cotangent) = (filled(&plan.output_shape()), filled(&plan.output_shape()));
    let flops = plan.flops();
    let rule = EinsumRule::<T>::new(&plan, conj).expect("derived");
    let einsum = Einsum::<T>::new(plan);
    let value = median(|| {
        let out = output.view_mut().expect("injective");
        einsum.run(T::ONE, &operands, conj, T::ZERO, out, Threads::ONE).expect("run");
    });
    let mut wanted: Vec<_> = cotangents.iter_mut().map(|t| Some(t.view_mut().expect("injective"))).collect();
    let both = median(|| {
        let out = Some(output.view_mut().expect("injective"));
        let mut record = rule.forward(T::ONE, &operands, T::ZERO, out, Threads::ONE).expect("run");
        record.pullback(&operands, cotangent.view(), &mut wanted, Threads::ONE).expect("run");
    });
    let tangents: Vec<Option<View<'_, T>>> = operands.iter().map(|&t| Some(t)).collect();
    let tangent = median(|| {
        let out = Some(output.view_mut().expect("injective"));
        rule.jvp(T::ONE, &operands, &tangents, T::ZERO, None, out, Threads::ONE).expect("run");
    });
    println!(
        "{name:24} {:10}: value {value:8.1} µs ({:5.1} GFLOP/s), and gradient {both:8.1} µs ({:.2}×), tangent {:.2}×",
        T::DTYPE,
        flops / value * 1e-3,
        both / value,
        tangent / value
    );
}

/// ⟨ψ|ψ⟩ of a matrix product state of so many sites of dimension 2.
fn norm(sites: usize, bond: usize) -> (String, Vec<Vec<usize>>, Vec<bool>) {
    let label = |l: usize| format!("{{{l}}}");
    let extent = |i: usize| if i == 0 || i == sites { 1 } else { bond.min(1 << i.min(sites - i).min(20)) };
    let (mut terms, mut shapes) = (Vec::new(), Vec::new());
    for i in 0..sites {
        for side in 0..2 {
            terms.push([label(3 * i + side), label(3 * i + 2), label(3 * i + 3 + side)].concat());
            shapes.push(vec![extent(i), 2, extent(i + 1)]);
        }
    }
    // Bonds at the ends have one value.
    let conj = (0..2 * sites).map(|k| k % 2 == 1).collect();
    (format!("{}->", terms.join(",")), shapes, conj)
}

fn main() {
    for n in [8, 64, 256] {
        let shapes = [vec![n, n], vec![n, n]];
        measure::<f64>(&format!("product n = {n}"), "ij,jk->ik", &shapes, &[false; 2]);
        measure::<Complex64>(&format!("product n = {n}"), "ij,jk->ik", &shapes, &[false; 2]);
    }
    for bond in [8, 64] {
        let (text, shapes, conj) = norm(20, bond);
        measure::<f64>(&format!("norm of an MPS, χ = {bond}"), &text, &shapes, &conj);
        measure::<Complex64>(&format!("norm of an MPS, χ = {bond}"), &text, &shapes, &conj);
    }
}
