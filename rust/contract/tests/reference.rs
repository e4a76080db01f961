//! Steps against loops over all values of all labels: element types, odd layouts, diagonals, slices, sizes 0 and 1.
//!
//! The values are multiples of 1/16 and the sums short, so that every result is exact in every type: equality is asked
//! for.

use std::collections::HashMap;

use proptest::prelude::*;
use tensoroxide_contract::{Axes, Error, Label, Pair, Settings, Single};
use tensoroxide_dense::Element;
use tensoroxide_tensor::testing::{arrangement, config, indices, poison, tensor, Arrangement};
use tensoroxide_tensor::{with_scalar, Complex64, DType, Layout, Scalar, Tensor, Threads, View, ViewMut};

#[derive(Clone, Debug)]
struct Labelled {
    labels: Vec<Label>,
    shape: Vec<usize>,
    layout: Layout,
}

impl Labelled {
    fn new(labels: &[Label], extents: &HashMap<Label, usize>, arrangement: &Arrangement) -> Labelled {
        let shape: Vec<usize> = labels.iter().map(|label| extents[label]).collect();
        Labelled { labels: labels.to_vec(), layout: arrangement.layout(&shape), shape }
    }

    fn axes(&self) -> Axes<'_> {
        Axes { labels: &self.labels, shape: &self.shape, strides: self.layout.strides() }
    }

    fn at(&self, values: &HashMap<Label, usize>) -> Vec<usize> {
        self.labels.iter().map(|label| values[label]).collect()
    }
}

fn op<T: Scalar>(x: T, conj: bool) -> T {
    if conj {
        x.conj()
    } else {
        x
    }
}

