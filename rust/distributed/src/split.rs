//! A contraction of tensors that are split along an index: every rank has the values of one range of it, and no rank
//! ever has a whole one.
//!
//! Each tensor of the contraction tree is whole on all ranks, or split along one of its labels. Two tensors are
//! contracted
//!
//! - *apart* along a label of the result: split along it where they have it, and whole where not; the result is split
//!   along it;
//! - *in parts* along a label that is summed, both split along it: every rank has a part of each element of the result.
//!   It computes its part for the range of one rank after another and sends it there, where they are added up, in the
//!   order of the ranks: the result is split along another label. A small one is made whole instead.
//!
//! In between, a tensor that is split along one label is split along another by an exchange of all with all. Which of
//! these is chosen for each step is what costs the least, arithmetic and messages together (dynamic programming over
//! the tree, as for distributions of arrays since Li and Chen, J. Parallel Distrib. Comput. 13, 213 (1991)). No tensor
//! that is as large as the smallest one that is given split is made whole, unless it is given or wanted so.
#![allow(unsafe_code)] // parts of tensors are views of the same memory

use std::ops::Range;

use tensoroxide_dense::Element;
use tensoroxide_einsum::network::Network;
use tensoroxide_einsum::notation::Expression;
use tensoroxide_einsum::path::{Path, Search};
use tensoroxide_einsum::{Einsum, Options, Plan};
use tensoroxide_tensor::kernels::axpby;
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::{Layout, Tensor, Threads, View, ViewMut};

use crate::bytes::{fingerprint, from_bytes, to_bytes};
use crate::exchange::{add_up, exchange};
use crate::group::Group;
use crate::Error;

type Label = u32;

/// Nanoseconds of a multiplication, and of a byte that is sent: what decides between steps.
const MULTIPLY: f64 = 0.02;
const BYTE: f64 = 0.5;

/// What a contraction of split tensors may be asked for.
#[derive(Clone, Debug, Default)]
pub struct SplitOptions {
    /// Most bytes that a rank takes beside its parts of the operands and the output.
    pub memory_limit: Option<usize>,
    /// Threads of each rank.
    pub threads: Threads,
    /// The path to take; `None` to search one.
    pub path: Option<Path>,
    /// How to search a path.
    pub search: Search,
}

/// The values of a label that a rank has.
pub fn range(extent: usize, rank: usize, size: usize) -> Range<usize> {
    // Extents and numbers of ranks whose product is no `usize` do not occur: memory ends before.
    extent * rank / size..extent * (rank + 1) / size
}

/// A tensor of the tree, split along a label or whole.
#[derive(Clone, Debug)]
struct Slot {
    labels: Vec<Label>,
    along: Option<Label>,
}

/// A step, from slots to slots.
#[derive(Debug)]
enum Op<T: Element> {
    /// The same tensor, split otherwise.
    Move { from: usize, to: usize },
    /// Nothing is sent.
    Apart { a: usize, b: usize, c: usize, einsum: Einsum<T> },
    /// The parts of C for each rank, by the number of values that it has of the label that C is split along.
    Parts { a: usize, b: usize, c: usize, einsums: Vec<(usize, Einsum<T>)> },
    /// C whole on all ranks.
    Whole { a: usize, b: usize, c: usize, einsum: Einsum<T> },
}

