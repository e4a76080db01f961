//! What the tests of the rules share: arrays in double precision, an operation and its derivatives applied to them in
//! any element type and layout, and three ways to know a derivative: differences of the operation, transposition, and
//! differences of the derivative.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part

use std::sync::OnceLock;

use tensoroxide_autodiff as autodiff;
use tensoroxide_autodiff::{Class, Error, Operand, OperandMut, Operation, Options, Report, Settings, Slot};
use tensoroxide_dense::Element;
use tensoroxide_linalg::{Run, Workspaces};
use tensoroxide_tensor::testing::Arrangement;
use tensoroxide_tensor::{Complex64, Layout, Scalar, Tensor, View, ViewMut};

/// On one thread, with a workspace for any time: a test ends soon.
pub fn run() -> Run<'static> {
    static WORKSPACES: OnceLock<Workspaces> = OnceLock::new();
    Run::on(WORKSPACES.get_or_init(Workspaces::default))
}

/// An operand, column-major, as complex numbers of double precision whatever its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Vec<Complex64>,
}

/// A (co)tangent of each operand, `None` for zero.
pub type Slopes = Vec<Option<Array>>;

/// Pseudo-random numbers from −1 to 1.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

impl Array {
    pub fn new(shape: &[usize], mut f: impl FnMut(usize) -> Complex64) -> Self {
        Array { shape: shape.to_vec(), data: (0..shape.iter().product()).map(&mut f).collect() }
    }

    pub fn zeros(shape: &[usize]) -> Self {
        Array::new(shape, |_| Complex64::ZERO)
    }

    /// Random elements, complex ones if T is complex.
    pub fn random<T: Scalar>(shape: &[usize], seed: u64) -> Self {
        let mut random = Random::new(seed);
        Array::new(shape, |_| T::from_c64(Complex64::new(random.next(), random.next())).to_c64())
    }

    pub fn identity(n: usize) -> Self {
        Array::new(&[n, n], |i| if i % n == i / n { Complex64::ONE } else { Complex64::ZERO })
    }

    /// From rows, real.
    pub fn rows(rows: &[&[f64]]) -> Self {
        let (m, n) = (rows.len(), rows.first().map_or(0, |row| row.len()));
        Array::new(&[m, n], |i| rows[i % m][i / m].into())
    }

    pub fn diagonal(values: &[f64]) -> Self {
        let n = values.len();
        Array::new(&[n, n], |i| if i % n == i / n { values[i % n].into() } else { Complex64::ZERO })
    }

    pub fn at(&self, i: usize, j: usize) -> Complex64 {
        self.data[i + j * self.shape[0]]
    }

    pub fn map(&self, f: impl FnMut(Complex64) -> Complex64) -> Self {
        Array { shape: self.shape.clone(), data: self.data.iter().copied().map(f).collect() }
    }

    pub fn conj(&self) -> Self {
        self.map(|x| x.conj())
    }

    pub fn scale(&self, factor: f64) -> Self {
        self.map(|x| x * factor)
    }

    /// self + factor·other
    pub fn plus(&self, factor: f64, other: &Array) -> Self {
        assert_eq!(self.shape, other.shape);
        Array::new(&self.shape, |i| self.data[i] + other.data[i] * factor)
    }

    pub fn norm(&self) -> f64 {
        // Relative to the largest element, so that no square over- or underflows.
        let largest = self.data.iter().map(|x| x.norm()).fold(0.0, f64::max);
        match largest == 0.0 || !largest.is_finite() {
            true => largest,
            false => largest * self.data.iter().map(|x| (x / largest).norm_sqr()).sum::<f64>().sqrt(),
        }
    }

    /// Matrices of a stack, as positions of their elements: (i, j) of the b-th.
    fn position(&self, b: usize, i: usize, j: usize) -> usize {
        i + self.shape[0] * (j + self.shape[1] * b)
    }