/// α·Σ op(A)·op(B) + β·C at every index of C, by definition; off the diagonals of C, β·C.
fn reference<T: Scalar>(
    (alpha, beta): (T, T),
    inputs: &[(&Labelled, View<'_, T>, bool)],
    (c, old): (&Labelled, View<'_, T>),
    extents: &HashMap<Label, usize>,
    fixed: &[(Label, usize)],
) -> HashMap<Vec<usize>, T> {
    let scaled = |x: T| if beta == T::ZERO { T::ZERO } else { beta * x };
    let fixed_in_c =
        |i: &Vec<usize>| fixed.iter().all(|(l, v)| c.labels.iter().zip(i).all(|(label, x)| label != l || x == v));
    let mut result: HashMap<Vec<usize>, T> = indices(&c.shape)
        .into_iter()
        .map(|i| (i.clone(), old.get(&i).unwrap()))
        .map(|(i, x)| if fixed_in_c(&i) { (i, scaled(x)) } else { (i, x) })
        .collect();
    let mut labels: Vec<Label> = extents.keys().copied().collect();
    labels.retain(|l| inputs.iter().any(|input| input.0.labels.contains(l)));
    let shape: Vec<usize> = labels.iter().map(|label| extents[label]).collect();
    for values in indices(&shape) {
        let values: HashMap<Label, usize> = labels.iter().copied().zip(values).collect();
        if fixed.iter().any(|(label, value)| values.get(label).is_some_and(|v| v != value)) {
            continue;
        }
        let product = inputs.iter().map(|(l, view, conj)| op(view.get(&l.at(&values)).unwrap(), *conj));
        let term = alpha * product.fold(T::ONE, |x, y| x * y);
        *result.get_mut(&c.at(&values)).unwrap() += term;
    }
    result
}

fn output<T: Scalar>(c: &Labelled, seed: u64, beta: T) -> Tensor<T> {
    let mut out = tensor::<T>(c.layout.clone(), seed);
    if beta == T::ZERO {
        out.fill(|_| poison());
    }
    out
}

fn same<T: Scalar>(found: View<'_, T>, expected: &HashMap<Vec<usize>, T>) {
    for (index, &value) in expected {
        let x = found.get(index).unwrap();
        let untouched = !value.is_finite() && !x.is_finite(); // NaN: outside of the slice, in an output poisoned before
        assert!(untouched || x == value, "at {index:?}: {x:?} is not {value:?}");
    }
}

/// Labels with extents, and for each tensor its arrangement; `groups[label]` says which tensors have it.
#[derive(Clone, Debug)]
struct Case {
    labels: Vec<(u8, usize)>,
    shuffle: [u64; 3],
    arrangements: [Arrangement; 3],
    diagonal: Option<(bool, usize)>,
    conj: (bool, bool),
    factors: (usize, usize),
    seed: u64,
    fixed: u8,
}

fn case(most: usize) -> impl Strategy<Value = Case> {
    let extent = prop_oneof![1 => Just(0usize), 3 => Just(1usize), 16 => 2..=most];
    let labels = proptest::collection::vec((0u8..4, extent), 0..7);
    let arrangements = [arrangement(), arrangement(), arrangement()];
    let diagonal = proptest::option::weighted(0.2, (any::<bool>(), 0usize..7));
    let fixed = prop_oneof![3 => Just(0u8), 1 => any::<u8>()];
    (
        labels,
        any::<[u64; 3]>(),
        arrangements,
        diagonal,
        any::<(bool, bool)>(),
        (0..3usize, 0..3usize),
        any::<u64>(),
        fixed,
    )
        .prop_map(|(labels, shuffle, arrangements, diagonal, conj, factors, seed, fixed)| Case {
            labels,
            shuffle,
            arrangements,
            diagonal,
            conj,
            factors,
            seed,
            fixed,
        })
}

fn factor<T: Scalar>(which: usize) -> T {
    T::from_c64([Complex64::ZERO, Complex64::ONE, Complex64::new(-2.0, 0.5)][which])
}

fn shuffled(mut labels: Vec<Label>, mut order: u64) -> Vec<Label> {
    for i in (1..labels.len()).rev() {
        labels.swap(i, (order % (i as u64 + 1)) as usize);
        order /= i as u64 + 1;
    }
    labels
}

impl Case {
    fn extents(&self) -> HashMap<Label, usize> {
        (0..).zip(&self.labels).map(|(label, &(_, extent))| (label, extent)).collect()
    }

    /// The labels of tensor `t` (0: C, 1: A, 2: B) among batch, rows, columns, summed.
    fn of(&self, t: usize) -> Labelled {
        let with = [[true, true, true, false], [true, true, false, true], [true, false, true, true]][t];
        let mut labels: Vec<Label> =
            (0..).zip(&self.labels).filter(|(_, (group, _))| with[*group as usize]).map(|(label, _)| label).collect();
        match self.diagonal {
            Some((in_a, which)) if in_a == (t == 1) && t > 0 && !labels.is_empty() => {
                labels.push(labels[which % labels.len()]);
            }
            _ => {}
        }
        Labelled::new(&shuffled(labels, self.shuffle[t]), &self.extents(), &self.arrangements[t])
    }

    fn fixed(&self) -> Vec<(Label, usize)> {
        let chosen = (0..).zip(&self.labels).filter(|(label, (_, extent))| self.fixed >> label & 1 == 1 && *extent > 0);
        chosen.map(|(label, &(_, extent))| (label, self.seed as usize % extent)).collect()
    }
}

fn check_pair<T: Element>(case: &Case) {
    let (c, a, b) = (case.of(0), case.of(1), case.of(2));
    let fixed = case.fixed();
    let (labels, values): (Vec<Label>, Vec<usize>) = fixed.iter().copied().unzip();
    let (ta, tb) = (tensor::<T>(a.layout.clone(), case.seed), tensor::<T>(b.layout.clone(), case.seed ^ 2));
    let (alpha, beta) = (factor::<T>(case.factors.0), factor::<T>(case.factors.1));
    let mut out = output(&c, case.seed ^ 1, beta);
    let inputs = [(&a, ta.view(), case.conj.0), (&b, tb.view(), case.conj.1)];
    let expected = reference((alpha, beta), &inputs, (&c, out.view()), &case.extents(), &fixed);
    let settings = Settings { dtype: T::DTYPE, threads: Threads::ONE, least_scratch: false };
    let step = Pair::new(a.axes(), b.axes(), c.axes(), &labels, settings).unwrap();
    let mut scratch = vec![poison::<T>(); step.scratch()];
    let (va, vb, vc) = (ta.view(), tb.view(), out.view_mut().unwrap());
    step.run(alpha, va, case.conj.0, vb, case.conj.1, beta, vc, &values, &mut scratch, Threads::ONE).unwrap();
    same(out.view(), &expected);
}

fn check_single<T: Scalar>(case: &Case) {
    let extents = case.extents();
    // Groups as for a pair: 0 kept, 1 on a diagonal of A, 2 embedded on a diagonal of C, 3 summed.
    let (mut of_a, mut of_c) = (Vec::new(), Vec::new());
    for (label, &(group, _)) in (0..).zip(&case.labels).take(4) {
        of_a.extend(std::iter::repeat_n(label, 1 + usize::from(group == 1)));
        of_c.extend(std::iter::repeat_n(label, [1, 1, 2, 0][group as usize]));
    }
    let a = Labelled::new(&shuffled(of_a, case.shuffle[1]), &extents, &case.arrangements[1]);
    let c = Labelled::new(&shuffled(of_c, case.shuffle[0]), &extents, &case.arrangements[0]);
    let mut fixed = case.fixed();
    fixed.retain(|(label, _)| *label < 4 && case.labels[*label as usize].0 != 2);
    let (labels, values): (Vec<Label>, Vec<usize>) = fixed.iter().copied().unzip();
    let ta = tensor::<T>(a.layout.clone(), case.seed);
    let (alpha, beta) = (factor::<T>(case.factors.0), factor::<T>(case.factors.1));
    let mut out = output(&c, case.seed ^ 1, beta);
    let inputs = [(&a, ta.view(), case.conj.0)];
    let expected = reference((alpha, beta), &inputs, (&c, out.view()), &extents, &fixed);
    let step = Single::new(a.axes(), c.axes(), &labels).unwrap();
    step.run(alpha, ta.view(), case.conj.0, beta, out.view_mut().unwrap(), &values, Threads::ONE).unwrap();
    same(out.view(), &expected);
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn pairs_are_the_sum_over_all_labels(case in case(5)) {
        for dtype in DType::ALL {
            with_scalar!(dtype, T => check_pair::<T>(&case));
        }
    }

    #[test]
    fn singles_are_the_sum_over_all_labels(case in case(5)) {
        for dtype in DType::ALL {
            with_scalar!(dtype, T => check_single::<T>(&case));
        }
    }
}

/// A step over dense column-major tensors, by labels and extents.
fn pair(a: &[(Label, usize)], b: &[(Label, usize)], c: &[(Label, usize)]) -> Result<Pair, Error> {
    let dense = |tensor: &[(Label, usize)]| {
        let (labels, shape): (Vec<Label>, Vec<usize>) = tensor.iter().copied().unzip();
        Labelled { labels, layout: Layout::column_major(&shape).unwrap(), shape }
    };
    let settings = Settings { dtype: DType::F64, threads: Threads::ONE, least_scratch: false };
    Pair::new(dense(a).axes(), dense(b).axes(), dense(c).axes(), &[], settings)
}

#[test]
fn an_empty_output_is_not_touched_by_an_empty_sum() {
    let step = pair(&[(0, 0), (1, 0)], &[(0, 0)], &[(1, 0)]).unwrap();
    let (a, b) = (Tensor::from_fn(&[0, 0], |_| 1.0).unwrap(), Tensor::from_fn(&[0], |_| 1.0).unwrap());
    let mut beside = [-0.0; 3]; // adding nothing would turn it into +0
                                // The empty output lies in the middle of other data.
    let c = ViewMut::new(&mut beside, &[0], &[1], 1).unwrap();
    step.run(1.0, a.view(), false, b.view(), false, 1.0, c, &[], &mut [], Threads::ONE).unwrap();
    assert!(beside.iter().all(|x: &f64| x.to_bits() == (-0f64).to_bits()));
}

#[test]
fn steps_that_cannot_be() {
    assert_eq!(pair(&[(0, 2)], &[(0, 3)], &[]).unwrap_err(), Error::Extent { label: 0, extents: (2, 3) });
    assert_eq!(pair(&[(0, 2)], &[(0, 2)], &[(1, 2)]).unwrap_err(), Error::NotInInput(1));
    assert_eq!(pair(&[(0, 2), (1, 2)], &[(0, 2)], &[]).unwrap_err(), Error::InOneInputOnly(1));
    assert!(matches!(pair(&[(0, 2)], &[], &[(0, 2), (0, 2)]).unwrap_err(), Error::Tensor(_)));
    let axes = Axes { labels: &[0], shape: &[2, 2], strides: &[1, 2] };
    assert_eq!(Single::new(axes, axes, &[]).unwrap_err(), Error::Rank { labels: 1, axes: 2 });
    let scalar = Axes { labels: &[], shape: &[], strides: &[] };
    let line = Axes { labels: &[3], shape: &[2], strides: &[1] };
    assert_eq!(Single::new(scalar, line, &[]).unwrap_err(), Error::NotInInput(3));
}

#[test]
fn a_run_that_does_not_fit_writes_nothing() {
    // The summed labels lie apart in A, so that A goes through a copy or into panels.
    let step = pair(&[(1, 5), (0, 200), (2, 12)], &[(1, 5), (2, 12), (3, 99)], &[(0, 200), (3, 99)]).unwrap();
    let a = tensor::<f64>(Layout::column_major(&[5, 200, 12]).unwrap(), 1);
    let b = tensor::<f64>(Layout::column_major(&[5, 12, 99]).unwrap(), 2);
    let reversed = tensor::<f64>(Layout::new(&[5, 12, 99], &[-1, 5, 60]).unwrap(), 2);
    let mut c = Tensor::from_fn(&[200, 99], |_| 7.0).unwrap();
    let mut run = |b: View<'_, f64>, fixed: &[usize], scratch: &mut [f64]| {
        step.run(1.0, a.view(), false, b, false, 0.0, c.view_mut().unwrap(), fixed, scratch, Threads::ONE)
    };
    let mut scratch = vec![0.0; step.scratch()];
    assert_eq!(run(reversed.view(), &[], &mut scratch), Err(Error::Layout));
    assert_eq!(run(b.view(), &[0], &mut scratch), Err(Error::Fixed));
    let (needed, given) = (scratch.len(), scratch.len() - 1);
    assert_eq!(run(b.view(), &[], &mut scratch[1..]), Err(Error::Scratch { needed, given }));
    assert!(c.data().iter().all(|&x| x == 7.0));
}

#[test]
fn a_fixed_value_must_be_below_its_extent() {
    let axes = Axes { labels: &[4], shape: &[3], strides: &[1] };
    let scalar = Axes { labels: &[], shape: &[], strides: &[] };
    let step = Single::new(axes, scalar, &[4]).unwrap();
    let a = Tensor::from_fn(&[3], |i| i[0] as f64).unwrap();
    let mut c = Tensor::from_fn(&[], |_| 0.0).unwrap();
    let mut run = |value| step.run(1.0, a.view(), false, 1.0, c.view_mut().unwrap(), &[value], Threads::ONE);
    assert_eq!((run(2), run(3)), (Ok(()), Err(Error::Fixed)));
    assert_eq!(c.data(), [2.0]);
}