/// A contraction of tensors that are split along an index. All ranks make it, and run it, together.
///
/// ```
/// use std::time::Duration;
/// use tensoroxide_distributed::{split::range, Group, Loopback, SplitEinsum, SplitOptions};
/// use tensoroxide_tensor::{Tensor, Threads};
/// let rank = |transport| {
///     let mut group = Group::new(Box::new(transport), Duration::from_secs(10));
///     // Both are split along j, and the product along i.
///     let shapes: [&[usize]; 2] = [&[4, 6], &[6, 4]];
///     let (axes, options) = ([Some(1), Some(0)], SplitOptions::default());
///     let einsum = SplitEinsum::<f64>::new(&mut group, "ij,jk->ik", &shapes, &axes, Some(0), options).unwrap();
///     let (j, i) = (range(6, group.rank(), group.size()), range(4, group.rank(), group.size()));
///     let a = Tensor::from_fn(&[4, j.len()], |at| (at[0] + at[1] + j.start) as f64).unwrap();
///     let b = Tensor::from_fn(&[j.len(), 4], |_| 1.0).unwrap();
///     let mut c = Tensor::from_fn(&[i.len(), 4], |_| 0.0).unwrap();
///     einsum.run(&mut group, 1.0, &[a.view(), b.view()], &[false; 2], 0.0, c.view_mut().unwrap()).unwrap();
///     assert!(c.data().iter().zip(i.cycle()).all(|(&x, i)| x == (6 * i + 15) as f64));
/// };
/// std::thread::scope(|scope| Loopback::ranks(3).into_iter().for_each(|transport| {
///     scope.spawn(|| rank(transport));
/// }));
/// ```
#[derive(Debug)]
pub struct SplitEinsum<T: Element> {
    slots: Vec<Slot>,
    extents: Vec<usize>,
    operands: usize,
    ops: Vec<Op<T>>,
    rank: usize,
    size: usize,
    peak_bytes: usize,
    sent_bytes: usize,
    multiplications: f64,
    threads: Threads,
    fingerprint: u64,
}

impl<T: Element> SplitEinsum<T> {
    /// Plans a contraction of operands of these shapes, the whole ones, each split along the axis that `axes` says, or
    /// whole on all ranks; the output alike. Rank 0 searches the path.
    ///
    /// # Errors
    /// As [`Plan::new`], of any rank; [`Error::Argument`] for a single operand, a label twice in one tensor, an extent
    /// that is not the label's, an axis that is not there, and if no way is found on which no tensor is whole;
    /// [`Error::Disagreement`].
    pub fn new(
        group: &mut Group,
        expression: &str,
        shapes: &[&[usize]],
        axes: &[Option<usize>],
        output: Option<usize>,
        options: SplitOptions,
    ) -> Result<SplitEinsum<T>, Error> {
        let limit = options.memory_limit;
        let asked = format!("split {expression} {shapes:?} {axes:?} {output:?} {} {limit:?}", T::DTYPE);
        let network = Expression::parse(expression).and_then(|parsed| Network::new(&parsed, shapes));
        let checked = network.map_err(Error::from).and_then(|network| {
            check(&network, axes, output)?;
            Ok(network)
        });
        let ready = checked.as_ref().map(|_| fingerprint(&asked)).map_err(Error::clone);
        let SplitOptions { path, search, threads, .. } = options;
        let path = group.call(ready, |group| {
            let network = checked.as_ref().map_err(Error::clone)?;
            crate::shared::agree_on_path(group, network, expression, T::DTYPE, threads, path, search)
        })?;
        let made = checked.and_then(|network| {
            let (path, _) = path?;
            let size = group.size();
            let mut tree = Tree { network: &network, size, limit: usize::MAX, nodes: Vec::new() };
            tree.grow(&path, axes, output);
            let states = tree.choose()?;
            let mut builder = Builder::<T>::new(&network, group.rank(), size, threads);
            builder.build(&tree, &path, &states)?;
            let made = builder.done(&asked);
            match limit.filter(|&limit| made.peak_bytes > limit) {
                Some(limit) => Err(tensoroxide_einsum::Error::MemoryLimit { limit, needed: made.peak_bytes }.into()),
                None => Ok(made),
            }
        });
        group.call(made.as_ref().map(|made| made.fingerprint).map_err(Error::clone), |_| Ok(()))?;
        made
    }

    /// The shape of this rank's part of operand `i` from 0, or of the output, which comes last.
    pub fn local_shape(&self, i: usize) -> Vec<usize> {
        let slot = if i < self.operands { &self.slots[i] } else { &self.slots[self.slots.len() - 1] };
        local_shape(slot, &self.extents, self.rank, self.size)
    }