    fn stack(&self) -> usize {
        self.shape[2..].iter().product()
    }

    /// Aᴴ of each matrix of the stack.
    pub fn adjoint(&self) -> Self {
        let mut shape = self.shape.clone();
        shape.swap(0, 1);
        let mut result = Array::zeros(&shape);
        for b in 0..self.stack() {
            for (i, j) in pairs(self.shape[0], self.shape[1]) {
                let to = result.position(b, j, i);
                result.data[to] = self.data[self.position(b, i, j)].conj();
            }
        }
        result
    }

    /// A·B of each pair of matrices of two stacks.
    pub fn times(&self, other: &Array) -> Self {
        let (m, k, n) = (self.shape[0], self.shape[1], other.shape[1]);
        let mut result = Array::zeros(&[&[m, n], &self.shape[2..]].concat());
        for b in 0..self.stack() {
            for (i, j) in pairs(m, n) {
                let to = result.position(b, i, j);
                let term = |l| self.data[self.position(b, i, l)] * other.data[other.position(b, l, j)];
                result.data[to] = (0..k).map(term).sum();
            }
        }
        result
    }

    /// (A + Aᴴ)/2 of each matrix.
    pub fn hermitian(&self) -> Self {
        self.plus(1.0, &self.adjoint()).scale(0.5)
    }

    /// A·Aᴴ + shift of each matrix.
    pub fn positive(&self, shift: f64) -> Self {
        let mut result = self.times(&self.adjoint());
        for b in 0..result.stack() {
            for i in 0..result.shape[0] {
                let at = result.position(b, i, i);
                result.data[at] += shift;
            }
        }
        result
    }
}

pub fn pairs(m: usize, n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |j| (0..m).map(move |i| (i, j)))
}

/// Re⟨x, y⟩, summed over operands; zero where one of the two is missing.
pub fn dot(x: &[Option<Array>], y: &[Option<Array>]) -> f64 {
    assert_eq!(x.len(), y.len());
    let pairs = x.iter().zip(y).filter_map(|(x, y)| x.as_ref().zip(y.as_ref()));
    pairs.map(|(x, y)| x.data.iter().zip(&y.data).map(|(x, y)| (x.conj() * y).re).sum::<f64>()).sum()
}

/// The norm of several operands together.
pub fn norm(x: &[Option<Array>]) -> f64 {
    x.iter().flatten().fold(0.0, |sum: f64, x| sum.hypot(x.norm()))
}

/// An array in memory, as an element type and a layout have it.
enum Stored<T: Element> {
    Element(Tensor<T>, bool),
    Real(Tensor<T::Real>),
    Complex(Tensor<T::Complex>, bool),
    Index(Vec<i64>, Layout),
}

impl<T: Element> Stored<T> {
    fn new(class: Class, array: &Array, layout: Layout, conj: bool) -> Self {
        fn tensor<E: Scalar>(array: &Array, layout: Layout, conj: bool) -> Tensor<E> {
            let mut tensor = Tensor::zeros(layout).unwrap();
            let mut elements = array.data.iter();
            tensor.fill(|_| {
                let x = *elements.next().unwrap();
                E::from_c64(if conj { x.conj() } else { x })
            });
            tensor
        }
        match class {
            Class::Element => Stored::Element(tensor(array, layout, conj), conj),
            Class::Real => Stored::Real(tensor(array, layout, false)),
            Class::Complex => Stored::Complex(tensor(array, layout, conj), conj),
            Class::Index => {
                let layout = Layout::column_major(&array.shape).unwrap();
                Stored::Index(array.data.iter().map(|x| x.re as i64).collect(), layout)
            }
        }
    }

