//! Derivatives of what a tape holds: sweeps over its steps, segment by segment.

use std::collections::hash_map::{Entry, HashMap};
use std::ops::Range;

use tensoroxide_dense::Element;
use tensoroxide_tensor::{Tensor, View};

use super::step::{add, copy, zeros, At, Slopes, Step};
use super::{misfit, Tape, Value};
use crate::Error;

/// A slope, or none, for each result of each step.
type All<T> = Vec<Slopes<T>>;

fn at<T: Element>(all: &All<T>, value: Value) -> Option<&Tensor<T>> {
    all[value.node][value.output].as_ref()
}

/// Adds to what is there.
fn put<T: Element>(all: &mut All<T>, value: Value, slope: Option<Tensor<T>>) -> Result<(), Error> {
    let Some(slope) = slope else { return Ok(()) };
    match &mut all[value.node][value.output] {
        Some(sum) => add(sum, T::ONE, &slope),
        empty => {
            *empty = Some(slope);
            Ok(())
        }
    }
}

impl<T: Element> Tape<T> {
    /// The cotangents of `wanted`, any values of the tape: for the real part L of the loss, δL = Σ Re⟨x̄, δx⟩.
    ///
    /// # Errors
    /// [`Error::Operand`] for a loss of several elements, [`Error::Value`] for a value that is not on the tape; where a
    /// step has no derivative, what its rule says.
    pub fn gradient(&mut self, loss: Value, wanted: &[Value]) -> Result<Vec<Tensor<T>>, Error> {
        let seed = self.seed(loss)?;
        Ok(self.backwards(vec![(loss, seed)], wanted, None)?.0)
    }

