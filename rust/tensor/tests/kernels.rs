//! The memory kernels against loops over indices: all element types, odd layouts, sizes 0 and 1.

use std::collections::HashSet;

use proptest::prelude::*;
use tensoroxide_tensor::testing::{arrangement, config, indices, poison, shape, tensor, Arrangement};
use tensoroxide_tensor::{
    kernels, with_scalar, Complex64, DType, Error, Layout, Scalar, Tensor, Threads, View, ViewMut,
};

/// 0, 1 and two numbers between, exact in every type: all results below are then exact too.
const FACTORS: [(f64, f64); 4] = [(0.0, 0.0), (1.0, 0.0), (-2.0, 0.5), (0.5, 1.0)];

fn factor<T: Scalar>(which: usize) -> T {
    T::from_c64(Complex64::new(FACTORS[which].0, FACTORS[which].1))
}

fn op<T: Scalar>(x: T, conj: bool) -> T {
    if conj {
        x.conj()
    } else {
        x
    }
}

/// β·C, with β = 0 a strong zero.
fn scaled<T: Scalar>(beta: T, c: T) -> T {
    if beta == T::ZERO {
        T::ZERO
    } else {
        beta * c
    }
}

#[derive(Clone, Debug)]
struct Case {
    a: Arrangement,
    c: Arrangement,
    seed: u64,
    alpha: usize,
    beta: usize,
    conj: bool,
    threads: usize,
}

fn case() -> impl Strategy<Value = Case> {
    (arrangement(), arrangement(), any::<u64>(), 0..4usize, 0..4usize, any::<bool>(), 1..3usize)
        .prop_map(|(a, c, seed, alpha, beta, conj, threads)| Case { a, c, seed, alpha, beta, conj, threads })
}

fn output<T: Scalar>(case: &Case, layout: Layout) -> Tensor<T> {
    let mut c = tensor::<T>(layout, case.seed ^ 1);
    if case.beta == 0 {
        c.fill(|_| poison());
    }
    c
}

fn check_axpby<T: Scalar>(shape: &[usize], case: &Case) {
    let a = tensor::<T>(case.a.layout(shape), case.seed);
    let mut c = output::<T>(case, case.c.layout(shape));
    let before: Vec<T> = indices(shape).iter().map(|i| c.view().get(i).unwrap()).collect();
    let (alpha, beta) = (factor::<T>(case.alpha), factor::<T>(case.beta));
    kernels::axpby(alpha, a.view(), case.conj, beta, c.view_mut().unwrap(), Threads::new(case.threads)).unwrap();
    for (index, old) in indices(shape).iter().zip(before) {
        let expected = alpha * op(a.view().get(index).unwrap(), case.conj) + scaled(beta, old);
        assert_eq!(c.view().get(index), Some(expected), "at {index:?}");
    }
    let written = |i: &Vec<usize>| i.iter().zip(c.layout().strides()).map(|(&i, &s)| i as isize * s).sum::<isize>();
    let written: HashSet<isize> = indices(shape).iter().map(written).collect();
    let between = (c.layout().reach().0..).zip(c.data()).filter(|(at, _)| !written.contains(at));
    assert!(between.into_iter().all(|(_, x)| *x == T::ZERO), "what lies between the elements is left alone");
}