    fn operand(&self) -> Operand<'_, T> {
        match self {
            Stored::Element(tensor, conj) => Operand::Element(tensor.view(), *conj),
            Stored::Real(tensor) => Operand::Real(tensor.view()),
            Stored::Complex(tensor, conj) => Operand::Complex(tensor.view(), *conj),
            Stored::Index(data, layout) => Operand::Index(View::of(data, layout).unwrap()),
        }
    }

    fn operand_mut(&mut self) -> OperandMut<'_, T> {
        match self {
            Stored::Element(tensor, _) => OperandMut::Element(tensor.view_mut().unwrap()),
            Stored::Real(tensor) => OperandMut::Real(tensor.view_mut().unwrap()),
            Stored::Complex(tensor, _) => OperandMut::Complex(tensor.view_mut().unwrap()),
            Stored::Index(data, layout) => OperandMut::Index(ViewMut::of(data, layout).unwrap()),
        }
    }

    fn array(&self) -> Array {
        fn array<E: Scalar>(tensor: &Tensor<E>) -> Array {
            let (shape, view) = (tensor.layout().shape(), tensor.view());
            let indices = tensoroxide_tensor::testing::indices(shape);
            Array { shape: shape.to_vec(), data: indices.iter().map(|i| view.get(i).unwrap().to_c64()).collect() }
        }
        match self {
            Stored::Element(tensor, _) => array(tensor),
            Stored::Real(tensor) => array(tensor),
            Stored::Complex(tensor, _) => array(tensor),
            Stored::Index(data, layout) => {
                Array { shape: layout.shape().to_vec(), data: data.iter().map(|x| (*x as f64).into()).collect() }
            }
        }
    }
}

/// An operation with all that it and its derivatives are told.
#[derive(Clone, Debug)]
pub struct Case {
    pub operation: Operation,
    pub settings: Settings,
    pub options: Options,
    /// How all operands lie in memory; column-major if none.
    pub arrangement: Option<Arrangement>,
    /// Operands are stored conjugated and read with the flag.
    pub conj: bool,
}

impl Case {
    pub fn new(operation: Operation) -> Self {
        let (settings, options) = (Settings::default(), Options::default());
        Case { operation, settings, options, arrangement: None, conj: false }
    }

    fn layout(&self, shape: &[usize]) -> Layout {
        match &self.arrangement {
            Some(arrangement) => arrangement.layout(shape),
            None => Layout::column_major(shape).unwrap(),
        }
    }

    fn store<T: Element>(&self, slots: &[Slot], arrays: &[Array]) -> Vec<Stored<T>> {
        let store =
            |(slot, array): (&Slot, &Array)| Stored::new(slot.class, array, self.layout(&array.shape), self.conj);
        slots.iter().zip(arrays).map(store).collect()
    }

    fn store_slopes<T: Element>(&self, slots: &[Slot], slopes: &[Option<Array>]) -> Vec<Option<Stored<T>>> {
        let store = |(slot, array): (&Slot, &Option<Array>)| {
            array.as_ref().map(|array| Stored::new(slot.class, array, self.layout(&array.shape), self.conj))
        };
        slots.iter().zip(slopes).map(store).collect()
    }

    /// Outputs full of NaN.
    fn outputs<T: Element>(&self, slots: &[Slot], shapes: &[Vec<usize>]) -> Vec<Stored<T>> {
        let nan = Complex64::new(f64::NAN, f64::NAN);
        let output = |(slot, shape): (&Slot, &Vec<usize>)| {
            Stored::new(slot.class, &Array::new(shape, |_| nan), self.layout(shape), false)
        };
        slots.iter().zip(shapes).map(output).collect()
    }

