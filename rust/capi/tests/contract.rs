//! `tox_contract` against sums that are written out, and what it refuses.

#![allow(unsafe_code)] // a foreign host calls with raw pointers

mod host;

use std::ptr::null;

use host::{last_error, Host};
use tensoroxide::*;
use tensoroxide_tensor::dlpack::DLTensor;
use tensoroxide_tensor::{Complex32, Complex64, Real, Scalar};

/// All values that some axes take.
fn indices(shape: &[i64]) -> Vec<Vec<i64>> {
    let grow = |all: Vec<Vec<i64>>, &extent: &i64| {
        let longer = |index: &Vec<i64>| (0..extent).map(|i| [&index[..], &[i]].concat()).collect::<Vec<_>>();
        all.iter().flat_map(longer).collect()
    };
    shape.iter().fold(vec![Vec::new()], grow)
}

/// A tensor in a layout of its own: the axes in any order in memory, some of them backwards, with gaps.
fn strided<T: Scalar>(shape: &[i64], order: &[usize], backwards: &[usize]) -> (Host<T>, usize) {
    let (mut strides, mut step) = (vec![0; shape.len()], 2);
    for &axis in order {
        strides[axis] = step;
        step *= shape[axis].max(1) + 1;
    }
    let mut start = 0;
    for &axis in backwards {
        start += (strides[axis] * (shape[axis] - 1).max(0)) as usize;
        strides[axis] = -strides[axis];
    }
    let mut host = Host::new(&[step], |i| (i as f64 * 0.7).sin());
    (host.shape, host.strides) = (shape.to_vec(), strides);
    (host, start)
}

fn at<T: Scalar>(host: &Host<T>, start: usize, index: &[i64]) -> usize {
    (start as i64 + index.iter().zip(&host.strides).map(|(i, step)| i * step).sum::<i64>()) as usize
}

fn tensor<T: Scalar>(host: &mut Host<T>, start: usize) -> DLTensor {
    DLTensor { byte_offset: (start * size_of::<T>()) as u64, ..host.tensor() }
}

/// C = alpha·A·B + beta·C for matrices with a batch, labels b (0), i (1), j (2), k (3): A has b, i, j, and so on.
fn check<T: Scalar>([b, i, j, k]: [i64; 4], conj: [bool; 2], beta: f64) {
    let extents = [b, i, j, k];
    let of = [[0, 1, 2], [2, 0, 3], [3, 0, 1]];
    let shape = |labels: &[i32]| labels.iter().map(|&label| extents[label as usize]).collect::<Vec<_>>();
    let (mut x, at_x) = strided::<T>(&shape(&of[0]), &[2, 0, 1], &[1]);
    let (mut y, at_y) = strided::<T>(&shape(&of[1]), &[1, 2, 0], &[0, 2]);
    let (mut z, at_z) = strided::<T>(&shape(&of[2]), &[0, 2, 1], &[]);
    let alpha = Complex64::new(0.5, -1.5);
    if beta == 0.0 {
        z.data.fill(T::from_c64(Complex64::new(f64::NAN, f64::NAN)));
    }
    let before = z.data.clone();
    let labels = of.concat();
    let flags = conj.map(u8::from);
    let tensors = [tensor(&mut x, at_x), tensor(&mut y, at_y), tensor(&mut z, at_z)];
    // SAFETY: everything lives; C is apart.
    let status =
        unsafe { tox_contract(tensors.as_ptr(), labels.as_ptr(), flags.as_ptr(), alpha.re, alpha.im, beta, 0.0) };
    assert_eq!(status, TOX_OK, "{}", last_error());
    let read = |host: &Host<T>, start, index: &[i64], conj: bool| {
        let value = host.data[at(host, start, index)].to_c64();
        if conj {
            value.conj()
        } else {
            value
        }
    };
    // The factor as the element type has it.
    let alpha = T::from_c64(alpha).to_c64();
    let mut written = vec![false; z.data.len()];
    for index in indices(&shape(&of[2])) {
        let [k, b, i] = index[..] else { unreachable!() };
        let sum: Complex64 =
            (0..j).map(|j| read(&x, at_x, &[b, i, j], conj[0]) * read(&y, at_y, &[j, b, k], conj[1])).sum();
        let place = at(&z, at_z, &index);
        written[place] = true;
        let old = if beta == 0.0 { Complex64::new(0.0, 0.0) } else { before[place].to_c64() * beta };
        let (found, expected) = (z.data[place].to_c64(), alpha * sum + old);
        // Products of numbers below 1, j of them.
        let tolerance = 8.0 * (j as f64 + 1.0) * T::Real::EPSILON.to_f64();
        assert!((found - expected).norm() <= tolerance, "{index:?}: {found} is not {expected}");
    }
    for (place, _) in written.iter().enumerate().filter(|(_, &written)| !written) {
        let same = z.data[place] == before[place] || beta == 0.0;
        assert!(same, "what is between the elements was written");
    }
}

