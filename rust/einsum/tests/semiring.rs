//! Expressions over every semiring against one loop over all values of all labels. Values are small integers (and the
//! two infinities), of which sums and products are exact: every result must be equal, not near.

use std::collections::HashMap;

use proptest::prelude::*;
use tensoroxide_einsum::{Error, Options, SemiringEinsum, NO_VALUE};
use tensoroxide_tensor::semiring::{AndOr, MaxPlus, MaxTimes, MinPlus, Selective, Semiring, Wrapping};
use tensoroxide_tensor::testing::{arrangement, config, indices, Arrangement};
use tensoroxide_tensor::{Layout, Threads, View, ViewMut};

/// Elements that numbers from 0 to 63 stand for, the zero among them.
trait Sample: Semiring {
    fn sample(number: u64) -> Self::Element;
}
macro_rules! sample {
    ($($semiring:ty, $number:ident => $value:expr;)*) => {$(
        impl Sample for $semiring {
            fn sample($number: u64) -> Self::Element {
                if $number == 13 { Self::ZERO } else { $value }
            }
        }
    )*};
}
sample! {
    MaxPlus<f32>, n => n as f32 - 32.0;
    MaxPlus<f64>, n => n as f64 - 32.0;
    MinPlus<f32>, n => n as f32 - 32.0;
    MinPlus<f64>, n => n as f64 - 32.0;
    MaxTimes<f32>, n => (n % 5) as f32 / 2.0;
    MaxTimes<f64>, n => (n % 5) as f64 / 2.0;
    AndOr, n => u8::from(n % 3 == 0);
    Wrapping, n => (n as i64 - 30) << (n % 60);
}

struct Tensor<T> {
    data: Vec<T>,
    layout: Layout,
}

impl<T: Copy> Tensor<T> {
    fn new<S: Sample<Element = T>>(layout: Layout, seed: u64) -> Tensor<T> {
        let (low, high) = layout.reach();
        let len = if layout.is_empty() { 0 } else { (high - low) as usize + 1 };
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            S::sample((state >> 33) % 64)
        };
        Tensor { data: (0..len).map(|_| next()).collect(), layout }
    }

    fn view(&self) -> View<'_, T> {
        View::of(&self.data, &self.layout).unwrap()
    }

    fn view_mut(&mut self) -> ViewMut<'_, T> {
        ViewMut::of(&mut self.data, &self.layout).unwrap()
    }
}

#[derive(Clone, Debug)]
struct Case {
    terms: Vec<String>,
    output: String,
    extents: Vec<usize>,
    arrangements: Vec<Arrangement>,
    parentheses: usize,
    accumulate: bool,
    seed: u64,
    memory_limit: Option<usize>,
}

impl Case {
    fn extent(&self, label: char) -> usize {
        self.extents[label as usize - 'a' as usize]
    }

    fn shape(&self, term: &str) -> Vec<usize> {
        term.chars().map(|c| self.extent(c)).collect()
    }

    fn expression(&self) -> String {
        let mut terms = self.terms.clone();
        if self.parentheses % 2 == 1 && terms.len() > 2 {
            let start = self.parentheses / 2 % (terms.len() - 1);
            terms[start].insert(0, '(');
            terms[start + 1].push(')');
        }
        format!("{}->{}", terms.join(","), self.output)
    }

    fn operands<S: Sample>(&self) -> Vec<Tensor<S::Element>> {
        let operand = |((term, a), i): ((&String, &Arrangement), u64)| {
            Tensor::new::<S>(a.layout(&self.shape(term)), self.seed ^ i)
        };
        self.terms.iter().zip(&self.arrangements).zip(0..).map(operand).collect()
    }

    fn einsum<S: Semiring>(&self) -> Result<SemiringEinsum<S>, Error> {
        let shapes: Vec<Vec<usize>> = self.terms.iter().map(|term| self.shape(term)).collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        SemiringEinsum::new(
            &self.expression(),
            &shapes,
            Options { memory_limit: self.memory_limit, ..Options::default() },
        )
    }