    /// The operation itself, cut to the rank that it keeps.
    pub fn evaluate<T: Element>(&self, x: &[Array]) -> Result<Vec<Array>, Error> {
        let shapes: Vec<_> = x.iter().map(|x| &x.shape[..]).collect();
        let shapes = self.operation.output_shapes(&shapes, &self.settings)?;
        let x = self.store::<T>(self.operation.inputs(), x);
        let mut y = self.outputs::<T>(self.operation.outputs(), &shapes);
        let operands: Vec<_> = x.iter().map(Stored::operand).collect();
        let to = y.iter_mut().map(Stored::operand_mut).collect();
        let rank = autodiff::evaluate(self.operation, &operands, to, &self.settings, run())?;
        let mut y: Vec<_> = y.iter().map(Stored::array).collect();
        if let Some(rank) = rank {
            // Vectors are the columns of U and V, the rows of Vᴴ.
            for (slot, y) in self.operation.outputs().iter().zip(&mut y) {
                match slot.name {
                    "U" | "V" => *y = cut(y, 1, rank),
                    "S" | "w" | "Vᴴ" => *y = cut(y, 0, rank),
                    _ => {}
                }
            }
        }
        Ok(y)
    }

    fn readable<'s, T: Element>(slopes: &'s [Option<Stored<T>>]) -> Vec<Option<Operand<'s, T>>> {
        slopes.iter().map(|slope| slope.as_ref().map(Stored::operand)).collect()
    }

    /// Stored outputs of the shapes of operands, none for positions, which have no derivative.
    fn results<T: Element>(&self, slots: &[Slot], operands: &[Array]) -> Vec<Option<Stored<T>>> {
        let shapes: Vec<_> = operands.iter().map(|x| x.shape.clone()).collect();
        let stored = self.outputs::<T>(slots, &shapes).into_iter();
        stored.zip(slots).map(|(stored, slot)| (slot.class != Class::Index).then_some(stored)).collect()
    }

    fn writable<T: Element>(results: &mut [Option<Stored<T>>]) -> Vec<Option<OperandMut<'_, T>>> {
        results.iter_mut().map(|x| x.as_mut().map(Stored::operand_mut)).collect()
    }

    fn arrays<T: Element>(results: &[Option<Stored<T>>]) -> Slopes {
        results.iter().map(|x| x.as_ref().map(Stored::array)).collect()
    }

    pub fn jvp<T: Element>(&self, x: &[Array], y: &[Array], dx: &[Option<Array>]) -> Result<(Slopes, Report), Error> {
        let (inputs, outputs) = (self.operation.inputs(), self.operation.outputs());
        let mut results = self.results::<T>(outputs, y);
        let (x, y, dx) = (self.store(inputs, x), self.store(outputs, y), self.store_slopes(inputs, dx));
        let (x, y): (Vec<_>, Vec<_>) =
            (x.iter().map(Stored::operand).collect(), y.iter().map(Stored::operand).collect());
        let (dx, to) = (Self::readable(&dx), Self::writable(&mut results));
        let report = autodiff::jvp(self.operation, &x, &y, &dx, to, &self.options, run())?;
        Ok((Self::arrays(&results), report))
    }

    pub fn vjp<T: Element>(&self, x: &[Array], y: &[Array], yb: &[Option<Array>]) -> Result<(Slopes, Report), Error> {
        let (inputs, outputs) = (self.operation.inputs(), self.operation.outputs());
        let mut results = self.results::<T>(inputs, x);
        let (x, y, yb) = (self.store(inputs, x), self.store(outputs, y), self.store_slopes(outputs, yb));
        let (x, y): (Vec<_>, Vec<_>) =
            (x.iter().map(Stored::operand).collect(), y.iter().map(Stored::operand).collect());
        let (yb, to) = (Self::readable(&yb), Self::writable(&mut results));
        let report = autodiff::vjp(self.operation, &x, &y, &yb, to, &self.options, run())?;
        Ok((Self::arrays(&results), report))
    }

    pub fn hvp<T: Element>(
        &self,
        x: &[Array],
        y: &[Array],
        yb: &[Option<Array>],
        dx: &[Option<Array>],
        dyb: &[Option<Array>],
    ) -> Result<(Slopes, Report), Error> {
        let (inputs, outputs) = (self.operation.inputs(), self.operation.outputs());
        let mut results = self.results::<T>(inputs, x);
        let (x, y) = (self.store(inputs, x), self.store(outputs, y));
        let (yb, dx) = (self.store_slopes(outputs, yb), self.store_slopes(inputs, dx));
        let dyb = self.store_slopes(outputs, dyb);
        let (x, y): (Vec<_>, Vec<_>) =
            (x.iter().map(Stored::operand).collect(), y.iter().map(Stored::operand).collect());
        let (yb, dx, dyb) = (Self::readable(&yb), Self::readable(&dx), Self::readable(&dyb));
        let to = Self::writable(&mut results);
        let report = autodiff::hvp(self.operation, &x, &y, &yb, &dx, &dyb, to, &self.options, run())?;
        Ok((Self::arrays(&results), report))
    }

    /// Random cotangents of the outputs.
    pub fn cotangents<T: Element>(&self, y: &[Array], seed: u64) -> Slopes {
        slopes::<T>(self.operation.outputs(), y, seed)
    }

    /// Random tangents of the inputs.
    pub fn tangents<T: Element>(&self, x: &[Array], seed: u64) -> Slopes {
        slopes::<T>(self.operation.inputs(), x, seed)
    }

    /// Holds `jvp` against differences of the operation, `vjp` against `jvp`, and `hvp` against differences of `vjp`,
    /// along `dx` and for random cotangents. `step` is the one of the differences.
    pub fn check_along<T: Element>(&self, x: &[Array], dx: &[Option<Array>], step: f64, tolerance: f64) {
        let y = self.evaluate::<T>(x).unwrap();
        let (yb, dyb) = (self.cotangents::<T>(&y, 11), self.cotangents::<T>(&y, 12));
        self.check_with::<T>(x, dx, (&yb, &dyb), step, tolerance);
    }

    /// [`Case::check_along`] for given cotangents and their tangents.
    pub fn check_with<T: Element>(
        &self,
        x: &[Array],
        dx: &[Option<Array>],
        (yb, dyb): (&[Option<Array>], &[Option<Array>]),
        step: f64,
        tolerance: f64,
    ) {
        let what = format!("{:?} of {:?}, {}", self.operation, shapes(x), T::DTYPE);
        let y = self.evaluate::<T>(x).unwrap();
        let (forward, _) = self.jvp::<T>(x, &y, dx).unwrap_or_else(|e| panic!("{what}: jvp: {e}"));
        let moved = |t: f64| -> Vec<Array> {
            let one = |(x, dx): (&Array, &Option<Array>)| dx.as_ref().map_or(x.clone(), |dx| x.plus(t, dx));
            x.iter().zip(dx).map(one).collect()
        };
        let slots = self.operation.outputs();
        let expected = differences(step, |t| {
            let y = self.evaluate::<T>(&moved(t)).unwrap();
            slots.iter().zip(y).map(|(slot, y)| (slot.class != Class::Index).then_some(y)).collect()
        });
        assert_close(&format!("{what}: jvp against differences"), &forward, &expected, tolerance);

        let (reverse, _) = self.vjp::<T>(x, &y, yb).unwrap_or_else(|e| panic!("{what}: vjp: {e}"));
        let (left, right) = (dot(yb, &forward), dot(&reverse, dx));
        let scale = (norm(yb) * norm(&forward)).max(norm(&reverse) * norm(dx));
        assert!((left - right).abs() <= 1e-11 * scale, "{what}: transposition: {left} ≠ {right}, of {scale}");

        let (second, _) = self.hvp::<T>(x, &y, yb, dx, dyb).unwrap_or_else(|e| panic!("{what}: hvp: {e}"));
        let expected = differences(step, |t| {
            let x = moved(t);
            let y = self.evaluate::<T>(&x).unwrap();
            let one = |(yb, dyb): (&Option<Array>, &Option<Array>)| match (yb, dyb) {
                (Some(yb), Some(dyb)) => Some(yb.plus(t, dyb)),
                (None, Some(dyb)) => Some(dyb.scale(t)),
                (yb, None) => yb.clone(),
            };
            let yb: Vec<_> = yb.iter().zip(dyb).map(one).collect();
            self.vjp::<T>(&x, &y, &yb).unwrap().0
        });
        assert_close(&format!("{what}: hvp against differences"), &second, &expected, tolerance);
    }

    /// Holds all derivatives of a loss against differences: a function of the outputs, given with its cotangents. For
    /// what has no derivative but through such a loss, since it is free in part.
    pub fn check_loss<T: Element>(
        &self,
        x: &[Array],
        dx: &[Option<Array>],
        loss: impl Fn(&[Array]) -> (f64, Slopes),
        tolerance: f64,
    ) {
        let what = format!("a loss of {:?} of {:?}, {}", self.operation, shapes(x), T::DTYPE);
        let moved = |x: &[Array], dx: &[Option<Array>], t: f64| -> Vec<Array> {
            let one = |(x, dx): (&Array, &Option<Array>)| dx.as_ref().map_or(x.clone(), |dx| x.plus(t, dx));
            x.iter().zip(dx).map(one).collect()
        };
        let number = |x: f64| vec![Some(Array::new(&[], |_| x.into()))];
        let y = self.evaluate::<T>(x).unwrap();
        let yb = loss(&y).1;
        let step = 1e-3;
        let expected = differences(step, |t| number(loss(&self.evaluate::<T>(&moved(x, dx, t)).unwrap()).0));
        let (forward, _) = self.jvp::<T>(x, &y, dx).unwrap_or_else(|e| panic!("{what}: jvp: {e}"));
        assert_close(&format!("{what}: jvp"), &number(dot(&yb, &forward)), &expected, tolerance);
        let (reverse, _) = self.vjp::<T>(x, &y, &yb).unwrap_or_else(|e| panic!("{what}: vjp: {e}"));
        assert_close(&format!("{what}: vjp"), &number(dot(&reverse, dx)), &expected, tolerance);
        let dyb = differences(step, |t| loss(&moved(&y, &forward, t)).1);
        let (second, _) = self.hvp::<T>(x, &y, &yb, dx, &dyb).unwrap_or_else(|e| panic!("{what}: hvp: {e}"));
        let expected = differences(step, |t| {
            let x = moved(x, dx, t);
            let y = self.evaluate::<T>(&x).unwrap();
            self.vjp::<T>(&x, &y, &loss(&y).1).unwrap().0
        });
        assert_close(&format!("{what}: hvp"), &second, &expected, tolerance);
    }

    /// [`Case::check_along`] a random direction.
    pub fn check<T: Element>(&self, x: &[Array], tolerance: f64) {
        self.check_along::<T>(x, &self.tangents::<T>(x, 13), 1e-3, tolerance);
    }

    /// Holds the derivatives in single precision against those in double precision, of the same input.
    pub fn check_single<S: Element, D: Element>(&self, x: &[Array], dx: &[Option<Array>], tolerance: f64) {
        let round = |x: &Array| x.map(|x| S::from_c64(x).to_c64());
        let x: Vec<_> = x.iter().map(round).collect();
        let (single, double) = (self.evaluate::<S>(&x).unwrap(), self.evaluate::<D>(&x).unwrap());
        let yb = self.cotangents::<S>(&double, 11);
        let what = format!("{:?} of {:?}, {}", self.operation, shapes(&x), S::DTYPE);
        let (found, expected) = (self.jvp::<S>(&x, &single, dx).unwrap().0, self.jvp::<D>(&x, &double, dx).unwrap().0);
        assert_close(&format!("{what}: jvp in single precision"), &found, &expected, tolerance);
        let (found, expected) =
            (self.vjp::<S>(&x, &single, &yb).unwrap().0, self.vjp::<D>(&x, &double, &yb).unwrap().0);
        assert_close(&format!("{what}: vjp in single precision"), &found, &expected, tolerance);
    }

    /// Derivatives do not depend on how operands lie in memory, nor on whether they are stored conjugated.
    pub fn check_layouts<T: Element>(&self, x: &[Array], dx: &[Option<Array>], arrangement: &Arrangement) {
        let other = Case { arrangement: Some(arrangement.clone()), conj: true, ..self.clone() };
        let y = self.evaluate::<T>(x).unwrap();
        let yb = self.cotangents::<T>(&y, 11);
        let what = format!("{:?} of {:?}, {}", self.operation, shapes(x), T::DTYPE);
        let same = other.evaluate::<T>(x).unwrap();
        let some = |y: &[Array]| -> Slopes { y.iter().cloned().map(Some).collect() };
        assert_close(&format!("{what}: evaluate, layout"), &some(&same), &some(&y), 1e-12);
        let (found, expected) = (other.jvp::<T>(x, &y, dx).unwrap().0, self.jvp::<T>(x, &y, dx).unwrap().0);
        assert_close(&format!("{what}: jvp, layout"), &found, &expected, 1e-12);
        let (found, expected) = (other.vjp::<T>(x, &y, &yb).unwrap().0, self.vjp::<T>(x, &y, &yb).unwrap().0);
        assert_close(&format!("{what}: vjp, layout"), &found, &expected, 1e-12);
    }
}

