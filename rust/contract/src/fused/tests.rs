//! The fused product, and the way through plain matrices, against loops over all index values: every instruction set,
//! element type, layout and edge of a tile.
//!
//! The values are multiples of 1/16 within ±2, and the sums at most 80 long, so that every result is exact in every
//! type: equality is asked for.

use proptest::prelude::*;
use tensoroxide_tensor::testing::{arrangement, config, indices, poison, tensor, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, Layout, Tensor};

use super::*;
use crate::axes;
use crate::matrix::Product;
use crate::{Axes, Label};

/// Extents of the labels of each group.
#[derive(Clone, Debug)]
struct Case {
    batch: Vec<usize>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    summed: Vec<usize>,
    arrangements: [Arrangement; 3],
    order: [u64; 3],
    conj: (bool, bool),
    factors: (usize, usize),
    blocking: (usize, usize, usize),
    threads: usize,
    /// Whether A and B are read in place; complex ones never are.
    in_place: (bool, bool),
    seed: u64,
}

/// Extents whose product is mostly small, at times beyond a tile.
fn extents() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        2 => Just(vec![]),
        4 => proptest::collection::vec(1usize..9, 1),
        3 => proptest::collection::vec(1usize..5, 2),
        1 => proptest::collection::vec(1usize..4, 3),
        2 => proptest::collection::vec(10usize..60, 1),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let batch = prop_oneof![3 => Just(vec![]), 1 => proptest::collection::vec(1usize..4, 1..3)];
    let arrangements = [arrangement(), arrangement(), arrangement()];
    let blocking = (1usize..60, 1usize..20, 1usize..30);
    (
        (batch, extents(), extents(), extents()),
        (arrangements, any::<[u64; 3]>(), any::<(bool, bool)>()),
        (0..3usize, 0..3usize),
        blocking,
        1..4usize,
        any::<((bool, bool), u64)>(),
    )
        .prop_map(
            |(
                (batch, rows, columns, summed),
                (arrangements, order, conj),
                factors,
                blocking,
                threads,
                (in_place, seed),
            )| Case {
                batch,
                rows,
                columns,
                summed,
                arrangements,
                order,
                conj,
                factors,
                blocking,
                threads,
                in_place,
                seed,
            },
        )
}

fn factor<T: Scalar>(which: usize) -> T {
    T::from_c64([Complex64::ZERO, Complex64::ONE, Complex64::new(-2.0, 0.5)][which])
}

struct Labelled {
    labels: Vec<Label>,
    layout: Layout,
}

impl Labelled {
    fn axes(&self) -> Axes<'_> {
        Axes { labels: &self.labels, shape: self.layout.shape(), strides: self.layout.strides() }
    }
}

impl Case {
    /// Every label's extent and group: 0 batch, 1 rows, 2 columns, 3 summed.
    fn labels(&self) -> Vec<(usize, usize)> {
        let groups = [&self.batch, &self.rows, &self.columns, &self.summed];
        groups.iter().enumerate().flat_map(|(g, extents)| extents.iter().map(move |&e| (g, e))).collect()
    }

    /// C (0), A (1) or B (2).
    fn tensor(&self, t: usize) -> Labelled {
        let all = self.labels();
        let without = [3, 2, 1][t];
        let mut labels: Vec<Label> = (0..all.len()).filter(|&l| all[l].0 != without).map(|l| l as Label).collect();
        let mut order = self.order[t];
        for i in (1..labels.len()).rev() {
            labels.swap(i, (order % (i as u64 + 1)) as usize);
            order /= i as u64 + 1;
        }
        let shape: Vec<usize> = labels.iter().map(|&l| all[l as usize].1).collect();
        Labelled { labels, layout: self.arrangements[t].layout(&shape) }
    }

    fn fused(&self, [c, a, b]: [&Labelled; 3], isa: Isa, dtype: DType) -> Fused {
        let groups = groups([c, a, b]);
        let settings = Settings { dtype, threads: Threads::new(self.threads), least_scratch: false };
        let (rows, columns, depth) = self.blocking;
        let mut fused = Fused::with(&groups, settings, isa, Blocking { rows, columns, depth }).unwrap();
        if !dtype.is_complex() {
            fused.in_place = InPlace { a: self.in_place.0, b: self.in_place.1 };
        }
        // As if there were work for all threads.
        fused.divide(self.threads);
        fused
    }

    /// By the definition.
    fn expected<T: Scalar>(
        &self,
        [c, a, b]: [&Labelled; 3],
        out: &Tensor<T>,
        ta: &Tensor<T>,
        tb: &Tensor<T>,
    ) -> Tensor<T> {
        let (alpha, beta) = (factor::<T>(self.factors.0), factor::<T>(self.factors.1));
        let mut expected = Tensor::<T>::zeros(c.layout.clone()).unwrap();
        expected.fill(|index| if beta == T::ZERO { T::ZERO } else { beta * out.view().get(index).unwrap() });
        let stride = |of: &Labelled, label: usize| {
            let axis = of.labels.iter().position(|&l| l as usize == label);
            axis.map_or(0, |axis| of.layout.strides()[axis])
        };
        let labels = self.labels();
        let loops: Vec<Loop<3>> = (0..labels.len())
            .map(|label| Loop { extent: labels[label].1, strides: [c, a, b].map(|of| stride(of, label)) })
            .collect();
        let (x, y) = (ta.view().as_ptr(), tb.view().as_ptr());
        let sum = expected.view_mut().unwrap().as_mut_ptr();
        let op = |x: T, conj: bool| if conj { x.conj() } else { x };
        walk(&loops, [0; 3], &mut |[to_c, to_a, to_b]| {
            // SAFETY: index values below the extents.
            unsafe {
                *sum.offset(to_c) += alpha * (op(*x.offset(to_a), self.conj.0) * op(*y.offset(to_b), self.conj.1))
            }
        });
        expected
    }