    /// Most bytes that this rank takes at once beside its parts of the operands and the output.
    pub fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }

    /// Bytes that this rank sends in a run.
    pub fn sent_bytes(&self) -> usize {
        self.sent_bytes
    }

    /// Multiplications of this rank in a run.
    pub fn multiplications(&self) -> f64 {
        self.multiplications
    }

    /// output ← α · (Einstein sum of the operands) + β · output, of each its part on this rank. After an error the
    /// output is as it was.
    ///
    /// The sums over ranks are taken in their order: the same number of ranks gives the same bits.
    ///
    /// # Errors
    /// As [`Einsum::run`], and all of [`Error`], on every rank.
    pub fn run(
        &self,
        group: &mut Group,
        alpha: T,
        operands: &[View<'_, T>],
        conj: &[bool],
        beta: T,
        output: ViewMut<'_, T>,
    ) -> Result<(), Error> {
        let call = fingerprint(&format!("{:?}", (alpha.to_c64(), beta.to_c64(), conj, self.fingerprint)));
        let ready = self.check(operands, conj, &output).map(|()| call);
        group.call(ready, |group| {
            let mut values: Vec<Option<Tensor<T>>> = self.slots.iter().map(|_| None).collect();
            for (step, op) in self.ops.iter().enumerate() {
                self.step(group, step as u64, op, operands, conj, &mut values)?;
            }
            let result = values.pop().flatten().ok_or(Error::Panicked)?;
            Ok(axpby(alpha, result.view(), false, beta, output, self.threads)?)
        })
    }

    fn check(&self, operands: &[View<'_, T>], conj: &[bool], output: &ViewMut<'_, T>) -> Result<(), Error> {
        let expected = self.operands;
        for found in [operands.len(), conj.len()] {
            if found != expected {
                return Err(tensoroxide_einsum::Error::OperandCount { expected, found }.into());
            }
        }
        let shapes = operands.iter().map(View::shape).chain([output.shape()]);
        for (i, found) in shapes.enumerate() {
            let expected = self.local_shape(i);
            if found != expected {
                let (operand, found) = ((i < self.operands).then_some(i), found.to_vec());
                return Err(tensoroxide_einsum::Error::Shape { operand, found, expected }.into());
            }
        }
        Ok(())
    }

    fn step(
        &self,
        group: &mut Group,
        step: u64,
        op: &Op<T>,
        operands: &[View<'_, T>],
        conj: &[bool],
        values: &mut [Option<Tensor<T>>],
    ) -> Result<(), Error> {
        // An operand is conjugated where it is contracted, or moved.
        let flag = |slot: usize| conj.get(slot).copied().unwrap_or(false);
        let made = |slot: usize| Ok::<_, Error>(Tensor::zeros(Layout::column_major(&self.shape(slot))?)?);
        let take = |values: &mut [Option<Tensor<T>>], slot: usize| values[slot].take();
        match op {
            Op::Move { from, to } => {
                let owned = take(values, *from);
                let whole = view(&owned, operands, *from);
                let mut moved = made(*to)?;
                self.redistribute(group, step, whole, flag(*from), (*from, *to), &mut moved)?;
                values[*to] = Some(moved);
            }
            Op::Apart { a, b, c, einsum } | Op::Whole { a, b, c, einsum } => {
                let (own_a, own_b) = (take(values, *a), take(values, *b));
                let (x, y) = (view(&own_a, operands, *a), view(&own_b, operands, *b));
                let mut z = made(*c)?;
                let (flags, output) = ([flag(*a), flag(*b)], z.view_mut()?);
                let one = (T::ONE, T::ZERO);
                group.busy(|| einsum.run(one.0, &[x, y], &flags, one.1, output, self.threads))??;
                if matches!(op, Op::Whole { .. }) {
                    add_up(group, step, z.data_mut())?;
                }
                values[*c] = Some(z);
            }
            Op::Parts { a, b, c, einsums } => {
                let (own_a, own_b) = (take(values, *a), take(values, *b));
                let (x, y) = (view(&own_a, operands, *a), view(&own_b, operands, *b));
                let flags = [flag(*a), flag(*b)];
                let slot = &self.slots[*c];
                let (shape, along) = (self.shape(*c), slot.along.unwrap_or(0));
                let axis = slot.labels.iter().position(|&label| label == along).unwrap_or(0);
                let part = |group: &mut Group, to: usize| -> Result<Tensor<T>, Error> {
                    let values = range(self.extents[along as usize], to, self.size);
                    let mut shape = shape.clone();
                    shape[axis] = values.len();
                    let mut z = Tensor::zeros(Layout::column_major(&shape)?)?;
                    let (of_a, of_b) = (self.part_shape(*a, along, &values), self.part_shape(*b, along, &values));
                    let x = self.part(x, *a, along, &values, &of_a);
                    let y = self.part(y, *b, along, &values, &of_b);
                    let found = einsums.iter().find(|(count, _)| *count == values.len());
                    let (einsum, output) = (&found.ok_or(Error::Panicked)?.1, z.view_mut()?);
                    group.busy(|| einsum.run(T::ONE, &[x, y], &flags, T::ZERO, output, self.threads))??;
                    Ok(z)
                };
                let mut parts: Vec<Option<Tensor<T>>> = (0..self.size).map(|_| None).collect();
                let own = part(group, self.rank)?;
                let keep = |from: usize, data: Vec<u8>| {
                    let mut z = made(*c)?;
                    from_bytes(&data, z.data_mut())?;
                    parts[from] = Some(z);
                    Ok(())
                };
                exchange(group, step, |group, to| to_bytes(part(group, to)?.data()), keep)?;
                parts[self.rank] = Some(own);
                let mut parts = parts.into_iter().flatten();
                let mut sum = parts.next().ok_or(Error::Panicked)?;
                for part in parts {
                    sum.data_mut().iter_mut().zip(part.data()).for_each(|(s, &p)| *s += p);
                }
                values[*c] = Some(sum);
            }
        }
        Ok(())
    }

    fn shape(&self, slot: usize) -> Vec<usize> {
        local_shape(&self.slots[slot], &self.extents, self.rank, self.size)
    }

    /// The shape of what a tensor on this rank has for some values of a label, which it may not have.
    fn part_shape(&self, slot: usize, label: Label, values: &Range<usize>) -> Vec<usize> {
        let mut shape = self.shape(slot);
        if let Some(axis) = self.slots[slot].labels.iter().position(|&l| l == label) {
            shape[axis] = values.len();
        }
        shape
    }

    /// That part; `shape` is its shape. The tensor is not split along the label.
    fn part<'v>(
        &self,
        tensor: View<'v, T>,
        slot: usize,
        label: Label,
        values: &Range<usize>,
        shape: &'v [usize],
    ) -> View<'v, T> {
        let axis = self.slots[slot].labels.iter().position(|&l| l == label);
        let offset = axis.map_or(0, |axis| values.start as isize * tensor.strides()[axis]);
        // SAFETY: the values are some of those that the axis has, so that every element is one of the tensor's.
        unsafe { View::from_raw_parts(tensor.as_ptr().wrapping_offset(offset), shape, tensor.strides()) }
    }

    /// Makes of a tensor that is split, or whole, one that is split along another label, or whole.
    fn redistribute(
        &self,
        group: &mut Group,
        step: u64,
        tensor: View<'_, T>,
        conj: bool,
        (from, to): (usize, usize),
        moved: &mut Tensor<T>,
    ) -> Result<(), Error> {
        let (source, target) = (&self.slots[from], &self.slots[to]);
        // What rank r has of the old tensor for rank q: r's values of the old label, q's of the new one.
        let values = |label: Label, r: usize| range(self.extents[label as usize], r, self.size);
        let everything = |slot: usize, label: Label| 0..self.shape(slot)[axis_of(&self.slots[slot], label)];
        let pack = |q: usize| -> Result<Tensor<T>, Error> {
            let (label, values) = match target.along {
                Some(label) => (label, values(label, q)),
                // All of it goes to everybody.
                None => (source.labels[0], everything(from, source.labels[0])),
            };
            let shape = self.part_shape(from, label, &values);
            let part = self.part(tensor, from, label, &values, &shape);
            let mut packed = Tensor::zeros(Layout::column_major(&shape)?)?;
            axpby(T::ONE, part, conj, T::ZERO, packed.view_mut()?, self.threads)?;
            Ok(packed)
        };
        let mut unpack = |r: usize, packed: &Tensor<T>| -> Result<(), Error> {
            let (label, values) = match source.along {
                Some(label) => (label, values(label, r)),
                None => (target.labels[0], everything(to, target.labels[0])),
            };
            let axis = axis_of(target, label);
            let mut shape = self.shape(to);
            let strides = column_major_strides(&shape);
            shape[axis] = values.len();
            let offset = values.start * strides[axis] as usize;
            // Without elements nothing is reached, wherever that is.
            let offset = if shape.contains(&0) { 0 } else { offset };
            let into = ViewMut::new(moved.data_mut(), &shape, &strides, offset)?;
            Ok(axpby(T::ONE, packed.view(), false, T::ZERO, into, self.threads)?)
        };
        unpack(self.rank, &pack(self.rank)?)?;
        // What is whole already needs no message.
        if source.along.is_none() {
            return Ok(());
        }
        let shape_from = |r: usize| -> Vec<usize> {
            let mut shape = local_shape(source, &self.extents, r, self.size);
            if let Some(label) = target.along {
                shape[axis_of(source, label)] = values(label, self.rank).len();
            }
            shape
        };
        let take = |r: usize, data: Vec<u8>| {
            let mut packed = Tensor::zeros(Layout::column_major(&shape_from(r))?)?;
            from_bytes(&data, packed.data_mut())?;
            unpack(r, &packed)
        };
        exchange(group, step, |_, q| to_bytes(pack(q)?.data()), take)
    }
}