/// The first `rank` rows (axis 0) or columns (axis 1) of each matrix.
fn cut(array: &Array, axis: usize, rank: usize) -> Array {
    let mut shape = array.shape.clone();
    shape[axis] = rank;
    let all = tensoroxide_tensor::testing::indices(&array.shape);
    let data = all.iter().zip(&array.data).filter(|(index, _)| index[axis] < rank).map(|(_, x)| *x).collect();
    Array { shape, data }
}

fn shapes(x: &[Array]) -> Vec<&[usize]> {
    x.iter().map(|x| &x.shape[..]).collect()
}

fn slopes<T: Element>(slots: &[Slot], operands: &[Array], seed: u64) -> Slopes {
    let one = |(i, (slot, x)): (usize, (&Slot, &Array))| match slot.class {
        Class::Element => Some(Array::random::<T>(&x.shape, seed + 100 * i as u64)),
        Class::Real => Some(Array::random::<T::Real>(&x.shape, seed + 100 * i as u64)),
        Class::Complex => Some(Array::random::<T::Complex>(&x.shape, seed + 100 * i as u64)),
        Class::Index => None,
    };
    slots.iter().zip(operands).enumerate().map(one).collect()
}

/// The derivative at 0 by central differences of the fourth order.
pub fn differences(step: f64, f: impl Fn(f64) -> Slopes) -> Slopes {
    let [a, b, c, d] = [-2.0, -1.0, 1.0, 2.0].map(|i| f(i * step));
    let one = |i: usize| -> Option<Array> {
        let (a, b, c, d) = (a[i].as_ref()?, b[i].as_ref()?, c[i].as_ref()?, d[i].as_ref()?);
        Some(c.plus(-1.0, b).scale(8.0).plus(-1.0, &d.plus(-1.0, a)).scale(1.0 / (12.0 * step)))
    };
    (0..a.len()).map(one).collect()
}

/// Each operand within a tolerance relative to all of them; what is missing is zero.
pub fn assert_close(what: &str, found: &[Option<Array>], expected: &[Option<Array>], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = norm(expected);
    for (i, pair) in found.iter().zip(expected).enumerate() {
        let error = match pair {
            (Some(x), Some(y)) => {
                assert_eq!(x.shape, y.shape, "{what}, {i}");
                x.plus(-1.0, y).norm()
            }
            (Some(x), None) | (None, Some(x)) => x.norm(),
            (None, None) => 0.0,
        };
        assert!(error <= tolerance * scale, "{what}: operand {i} is off by {error:.2e} of {scale:.2e}\n{pair:?}");
    }
}