fn check_reduce<T: Scalar>(shape: &[usize], keep: u64, case: &Case) {
    let mut axes: Vec<usize> = (0..shape.len()).filter(|axis| keep >> axis & 1 == 1).collect();
    let by = keep as usize % axes.len().max(1);
    axes.rotate_left(by);
    let kept: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
    let a = tensor::<T>(case.a.layout(shape), case.seed);
    let mut c = output::<T>(case, case.c.layout(&kept));
    let before: Vec<T> = indices(&kept).iter().map(|i| c.view().get(i).unwrap()).collect();
    let (alpha, beta) = (factor::<T>(case.alpha), factor::<T>(case.beta));
    let out = c.view_mut().unwrap();
    kernels::reduce(alpha, a.view(), case.conj, &axes, beta, out, Threads::new(case.threads)).unwrap();
    for (index, old) in indices(&kept).iter().zip(before) {
        let matching = indices(shape).into_iter().filter(|i| axes.iter().map(|&x| i[x]).eq(index.iter().copied()));
        let sum: T = matching.map(|i| op(a.view().get(&i).unwrap(), case.conj)).sum();
        assert_eq!(c.view().get(index), Some(alpha * sum + scaled(beta, old)), "at {index:?}");
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn axpby_is_the_loop_over_indices(shape in shape(5, 5), case in case()) {
        for dtype in DType::ALL {
            with_scalar!(dtype, T => check_axpby::<T>(&shape, &case));
        }
    }

    #[test]
    fn transpositions_are_right_at_every_size(rows in 1usize..150, columns in 1usize..80, case in case()) {
        let transposed = Case { a: case.a.clone(), ..case };
        for dtype in DType::ALL {
            with_scalar!(dtype, T => check_axpby::<T>(&[rows, columns], &transposed));
        }
    }

    #[test]
    fn reduce_is_the_sum_over_indices(shape in shape(4, 5), keep in any::<u64>(), case in case()) {
        for dtype in DType::ALL {
            with_scalar!(dtype, T => check_reduce::<T>(&shape, keep, &case));
        }
    }
}

#[test]
fn large_work_is_shared_without_a_difference() {
    // Above the size at which threads are woken, and with sides that are no multiples of a tile.
    let shape = [301, 7, 211];
    let a = tensor::<f64>(Layout::column_major(&shape).unwrap(), 5);
    let run = |threads| {
        let mut c = Tensor::<f64>::zeros(Layout::new(&shape, &[211 * 7, 211, 1]).unwrap()).unwrap();
        kernels::axpby(2.0, a.view(), false, 0.0, c.view_mut().unwrap(), Threads::new(threads)).unwrap();
        let mut sums = Tensor::<f64>::zeros(Layout::column_major(&[211]).unwrap()).unwrap();
        kernels::reduce(1.0, a.view(), false, &[2], 0.0, sums.view_mut().unwrap(), Threads::new(threads)).unwrap();
        (c.data().to_vec(), sums.data().to_vec())
    };
    let one = run(1);
    assert_eq!(one.0[5 + 3 * 211 + 300 * 7 * 211], 2.0 * a.view().get(&[300, 3, 5]).unwrap());
    assert!(one.1.iter().any(|&x| x != 0.0));
    for threads in [2, 3] {
        assert_eq!(run(threads), one);
    }
}

#[test]
fn broadcast_and_scale() {
    let one = [3.0f32];
    let mut c = [f32::NAN; 6];
    let wide = View::new(&one, &[2, 3], &[0, 0], 0).unwrap();
    kernels::axpby(1.0, wide, false, 0.0, ViewMut::new(&mut c, &[2, 3], &[3, 1], 0).unwrap(), Threads::ONE).unwrap();
    assert_eq!(c, [3.0; 6]);
    kernels::scale(2.0, ViewMut::new(&mut c, &[3], &[2], 0).unwrap(), Threads::ONE);
    assert_eq!(c, [6.0, 3.0, 6.0, 3.0, 6.0, 3.0]);
    c[1] = f32::NAN;
    kernels::scale(0.0, ViewMut::new(&mut c, &[3], &[-2], 5).unwrap(), Threads::ONE);
    assert_eq!(c, [6.0, 0.0, 6.0, 0.0, 6.0, 0.0]);
}

#[test]
fn shapes_that_do_not_fit_are_refused_and_nothing_is_written() {
    let a = [1.0f64; 6];
    let mut c = [7.0f64; 6];
    let view = View::new(&a, &[2, 3], &[1, 2], 0).unwrap();
    let wrong = ViewMut::new(&mut c, &[3, 2], &[1, 3], 0).unwrap();
    let expected = Error::ShapeMismatch { found: vec![2, 3], expected: vec![3, 2] };
    assert_eq!(kernels::axpby(1.0, view, false, 0.0, wrong, Threads::ONE), Err(expected));
    for axes in [&[1usize][..], &[0, 0], &[5], &[0, 1, 5]] {
        let out = ViewMut::new(&mut c, &[2, 2], &[1, 2], 0).unwrap();
        assert!(kernels::reduce(1.0, view, false, axes, 0.0, out, Threads::ONE).is_err(), "{axes:?}");
    }
    assert_eq!(c, [7.0; 6]);
}

#[test]
fn large_scaling_is_shared_without_a_difference() {
    for (shape, strides) in [([7, 70_001], [1isize, 7]), ([70_001, 7], [7, 1]), ([700, 701], [1402, 2])] {
        for beta in [0.0, 1.0, -0.5] {
            let start = Tensor::from_fn(&[1_000_000], |i| i[0] as f64 + 1.0).unwrap();
            let run = |threads: usize| {
                let mut c = start.data().to_vec();
                kernels::scale(beta, ViewMut::new(&mut c, &shape, &strides, 0).unwrap(), Threads::new(threads));
                c
            };
            let one = run(1);
            let mut expected = start.data().to_vec();
            for (i, j) in (0..shape[0]).flat_map(|i| (0..shape[1]).map(move |j| (i, j))) {
                expected[i * strides[0] as usize + j * strides[1] as usize] *= beta;
            }
            assert_eq!(one, expected);
            assert!((2..=3).all(|threads| run(threads) == one));
        }
    }
}