fn axis_of(slot: &Slot, label: Label) -> usize {
    slot.labels.iter().position(|&l| l == label).unwrap_or(0)
}

fn local_shape(slot: &Slot, extents: &[usize], rank: usize, size: usize) -> Vec<usize> {
    let extent = |&label: &Label| match slot.along == Some(label) {
        true => range(extents[label as usize], rank, size).len(),
        false => extents[label as usize],
    };
    slot.labels.iter().map(extent).collect()
}

fn view<'v, T: Element>(owned: &'v Option<Tensor<T>>, operands: &[View<'v, T>], slot: usize) -> View<'v, T> {
    match owned {
        Some(tensor) => tensor.view(),
        None => operands[slot],
    }
}

/// Refuses what cannot be split.
fn check(network: &Network, axes: &[Option<usize>], output: Option<usize>) -> Result<(), Error> {
    let refuse = |text: String| Err(Error::Argument(text));
    if network.operands.len() < 2 {
        return refuse("a contraction of split tensors has two operands at least".into());
    }
    if axes.len() != network.operands.len() {
        return refuse(format!("{} axes are given for {} operands", axes.len(), network.operands.len()));
    }
    let tensors = network.operands.iter().zip(axes.iter().copied()).chain([(&network.output, output)]);
    for (i, (labels, axis)) in tensors.enumerate() {
        let name = if i < axes.len() { format!("operand {}", i + 1) } else { "the output".into() };
        if (1..labels.len()).any(|at| labels[..at].contains(&labels[at])) {
            return refuse(format!("{name} has a label twice, which cannot be split"));
        }
        if axis.is_some_and(|axis| axis >= labels.len()) {
            return refuse(format!(
                "{name} has {} axes and cannot be split along axis {}",
                labels.len(),
                axis.unwrap_or(0) + 1
            ));
        }
        let extents = labels.iter().map(|&label| network.extents[label as usize]);
        if i < axes.len() && !extents.eq(network.shapes[i].iter().copied()) {
            return refuse(format!("{name} has an extent of 1 that stands for another, which cannot be split"));
        }
    }
    Ok(())
}

/// A tensor of the tree.
struct Leaf {
    labels: Vec<Label>,
    /// As it is given, or, of the result, wanted.
    fixed: Option<State>,
    /// The two that it is made of.
    children: Option<(usize, usize)>,
}

/// The label that a tensor is split along; `None` if it is whole.
type State = Option<Label>;

/// How a tensor comes to be split as it is.
#[derive(Clone, Copy, Debug)]
struct Choice {
    cost: f64,
    /// How it is made, before it is moved: the states of the two it is made of.
    made: State,
    children: (State, State),
}

/// The contraction tree.
struct Tree<'a> {
    network: &'a Network,
    size: usize,
    /// Tensors of so many elements, or more, are not made whole.
    limit: usize,
    nodes: Vec<Leaf>,
}