    /// Every label, and all their values together.
    fn assignments(&self) -> (Vec<char>, Vec<Vec<usize>>) {
        let labels: Vec<char> = ('a'..='g').filter(|c| self.terms.concat().contains(*c)).collect();
        let all = indices(&labels.iter().map(|&c| self.extent(c)).collect::<Vec<_>>());
        (labels, all)
    }
}

/// The value that an assignment gives each axis of a term.
fn at(term: &str, labels: &[char], values: &[usize]) -> Vec<usize> {
    term.chars().map(|c| values[labels.iter().position(|&l| l == c).unwrap()]).collect()
}

fn reference<S: Semiring>(case: &Case, operands: &[Tensor<S::Element>]) -> HashMap<Vec<usize>, S::Element> {
    let (labels, all) = case.assignments();
    let mut sums = HashMap::new();
    for values in all {
        let product = case
            .terms
            .iter()
            .zip(operands)
            .fold(S::ONE, |product, (term, t)| S::mul(product, t.view().get(&at(term, &labels, &values)).unwrap()));
        let sum = sums.entry(at(&case.output, &labels, &values)).or_insert(S::ZERO);
        *sum = S::add(product, *sum);
    }
    sums
}

fn case() -> impl Strategy<Value = Case> {
    let extent = prop_oneof![1 => Just(0usize), 3 => Just(1usize), 16 => 2usize..4];
    (
        proptest::collection::vec("[a-g]{0,4}", 1..5),
        "[a-g]{0,4}",
        proptest::collection::vec(extent, 7),
        proptest::collection::vec(arrangement(), 6),
        any::<usize>(),
        any::<bool>(),
        any::<u64>(),
        proptest::option::weighted(0.3, 0usize..600),
    )
        .prop_map(|(terms, output, extents, arrangements, parentheses, accumulate, seed, memory_limit)| {
            let output = output.chars().filter(|c| terms.concat().contains(*c)).collect();
            Case { terms, output, extents, arrangements, parentheses, accumulate, seed, memory_limit }
        })
}

fn check<S: Sample>(case: &Case) {
    let einsum = match case.einsum::<S>() {
        Err(Error::MemoryLimit { limit, needed }) => return assert!(needed > limit),
        einsum => einsum.unwrap(),
    };
    assert!(case.memory_limit.is_none_or(|limit| einsum.peak_bytes() <= limit));
    let operands = case.operands::<S>();
    let shape = case.shape(&case.output);
    let mut out = Tensor::new::<S>(case.arrangements[5].layout(&shape), case.seed ^ 99);
    let before: Vec<S::Element> = indices(&shape).iter().map(|i| out.view().get(i).unwrap()).collect();
    let views: Vec<View<'_, S::Element>> = operands.iter().map(Tensor::view).collect();
    einsum.run(&views, out.view_mut(), case.accumulate, Threads::ONE).unwrap();
    let sums = reference::<S>(case, &operands);
    for (index, old) in indices(&shape).into_iter().zip(before) {
        let sum = sums.get(&index).copied().unwrap_or(S::ZERO);
        let expected = if case.accumulate { S::add(sum, old) } else { sum };
        assert_eq!(out.view().get(&index), Some(expected), "{} {} at {index:?}", S::NAME, case.expression());
    }
}