#[test]
fn matrices_with_a_batch() {
    for check in [check::<f32>, check::<f64>, check::<Complex32>, check::<Complex64>] {
        for extents in
            [[2, 3, 4, 5], [1, 1, 1, 1], [3, 17, 1, 2], [1, 33, 40, 18], [2, 3, 0, 4], [0, 2, 2, 2], [2, 0, 3, 1]]
        {
            for conj in [[false; 2], [true, false], [true; 2]] {
                check(extents, conj, 0.0);
                check(extents, conj, -0.5);
            }
        }
    }
}

#[test]
fn refusals_write_nothing() {
    let mut a = Host::<f64>::new(&[2, 3], |i| i as f64);
    let mut b = Host::<f64>::new(&[3, 4], |i| i as f64);
    let mut c = Host::<f64>::new(&[2, 4], |i| i as f64);
    let mut wrong = Host::<f64>::new(&[5, 4], |i| i as f64);
    let mut single = Host::<f32>::new(&[3, 4], |i| i as f64);
    let before = c.data.clone();
    let contract = |tensors: [DLTensor; 3], labels: [i32; 6]| {
        // SAFETY: everything lives.
        unsafe { tox_contract(tensors.as_ptr(), labels.as_ptr(), null(), 1.0, 0.0, 0.0, 0.0) }
    };
    let labels = [1, 2, 2, 3, 1, 3];
    let aliased = c.tensor();
    assert_eq!(contract([a.tensor(), wrong.tensor(), c.tensor()], labels), TOX_DIMENSION_MISMATCH);
    assert_eq!(contract([a.tensor(), single.tensor(), c.tensor()], labels), TOX_INVALID_ARGUMENT);
    assert_eq!(contract([aliased, b.tensor(), c.tensor()], [1, 2, 2, 3, 1, 3]), TOX_ALIASING);
    // A label that is nowhere else, and one that the output has twice.
    assert_eq!(contract([a.tensor(), b.tensor(), c.tensor()], [1, 2, 4, 3, 1, 3]), TOX_INVALID_ARGUMENT);
    let mut square = Host::<f64>::new(&[2, 2], |i| i as f64);
    assert_ne!(contract([a.tensor(), b.tensor(), square.tensor()], [1, 2, 2, 3, 1, 1]), TOX_OK);
    // SAFETY: NULL is looked for.
    unsafe {
        let tensors = [a.tensor(), b.tensor(), c.tensor()];
        assert_eq!(tox_contract(null(), labels.as_ptr(), null(), 1.0, 0.0, 0.0, 0.0), TOX_NULL_POINTER);
        assert_eq!(tox_contract(tensors.as_ptr(), null(), null(), 1.0, 0.0, 0.0, 0.0), TOX_NULL_POINTER);
    }
    assert_eq!(c.data, before);
}
