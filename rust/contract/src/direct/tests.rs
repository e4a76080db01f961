//! Every form, element type and instruction set against plain loops over all values of all labels.
//!
//! The values are multiples of 1/16 and the sums short, so that every result is exact in every type: equality is asked
//! for.

use proptest::prelude::*;
use tensoroxide_tensor::nest::Loop;
use tensoroxide_tensor::simd::Isa;
use tensoroxide_tensor::testing::{arrangement, config, poison, tensor, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Layout, Scalar, Tensor, Threads};

use super::Direct;

const C: usize = 0;
const A: usize = 1;
const B: usize = 2;

/// Which tensors have the labels of a group: the batch, rows, columns, summed.
const PRESENT: [[bool; 3]; 4] = [[true, true, true], [true, true, false], [true, false, true], [false, true, true]];

#[derive(Clone, Debug)]
struct Case {
    /// Group and extent.
    labels: Vec<(usize, usize)>,
    arrangements: [Arrangement; 3],
    /// Labels whose stride is 0 in A, and in B.
    still: (u8, u8),
    conj: (bool, bool),
    factors: (usize, usize),
    threads: usize,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let extent = prop_oneof![1 => Just(0usize), 2 => Just(1), 8 => Just(2), 4 => Just(3), 4 => Just(4), 3 => Just(5),
        3 => Just(8), 2 => Just(17), 1 => Just(40)];
    (
        proptest::collection::vec((0usize..4, extent), 0..8),
        [arrangement(), arrangement(), arrangement()],
        prop_oneof![3 => Just((0, 0)), 1 => any::<(u8, u8)>()],
        any::<(bool, bool)>(),
        (0..4usize, 0..4usize),
        1..4usize,
        any::<u64>(),
    )
        .prop_map(|(mut labels, arrangements, still, conj, factors, threads, seed)| {
            let (mut volume, mut sum) = (1, 1);
            labels.retain(|&(group, extent)| {
                let fits = volume * extent <= 20_000 && (group != 3 || sum * extent <= 400);
                if fits && extent > 0 {
                    volume *= extent;
                    sum *= if group == 3 { extent } else { 1 };
                }
                fits
            });
            Case { labels, arrangements, still, conj, factors, threads, seed }
        })
}

fn factor<T: Scalar>(which: usize) -> T {
    T::from_c64([Complex64::ZERO, Complex64::ONE, Complex64::new(-2.0, 0.5), Complex64::new(0.5, 0.0)][which])
}

/// The strides of a tensor for all labels, 0 for those that it has not, and its memory's layout.
fn strides(case: &Case, t: usize) -> (Vec<isize>, Layout) {
    let has = |i: usize| {
        let still = [0, case.still.0, case.still.1][t] >> i & 1 == 1;
        PRESENT[case.labels[i].0][t] && !still
    };
    let own: Vec<usize> = (0..case.labels.len()).filter(|&i| has(i)).collect();
    let shape: Vec<usize> = own.iter().map(|&i| case.labels[i].1).collect();
    let layout = case.arrangements[t].layout(&shape);
    let mut strides = vec![0; case.labels.len()];
    own.iter().zip(layout.strides()).for_each(|(&i, &stride)| strides[i] = stride);
    (strides, layout)
}

fn op<T: Scalar>(x: T, conj: bool) -> T {
    if conj {
        x.conj()
    } else {
        x
    }
}

fn check<T: Scalar>(case: &Case) {
    let [(sc, lc), (sa, la), (sb, lb)] = [C, A, B].map(|t| strides(case, t));
    let (a, b) = (tensor::<T>(la, case.seed), tensor::<T>(lb, case.seed ^ 2));
    let (alpha, beta) = (factor::<T>(case.factors.0), factor::<T>(case.factors.1));
    let mut before = tensor::<T>(lc, case.seed ^ 1);
    if beta == T::ZERO {
        before.fill(|_| poison());
    }
    let start = |x: &Tensor<T>| -x.layout().reach().0;
    let out = |present: bool| {
        let pick = move |&(group, _): &(usize, usize)| PRESENT[group][C] == present;
        let labels: Vec<usize> = (0..case.labels.len()).filter(|&i| pick(&case.labels[i])).collect();
        let shape: Vec<usize> = labels.iter().map(|&i| case.labels[i].1).collect();
        (labels, tensoroxide_tensor::testing::indices(&shape))
    };
    let ((kept, outer), (summed, inner)) = (out(true), out(false));
    let offset = |strides: &[isize], labels: &[usize], index: &[usize]| -> isize {
        labels.iter().zip(index).map(|(&l, &i)| strides[l] * i as isize).sum()
    };
    let mut results = Vec::new();
    for o in &outer {
        let [to_c, to_a, to_b] = [&sc, &sa, &sb].map(|s| offset(s, &kept, o));
        let mut sum = T::ZERO;
        for i in &inner {
            let (x, y) = (offset(&sa, &summed, i) + to_a + start(&a), offset(&sb, &summed, i) + to_b + start(&b));
            sum += op(a.data()[x as usize], case.conj.0) * op(b.data()[y as usize], case.conj.1);
        }
        let at = (to_c + start(&before)) as usize;
        let old = before.data()[at];
        let scaled = if beta == T::ZERO { T::ZERO } else { beta * old };
        results.push((at, scaled + alpha * sum));
    }
    let loops = || {
        (0..case.labels.len()).map(|i| {
            let step = Loop { extent: case.labels[i].1, strides: [sc[i], sa[i], sb[i]] };
            (step, PRESENT[case.labels[i].0][C])
        })
    };
    // Every form that is possible, whatever it costs.
    let mut forms = Vec::new();
    for &isa in Isa::available() {
        let mut count = 1;
        let mut form = 0;
        while form < count {
            forms.push(Direct::chosen(loops(), T::DTYPE, isa, |costs| {
                count = costs.len();
                form
            }));
            form += 1;
        }
    }
    for mut direct in forms {
        let isa = direct.isa;
        if case.threads > 1 {
            direct.cost = 1e9; // so that the work is worth the threads
        }
        let mut c = tensor::<T>(before.layout().clone(), case.seed ^ 1);
        if beta == T::ZERO {
            c.fill(|_| poison());
        }
        // SAFETY: the loops are those of the tensors' layouts; each starts at its index (0, …, 0).
        unsafe {
            let (a, b) = (a.view().as_ptr(), b.view().as_ptr());
            let c = c.view_mut().expect("injective").as_mut_ptr();
            direct.run(alpha, (a, case.conj.0), (b, case.conj.1), beta, c, Threads::new(case.threads));
        }
        let mut touched = vec![false; c.data().len()];
        for &(at, value) in &results {
            touched[at] = true;
            let found = c.data()[at];
            assert!(found == value, "{isa:?} {:?}: {found:?} is not {value:?} at {at}", direct);
        }
        for (at, _) in touched.iter().enumerate().filter(|(_, &touched)| !touched) {
            let (found, old) = (c.data()[at], before.data()[at]);
            assert!(found == old || !old.is_finite() && !found.is_finite(), "{isa:?} {direct:?}: {at} is not C's");
        }
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn every_layout_is_the_sum_over_all_labels(case in case()) {
        for dtype in DType::ALL {
            with_scalar!(dtype, T => check::<T>(&case));
        }
    }
}