impl Tree<'_> {
    fn grow(&mut self, path: &Path, axes: &[Option<usize>], output: Option<usize>) {
        let network = self.network;
        let along = |labels: &[Label], axis: Option<usize>| axis.map(|axis| labels[axis]);
        for (labels, &axis) in network.operands.iter().zip(axes) {
            let fixed = Some(along(labels, axis));
            self.nodes.push(Leaf { labels: labels.clone(), fixed, children: None });
        }
        let mut open: Vec<usize> = (0..network.operands.len()).collect();
        for &(a, b) in &path.0 {
            open.retain(|&node| node != a && node != b);
            let last = open.is_empty();
            let needed = |label: &Label| {
                network.output.contains(label) || open.iter().any(|&node| self.nodes[node].labels.contains(label))
            };
            let mut labels: Vec<Label> = self.nodes[a].labels.iter().copied().filter(needed).collect();
            let more = self.nodes[b].labels.iter().copied().filter(needed);
            labels.extend(more.filter(|label| !self.nodes[a].labels.contains(label)));
            let fixed = last.then(|| along(&network.output, output));
            let labels = if last { network.output.clone() } else { labels };
            open.push(self.nodes.len());
            self.nodes.push(Leaf { labels, fixed, children: Some((a, b)) });
        }
        let split = self.nodes[..network.operands.len()].iter().filter(|leaf| leaf.fixed.flatten().is_some());
        self.limit = split.map(|leaf| self.elements(&leaf.labels)).min().unwrap_or(usize::MAX);
    }

    fn elements(&self, labels: &[Label]) -> usize {
        labels.iter().map(|&label| self.network.extents[label as usize]).fold(1, usize::saturating_mul)
    }

    /// How a node may be split.
    fn states(&self, node: &Leaf) -> Vec<State> {
        let mut states: Vec<State> = node.labels.iter().copied().map(Some).collect();
        if self.elements(&node.labels) < self.limit {
            states.push(None);
        }
        if let Some(fixed) = node.fixed.filter(|fixed| !states.contains(fixed)) {
            states.push(fixed);
        }
        states
    }

    /// Bytes are counted per rank, and in elements.
    fn moving(&self, labels: &[Label], from: State, to: State) -> f64 {
        let (elements, size) = (self.elements(labels) as f64, self.size as f64);
        match (from, to) {
            (None, _) => 0.0,
            (x, y) if x == y => 0.0,
            (Some(_), Some(_)) => elements / size,
            (Some(_), None) => elements,
        }
    }

    /// The cheapest states: of each node how it is made, and how it is used.
    fn choose(&self) -> Result<Vec<[State; 2]>, Error> {
        // With fewer values than ranks some have nothing to do.
        let size = |label: Label| self.size.min(self.network.extents[label as usize].max(1)) as f64;
        let mut tables: Vec<Vec<(State, Choice)>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let states = self.states(node);
            let mut made: Vec<(State, Choice)> = Vec::new();
            let mut offer = |state: State, choice: Choice| match made.iter_mut().find(|(known, _)| *known == state) {
                Some((_, known)) if known.cost <= choice.cost => {}
                Some((_, known)) => *known = choice,
                None => made.push((state, choice)),
            };
            if let Some((a, b)) = node.children {
                let mut all = self.nodes[a].labels.clone();
                all.extend(self.nodes[b].labels.iter().filter(|label| !self.nodes[a].labels.contains(label)));
                let work = MULTIPLY * all.iter().map(|&l| self.network.extents[l as usize] as f64).product::<f64>();
                let sent = self.elements(&node.labels) as f64;
                for &(x, of_x) in &tables[a] {
                    for &(y, of_y) in &tables[b] {
                        let cost = of_x.cost + of_y.cost;
                        let has = |child: usize, label: Label| self.nodes[child].labels.contains(&label);
                        let choice = |made, cost| Choice { cost, made, children: (x, y) };
                        match (x, y) {
                            (None, None) if states.contains(&None) => offer(None, choice(None, cost + work)),
                            (Some(l), Some(m)) if l == m && !node.labels.contains(&l) => {
                                for &state in &states {
                                    let factor = if state.is_none() { 2.0 } else { 1.0 };
                                    let sent = BYTE * factor * sent * T_SIZE;
                                    offer(state, choice(state, cost + work / size(l) + sent));
                                }
                            }
                            _ => {
                                let label = x.or(y).unwrap_or(0);
                                let apart = (x.is_some() == has(a, label)) && (y.is_some() == has(b, label));
                                let same = x.is_none() || y.is_none() || x == y;
                                if apart && same && node.labels.contains(&label) {
                                    offer(Some(label), choice(Some(label), cost + work / size(label)));
                                }
                            }
                        }
                    }
                }
            } else if let Some(fixed) = node.fixed {
                offer(fixed, Choice { cost: 0.0, made: fixed, children: (None, None) });
            }
            let reach = |&to: &State| {
                let moved = made.iter().map(|&(from, choice)| Choice {
                    cost: choice.cost + BYTE * T_SIZE * self.moving(&node.labels, from, to),
                    ..choice
                });
                moved.min_by(|x, y| x.cost.total_cmp(&y.cost)).map(|choice| (to, choice))
            };
            tables.push(states.iter().filter_map(reach).collect());
        }
        let root = self.nodes.len() - 1;
        let wanted = self.nodes[root].fixed.flatten();
        let mut states = vec![[None; 2]; self.nodes.len()];
        let mut open = vec![(root, wanted)];
        while let Some((node, state)) = open.pop() {
            let Some((_, choice)) = tables[node].iter().find(|(known, _)| *known == state) else {
                return Err(Error::Argument(
                    "no way was found to contract these tensors on which none of those that are split, or as large, is \
                     whole on a rank; split others, or along other axes"
                        .into(),
                ));
            };
            states[node] = [choice.made, state];
            if let Some((a, b)) = self.nodes[node].children {
                open.extend([(a, choice.children.0), (b, choice.children.1)]);
            }
        }
        Ok(states)
    }
}