fn check_argmax<S: Sample + Selective>(case: &Case) {
    let case = Case { memory_limit: None, ..case.clone() };
    let (einsum, operands) = (case.einsum::<S>().unwrap(), case.operands::<S>());
    let (shape, names) = (case.shape(&case.output), einsum.labels());
    let mut out = Tensor::new::<S>(case.arrangements[5].layout(&shape), 7);
    let mut places = vec![5i64; shape.iter().product::<usize>() * names.len()];
    let layout = Layout::column_major(&[&[names.len()], shape.as_slice()].concat()).unwrap();
    let views: Vec<View<'_, S::Element>> = operands.iter().map(Tensor::view).collect();
    einsum.argmax(&views, out.view_mut(), ViewMut::of(&mut places, &layout).unwrap(), Threads::ONE).unwrap();
    let sums = reference::<S>(&case, &operands);
    let labels: Vec<char> = names.iter().map(|name| name.chars().next().unwrap()).collect();
    for index in indices(&shape) {
        let found = out.view().get(&index).unwrap();
        let place = |l: usize| View::of(&places, &layout).unwrap().get(&[&[l], index.as_slice()].concat()).unwrap();
        let values: Vec<i64> = (0..labels.len()).map(place).collect();
        let Some(&sum) = sums.get(&index) else {
            assert!(found == S::ZERO && values.iter().all(|&v| v == NO_VALUE), "{case:?} at {index:?}: {values:?}");
            continue;
        };
        let values: Vec<usize> = values.iter().map(|&v| usize::try_from(v).unwrap()).collect();
        assert_eq!(at(&case.output, &labels, &values), index);
        let term = case
            .terms
            .iter()
            .zip(&operands)
            .fold(S::ONE, |product, (term, t)| S::mul(product, t.view().get(&at(term, &labels, &values)).unwrap()));
        assert_eq!((found, term), (sum, sum), "{} {} at {index:?}: {values:?}", S::NAME, case.expression());
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn expressions_are_the_sum_over_all_labels(case in case()) {
        check::<MaxPlus<f32>>(&case);
        check::<MaxPlus<f64>>(&case);
        check::<MinPlus<f32>>(&case);
        check::<MinPlus<f64>>(&case);
        check::<MaxTimes<f32>>(&case);
        check::<MaxTimes<f64>>(&case);
        check::<AndOr>(&case);
        check::<Wrapping>(&case);
    }

    #[test]
    fn a_configuration_attains_the_optimum(case in case()) {
        check_argmax::<MaxPlus<f32>>(&case);
        check_argmax::<MaxPlus<f64>>(&case);
        check_argmax::<MinPlus<f64>>(&case);
        check_argmax::<MaxTimes<f64>>(&case);
    }
}

fn check_product<S: Sample>(expression: &str, extents: &[usize], kind: usize, threads: Threads) {
    let terms: Vec<String> = expression.split("->").next().unwrap().split(',').map(str::to_owned).collect();
    let output = expression.split("->").nth(1).unwrap().to_owned();
    let extents = extents.to_vec();
    let extent = |c: char| extents[c as usize - 'a' as usize];
    let layout = |term: &str, i: usize| {
        let shape: Vec<usize> = term.chars().map(extent).collect();
        let mut strides = tensoroxide_tensor::layout::column_major_strides(&shape);
        match (kind + i) % 3 {
            0 => {}
            1 => strides = tensoroxide_tensor::layout::row_major_strides(&shape),
            _ => strides.iter_mut().for_each(|s| *s *= -2),
        }
        Layout::new(&shape, &strides).unwrap()
    };
    let operands: Vec<Tensor<S::Element>> =
        terms.iter().enumerate().map(|(i, t)| Tensor::new::<S>(layout(t, i), i as u64)).collect();
    let shapes: Vec<&[usize]> = operands.iter().map(|t| t.layout.shape()).collect();
    let einsum = SemiringEinsum::<S>::new(expression, &shapes, Options { threads, ..Options::default() }).unwrap();
    let mut out = Tensor::new::<S>(layout(&output, 2), 5);
    let views: Vec<View<'_, S::Element>> = operands.iter().map(Tensor::view).collect();
    einsum.run(&views, out.view_mut(), false, threads).unwrap();
    // By columns of dense copies: fast enough for these sizes.
    let labels: Vec<char> = ('a'..='d').filter(|c| expression.contains(*c)).collect();
    let mut sums: HashMap<Vec<usize>, S::Element> = HashMap::new();
    for values in indices(&labels.iter().map(|&c| extent(c)).collect::<Vec<_>>()) {
        let x = |i: usize| operands[i].view().get(&at(&terms[i], &labels, &values)).unwrap();
        let sum = sums.entry(at(&output, &labels, &values)).or_insert(S::ZERO);
        *sum = S::add(S::mul(x(0), x(1)), *sum);
    }
    for (index, sum) in sums {
        assert_eq!(out.view().get(&index), Some(sum), "{} {expression} at {index:?}", S::NAME);
    }
}

/// Products large enough to be packed: over the edges of tiles and blocks, tall and wide, with a batch, on two threads.
#[test]
fn matrix_products_in_tiles() {
    for (kind, (expression, extents)) in [
        ("ab,bc->ac", [130, 37, 33, 0]),
        ("ab,bc->ca", [19, 300, 21, 0]),
        ("ab,cb->ac", [17, 40, 250, 0]),
        ("abd,bcd->acd", [33, 20, 18, 3]),
        ("ab,bcd->dac", [9, 30, 5, 7]),
    ]
    .into_iter()
    .enumerate()
    {
        let threads = Threads::new(1 + kind % 2);
        check_product::<MaxPlus<f64>>(expression, &extents, kind, threads);
        check_product::<MaxPlus<f32>>(expression, &extents, kind + 1, threads);
        check_product::<MinPlus<f64>>(expression, &extents, kind + 2, Threads::new(2));
        check_product::<AndOr>(expression, &extents, kind, threads);
        check_product::<Wrapping>(expression, &extents, kind + 1, threads);
    }
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let einsum = SemiringEinsum::<Wrapping>::new("ij,jk->ik", &[&[2, 3], &[3, 2]], Options::default()).unwrap();
    let a = Tensor::new::<Wrapping>(Layout::column_major(&[2, 3]).unwrap(), 1);
    let mut c = vec![7i64; 4];
    let layout = Layout::column_major(&[2, 2]).unwrap();
    let mut run = |operands: &[View<'_, i64>]| {
        einsum.run(operands, ViewMut::of(&mut c, &layout).unwrap(), false, Threads::ONE).unwrap_err()
    };
    assert_eq!(run(&[a.view()]), Error::OperandCount { expected: 2, found: 1 });
    let wrong = Error::Shape { operand: Some(1), found: vec![2, 3], expected: vec![3, 2] };
    assert_eq!(run(&[a.view(), a.view()]), wrong);
    assert_eq!(c, [7; 4]);
    let wide = SemiringEinsum::<Wrapping>::new("i,i->ii", &[&[usize::MAX / 4], &[usize::MAX / 4]], Options::default());
    assert!(matches!(wide.unwrap_err(), Error::Tensor(_)));
}

/// A ring of spins: the energy of every configuration, by brute force, against one contraction.
#[test]
fn the_ground_state_of_a_frustrated_ring() {
    let couplings = [1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0];
    let n = couplings.len();
    let bonds: Vec<Vec<f64>> = couplings.iter().map(|j| vec![*j, -j, -j, *j]).collect();
    let label = |i: usize| (b'a' + (i % n) as u8) as char;
    let terms: Vec<String> = (0..n).map(|i| format!("{}{}", label(i), label(i + 1))).collect();
    let (shape, strides) = ([2, 2], [1, 2]);
    let shapes = vec![&shape[..]; n];
    let einsum = SemiringEinsum::<MaxPlus<f64>>::new(&(terms.join(",") + "->"), &shapes, Options::default()).unwrap();
    let views: Vec<View<'_, f64>> = bonds.iter().map(|b| View::new(b, &shape, &strides, 0).unwrap()).collect();
    let energy =
        |s: &[i64]| -> f64 { (0..n).map(|i| couplings[i] * if s[i] == s[(i + 1) % n] { 1.0 } else { -1.0 }).sum() };
    let best = (0..1 << n).map(|s| energy(&(0..n).map(|i| s >> i & 1).collect::<Vec<i64>>())).fold(f64::MIN, f64::max);
    let (mut value, mut spins) = ([0.0], vec![9; n]);
    let (value_view, spins_shape) = (ViewMut::new(&mut value, &[], &[], 0).unwrap(), [n]);
    let spins_view = ViewMut::new(&mut spins, &spins_shape, &[1], 0).unwrap();
    einsum.argmax(&views, value_view, spins_view, Threads::ONE).unwrap();
    assert_eq!((value[0], energy(&spins)), (best, best));
    assert_eq!(einsum.labels(), ["a", "b", "c", "d", "e", "f", "g"]);
}
