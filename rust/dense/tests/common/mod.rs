//! What the tests share: matrices in all layouts, random numbers, and naive references in double precision.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part
#![allow(unsafe_code)] // negative strides begin in the middle of the memory

use proptest::prelude::ProptestConfig;
use proptest::test_runner::FileFailurePersistence;
use tensoroxide_dense::{Element, MatMut, MatRef, Resources};
use tensoroxide_tensor::testing::poison;
use tensoroxide_tensor::{Complex64, Real};

/// A workspace for results of any lifetime: a test ends soon.
pub fn with() -> Resources<'static> {
    Resources::of(Box::leak(Box::default()))
}

/// A matrix that owns its memory: column-major, row-major, with gaps, back to front, or one element for all.
#[derive(Clone, Debug)]
pub struct Owned<T> {
    data: Vec<T>,
    offset: usize,
    rows: usize,
    cols: usize,
    strides: (isize, isize),
}

/// Number of layouts; the last one, in which all elements are the same memory, is for inputs only.
pub const LAYOUTS: usize = 9;
/// Number of layouts for outputs.
pub const OUTPUT_LAYOUTS: usize = LAYOUTS - 1;

impl<T: Element> Owned<T> {
    /// All elements are `fill`, the memory between them NaN.
    pub fn new(rows: usize, cols: usize, layout: usize, fill: T) -> Self {
        let (m, n) = (rows as isize, cols as isize);
        let strides = match layout % LAYOUTS {
            0 => (1, m),
            1 => (n, 1),
            2 => (1, m + 3),
            3 => (n + 2, 1),
            4 => (2, 2 * m + 1),
            5 => (-1, m),
            6 => (1, -m),
            7 => (-3 * n, -3),
            _ => (0, 0),
        };
        let reach = |extent: isize, stride: isize| (extent - 1).max(0) * stride;
        let (down, right) = (reach(m, strides.0), reach(n, strides.1));
        let offset = -(down.min(0) + right.min(0));
        let len = offset + down.max(0) + right.max(0) + 1;
        let nan = poison();
        let mut new = Self { data: vec![nan; len as usize], offset: offset as usize, rows, cols, strides };
        new.fill(|_, _| fill);
        new
    }

    /// Random elements with parts in −1..1.
    pub fn random(rows: usize, cols: usize, layout: usize, rng: &mut Rng) -> Self {
        let mut new = Self::new(rows, cols, layout, T::ZERO);
        new.fill(|_, _| rng.element());
        new
    }

    pub fn fill(&mut self, mut f: impl FnMut(usize, usize) -> T) {
        for j in 0..self.cols {
            for i in 0..self.rows {
                let at = self.index(i, j);
                self.data[at] = f(i, j);
            }
        }
    }

    fn index(&self, i: usize, j: usize) -> usize {
        (self.offset as isize + i as isize * self.strides.0 + j as isize * self.strides.1) as usize
    }

    pub fn at(&self, i: usize, j: usize) -> T {
        self.data[self.index(i, j)]
    }

    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    pub fn view(&self) -> MatRef<'_, T> {
        let ptr = self.data[self.offset..].as_ptr();
        // SAFETY: `new` sized the memory for these extents and strides.
        unsafe { MatRef::from_raw_parts(ptr, self.rows, self.cols, self.strides.0, self.strides.1) }
    }

    pub fn view_mut(&mut self) -> MatMut<'_, T> {
        let ptr = self.data.as_mut_ptr().wrapping_add(self.offset);
        // SAFETY: as in `view`, and the layouts for outputs name no element twice.
        unsafe { MatMut::from_raw_parts(ptr, self.rows, self.cols, self.strides.0, self.strides.1) }
    }

    /// The memory between the elements is still NaN: nothing was written beyond the matrix.
    pub fn gaps_untouched(&self) -> bool {
        let mut own = vec![false; self.data.len()];
        for (i, j) in pairs(self.rows, self.cols) {
            own[self.index(i, j)] = true;
        }
        self.data.iter().zip(own).all(|(x, own)| own || x.re() != x.re())
    }
}

/// All index pairs.
pub fn pairs(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..cols).flat_map(move |j| (0..rows).map(move |i| (i, j)))
}

/// A small generator of random numbers (xorshift64*).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn element<T: Element>(&mut self) -> T {
        T::from_c64(Complex64::new(self.next(), self.next()))
    }
}

/// eps of the type, in double precision.
pub fn eps<T: Element>() -> f64 {
    T::Real::EPSILON.to_f64()
}

/// The element, conjugated if asked for.
pub fn op<T: Element>(x: T, conj: bool) -> Complex64 {
    if conj {
        x.to_c64().conj()
    } else {
        x.to_c64()
    }
}

/// So many cases, and what once failed kept in a file of the crate.
pub fn config(cases: u32, file: &'static str) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..ProptestConfig::default()
    }
}
