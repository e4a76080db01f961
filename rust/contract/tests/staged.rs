//! Steps that are cut into pieces, and single sums that are shared among threads, against plain loops.
//!
//! The values are small whole numbers, so that every result is exact in every type: equality is asked for.

use tensoroxide_contract::{Axes, Label, Pair, Settings};
use tensoroxide_dense::Element;
use tensoroxide_tensor::{with_scalar, Complex64, DType, Tensor, Threads};

const TYPES: [DType; 4] = [DType::F32, DType::F64, DType::C32, DType::C64];

fn value<T: Element>(i: &[usize]) -> T {
    let x = i.iter().enumerate().map(|(d, &i)| (i + 1) * (2 * d + 3)).sum::<usize>();
    T::from_c64(Complex64::new((x % 5) as f64 - 2.0, (x % 3) as f64 - 1.0))
}

/// α·conj(A)·B + β·C of dense tensors with these labels, the first of each the innermost, and the kernel's name.
fn check<T: Element>(text: [&str; 3], extents: &[(char, usize)], beta: f64, threads: usize) -> String {
    let extent = |l: char| extents.iter().find(|e| e.0 == l).expect("known").1;
    let labels = text.map(|text| text.chars().map(u32::from).collect::<Vec<Label>>());
    let shapes = text.map(|text| text.chars().map(extent).collect::<Vec<usize>>());
    let [a, b, old] = shapes.each_ref().map(|shape| Tensor::<T>::from_fn(shape, value).unwrap());
    let nan = T::from_c64(Complex64::new(f64::NAN, f64::NAN));
    let mut c = Tensor::from_fn(&shapes[2], |i| if beta == 0.0 { nan } else { value(i) }).unwrap();
    let strides = shapes.each_ref().map(|shape| tensoroxide_tensor::layout::column_major_strides(shape));
    let axes = |t: usize| Axes { labels: &labels[t], shape: &shapes[t], strides: &strides[t] };
    let settings = Settings { dtype: T::DTYPE, threads: Threads::new(threads), least_scratch: false };
    let pair = Pair::new(axes(0), axes(1), axes(2), &[], settings).unwrap();
    let mut scratch = vec![nan; pair.scratch()];
    let (alpha, beta) = (T::from_c64(Complex64::new(2.0, 1.0)), T::from_c64(Complex64::new(beta, 0.0)));
    let out = c.view_mut().unwrap();
    pair.run(alpha, a.view(), true, b.view(), false, beta, out, &[], &mut scratch, settings.threads).unwrap();

    // Every value of every label, the first label fastest.
    let place = |t: usize, at: &[usize]| {
        let of = |l: char| at[extents.iter().position(|e| e.0 == l).expect("known")];
        text[t].chars().zip(&strides[t]).map(|(l, &stride)| of(l) * stride as usize).sum::<usize>()
    };
    let mut expected: Vec<T> = vec![T::ZERO; c.data().len()];
    let mut at = vec![0; extents.len()];
    loop {
        expected[place(2, &at)] += a.data()[place(0, &at)].conj() * b.data()[place(1, &at)];
        let Some(d) = (0..at.len()).find(|&d| at[d] + 1 < extents[d].1) else { break };
        at[..d].fill(0);
        at[d] += 1;
    }
    for (i, (&found, &sum)) in c.data().iter().zip(&expected).enumerate() {
        let kept = if beta == T::ZERO { T::ZERO } else { beta * old.data()[i] };
        assert_eq!(found, alpha * sum + kept, "{text:?} of {}, element {i}, {}", T::DTYPE, pair.kernel_name());
    }
    pair.kernel_name()
}

#[test]
fn batches_with_their_number_first() {
    for dtype in TYPES {
        for (beta, threads) in [(0.0, 1), (3.0, 2)] {
            let extents = [('b', 35), ('i', 32), ('j', 31), ('k', 33)];
            with_scalar!(dtype, T => check::<T>(["bik", "bkj", "bij"], &extents, beta, threads));
            let extents = [('b', 19), ('i', 40), ('j', 41), ('k', 42)];
            with_scalar!(dtype, T => check::<T>(["ikb", "bkj", "bji"], &extents, beta, threads));
        }
    }
}

#[test]
fn elementwise_products_of_tensors_that_lie_otherwise() {
    for dtype in TYPES {
        for (beta, threads) in [(0.0, 1), (3.0, 2), (0.0, 3)] {
            let extents = [('i', 301), ('j', 190)];
            let name = with_scalar!(dtype, T => check::<T>(["ij", "ji", "ij"], &extents, beta, threads));
            assert!(name.contains("small copies"), "{dtype}: {name}");
            with_scalar!(dtype, T => check::<T>(["ji", "ij", "ij"], &extents, beta, threads));
            with_scalar!(dtype, T => check::<T>(["ij", "ij", "ji"], &extents, beta, threads));
            let extents = [('i', 37), ('j', 41), ('k', 43)];
            with_scalar!(dtype, T => check::<T>(["ijk", "kji", "jik"], &extents, beta, threads));
        }
    }
}

#[test]
fn a_single_sum_on_several_threads() {
    for dtype in TYPES {
        for (n, beta, threads) in [(400_003, 0.0, 2), (400_000, 3.0, 3), (65, 0.0, 2)] {
            with_scalar!(dtype, T => check::<T>(["i", "i", ""], &[('i', n)], beta, threads));
        }
    }
}