    fn check<T: tensoroxide_dense::Element>(&self) {
        let [c, a, b] = [0, 1, 2].map(|t| self.tensor(t));
        let (ta, tb) = (tensor::<T>(a.layout.clone(), self.seed), tensor::<T>(b.layout.clone(), self.seed ^ 2));
        let (alpha, beta) = (factor::<T>(self.factors.0), factor::<T>(self.factors.1));
        let old = || {
            let mut old = tensor::<T>(c.layout.clone(), self.seed ^ 1);
            if beta == T::ZERO {
                old.fill(|_| poison());
            }
            old
        };
        let expected = self.expected([&c, &a, &b], &old(), &ta, &tb);
        let same = |out: &Tensor<T>, what: &dyn std::fmt::Debug| {
            for index in indices(c.layout.shape()) {
                let (found, expected) = (out.view().get(&index).unwrap(), expected.view().get(&index).unwrap());
                assert!(found == expected, "{what:?} {}: at {index:?} {found:?} is not {expected:?}", T::DTYPE);
            }
        };
        let (of_a, of_b) = ((ta.view().as_ptr(), self.conj.0), (tb.view().as_ptr(), self.conj.1));
        let threads = Threads::new(self.threads);
        let product = Product::new(groups([&c, &a, &b])).unwrap();
        let mut scratch = vec![poison::<T>(); product.scratch];
        let mut out = old();
        // SAFETY: the layouts are those of the tensors.
        unsafe {
            let to = out.view_mut().unwrap().as_mut_ptr();
            product.run(alpha, of_a, of_b, beta, to, &mut scratch, threads).unwrap();
        }
        same(&out, &product.name());
        for &isa in Isa::available() {
            let fused = self.fused([&c, &a, &b], isa, T::DTYPE);
            let mut scratch = vec![poison::<T>(); fused.scratch()];
            let mut out = old();
            // SAFETY: the layouts are those of the tensors.
            unsafe {
                let to = out.view_mut().unwrap().as_mut_ptr();
                fused.run(alpha, of_a, of_b, beta, to, &mut scratch, threads);
            }
            same(&out, &isa);
        }
    }
}

fn groups([c, a, b]: [&Labelled; 3]) -> Groups {
    Groups::new(axes::indices(&[c.axes(), a.axes(), b.axes()]).unwrap()).unwrap()
}

fn walk(loops: &[Loop<3>], at: [isize; 3], f: &mut impl FnMut([isize; 3])) {
    let [rest @ .., outer] = loops else { return f(at) };
    for i in 0..outer.extent as isize {
        walk(rest, std::array::from_fn(|t| at[t] + i * outer.strides[t]), f);
    }
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn fused_products_are_the_sum_over_all_labels(case in case()) {
        for dtype in DType::ALL {
            with_scalar!(dtype, T => case.check::<T>());
        }
    }
}

/// Thirds, so that every operation rounds: the bits must be those of any other number of threads, packed or not.
#[test]
fn neither_the_number_of_threads_nor_packing_changes_a_bit() {
    let (m, n, k) = (70, 50, 90);
    let (i, j, s): (Label, Label, Label) = (0, 1, 2);
    let thirds = |shape: &[usize]| Tensor::from_fn(shape, |at| (7 * at[0] + 3 * at[1]) as f64 / 3.0 - 50.0).unwrap();
    let (a, b) = (thirds(&[m, k]), thirds(&[k, n]));
    let strides = [[1, m as isize], [1, m as isize], [1, k as isize]];
    let shapes = [[m, n], [m, k], [k, n]];
    let labels = [[i, j], [i, s], [s, j]];
    let axes = |t: usize| Axes { labels: &labels[t], shape: &shapes[t], strides: &strides[t] };
    let groups = Groups::new(axes::indices(&[axes(0), axes(1), axes(2)]).unwrap()).unwrap();
    let run = |threads: usize, in_place: InPlace| {
        let settings = Settings { dtype: DType::F64, threads: Threads::new(threads), least_scratch: false };
        let mut fused =
            Fused::with(&groups, settings, Isa::best(), Blocking { rows: 30, columns: 20, depth: 40 }).unwrap();
        fused.in_place = in_place;
        fused.divide(threads);
        let mut scratch = vec![0.0; fused.scratch()];
        let mut c = Tensor::from_fn(&[m, n], |_| 0.0).unwrap();
        let (x, y) = ((a.view().as_ptr(), false), (b.view().as_ptr(), false));
        let to = c.view_mut().unwrap().as_mut_ptr();
        // SAFETY: the layouts are those of the tensors.
        unsafe { fused.run(1.0, x, y, 0.0, to, &mut scratch, Threads::new(threads)) };
        c.data().iter().map(|x| x.to_bits()).collect::<Vec<u64>>()
    };
    let one = run(1, InPlace { a: false, b: false });
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        assert!((1..6).all(|threads| run(threads, InPlace { a, b }) == one));
    }
}