    /// As [`Tape::gradient`], for any values: their cotangents are given.
    ///
    /// # Errors
    /// As [`Tape::gradient`].
    pub fn pullback(&mut self, cotangents: &[(Value, View<'_, T>)], wanted: &[Value]) -> Result<Vec<Tensor<T>>, Error> {
        let seeds = self.slopes(cotangents, "a cotangent")?;
        Ok(self.backwards(seeds, wanted, None)?.0)
    }

    /// The tangents of `of`, where values that were given to the tape change by theirs.
    ///
    /// # Errors
    /// As [`Tape::gradient`].
    ///
    /// ```
    /// use tensoroxide_autodiff::tape::{Elementwise, Tape};
    /// use tensoroxide_tensor::Tensor;
    /// let (mut tape, two) = (Tape::<f64>::new(), Tensor::from_fn(&[], |_| 2.0)?);
    /// let x = tape.variable(two.view())?;
    /// let cube = tape.map(Elementwise::Power(3), x)?;
    /// let tangent = tape.jvp(&[(x, two.view())], &[cube])?;
    /// assert_eq!(tangent[0].data(), [24.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn jvp(&mut self, directions: &[(Value, View<'_, T>)], of: &[Value]) -> Result<Vec<Tensor<T>>, Error> {
        for &value in of {
            self.slot(value)?;
        }
        let tangents = self.forwards(directions, of)?;
        self.taken(tangents, of)
    }

    /// The gradient of a loss, and how it changes where values that were given to the tape change by their tangents:
    /// the product of the loss's Hessian with that direction.
    ///
    /// # Errors
    /// As [`Tape::gradient`].
    ///
    /// ```
    /// use tensoroxide_autodiff::tape::{Elementwise, Tape};
    /// use tensoroxide_tensor::Tensor;
    /// let (mut tape, two) = (Tape::<f64>::new(), Tensor::from_fn(&[], |_| 2.0)?);
    /// let x = tape.variable(two.view())?;
    /// let cube = tape.map(Elementwise::Power(3), x)?;
    /// let (gradient, product) = tape.hvp(cube, &[x], &[(x, two.view())])?;
    /// assert_eq!((gradient[0].data(), product[0].data()), (&[12.0][..], &[24.0][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::type_complexity)] // two lists of tensors
    pub fn hvp(
        &mut self,
        loss: Value,
        wanted: &[Value],
        directions: &[(Value, View<'_, T>)],
    ) -> Result<(Vec<Tensor<T>>, Vec<Tensor<T>>), Error> {
        let seed = self.seed(loss)?;
        self.backwards(vec![(loss, seed)], wanted, Some(directions))
    }

    fn seed(&self, loss: Value) -> Result<Tensor<T>, Error> {
        let shape = &self.slot(loss)?.shape;
        if shape.iter().product::<usize>() != 1 {
            return Err(misfit("the loss", format!("one element, not size {shape:?}")));
        }
        let mut seed = zeros(shape)?;
        seed.data_mut().fill(T::ONE);
        Ok(seed)
    }

    /// Takes slopes out; zeros stand for none.
    fn taken(&self, mut all: All<T>, values: &[Value]) -> Result<Vec<Tensor<T>>, Error> {
        let mut first: HashMap<Value, usize> = HashMap::new();
        let mut taken: Vec<Tensor<T>> = Vec::with_capacity(values.len());
        for (k, &value) in values.iter().enumerate() {
            let slope = match first.entry(value) {
                Entry::Occupied(known) => {
                    let known: &Tensor<T> = &taken[*known.get()];
                    copy(T::ONE, known.view(), false)?
                }
                Entry::Vacant(new) => {
                    new.insert(k);
                    let slope = all[value.node][value.output].take();
                    slope.map_or_else(|| zeros(self.shape(value)?), Ok)?
                }
            };
            taken.push(slope);
        }
        Ok(taken)
    }

    /// Copies of slopes that the caller gives.
    fn slopes(&self, given: &[(Value, View<'_, T>)], what: &str) -> Result<Vec<(Value, Tensor<T>)>, Error> {
        let one = |&(value, view): &(Value, View<'_, T>)| {
            let shape = &self.slot(value)?.shape;
            if view.shape() != shape {
                return Err(misfit(what, format!("size {shape:?}, not {:?}", view.shape())));
            }
            Ok((value, copy(T::ONE, view, false)?))
        };
        given.iter().map(one).collect()
    }

    fn none(&self) -> All<T> {
        self.nodes.iter().map(|node| node.results.iter().map(|_| None).collect()).collect()
    }

    /// The segments; the last one may not have ended.
    fn segments(&self) -> Vec<Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ends = self.ends.iter().copied().chain([self.nodes.len()]);
        starts.zip(ends).map(|(start, end)| start..end).collect()
    }

    /// Computes what a segment made, as far as it is not there.
    fn restore(&mut self, segment: Range<usize>) -> Result<(), Error> {
        for n in segment {
            if self.nodes[n].results.iter().all(|slot| slot.value.is_some()) {
                continue;
            }
            let x = self.inputs(n)?;
            let (results, record) = self.nodes[n].step.evaluate(&x, &self.context)?;
            let node = &mut self.nodes[n];
            node.results.iter_mut().zip(results).for_each(|(slot, result)| slot.value = Some(result));
            node.record = record;
        }
        Ok(())
    }

    /// Lets go of what need not be kept of segments that have ended.
    pub(super) fn forget(&mut self, segment: Range<usize>) {
        if segment.end > self.ends.last().copied().unwrap_or(0) {
            return;
        }
        for node in &mut self.nodes[segment] {
            node.record = None;
            node.results.iter_mut().filter(|slot| !slot.kept).for_each(|slot| slot.value = None);
        }
    }

    fn inputs(&self, n: usize) -> Result<Vec<&Tensor<T>>, Error> {
        self.nodes[n].inputs.iter().map(|&value| self.value(value)).collect()
    }

    fn point<'a>(&'a self, n: usize, tangents: Option<&'a All<T>>) -> Result<At<'a, T>, Error> {
        let node = &self.nodes[n];
        let results = (0..node.results.len()).map(|output| self.value(Value { node: n, output }));
        let tangent = |&value: &Value| tangents.and_then(|tangents| at(tangents, value));
        let (y, dx) = (results.collect::<Result<_, Error>>()?, node.inputs.iter().map(tangent).collect());
        Ok(At { x: self.inputs(n)?, y, dx })
    }

    /// Tangents of a segment's steps, whose values are there, from those before it.
    fn push_forwards(&self, segment: Range<usize>, tangents: &mut All<T>) -> Result<(), Error> {
        for n in segment {
            let node = &self.nodes[n];
            let moves = node.inputs.iter().any(|&value| at(tangents, value).is_some());
            if moves && tangents[n].iter().any(Option::is_none) {
                let moved = node.step.tangents(&self.point(n, Some(tangents))?, &self.context)?;
                tangents[n] = moved;
            }
        }
        Ok(())
    }

    /// The tangents of all that is kept, and of `of`.
    fn forwards(&mut self, directions: &[(Value, View<'_, T>)], of: &[Value]) -> Result<All<T>, Error> {
        let mut tangents = self.none();
        for (value, slope) in self.slopes(directions, "a tangent")? {
            if !matches!(self.nodes[value.node].step, Step::Given) {
                return Err(Error::Value("that moves was not given to the tape"));
            }
            put(&mut tangents, value, Some(slope))?;
        }
        for segment in self.segments() {
            let moved = self.restore(segment.clone()).and_then(|()| self.push_forwards(segment.clone(), &mut tangents));
            self.forget(segment.clone());
            moved?;
            self.forget_tangents(segment, &mut tangents, of);
        }
        Ok(tangents)
    }

    fn forget_tangents(&self, segment: Range<usize>, tangents: &mut All<T>, of: &[Value]) {
        if segment.end > self.ends.last().copied().unwrap_or(0) {
            return;
        }
        for n in segment {
            for (output, slot) in self.nodes[n].results.iter().enumerate() {
                if !slot.kept && !of.contains(&Value { node: n, output }) {
                    tangents[n][output] = None;
                }
            }
        }
    }

    /// The cotangents of `wanted`, and their tangents along the directions.
    #[allow(clippy::type_complexity)] // two lists of tensors
    fn backwards(
        &mut self,
        seeds: Vec<(Value, Tensor<T>)>,
        wanted: &[Value],
        directions: Option<&[(Value, View<'_, T>)]>,
    ) -> Result<(Vec<Tensor<T>>, Vec<Tensor<T>>), Error> {
        let mut kept = vec![false; self.nodes.len()];
        for &value in wanted {
            self.slot(value)?;
            kept[value.node] = true;
        }
        // What depends on something wanted.
        let mut depends = kept.clone();
        for (n, node) in self.nodes.iter().enumerate() {
            depends[n] |= node.inputs.iter().any(|value| depends[value.node]);
        }
        let mut tangents = directions.map(|directions| self.forwards(directions, &[])).transpose()?;
        let (mut bars, mut moved) = (self.none(), self.none());
        for (value, seed) in seeds {
            put(&mut bars, value, Some(seed))?;
        }
        for segment in self.segments().into_iter().rev() {
            if bars[segment.clone()].iter().flatten().all(Option::is_none) {
                continue;
            }
            let mut sweep = || {
                self.restore(segment.clone())?;
                if let Some(tangents) = &mut tangents {
                    self.push_forwards(segment.clone(), tangents)?;
                }
                for n in segment.clone().rev() {
                    self.pull_back(n, &depends, &kept, tangents.as_ref(), &mut bars, &mut moved)?;
                }
                Ok::<(), Error>(())
            };
            let done = sweep();
            self.forget(segment.clone());
            done?;
            if let Some(tangents) = &mut tangents {
                self.forget_tangents(segment, tangents, &[]);
            }
        }
        let second = if tangents.is_some() { wanted } else { &[] };
        Ok((self.taken(bars, wanted)?, self.taken(moved, second)?))
    }

    /// Adds to the cotangents of a step's inputs what comes from its results.
    fn pull_back(
        &mut self,
        n: usize,
        depends: &[bool],
        kept: &[bool],
        tangents: Option<&All<T>>,
        bars: &mut All<T>,
        moved: &mut All<T>,
    ) -> Result<(), Error> {
        let inputs = self.nodes[n].inputs.clone();
        let needed: Vec<bool> = inputs.iter().map(|value| depends[value.node]).collect();
        if needed.contains(&true) && bars[n].iter().any(Option::is_some) {
            let mut record = self.nodes[n].record.take();
            let (yb, dyb) = (references(&bars[n]), references(&moved[n]));
            let dyb = tangents.map(|_| &*dyb);
            let (step, point) = (&self.nodes[n].step, self.point(n, tangents)?);
            let slopes = step.cotangents(&point, &yb, dyb, &needed, record.as_mut(), &self.context);
            self.nodes[n].record = record;
            let (first, second) = slopes?;
            for (&value, (first, second)) in inputs.iter().zip(first.into_iter().zip(second)) {
                put(bars, value, first)?;
                put(moved, value, second)?;
            }
        }
        if !kept[n] {
            bars[n].iter_mut().chain(&mut moved[n]).for_each(|slope| *slope = None);
        }
        Ok(())
    }
}

fn references<T: Element>(slopes: &Slopes<T>) -> Vec<Option<&Tensor<T>>> {
    slopes.iter().map(Option::as_ref).collect()
}