/// Bytes of an element, as far as choices go.
const T_SIZE: f64 = 8.0;

/// Makes the steps of a tree.
struct Builder<'a, T: Element> {
    network: &'a Network,
    rank: usize,
    size: usize,
    threads: Threads,
    slots: Vec<Slot>,
    ops: Vec<Op<T>>,
    /// Bytes of what is there, and the most there were.
    now: usize,
    peak: usize,
    sent: usize,
    multiplications: f64,
}

impl<'a, T: Element> Builder<'a, T> {
    fn new(network: &'a Network, rank: usize, size: usize, threads: Threads) -> Builder<'a, T> {
        let (slots, ops) = (Vec::new(), Vec::new());
        Builder { network, rank, size, threads, slots, ops, now: 0, peak: 0, sent: 0, multiplications: 0.0 }
    }

    fn bytes(&self, slot: usize) -> usize {
        let shape = local_shape(&self.slots[slot], &self.network.extents, self.rank, self.size);
        shape.iter().product::<usize>().saturating_mul(T::DTYPE.size())
    }

    /// Bytes of what this step makes and needs, and what goes after it.
    fn account(&mut self, made: usize, more: usize, used: &[usize]) {
        self.now += self.bytes(made);
        self.peak = self.peak.max(self.now + more);
        let own = |slot: &&usize| **slot >= self.network.operands.len();
        self.now -= used.iter().filter(own).map(|&slot| self.bytes(slot)).sum::<usize>();
    }

    fn build(&mut self, tree: &Tree<'_>, path: &Path, states: &[[State; 2]]) -> Result<(), Error> {
        // The slot of each node as it is used.
        let mut used: Vec<usize> = Vec::with_capacity(tree.nodes.len());
        for (node, &[made, _]) in tree.nodes[..self.network.operands.len()].iter().zip(states) {
            self.slots.push(Slot { labels: node.labels.clone(), along: made });
            used.push(self.slots.len() - 1);
        }
        for (node, &[_, state]) in states[..self.network.operands.len()].iter().enumerate() {
            used[node] = self.moved(used[node], state);
        }
        for (k, &(a, b)) in path.0.iter().enumerate() {
            let node = self.network.operands.len() + k;
            let [made, state] = states[node];
            self.slots.push(Slot { labels: tree.nodes[node].labels.clone(), along: made });
            let c = self.slots.len() - 1;
            self.contract(used[a], used[b], c)?;
            let slot = self.moved(c, state);
            used.push(slot);
        }
        Ok(())
    }

    fn moved(&mut self, from: usize, state: State) -> usize {
        if self.slots[from].along == state {
            return from;
        }
        let to = self.slots.len();
        self.slots.push(Slot { labels: self.slots[from].labels.clone(), along: state });
        self.ops.push(Op::Move { from, to });
        // A packed part, and the bytes that are sent and that come.
        let part = if state.is_some() { self.bytes(from) / self.size + 1 } else { self.bytes(from) };
        if self.slots[from].along.is_some() {
            self.sent += part * (self.size - 1);
        }
        self.account(to, 4 * part, &[from]);
        to
    }

    fn contract(&mut self, a: usize, b: usize, c: usize) -> Result<(), Error> {
        let (x, y, z) = (self.slots[a].along, self.slots[b].along, self.slots[c].along);
        let summed = x.is_some() && x == y && !self.slots[c].labels.contains(&x.unwrap_or(0));
        let bytes = self.bytes(c);
        if let (true, Some(along)) = (summed, z) {
            let mut einsums: Vec<(usize, Einsum<T>)> = Vec::new();
            for r in 0..self.size {
                let count = range(self.network.extents[along as usize], r, self.size).len();
                if einsums.iter().all(|(known, _)| *known != count) {
                    einsums.push((count, self.einsum(a, b, c, Some((along, count)))?));
                }
                let einsum = einsums.iter().find(|(known, _)| *known == count);
                self.multiplications += einsum.map_or(0.0, |(_, einsum)| multiplications(einsum.plan()));
            }
            let workspace = einsums.iter().map(|(_, einsum)| einsum.plan().peak_bytes()).max().unwrap_or(0);
            self.ops.push(Op::Parts { a, b, c, einsums });
            self.sent += bytes * (self.size - 1);
            // The parts of all ranks, one that is computed, and its bytes.
            self.account(c, workspace + (self.size + 2) * bytes, &[a, b]);
            return Ok(());
        }
        let einsum = self.einsum(a, b, c, None)?;
        let workspace = einsum.plan().peak_bytes();
        self.multiplications += multiplications(einsum.plan());
        if summed {
            self.ops.push(Op::Whole { a, b, c, einsum });
            self.sent += 2 * bytes / self.size * (self.size - 1);
            self.account(c, workspace.max(3 * bytes), &[a, b]);
        } else {
            self.ops.push(Op::Apart { a, b, c, einsum });
            self.account(c, workspace, &[a, b]);
        }
        Ok(())
    }

    /// The step for the parts on this rank; of a label that a number of values is given for, for so many.
    fn einsum(&self, a: usize, b: usize, c: usize, part: Option<(Label, usize)>) -> Result<Einsum<T>, Error> {
        let labels = |slot: usize| -> Vec<i64> { self.slots[slot].labels.iter().map(|&l| i64::from(l)).collect() };
        let shape = |slot: usize| {
            let mut shape = local_shape(&self.slots[slot], &self.network.extents, self.rank, self.size);
            let axis = part.and_then(|(label, _)| self.slots[slot].labels.iter().position(|&l| l == label));
            if let (Some(axis), Some((_, count))) = (axis, part) {
                shape[axis] = count;
            }
            shape
        };
        let expression = Expression::from_labels(&[&labels(a), &labels(b)], Some(&labels(c)))?;
        let options = Options { threads: self.threads, ..Options::default() };
        let plan = Plan::new(expression.text(), &[&shape(a), &shape(b)], T::DTYPE, options)?;
        Ok(Einsum::new(plan))
    }

    fn done(self, asked: &str) -> SplitEinsum<T> {
        // What has to be the same everywhere: the steps, but not the sizes of the parts.
        let kind = |op: &Op<T>| match op {
            Op::Move { .. } => 0,
            Op::Apart { .. } => 1,
            Op::Parts { .. } => 2,
            Op::Whole { .. } => 3,
        };
        let kinds: Vec<i32> = self.ops.iter().map(kind).collect();
        let fingerprint = fingerprint(&format!("{asked} {:?} {kinds:?}", self.slots));
        SplitEinsum {
            slots: self.slots,
            extents: self.network.extents.clone(),
            operands: self.network.operands.len(),
            ops: self.ops,
            rank: self.rank,
            size: self.size,
            peak_bytes: self.peak,
            sent_bytes: self.sent,
            multiplications: self.multiplications,
            threads: self.threads,
            fingerprint,
        }
    }
}

fn multiplications(plan: &Plan) -> f64 {
    plan.flops() / if plan.dtype().is_complex() { 8.0 } else { 2.0 }
}
